use burn::module::Module;
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::layers::{Init, Linear};

/// Steps of the grid that the trunk sees as one: a quarter note.
pub const BEAT: usize = 4;

/// The size of a [`SequenceVae`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Steps of a window; a multiple of [`BEAT`].
    pub steps: usize,
    /// Values a step, in and out.
    pub values: usize,
    /// Channels a step.
    pub step_width: usize,
    /// Channels a beat.
    pub beat_width: usize,
    /// Residual blocks of the encoder, over beats.
    pub encoder_blocks: usize,
    /// Residual blocks of the decoder, over beats.
    pub decoder_blocks: usize,
    /// Values of the latent vector.
    pub latent: usize,
}

impl Shape {
    fn beats(&self) -> usize {
        self.steps / BEAT
    }
}

/// A variational autoencoder (Kingma and Welling 2013) of sequences on a grid of steps. The decoder makes all steps at once,
/// so that it needs no loop and no step sees the mistakes of those before.
#[derive(Module, Debug)]
pub struct SequenceVae {
    /// Sequence to latent distribution.
    pub encoder: Encoder,
    /// Latent vector to sequence.
    pub decoder: Decoder,
}

/// Steps, then beats, then the whole at once.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Values of a step to channels.
    pub embed: Linear,
    /// Over neighbouring steps.
    pub near: Block,
    /// The steps of a beat to its channels.
    pub gather: Linear,
    /// Over neighbouring beats.
    pub blocks: Vec<Block>,
    /// All beats to the mean of the latent vector.
    pub mean: Linear,
    /// All beats to the logarithm of its variance.
    pub log_var: Linear,
}

/// The encoder backwards.
#[derive(Module, Debug)]
pub struct Decoder {
    /// The latent vector to all beats.
    pub spread: Linear,
    /// Over neighbouring beats.
    pub blocks: Vec<Block>,
    /// A beat's channels to its steps.
    pub scatter: Linear,
    /// Over neighbouring steps.
    pub near: Block,
    /// Channels of a step to scores of its values.
    pub output: Linear,
}

/// `x + g(relu(f(x)))`, where `f` and `g` see each place with its two neighbours: convolutions of width 3 over `[N, T, C]`,
/// each one large product.
#[derive(Module, Debug)]
pub struct Block {
    /// `[3C, C]`
    pub first: Linear,
    /// `[3C, C]`
    pub second: Linear,
}

impl SequenceVae {
    /// A network with fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        Self { encoder: Encoder::new(init, shape), decoder: Decoder::new(init, shape) }
    }
}

impl Encoder {
    /// An encoder with fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        let (step, beat, all) = (shape.step_width, shape.beat_width, shape.beats() * shape.beat_width);
        Self {
            // One value of many is 1, the rest are 0: the variance is that of one value, not of the sum of all.
            embed: Linear::new(init, shape.values, step, (shape.values as f64).sqrt()),
            near: Block::new(init, step),
            gather: Linear::new(init, BEAT * step, beat, RELU),
            blocks: (0..shape.encoder_blocks).map(|_| Block::new(init, beat)).collect(),
            mean: Linear::new(init, all, shape.latent, 1.0),
            log_var: Linear::new(init, all, shape.latent, 0.1),
        }
    }

    /// `[N, steps, values]` to mean and logarithm of the variance, `[N, latent]` each.
    pub fn forward(&self, x: Tensor<3>) -> [Tensor<2>; 2] {
        let [batch, steps, _] = x.dims();
        let x = self.near.forward(activation::relu(self.embed.forward(x)));
        let x = activation::relu(self.gather.forward(regroup(x, steps / BEAT)));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let [_, beats, width] = x.dims();
        let x = activation::relu(x).reshape([batch, beats * width]);
        [self.mean.forward(x.clone()), self.log_var.forward(x)]
    }
}

impl Decoder {
    /// A decoder with fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        let (step, beat, all) = (shape.step_width, shape.beat_width, shape.beats() * shape.beat_width);
        Self {
            spread: Linear::new(init, shape.latent, all, RELU),
            blocks: (0..shape.decoder_blocks).map(|_| Block::new(init, beat)).collect(),
            scatter: Linear::new(init, beat, BEAT * step, RELU),
            near: Block::new(init, step),
            output: Linear::new(init, step, shape.values, 1.0),
        }
    }

    /// `[N, latent]` to the scores of each step's values, `[N, steps, values]`. `beats` is the window's length in beats.
    pub fn forward(&self, z: Tensor<2>, beats: usize) -> Tensor<3> {
        let [batch, _] = z.dims();
        let x = activation::relu(self.spread.forward(z));
        let width = x.dims()[1] / beats;
        let x = x.reshape([batch, beats, width]);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = activation::relu(self.scatter.forward(activation::relu(x)));
        let x = self.near.forward(regroup(x, beats * BEAT));
        self.output.forward(activation::relu(x))
    }
}

impl Block {
    /// A block that starts close to the identity.
    pub fn new(init: &mut Init, width: usize) -> Self {
        Self { first: Linear::new(init, 3 * width, width, RELU), second: Linear::new(init, 3 * width, width, 0.3) }
    }

    /// `[N, T, C] -> [N, T, C]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let inner = activation::relu(self.first.forward(neighbours(x.clone())));
        x + self.second.forward(neighbours(inner))
    }
}

/// The gain before a ReLU (He et al. 2015).
const RELU: f64 = std::f64::consts::SQRT_2;

/// Each place with the one before and the one after it, zeros beyond the ends: `[N, T, C] -> [N, T, 3C]`
fn neighbours(x: Tensor<3>) -> Tensor<3> {
    let [batch, places, channels] = x.dims();
    let end = Tensor::zeros([batch, 1, channels], &x.device());
    let before = Tensor::cat(vec![end.clone(), x.clone().slice([0..batch, 0..places - 1])], 1);
    let after = Tensor::cat(vec![x.clone().slice([0..batch, 1..places]), end], 1);
    Tensor::cat(vec![before, x, after], 2)
}

/// `[N, T, C] -> [N, places, T * C / places]`
fn regroup(x: Tensor<3>, places: usize) -> Tensor<3> {
    let [batch, before, channels] = x.dims();
    x.reshape([batch, places, before * channels / places])
}
