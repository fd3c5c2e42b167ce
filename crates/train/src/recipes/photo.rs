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

/// How far pixels are off, `[1]`: the mean absolute error, with which networks learn faster, and for the second half of
/// a run what the mean of PSNRs asks for: the geometric mean of the examples' root mean squared errors, so that clean
/// examples count as much as noisy ones.
pub fn pixel_loss(error: Tensor<4>, progress: f64) -> Tensor<1> {
    /// Below a mean squared error of 50 dB, pictures look alike.
    const ALIKE: f64 = 1e-5;
    if progress < 0.5 {
        return error.abs().mean();
    }
    let examples = error.dims()[0];
    let squares: Tensor<2> = error.square().reshape([examples as i32, -1]).mean_dim(1);
    squares.add_scalar(ALIKE).log().mean().mul_scalar(0.5).exp()
}
