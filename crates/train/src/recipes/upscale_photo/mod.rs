//! `upscale-photo-x2`, `-x3`, `-x4`: photos made larger, trained on pictures made small by MATLAB's bicubic.

mod data;
mod network;

use burn::tensor::{Device, Tensor};
use rand::rngs::StdRng;

use super::Recipe;
use crate::layers::Init;
pub use data::{Batch, Pair};
pub use network::{Shape, Upscaler};

/// The recipe with its pictures.
pub struct UpscalePhoto {
    /// The network's size and scale.
    pub shape: Shape,
    /// Pictures to learn from.
    pub training: Vec<Pair>,
    /// Held-out crops for the score during training.
    pub development: Vec<Pair>,
    /// Squares a batch.
    pub batch: usize,
    /// Side of a square of the small picture, in pixels.
    pub patch: usize,
}

impl Recipe for UpscalePhoto {
    type Network = Upscaler;
    type Batch = Batch;

    fn network(&self, init: &mut Init) -> Upscaler {
        Upscaler::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, _progress: f64) -> Batch {
        Batch::draw(rng, &self.training, self.batch, self.patch)
    }

    fn loss(&self, network: &Upscaler, batch: Batch, progress: f64, device: &Device) -> Tensor<1> {
        let small = Tensor::from_data(batch.small, device);
        let large = Tensor::from_data(batch.large, device);
        let error = network.forward(small) - large;
        // L1 learns faster; the squared error is what PSNR asks for, so the last stretch is spent on it.
        if progress < 0.85 { error.abs().mean() } else { error.square().mean() * 10.0 }
    }

    fn score(&self, network: &Upscaler, device: &Device) -> f64 {
        data::score(network, &self.development, device)
    }
}
