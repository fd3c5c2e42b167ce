//! `upscale-photo-x2`, `-x3`, `-x4`: photos made larger, trained on pictures made small by MATLAB's bicubic; `upscale-camera-x2`, `-x4`: the same of what
//! cameras and JPEG files make of them.

mod data;
mod network;

use burn::tensor::{Device, Tensor, TensorData};
use latentd::model::Task;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{About, Frame, PhotoRecipe, Recipe, pixel_loss};
use crate::data::{camera, depth_to_space};
use crate::layers::Init;
use crate::measure::{luma, psnr};
use crate::onnx::{Graph, Value};
pub use data::{Batch, Pair};
pub use network::{Shape, Upscaler};

/// What the small pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Large ones made small, and nothing else.
    Clean,
    /// Out of focus, with the noise of a camera and the artefacts of JPEG on them.
    Camera,
}

impl Input {
    /// Pixels that a square must have around what is kept.
    pub fn margin(self) -> usize {
        match self {
            Input::Clean => 0,
            Input::Camera => camera::MARGIN,
        }
    }

    /// The recipe's name.
    pub fn recipe(self, scale: usize) -> String {
        match self {
            Input::Clean => format!("upscale-photo-x{scale}"),
            Input::Camera => format!("upscale-camera-x{scale}"),
        }
    }
}

/// The recipe with its pictures.
pub struct UpscalePhoto {
    /// What the small pictures are.
    pub input: Input,
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

    const SCORE: (&'static str, &'static str) = ("PSNR", "dB");

    fn network(&self, init: &mut Init) -> Upscaler {
        Upscaler::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, _progress: f64) -> Batch {
        Batch::draw(rng, &self.training, self.input, self.batch, self.patch)
    }

    fn loss(&self, network: &Upscaler, batch: Batch, progress: f64, device: &Device) -> Tensor<1> {
        let small = Tensor::from_data(batch.small, device);
        let large = Tensor::from_data(batch.large, device);
        let error = network.forward(small) - large;
        pixel_loss(error, progress)
    }

    fn score(&self, network: &Upscaler, device: &Device) -> f64 {
        let scores = self.development.iter().enumerate().map(|(seed, Pair { large, small, scale })| {
            let clean = small.planes();
            let planes = match self.input {
                Input::Clean => clean,
                Input::Camera => camera::degrade_small(&mut StdRng::seed_from_u64(seed as u64), &clean, small.width),
            };
            let frame = Frame { planes, height: small.height, width: small.width };
            let output = self.infer(network, &frame, 0.0, device);
            let y = |planes: &[f32]| luma(planes, large.height, large.width, *scale);
            psnr(&y(&large.planes()), &y(&output))
        });
        scores.sum::<f64>() / self.development.len() as f64
    }
}

impl PhotoRecipe for UpscalePhoto {
    fn infer(&self, network: &Upscaler, picture: &Frame, _sigma: f32, device: &Device) -> Vec<f32> {
        let device = device.clone().inner();
        let scale = self.shape.scale;
        let input = TensorData::new(picture.planes.clone(), [1, 3, picture.height, picture.width]);
        let output = network.forward(Tensor::from_data(input, &device)).into_data();
        let output: Vec<f32> = output.iter::<f32>().collect();
        depth_to_space(&output, 3, picture.height * scale, picture.width * scale, scale)
    }

    fn write(&self, network: &Upscaler, graph: &mut Graph) -> Value {
        network.write(graph)
    }

    fn about(&self) -> About {
        let scale = self.shape.scale;
        let (summary, weakness) = match self.input {
            Input::Clean => (
                format!("Makes clean photos {scale} times as large on each side"),
                "trained on pictures made small by bicubic resampling: noise and JPEG artefacts of the input are \
                 enlarged with everything else",
            ),
            Input::Camera => (
                format!(
                    "Makes photos of phones and the web {scale} times as large on each side, without their noise and JPEG artefacts"
                ),
                "what is clean and sharp already is enlarged better by upscale-photo: grain that belongs to the scene is taken for noise",
            ),
        };
        let smooth = "trained for PSNR: it does not invent texture, so fine detail comes out smooth";
        About {
            task: Task::Upscale,
            summary,
            conditions: Vec::new(),
            limits: vec![weakness.to_owned(), smooth.to_owned()],
        }
    }
}
