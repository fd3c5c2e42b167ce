use burn::tensor::{Device, Tensor};
use latentd::model::{Port, Task};

use super::Recipe;
use crate::onnx::{Graph, Value};

/// What publishing needs to know of a recipe whose network makes a picture of a picture.
pub trait PhotoRecipe: Recipe {
    /// What the network makes of one picture, planes of 0..1, in burn. `sigma` is the noise's deviation, 0..1, for
    /// networks that are told it.
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

/// How far pixels are off, `[1]`: the mean absolute error, with which networks learn faster, and for the last stretch of
/// a run the root of the mean squared error, which is what PSNR asks for.
pub fn pixel_loss(error: Tensor<4>, progress: f64) -> Tensor<1> {
    if progress < 0.85 { error.abs().mean() } else { error.square().mean().add_scalar(1e-12).sqrt() }
}
