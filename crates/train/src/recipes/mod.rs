//! One folder for each recipe: its network, its data, its loss and what is said of it.

pub mod autoencoder;
pub mod denoise_photo;
pub mod denoise_speech;
mod photo;
pub mod restore;
pub mod sequence;
pub mod upscale_photo;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
pub use photo::{About, Frame, PhotoRecipe, pixel_loss};
use rand::rngs::StdRng;

use crate::layers::Init;

/// What a training run needs to know of a recipe, whatever the media.
pub trait Recipe: Sync {
    /// The network that is trained.
    type Network: Module;
    /// What one step learns from, in host memory.
    type Batch: Send;

    /// What [`score`](Self::score) measures, with its unit.
    const SCORE: (&'static str, &'static str);

    /// A network with fresh weights.
    fn network(&self, init: &mut Init) -> Self::Network;

    /// A network into which the weights of a published model were copied, all but those of the names `absent`, which it lacks: made ready to learn on
    /// from what it knows.
    fn grown(&self, network: Self::Network, _absent: &[String]) -> Self::Network {
        network
    }

    /// The batch of one step. `progress` is how much of the run is over, 0..1.
    fn batch(&self, rng: &mut StdRng, progress: f64) -> Self::Batch;

    /// The loss to minimise, `[1]`.
    fn loss(&self, network: &Self::Network, batch: Self::Batch, progress: f64, device: &Device) -> Tensor<1>;

    /// How well the network does on the development set; more is better.
    fn score(&self, network: &Self::Network, device: &Device) -> f64;

    /// What else is measured along with the score and logged by name: the parts of a loss, say.
    fn parts(&self, _network: &Self::Network, _device: &Device) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}
