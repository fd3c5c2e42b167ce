//! `melody-2bar` and its like: variational autoencoders of sequences on a grid of 16th notes.

mod network;

use burn::tensor::{Device, Tensor, TensorData, activation};
use latentd::media::melody::{STEP_CLASSES, Step};
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::Recipe;
use crate::data::melodies::Windows;
use crate::layers::Init;
pub use network::{BEAT, Block, Decoder, Encoder, SequenceVae, Shape};

/// The recipe with its tunes.
pub struct Melody {
    /// The network's size.
    pub shape: Shape,
    /// To learn from.
    pub training: Windows,
    /// Held-out windows for the score during training.
    pub development: Vec<Vec<Step>>,
    /// Windows a batch.
    pub batch: usize,
    /// What a nat of the latent vector's information costs in nats of likelihood, after annealing.
    pub beta: f64,
    /// Nats of information that cost nothing.
    pub free_nats: f64,
}

/// Windows and the noise of their latent vectors.
pub struct Batch {
    notes: TensorData,
    noise: TensorData,
}

/// The part of a run over which the cost of information rises to its full height.
const ANNEALING: f64 = 0.15;

impl Recipe for Melody {
    type Network = SequenceVae;
    type Batch = Batch;

    const SCORE: (&'static str, &'static str) = ("step accuracy", "%");

    fn network(&self, init: &mut Init) -> SequenceVae {
        SequenceVae::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, _progress: f64) -> Batch {
        let windows: Vec<_> = (0..self.batch).map(|_| self.training.draw(rng)).collect();
        let noise: Vec<f32> = (0..self.batch * self.shape.latent).map(|_| StandardNormal.sample(rng)).collect();
        Batch { notes: one_hot(&windows), noise: TensorData::new(noise, [self.batch, self.shape.latent]) }
    }

    fn loss(&self, network: &SequenceVae, batch: Batch, progress: f64, device: &Device) -> Tensor<1> {
        let notes = Tensor::<3>::from_data(batch.notes, device);
        let noise = Tensor::<2>::from_data(batch.noise, device);
        let [mean, log_var] = network.encoder.forward(notes.clone());
        let z = mean.clone() + log_var.clone().mul_scalar(0.5).exp() * noise;
        let scores = network.decoder.forward(z, self.shape.steps / BEAT);
        let count = self.batch as f64;
        let surprise = (notes * activation::log_softmax(scores, 2)).sum().neg() / count;
        let information = information(mean, log_var);
        let cost = self.beta * (progress / ANNEALING).min(1.0);
        let paid = activation::relu(information.sub_scalar(self.free_nats)).mean();
        (surprise + paid.mul_scalar(cost)) / self.shape.steps as f64
    }

    fn score(&self, network: &SequenceVae, device: &Device) -> f64 {
        let device = device.clone().inner();
        let (mut right, mut all, mut nats) = (0, 0, 0.0);
        for windows in self.development.chunks(256) {
            let [mean, log_var] = network.encoder.forward(Tensor::from_data(one_hot(windows), &device));
            nats += information(mean.clone(), log_var).sum().into_scalar::<f32>() as f64;
            let scores = network.decoder.forward(mean, self.shape.steps / BEAT);
            let best: Vec<i64> = scores.argmax(2).into_data().iter::<i64>().collect();
            let truth = windows.iter().flatten().map(|step| step.class() as i64);
            right += truth.zip(best).filter(|(a, b)| a == b).count();
            all += windows.len() * self.shape.steps;
        }
        eprintln!("information: {:.1} nats a window", nats / self.development.len() as f64);
        100.0 * right as f64 / all as f64
    }
}

/// How many nats of information the latent vector carries: the divergence of its distribution from the standard normal
/// one, `[N]`.
fn information(mean: Tensor<2>, log_var: Tensor<2>) -> Tensor<1> {
    let terms = mean.square() + log_var.clone().exp() - log_var - 1.0;
    terms.sum_dim(1).mul_scalar(0.5).squeeze_dim(1)
}

/// `[N, steps, STEP_CLASSES]`
fn one_hot(windows: &[Vec<Step>]) -> TensorData {
    let steps = windows[0].len();
    let mut values = vec![0f32; windows.len() * steps * STEP_CLASSES];
    for (place, step) in values.chunks_mut(STEP_CLASSES).zip(windows.iter().flatten()) {
        place[step.class()] = 1.0;
    }
    TensorData::new(values, [windows.len(), steps, STEP_CLASSES])
}
