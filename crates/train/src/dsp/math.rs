//! Powers in steps that a compiler turns into vectors, and levels.

/// `x^exponent` for positive normal `x`, to about 1e-6 relative: the logarithm by the series of the inverse hyperbolic
/// tangent around 1, the exponential by a polynomial.
#[inline(always)]
pub fn power(x: f32, exponent: f32) -> f32 {
    exp2(exponent * log2(x))
}

#[inline(always)]
fn log2(x: f32) -> f32 {
    /// The bits of sqrt(1/2): mantissas are taken between it and sqrt(2).
    const HALF_ROOT: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(HALF_ROOT);
    let exponent = (bits as i32) >> 23;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) + HALF_ROOT);
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let t2 = t * t;
    let series = t * (2.0 + t2 * (0.666_666_7 + t2 * (0.4 + t2 * (0.285_714_3 + t2 * 0.222_222_2))));
    exponent as f32 + series * std::f32::consts::LOG2_E
}

#[inline(always)]
fn exp2(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-126.0, 126.0);
    let rounded = x + ROUND;
    let r = (x - (rounded - ROUND)) * std::f32::consts::LN_2;
    let p =
        1.0 + r * (1.0 + r * (0.5 + r * (0.166_666_67 + r * (0.041_666_67 + r * (0.008_333_33 + r * 0.001_388_89)))));
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(1f32.to_bits()))
}

/// Root of the mean square; 0 of nothing.
pub fn rms(samples: &[f32]) -> f32 {
    let sum: f64 = samples.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    (sum / samples.len().max(1) as f64).sqrt() as f32
}

/// A factor from decibels.
pub fn from_db(db: f64) -> f32 {
    10f64.powf(db / 20.0) as f32
}

/// Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019, "SDR - half-baked or well done?").
pub fn si_sdr(reference: &[f32], estimate: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let scale = dot(estimate, reference) / (dot(reference, reference) + 1e-12);
    let (mut target, mut error) = (0.0, 0.0);
    for (&r, &e) in reference.iter().zip(estimate) {
        let t = scale * f64::from(r);
        target += t * t;
        error += (f64::from(e) - t).powi(2);
    }
    10.0 * ((target + 1e-12) / (error + 1e-12)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_standard_library() {
        for exponent in [0.15f32, -0.35, -0.85, 2.0] {
            for i in -60..=60 {
                for x in [1.0f32, 1.3, 1.4, 1.9].map(|m| m * 2f32.powi(i / 2)) {
                    let found = power(x, exponent);
                    assert!((found / x.powf(exponent) - 1.0).abs() < 1e-5, "{x}^{exponent}: {found}");
                }
            }
        }
    }

    #[test]
    fn si_sdr_does_not_depend_on_scale() {
        let reference: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.1).sin()).collect();
        let estimate: Vec<f32> =
            reference.iter().enumerate().map(|(i, v)| 0.3 * v + 0.03 * (i as f32 * 1.7).sin()).collect();
        assert!((si_sdr(&reference, &estimate) - 20.0).abs() < 0.2);
        let louder: Vec<f32> = estimate.iter().map(|v| 7.0 * v).collect();
        assert!((si_sdr(&reference, &estimate) - si_sdr(&reference, &louder)).abs() < 1e-4);
    }
}
