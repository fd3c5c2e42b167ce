use serde::{Deserialize, Serialize};

use super::is_zero;

/// What a card tells of an autoencoder's latent space. The graph's ports are found by their names: the encoder makes `z_mean` (and `z_log_var`, the
/// logarithm of the variance) of its input, the decoder makes `output` of `latent`; a conditional one takes `class` in both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentSpace {
    /// Numbers of one point.
    pub size: usize,
    /// Whether points of the space follow a standard normal distribution, so that draws of it can be decoded.
    #[serde(default)]
    pub prior: bool,
    /// Classes that encoder and decoder are told, one number for each; 0 where they are told none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub classes: usize,
    /// How unlike the training data an input is, by what the model does to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub novelty: Option<Novelty>,
}

/// Calibrates a score of novelty: its quantiles over held-out data of the kind that the model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Novelty {
    /// The scores' quantiles, from the lowest to the highest, equally spaced: 101 of them are percentiles.
    pub quantiles: Vec<f32>,
}

impl Novelty {
    /// Whether its quantiles are at least two numbers that never fall.
    pub(super) fn is_sound(&self) -> bool {
        self.quantiles.len() > 1
            && self.quantiles.iter().all(|quantile| quantile.is_finite())
            && self.quantiles.is_sorted()
    }

    /// Which share of the held-out data scores below `score`, 0..=1, interpolated between quantiles.
    pub fn percentile(&self, score: f32) -> f32 {
        let steps = self.quantiles.len().saturating_sub(1).max(1) as f32;
        let above = self.quantiles.partition_point(|&quantile| quantile < score);
        match (above.checked_sub(1).and_then(|below| self.quantiles.get(below)), self.quantiles.get(above)) {
            (Some(low), Some(high)) => {
                (above as f32 - 1.0 + (score - low) / (high - low).max(f32::MIN_POSITIVE)) / steps
            }
            (None, _) => 0.0,
            // Above all of them: there is no telling how far.
            (_, None) => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_interpolated_and_end_at_the_ends() {
        let novelty = Novelty { quantiles: vec![1.0, 2.0, 4.0] };
        let of = |score| novelty.percentile(score);
        assert_eq!([of(0.0), of(1.0), of(2.0), of(3.0), of(4.0), of(9.0)], [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]);
    }
}
