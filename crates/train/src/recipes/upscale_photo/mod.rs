//! `upscale-photo-x2`, `-x3`, `-x4`: photos made larger, trained on pictures made small by MATLAB's bicubic.

mod data;
mod network;

use burn::tensor::{Device, Tensor, TensorData};
use latentd::model::Task;
use rand::rngs::StdRng;

use super::{About, Frame, PhotoRecipe, Recipe, pixel_loss};
use crate::data::depth_to_space;
use crate::layers::Init;
use crate::measure::{luma, psnr};
use crate::onnx::{Graph, Value};
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

    const SCORE: (&'static str, &'static str) = ("PSNR", "dB");

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
        pixel_loss(error, progress)
    }

    fn score(&self, network: &Upscaler, device: &Device) -> f64 {
        let scores = self.development.iter().map(|Pair { large, small, scale }| {
            let frame = Frame { planes: small.planes(), height: small.height, width: small.width };
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
        About {
            task: Task::Upscale,
            summary: format!("Makes clean photos {} times as large on each side", self.shape.scale),
            conditions: Vec::new(),
            limits: vec![
                "trained on pictures made small by bicubic resampling: noise and JPEG artefacts of the input are \
                 enlarged with everything else"
                    .to_owned(),
                "trained for PSNR: it does not invent texture, so fine detail comes out smooth".to_owned(),
            ],
        }
    }
}
