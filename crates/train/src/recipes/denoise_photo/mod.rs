//! `denoise-photo`: white Gaussian noise of a known level out of colour photos.

mod data;
mod network;

use burn::tensor::{Device, Tensor};
use rand::rngs::StdRng;

use super::Recipe;
use crate::data::Picture;
use crate::layers::Init;
pub use data::{Batch, noisy};
pub use network::{Denoiser, Shape};

/// The noise levels trained on, in 1/255: a little beyond the 0..50 that is promised, so that 50 is no edge.
pub const MAX_SIGMA: f64 = 55.0;

/// The level that the development set is scored at.
pub const SCORED_SIGMA: f64 = 25.0;

/// The recipe with its pictures.
pub struct DenoisePhoto {
    /// The network's size.
    pub shape: Shape,
    /// Pictures to learn from.
    pub training: Vec<Picture>,
    /// Held-out crops for the score during training.
    pub development: Vec<Picture>,
    /// Squares a batch.
    pub batch: usize,
    /// Side of a square in pixels, a multiple of the network's.
    pub patch: usize,
}

impl Recipe for DenoisePhoto {
    type Network = Denoiser;
    type Batch = Batch;

    fn network(&self, init: &mut Init) -> Denoiser {
        Denoiser::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, progress: f64) -> Batch {
        // Larger squares towards the end: fewer borders, which the network never sees in use.
        let patch = if progress < 0.7 { self.patch } else { self.patch * 3 / 2 };
        let count = (self.batch * self.patch * self.patch / (patch * patch)).max(1);
        Batch::draw(rng, &self.training, count, patch)
    }

    fn loss(&self, network: &Denoiser, batch: Batch, progress: f64, device: &Device) -> Tensor<1> {
        let noisy = Tensor::from_data(batch.noisy, device);
        let clean = Tensor::from_data(batch.clean, device);
        let sigma = Tensor::from_data(batch.sigma, device);
        let error = network.forward(noisy, sigma) - clean;
        // L1 learns faster; the squared error is what PSNR asks for, so the last stretch is spent on it.
        if progress < 0.85 { error.abs().mean() } else { error.square().mean() * 10.0 }
    }

    fn score(&self, network: &Denoiser, device: &Device) -> f64 {
        data::score(network, &self.development, SCORED_SIGMA, device)
    }
}
