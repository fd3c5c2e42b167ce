//! What autoencoders minimise, in nats or squared error a picture.

use burn::tensor::{Tensor, activation};

/// The Kullback-Leibler divergence of the diagonal Gaussian `N(mean, exp(log_var))` from `N(0, I)` for each row, `[N]`,
/// in nats, by its closed form (Kingma and Welling 2014, "Auto-encoding variational Bayes", appendix B).
///
/// `log_var` is the logarithm of the *variance*: [`sample`] takes the standard deviation as `exp(log_var / 2)`.
pub fn divergence(mean: Tensor<2>, log_var: Tensor<2>) -> Tensor<1> {
    let terms = log_var.clone().add_scalar(1.0) - mean.square() - log_var.exp();
    terms.sum_dim(1).squeeze_dim::<1>(1) * -0.5
}

/// A draw of `N(mean, exp(log_var))`, where `noise` is one of `N(0, I)`.
pub fn sample(mean: Tensor<2>, log_var: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
    mean + log_var.mul_scalar(0.5).exp() * noise
}

/// The binary cross-entropy of `sigmoid(logits)` against targets of 0..1, value by value, in nats. Stable for logits of
/// any size: `max(l, 0) - l t + ln(1 + exp(-|l|))`.
pub fn cross_entropy<const D: usize>(logits: Tensor<D>, target: Tensor<D>) -> Tensor<D> {
    activation::relu(logits.clone()) - logits.clone() * target + logits.abs().neg().exp().log1p()
}

/// The squared error of `sigmoid(logits)`, value by value.
pub fn squared_error<const D: usize>(logits: Tensor<D>, target: Tensor<D>) -> Tensor<D> {
    (activation::sigmoid(logits) - target).square()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn row(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
    }

    fn divergence_of(mean: &[f32], log_var: &[f32]) -> f64 {
        let device = Device::flex();
        f64::from(divergence(row(mean, &device), row(log_var, &device)).into_scalar::<f32>())
    }

    #[test]
    fn divergence_is_its_closed_form() {
        assert_eq!(divergence_of(&[0.0, 0.0], &[0.0, 0.0]), 0.0);
        // KL(N(m, s^2) | N(0, 1)) = (m^2 + s^2 - 1) / 2 - ln s
        let (mean, deviation) = (1.5f64, 0.25f64);
        let expected = (mean * mean + deviation * deviation - 1.0) / 2.0 - deviation.ln();
        let log_var = (2.0 * deviation.ln()) as f32;
        assert!((divergence_of(&[mean as f32], &[log_var]) - expected).abs() < 1e-5);
    }

    /// The draws of [`sample`] and the closed form must mean the same `log_var`: the mean of `ln q(z) - ln p(z)` over draws
    /// is the divergence.
    #[test]
    fn divergence_agrees_with_draws() {
        const DRAWS: usize = 200_000;
        let device = Device::flex();
        let mut rng = StdRng::seed_from_u64(1);
        for (mean, log_var) in [(0.0f32, -2.0f32), (1.2, -1.0), (-0.7, 1.1), (0.3, 0.5)] {
            let noise: Vec<f32> = (0..DRAWS).map(|_| StandardNormal.sample(&mut rng)).collect();
            let column = |value: f32| Tensor::<2>::full([DRAWS, 1], value, &device);
            let noise = Tensor::from_data(TensorData::new(noise, [DRAWS, 1]), &device);
            let drawn: Vec<f32> = sample(column(mean), column(log_var), noise).into_data().iter::<f32>().collect();
            let (m, variance) = (f64::from(mean), f64::from(log_var).exp());
            let log_ratio = |z: f64| ((z * z) - (z - m).powi(2) / variance - variance.ln()) / 2.0;
            let estimate = drawn.iter().map(|&z| log_ratio(f64::from(z))).sum::<f64>() / DRAWS as f64;
            let closed = divergence_of(&[mean], &[log_var]);
            assert!((estimate - closed).abs() < 0.02, "{mean} {log_var}: drawn {estimate}, closed {closed}");
        }
    }

    #[test]
    fn cross_entropy_is_stable_and_right() {
        let device = Device::flex();
        let of = |logit: f32, target: f32| {
            cross_entropy(row(&[logit], &device), row(&[target], &device)).into_scalar::<f32>()
        };
        assert!((of(0.0, 0.5) - 2f32.ln()).abs() < 1e-6);
        assert!(
            (of(2.0, 0.3)
                - -(0.3 * (1.0 / (1.0 + (-2f32).exp())).ln() + 0.7 * (1.0 - 1.0 / (1.0 + (-2f32).exp())).ln()))
            .abs()
                < 1e-5
        );
        assert_eq!(of(1e4, 1.0), 0.0);
        assert_eq!(of(-1e4, 1.0), 1e4);
    }
}
