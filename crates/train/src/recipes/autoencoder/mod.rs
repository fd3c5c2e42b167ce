//! Autoencoders of small pictures with a bottleneck of a few numbers: plain, variational, conditional, adversarial. One
//! network and one loop; a kind differs by what its loss asks of the latent.

mod data;
pub mod loss;
mod network;
mod publish;
mod write;

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use clap::ValueEnum;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::Recipe;
use crate::data::SmallPictures;
use crate::layers::Init;
pub use data::Batch;
pub use network::{Autoencoder, Classifier, Decoder, Discriminator, Encoder, Shape};

/// What the loss asks of the latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing.
    Plain,
    /// That it be a Gaussian near the prior (Kingma and Welling 2014).
    Variational,
    /// The same, while encoder and decoder are told the class (Sohn et al. 2015).
    Conditional,
    /// That a discriminator cannot tell latents from draws of the prior (Makhzani et al. 2015).
    Adversarial,
}

impl Kind {
    /// Whether the encoder gives a distribution.
    pub fn is_variational(self) -> bool {
        matches!(self, Self::Variational | Self::Conditional)
    }
}

/// How reconstructions are held to pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    /// Binary cross-entropy, summed over the values of a picture, in nats.
    CrossEntropy,
    /// Squared error, summed over the values of a picture.
    SquaredError,
}

/// The recipe with its pictures.
pub struct AutoencoderRecipe {
    /// The network's kind and size.
    pub shape: Shape,
    /// How reconstructions are held to pictures.
    pub likeness: Likeness,
    /// Pictures to learn from.
    pub training: SmallPictures,
    /// Held-out pictures for the score during training, and to calibrate on.
    pub development: SmallPictures,
    /// Pictures a step.
    pub batch: usize,
}

/// How much the encoder's wish to mislead the discriminator counts beside the reconstruction of a value. Adam makes
/// the discriminator's own steps the same whatever the scale of its loss.
const ADVERSARIAL_WEIGHT: f64 = 0.02;

/// Pictures of the development set that a score is measured on, at most.
const SCORED: usize = 2000;

impl Recipe for AutoencoderRecipe {
    type Network = Autoencoder;
    type Batch = Batch;

    const SCORE: (&'static str, &'static str) = ("minus the loss of a picture", "");

    fn network(&self, init: &mut Init) -> Autoencoder {
        Autoencoder::new(init, &self.shape)
    }

    fn batch(&self, rng: &mut StdRng, _progress: f64) -> Batch {
        Batch::draw(rng, &self.training, &self.shape, self.batch)
    }

    /// All losses are of one value of a picture: sums over a picture divided by its values.
    fn loss(&self, network: &Autoencoder, batch: Batch, _progress: f64, device: &Device) -> Tensor<1> {
        let image: Tensor<4> = Tensor::from_data(batch.image, device);
        let noise: Tensor<2> = Tensor::from_data(batch.noise, device);
        let class = (self.shape.told() > 0).then(|| Tensor::from_data(batch.class, device));
        let values = self.training.values() as f64;
        let (mean, log_var) = network.encoder.forward(image.clone(), class.clone());
        let latent = match &log_var {
            Some(log_var) => loss::sample(mean.clone(), log_var.clone(), noise.clone()),
            None => mean.clone(),
        };
        let mut total = self.difference(network.decoder.forward(latent, class.clone()), image.clone()).mean();
        if let Some(log_var) = log_var {
            total = total + loss::divergence(mean.clone(), log_var).mean() / values;
        }
        if let Some(discriminator) = &network.discriminator {
            total = total + adversarial(discriminator, mean, noise);
        }
        if let (Some(classifier), Some(class)) = (&network.classifier, class) {
            let log_likelihood = activation::log_softmax(classifier.forward(image), 1) * class;
            total = total - log_likelihood.sum_dim(1).mean();
        }
        total
    }

    fn score(&self, network: &Autoencoder, device: &Device) -> f64 {
        let device = device.clone().inner();
        let count = self.development.len().min(SCORED);
        let batch = Batch::of(&self.development, &self.shape, &(0..count).collect::<Vec<_>>());
        let image: Tensor<4> = Tensor::from_data(batch.image, &device);
        let class = (self.shape.told() > 0).then(|| Tensor::from_data(batch.class, &device));
        let (mean, log_var) = network.encoder.forward(image.clone(), class.clone());
        let (latent, divergence) = match log_var {
            Some(log_var) => {
                let noise = Tensor::from_data(batch.noise, &device);
                let divergence = loss::divergence(mean.clone(), log_var.clone()).mean().into_scalar::<f32>();
                (loss::sample(mean, log_var, noise), f64::from(divergence))
            }
            None => (mean, 0.0),
        };
        let difference = self.difference(network.decoder.forward(latent, class), image).mean().into_scalar::<f32>();
        -(f64::from(difference) * self.development.values() as f64 + divergence)
    }
}

impl AutoencoderRecipe {
    fn difference(&self, logits: Tensor<4>, image: Tensor<4>) -> Tensor<4> {
        match self.likeness {
            Likeness::CrossEntropy => loss::cross_entropy(logits, image),
            Likeness::SquaredError => loss::squared_error(logits, image),
        }
    }
}

/// The two losses of the game between encoder and discriminator, in one sum. The discriminator's part sees the latents
/// as numbers, the encoder's part the discriminator's weights as numbers, so each loss moves only its own player; and
/// since Adam treats each weight by itself, one Adam over both is two.
fn adversarial(discriminator: &Discriminator, latent: Tensor<2>, prior: Tensor<2>) -> Tensor<1> {
    let surprise = |logits: Tensor<2>, target: f32| {
        let target = logits.full_like(target);
        loss::cross_entropy(logits, target).mean()
    };
    let told_apart =
        surprise(discriminator.forward(prior), 1.0) + surprise(discriminator.forward(latent.clone().detach()), 0.0);
    let misled = surprise(discriminator.clone().no_grad().forward(latent), 1.0);
    told_apart + misled * ADVERSARIAL_WEIGHT
}
