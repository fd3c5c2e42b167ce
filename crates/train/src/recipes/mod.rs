//! One folder for each recipe: its network, its data, its loss and what is said of it.

pub mod denoise_photo;
pub mod upscale_photo;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use latentd::model::{Port, Task};
use rand::rngs::StdRng;

use crate::layers::Init;
use crate::onnx::{Graph, Value};

/// What training and publishing need to know of a recipe.
pub trait Recipe: Sync {
    /// The network that is trained.
    type Network: Module;
    /// What one step learns from, in host memory.
    type Batch: Send;

    /// A network with fresh weights.
    fn network(&self, init: &mut Init) -> Self::Network;

    /// The batch of one step. `progress` is how much of the run is over, 0..1.
    fn batch(&self, rng: &mut StdRng, progress: f64) -> Self::Batch;

    /// The loss to minimise, `[1]`.
    fn loss(&self, network: &Self::Network, batch: Self::Batch, progress: f64, device: &Device) -> Tensor<1>;

    /// PSNR in dB on the development set.
    fn score(&self, network: &Self::Network, device: &Device) -> f64;

    /// What the network makes of one picture, planes `[3, height, width]` of 0..1, in burn. `sigma` is the noise's
    /// deviation, 0..1, for recipes that are told it.
    fn infer(&self, network: &Self::Network, picture: &Frame, sigma: f32, device: &Device) -> Vec<f32>;

    /// Writes the network into an ONNX graph; returns the picture that is to be its output.
    fn write(&self, network: &Self::Network, graph: &mut Graph) -> Value;

    /// What the card says.
    fn about(&self) -> About;
}

/// A picture as a network takes it.
pub struct Frame {
    /// `[3, height, width]`, values 0..1.
    pub planes: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Pixels a row.
    pub width: usize,
}

/// A recipe in words, for the card.
pub struct About {
    /// The stage that the model serves.
    pub task: Task,
    /// One sentence.
    pub summary: String,
    /// The inputs beside the picture.
    pub conditions: Vec<Port>,
    /// Where it fails.
    pub limits: Vec<String>,
}
