//! `denoise-photo`: white Gaussian noise of a known level out of colour photos; `denoise-camera`: what cameras and JPEG files add.

mod data;
mod network;

use burn::tensor::{Device, Tensor, TensorData};
use latentd::model::{Dim, Port, Task};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{About, Frame, PhotoRecipe, Recipe, pixel_loss};
use crate::data::{Picture, camera, depth_to_space, space_to_depth};
use crate::layers::Init;
use crate::measure::psnr;
use crate::onnx::{Graph, Value};
use data::draw_camera;
pub use data::{Batch, noisy};
pub use network::{Denoiser, Shape};

/// The noise levels trained on, in 1/255: a little beyond the 0..50 that is promised, so that 50 is no edge.
pub const MAX_SIGMA: f64 = 55.0;

/// The level that the development set is scored at.
pub const SCORED_SIGMA: f64 = 25.0;

/// The level, 0..1, of the noise of cameras, of which the network is not told: training that begins with the weights of `denoise-photo`
/// then begins where that one does best on photos.
pub const CAMERA_LEVEL: f32 = 12.0 / 255.0;

/// What is to be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// White Gaussian noise of a level that the network is told.
    White,
    /// The noise of a sensor after the camera's own processing, and JPEG artefacts, of a strength that the network is not told.
    Camera,
}

/// The recipe with its pictures.
pub struct DenoisePhoto {
    /// What is to be taken out.
    pub noise: Noise,
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
        match self.noise {
            Noise::White => Batch::draw(rng, &self.training, count, patch),
            Noise::Camera => draw_camera(rng, &self.training, count, patch),
        }
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
            let (planes, sigma) = match self.noise {
                Noise::White => (noisy(&clean, SCORED_SIGMA, seed as u64), SCORED_SIGMA),
                Noise::Camera => (camera::degrade(&mut StdRng::seed_from_u64(seed as u64), &clean, picture.width), 0.0),
            };
            let frame = Frame { planes, height: picture.height, width: picture.width };
            let output = self.infer(network, &frame, (sigma / 255.0) as f32, device);
            psnr(&clean, &output.iter().map(|v| v.clamp(0.0, 1.0)).collect::<Vec<_>>())
        });
        scores.sum::<f64>() / self.development.len() as f64
    }
}

impl PhotoRecipe for DenoisePhoto {
    fn infer(&self, network: &Denoiser, picture: &Frame, sigma: f32, device: &Device) -> Vec<f32> {
        let sigma = if self.noise == Noise::Camera { CAMERA_LEVEL } else { sigma };
        let device = device.clone().inner();
        let (height, width) = (picture.height, picture.width);
        let depth = space_to_depth(&picture.planes, 3, height, width, 2);
        let input = Tensor::from_data(TensorData::new(depth, [1, 12, height / 2, width / 2]), &device);
        let sigma = Tensor::from_data(TensorData::new(vec![sigma], [1, 1, 1, 1]), &device);
        let output: Vec<f32> = network.forward(input, sigma).into_data().iter::<f32>().collect();
        depth_to_space(&output, 3, height, width, 2)
    }

    fn write(&self, network: &Denoiser, graph: &mut Graph) -> Value {
        network.write(graph, (self.noise == Noise::Camera).then_some(CAMERA_LEVEL))
    }

    fn about(&self) -> About {
        match self.noise {
            Noise::White => about_white(),
            Noise::Camera => about_camera(),
        }
    }
}

fn about_camera() -> About {
    About {
        task: Task::Denoise,
        summary: "Takes the noise of cameras and the artefacts of JPEG files out of colour photos, whatever their strength"
            .to_owned(),
        conditions: Vec::new(),
        limits: vec![
            "finds the strength itself and errs on the side of detail; `strength` below 1 keeps some of the grain".to_owned(),
            "white noise of a known level is taken out better by denoise-photo".to_owned(),
            "trained on a model of cameras, not on pairs of photos: the noise of very old or very dark pictures can stay"
                .to_owned(),
        ],
    }
}

fn about_white() -> About {
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
