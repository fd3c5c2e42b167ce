//! `denoise-photo`: white Gaussian noise of a known level out of colour photos.

mod data;
mod network;

use burn::tensor::{Device, Tensor, TensorData};
use latentd::model::{Dim, Port, Task};
use rand::rngs::StdRng;

use super::{About, Frame, PhotoRecipe, Recipe, pixel_loss};
use crate::data::{Picture, depth_to_space, space_to_depth};
use crate::layers::Init;
use crate::measure::psnr;
use crate::onnx::{Graph, Value};
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

    const SCORE: (&'static str, &'static str) = ("PSNR", "dB");

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
        pixel_loss(error, progress)
    }

    fn score(&self, network: &Denoiser, device: &Device) -> f64 {
        let scores = self.development.iter().enumerate().map(|(seed, picture)| {
            let clean = picture.planes();
            let planes = noisy(&clean, SCORED_SIGMA, seed as u64);
            let frame = Frame { planes, height: picture.height, width: picture.width };
            let output = self.infer(network, &frame, (SCORED_SIGMA / 255.0) as f32, device);
            psnr(&clean, &output.iter().map(|v| v.clamp(0.0, 1.0)).collect::<Vec<_>>())
        });
        scores.sum::<f64>() / self.development.len() as f64
    }
}

impl PhotoRecipe for DenoisePhoto {
    fn infer(&self, network: &Denoiser, picture: &Frame, sigma: f32, device: &Device) -> Vec<f32> {
        let device = device.clone().inner();
        let (height, width) = (picture.height, picture.width);
        let depth = space_to_depth(&picture.planes, 3, height, width, 2);
        let input = Tensor::from_data(TensorData::new(depth, [1, 12, height / 2, width / 2]), &device);
        let sigma = Tensor::from_data(TensorData::new(vec![sigma], [1, 1, 1, 1]), &device);
        let output: Vec<f32> = network.forward(input, sigma).into_data().iter::<f32>().collect();
        depth_to_space(&output, 3, height, width, 2)
    }

    fn write(&self, network: &Denoiser, graph: &mut Graph) -> Value {
        network.write(graph)
    }

    fn about(&self) -> About {
        About {
            task: Task::Denoise,
            summary: "Takes white Gaussian noise of a known level (sigma 0..50 of 255) out of colour photos".to_owned(),
            conditions: vec![Port {
                name: "sigma".to_owned(),
                role: None,
                shape: vec![Dim::Fixed(1); 4],
                range: [0.0, 1.0],
            }],
            limits: vec![
                "trained on white Gaussian noise: the noise of cameras and of JPEG files is neither white nor Gaussian, \
                 and blotches of it can stay"
                    .to_owned(),
                "fine texture near the noise level is smoothed away; a sigma above the true one costs detail, one \
                 below leaves noise"
                    .to_owned(),
                "beyond sigma 55 it was never trained".to_owned(),
            ],
        }
    }
}
