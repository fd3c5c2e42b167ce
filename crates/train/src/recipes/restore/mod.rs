//! Small pictures made better by a network that takes any size: noise as strong as the picture taken away, or a picture made
//! twice as large. The same U-Net does both; only what it is fed differs.

mod data;
mod network;
mod publish;

use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::Recipe;
use super::autoencoder::loss::cross_entropy;
use crate::data::SmallPictures;
use crate::layers::Init;
pub use data::{Batch, halved, noisy};
pub use network::{Restorer, Shape};

/// What is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// Noise `N(0.5, 0.5)` added to values of 0..1, and the sum clipped to 0..1.
    Noise,
    /// Half the size: each square of 2x2 pixels became their mean.
    Halving,
}

/// The recipe with its pictures.
pub struct Restore {
    /// The network's size, and what it undoes.
    pub shape: Shape,
    /// Pictures to learn from.
    pub training: SmallPictures,
    /// Held-out pictures for the score during training.
    pub development: SmallPictures,
    /// Pictures a step.
    pub batch: usize,
}

/// Pictures of the development set that a score is measured on, at most.
const SCORED: usize = 2000;

impl Recipe for Restore {
    type Network = Restorer;
    type Batch = Batch;

    const SCORE: (&'static str, &'static str) = ("minus the cross-entropy of a value", "nats");

    fn network(&self, init: &mut Init) -> Restorer {
        Restorer::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, _progress: f64) -> Batch {
        Batch::draw(rng, &self.training, &self.shape, self.batch)
    }

    fn loss(&self, network: &Restorer, batch: Batch, _progress: f64, device: &Device) -> Tensor<1> {
        let logits = network.forward(Tensor::from_data(batch.damaged, device));
        let whole: Tensor<4> = Tensor::from_data(batch.whole, device);
        let (border, side) = (batch.border, whole.dims()[2]);
        let logits = logits.narrow(2, border, side).narrow(3, border, side);
        cross_entropy(logits, whole).mean()
    }

    fn score(&self, network: &Restorer, device: &Device) -> f64 {
        let device = device.clone().inner();
        let count = self.development.len().min(SCORED);
        let batch = Batch::of(&self.development, &self.shape, count);
        let logits = network.forward(Tensor::from_data(batch.damaged, &device));
        -f64::from(cross_entropy(logits, Tensor::from_data(batch.whole, &device)).mean().into_scalar::<f32>())
    }
}
