//! Autoencoders of small pictures with a bottleneck of a few numbers: plain, variational, conditional, adversarial. One
//! network and one loop; a kind differs by what its loss asks of the latent.

mod data;
mod judge;
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
    /// How much the encoder's wish to mislead the discriminator counts beside the reconstruction of a value. Adam makes
    /// the discriminator's own steps the same whatever the scale of its loss.
    pub game: f64,
}

/// The part of a run over which the game rises to its full weight: before there is something to rebuild, hiding from the discriminator would
/// be all that the encoder learns.
const GAME_RISES: f64 = 0.3;

/// Pictures of the development set that scores are measured on, at most.
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

    /// The loss of one value of a picture: sums over a picture are divided by its values.
    fn loss(&self, network: &Autoencoder, batch: Batch, progress: f64, device: &Device) -> Tensor<1> {
        let values = self.training.values() as f64;
        let Terms { difference, divergence, game, surprise } = self.terms(network, batch, device);
        let mut total = difference / values;
        if let Some(divergence) = divergence {
            total = total + divergence / values;
        }
        if let Some(Game { told_apart, misled }) = game {
            total = total + told_apart + misled * (self.game * (progress / GAME_RISES).min(1.0));
        }
        match surprise {
            Some(surprise) => total + surprise,
            None => total,
        }
    }

    fn score(&self, network: &Autoencoder, device: &Device) -> f64 {
        let Terms { difference, divergence, .. } = self.held_out(network, device);
        -number(difference) - divergence.map_or(0.0, number)
    }

    fn parts(&self, network: &Autoencoder, device: &Device) -> Vec<(&'static str, f64)> {
        let Terms { difference, divergence, game, surprise } = self.held_out(network, device);
        let mut parts = vec![("reconstruction of a picture", number(difference))];
        parts.extend(divergence.map(|term| ("KL of a picture, nats", number(term))));
        if let Some(Game { told_apart, misled }) = game {
            parts.push(("the game, nats: discriminator's loss", number(told_apart)));
            parts.push(("the game, nats: encoder's loss", number(misled)));
            parts.push(("MMD^2 of latents and the prior", judge::discrepancy(self, network, device)));
        }
        if let Some(surprise) = surprise {
            parts.push(("classifier's loss, nats", number(surprise)));
            parts.push(("samples told as their class", judge::told(self, network, device)));
        }
        parts
    }
}

/// What a loss is made of, each the mean over a batch, `[1]`.
struct Terms {
    /// Of reconstruction and picture, summed over a picture.
    difference: Tensor<1>,
    /// Of the posterior from the prior, in nats.
    divergence: Option<Tensor<1>>,
    /// Between encoder and discriminator.
    game: Option<Game>,
    /// Of the classifier, in nats.
    surprise: Option<Tensor<1>>,
}

/// The two losses of the game between encoder and discriminator.
struct Game {
    /// The discriminator's: latents and draws of the prior, told apart.
    told_apart: Tensor<1>,
    /// The encoder's: the discriminator takes latents for draws.
    misled: Tensor<1>,
}

impl AutoencoderRecipe {
    fn terms(&self, network: &Autoencoder, batch: Batch, device: &Device) -> Terms {
        let image: Tensor<4> = Tensor::from_data(batch.image, device);
        let noise: Tensor<2> = Tensor::from_data(batch.noise, device);
        let class: Option<Tensor<2>> = (self.shape.told() > 0).then(|| Tensor::from_data(batch.class, device));
        let (mean, log_var) = network.encoder.forward(image.clone(), class.clone());
        let latent = match &log_var {
            Some(log_var) => loss::sample(mean.clone(), log_var.clone(), noise.clone()),
            None => mean.clone(),
        };
        let logits = network.decoder.forward(latent, class.clone());
        let difference = match self.likeness {
            Likeness::CrossEntropy => loss::cross_entropy(logits, image.clone()),
            Likeness::SquaredError => loss::squared_error(logits, image.clone()),
        };
        let classified = network.classifier.as_ref().zip(class).map(|(classifier, class)| {
            (activation::log_softmax(classifier.forward(image), 1) * class).sum_dim(1).mean().neg()
        });
        Terms {
            difference: difference.mean() * self.training.values() as f64,
            divergence: log_var.map(|log_var| loss::divergence(mean.clone(), log_var).mean()),
            game: network.discriminator.as_ref().map(|discriminator| play(discriminator, mean, noise)),
            surprise: classified,
        }
    }

    /// The terms on the development set, without gradients.
    fn held_out(&self, network: &Autoencoder, device: &Device) -> Terms {
        let count = self.development.len().min(SCORED);
        let batch = Batch::of(&self.development, &self.shape, &(0..count).collect::<Vec<_>>());
        self.terms(network, batch, &device.clone().inner())
    }
}

/// The discriminator's part sees the latents as numbers, the encoder's part the discriminator's weights as numbers. So
/// each loss moves only its own player, both can be minimised in one sum, and since Adam treats each weight by itself,
/// one Adam over both networks is two.
fn play(discriminator: &Discriminator, latent: Tensor<2>, prior: Tensor<2>) -> Game {
    let surprise = |logits: Tensor<2>, target: f32| {
        let target = logits.full_like(target);
        loss::cross_entropy(logits, target).mean()
    };
    let told_apart =
        surprise(discriminator.forward(prior), 1.0) + surprise(discriminator.forward(latent.clone().detach()), 0.0);
    let misled = surprise(discriminator.clone().no_grad().forward(latent), 1.0);
    Game { told_apart, misled }
}

fn number(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// One optimiser may serve both players only if neither's loss moves the other.
    #[test]
    fn each_player_of_the_game_is_moved_by_its_own_loss_only() {
        let device = Device::flex().autodiff();
        let discriminator = Discriminator::new(&mut Init::new(3, &device), 2);
        let points =
            |shift: f32| TensorData::new((0..8).map(|i| (i as f32 * 0.9).sin() + shift).collect::<Vec<f32>>(), [4, 2]);
        let latent = || Tensor::<2>::from_data(points(0.5), &device).require_grad();
        let prior = || Tensor::<2>::from_data(points(-0.3), &device);
        let values = |tensor: Tensor<2>| tensor.into_data().iter::<f32>().collect::<Vec<f32>>();
        let weight = || discriminator.layers[0].weight.val();
        let gradients = |of: fn(Game) -> Tensor<1>| {
            let latent = latent();
            let gradients = of(play(&discriminator, latent.clone(), prior())).backward();
            (latent.grad(&gradients).map(values), weight().grad(&gradients).map(values))
        };
        let (both_latent, both_weight) = gradients(|game| game.told_apart + game.misled);
        let (told_latent, told_weight) = gradients(|game| game.told_apart);
        let (misled_latent, misled_weight) = gradients(|game| game.misled);
        let nothing = |gradient: &Option<Vec<f32>>| gradient.as_ref().is_none_or(|g| g.iter().all(|v| *v == 0.0));
        assert!(nothing(&told_latent) && nothing(&misled_weight));
        assert!(!nothing(&both_latent) && !nothing(&both_weight));
        assert_eq!((both_latent, both_weight), (misled_latent, told_weight));
    }
}
