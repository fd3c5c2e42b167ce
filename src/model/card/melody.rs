use serde::{Deserialize, Serialize};

use super::{is_one, one};
use crate::media::melody::{Part, values_of};

/// What a card tells of a model of melodies. Its encoder takes `notes` `[N, steps, values]`, the parts' values side by side at each step, and its decoder gives
/// scores of the same shape: for notes one for each class (88 pitches from A0 on, hold, off), for drums one for each part of the kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelodySpace {
    /// The lines that it takes together.
    pub parts: Vec<Part>,
    /// Steps of a window: 16th notes.
    pub steps: usize,
    /// Windows that one latent point stands for; each starts with a bar.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub windows: usize,
    /// Qualities that the graph has directions for: its input `qualities` `[1, K]`, how much more or less of each in deviations of the training
    /// tunes, gives `direction` `[1, size]`, what is to be added to a latent point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qualities: Vec<String>,
}

impl MelodySpace {
    /// Values of one step.
    pub fn values(&self) -> usize {
        values_of(&self.parts)
    }

    /// Steps that one latent point stands for.
    pub fn all_steps(&self) -> usize {
        self.steps * self.windows
    }
}
