//! `melody-2bar` and its like: variational autoencoders of sequences on a grid of 16th notes.

mod directions;
mod network;
mod publish;
mod write;

use burn::tensor::{Device, Tensor, TensorData, activation};
use latentd::media::melody::{Line, Part, lines, roll};
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::Recipe;
use crate::data::melodies::Windows;
use crate::layers::Init;
pub use network::{BEAT, Block, Conductor, Decoder, Encoder, SequenceVae, Shape};

/// The recipe with its tunes.
pub struct Sequences {
    /// The network's size.
    pub shape: Shape,
    /// To learn from.
    pub training: Windows,
    /// Held out, for the score during training.
    pub development: Windows,
    /// Stretches a batch.
    pub batch: usize,
    /// What a nat of the latent vector's information costs in nats of likelihood, after annealing.
    pub beta: f64,
    /// Nats of information that cost nothing.
    pub free_nats: f64,
}

/// Stretches of tunes and the noise of their latent vectors.
pub struct Batch {
    notes: TensorData,
    noise: TensorData,
}

/// The part of a run over which the cost of information rises to its full height: what the decoder cannot use yet must not be
/// priced out of the latent vector.
const ANNEALING: f64 = 0.2;

/// Held-out stretches that a score is measured on, at most.
const SCORED: usize = 1000;

impl Recipe for Sequences {
    type Network = SequenceVae;
    type Batch = Batch;

    const SCORE: (&'static str, &'static str) = ("step accuracy", "%");

    fn network(&self, init: &mut Init) -> SequenceVae {
        SequenceVae::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, _progress: f64) -> Batch {
        let stretches: Vec<_> = (0..self.batch).map(|_| self.training.draw(rng)).collect();
        let noise: Vec<f32> = (0..self.batch * self.shape.latent).map(|_| StandardNormal.sample(rng)).collect();
        Batch { notes: rolls(&stretches, &self.shape), noise: TensorData::new(noise, [self.batch, self.shape.latent]) }
    }

    /// The negative evidence lower bound of one step, in nats, with its divergence term priced by beta (Higgins et al. 2017) beyond the
    /// free nats (Kingma et al. 2016).
    fn loss(&self, network: &SequenceVae, batch: Batch, progress: f64, device: &Device) -> Tensor<1> {
        let notes = Tensor::<3>::from_data(batch.notes, device);
        let noise = Tensor::<2>::from_data(batch.noise, device);
        let [mean, log_var] = network.encode(notes.clone(), &self.shape);
        let z = mean.clone() + log_var.clone().mul_scalar(0.5).exp() * noise;
        let surprise = surprise(network.decode(z, &self.shape), notes, &self.shape.parts) / self.batch as f64;
        let price = self.beta * (progress / ANNEALING).min(1.0);
        let paid = activation::relu(information(mean, log_var).sub_scalar(self.free_nats)).mean();
        (surprise + paid.mul_scalar(price)) / self.shape.all_steps() as f64
    }

    fn score(&self, network: &SequenceVae, device: &Device) -> f64 {
        let device = device.clone().inner();
        let stretches = self.scored();
        let mut wrong = 0.0;
        for stretches in stretches.chunks(128) {
            let notes = Tensor::from_data(rolls(stretches, &self.shape), &device);
            let [mean, _] = network.encode(notes, &self.shape);
            let scores: Vec<f32> = network.decode(mean, &self.shape).into_data().iter::<f32>().collect();
            let row = self.shape.values() * self.shape.all_steps();
            for (truth, scores) in stretches.iter().zip(scores.chunks(row)) {
                let found = lines(scores, &self.shape.parts);
                let distances = truth.iter().zip(&found).map(|(a, b)| a.distance(b));
                wrong += distances.sum::<f64>() / truth.len() as f64;
            }
        }
        100.0 * (1.0 - wrong / stretches.len().max(1) as f64)
    }

    fn parts(&self, network: &SequenceVae, device: &Device) -> Vec<(&'static str, f64)> {
        let device = device.clone().inner();
        let stretches = self.scored();
        let nats = stretches.chunks(128).map(|stretches| {
            let notes = Tensor::from_data(rolls(stretches, &self.shape), &device);
            let [mean, log_var] = network.encode(notes, &self.shape);
            f64::from(information(mean, log_var).sum().into_scalar::<f32>())
        });
        vec![("information of a stretch, nats", nats.sum::<f64>() / stretches.len().max(1) as f64)]
    }
}

impl Sequences {
    /// The held-out stretches that a score is measured on.
    fn scored(&self) -> Vec<Vec<Line>> {
        let stride = self.development.len().div_ceil(SCORED).max(1);
        (0..self.development.len()).step_by(stride).map(|at| self.development.get(at)).collect()
    }
}

/// How many nats of information the latent vector carries: the divergence of its distribution from the standard normal
/// one (Kingma and Welling 2013, appendix B), `[N]`.
fn information(mean: Tensor<2>, log_var: Tensor<2>) -> Tensor<1> {
    let terms = mean.square() + log_var.clone().exp() - log_var - 1.0;
    terms.sum_dim(1).mul_scalar(0.5).squeeze_dim(1)
}

/// The cross-entropy of all steps of a batch, in nats, `[1]`: of classes for notes, of single drums for drums.
fn surprise(scores: Tensor<3>, truth: Tensor<3>, parts: &[Part]) -> Tensor<1> {
    let [batch, steps, _] = truth.dims();
    let mut from = 0;
    let mut total = Tensor::zeros([1], &truth.device());
    for part in parts {
        let own = [0..batch, 0..steps, from..from + part.values()];
        let (scores, truth) = (scores.clone().slice(own.clone()), truth.clone().slice(own));
        total = total
            + match part {
                Part::Melody | Part::Bass => (truth * activation::log_softmax(scores, 2)).sum().neg(),
                // log(1 + e^s) - s t, written so that no exponential overflows.
                Part::Drums => {
                    let small = scores.clone().abs().neg().exp().add_scalar(1.0).log();
                    (activation::relu(scores.clone()) + small - scores * truth).sum()
                }
            };
        from += part.values();
    }
    total
}

/// `[N, steps, values]`
fn rolls(stretches: &[Vec<Line>], shape: &Shape) -> TensorData {
    let values = stretches.iter().flat_map(|lines| roll(lines, &shape.parts)).collect();
    TensorData::new(values, [stretches.len(), shape.all_steps(), shape.values()])
}
