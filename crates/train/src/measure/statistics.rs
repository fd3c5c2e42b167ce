//! Numbers that compare distributions.

/// The area under the receiver operating characteristic: how often a draw of `novel` scores above one of `known`, ties
/// counting half (the Mann-Whitney statistic).
pub fn auroc(known: &[f32], novel: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> = known.iter().map(|&s| (s, false)).chain(novel.iter().map(|&s| (s, true))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0f64, 0f64);
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        let above = tied.iter().filter(|(_, novel)| *novel).count() as f64;
        let equal = tied.len() as f64 - above;
        wins += above * (below + equal / 2.0);
        below += equal;
    }
    wins / (known.len() as f64 * novel.len() as f64)
}

/// The squared maximum mean discrepancy of two samples (Gretton et al. 2012, "A kernel two-sample test", equation 3, the
/// unbiased estimate) under the Gaussian kernel `exp(-|x - y|^2 / (2 d))`, where d is the number of values of a point. It is 0
/// on average for samples of one distribution, and may fall below.
pub fn discrepancy(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let size = a.first().map_or(1, Vec::len) as f64;
    let kernel = |x: &[f32], y: &[f32]| {
        let square: f32 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
        (-f64::from(square) / (2.0 * size)).exp()
    };
    let within = |points: &[Vec<f32>]| {
        let pairs = points.iter().enumerate().map(|(i, x)| points[..i].iter().map(|y| kernel(x, y)).sum::<f64>());
        2.0 * pairs.sum::<f64>() / (points.len() as f64 * (points.len() as f64 - 1.0))
    };
    let across = a.iter().map(|x| b.iter().map(|y| kernel(x, y)).sum::<f64>()).sum::<f64>();
    within(a) + within(b) - 2.0 * across / (a.len() as f64 * b.len() as f64)
}

/// The binary cross-entropy of predictions of 0..=1 against targets of 0..=1, in nats, the mean over values.
pub fn cross_entropy(predicted: &[f32], target: &[f32]) -> f64 {
    let term = |(p, t): (&f32, &f32)| {
        let (p, t) = (f64::from(*p).clamp(1e-7, 1.0 - 1e-7), f64::from(*t));
        -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
    };
    predicted.iter().zip(target).map(term).sum::<f64>() / target.len() as f64
}

/// The mean squared error.
pub fn squared_error(predicted: &[f32], target: &[f32]) -> f64 {
    predicted.iter().zip(target).map(|(p, t)| f64::from(p - t).powi(2)).sum::<f64>() / target.len() as f64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    #[test]
    fn auroc_counts_wins_and_half_ties() {
        assert_eq!(auroc(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(auroc(&[3.0, 4.0], &[1.0, 2.0]), 0.0);
        assert_eq!(auroc(&[1.0, 2.0], &[2.0, 2.0]), 0.75);
        assert_eq!(auroc(&[5.0; 7], &[5.0; 3]), 0.5);
    }

    #[test]
    fn discrepancy_is_near_zero_for_one_distribution_only() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut draw = |shift: f32| -> Vec<Vec<f32>> {
            let mut value = || -> f32 { StandardNormal.sample(&mut rng) };
            (0..400).map(|_| (0..3).map(|_| value() + shift).collect()).collect()
        };
        let (a, b, c) = (draw(0.0), draw(0.0), draw(0.5));
        assert!(discrepancy(&a, &b).abs() < 0.005, "{}", discrepancy(&a, &b));
        assert!(discrepancy(&a, &c) > 0.03, "{}", discrepancy(&a, &c));
    }
}
