use burn::module::Module;
use burn::tensor::{Tensor, activation};
use latentd::media::melody::{Part, values_of};
use serde::{Deserialize, Serialize};

use crate::layers::{Init, Linear};

/// Steps of the grid that the trunk sees as one: a quarter note.
pub const BEAT: usize = 4;

/// The size of a [`SequenceVae`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// The lines that go through together.
    pub parts: Vec<Part>,
    /// Steps of a window; a multiple of [`BEAT`].
    pub steps: usize,
    /// Windows of a stretch that has one latent vector.
    pub windows: usize,
    /// Channels a step.
    pub step_width: usize,
    /// Channels a beat.
    pub beat_width: usize,
    /// Residual blocks of the encoder, over beats.
    pub encoder_blocks: usize,
    /// Residual blocks of the decoder, over beats.
    pub decoder_blocks: usize,
    /// Values that stand for one window; with a single window, the latent vector's.
    pub window_latent: usize,
    /// Channels a window of the conductor; without meaning for a single window.
    pub conductor_width: usize,
    /// Values of the latent vector of a stretch.
    pub latent: usize,
}

impl Shape {
    /// Values of one step, in and out.
    pub fn values(&self) -> usize {
        values_of(&self.parts)
    }

    /// Beats of a window.
    pub fn beats(&self) -> usize {
        self.steps / BEAT
    }

    /// Steps of a stretch.
    pub fn all_steps(&self) -> usize {
        self.steps * self.windows
    }
}

/// A variational autoencoder (Kingma and Welling 2013) of sequences on a grid of steps. The decoder makes all steps at once,
/// so that it needs no loop and no step sees the mistakes of those before. With several windows a conductor stands between the
/// windows and one latent vector, as in MusicVAE (Roberts et al. 2018), and the same encoder and decoder serve all windows.
#[derive(Module, Debug)]
pub struct SequenceVae {
    /// Window to latent distribution.
    pub encoder: Encoder,
    /// Windows to one latent distribution, and back.
    pub conductor: Option<Conductor>,
    /// Latent vector to window.
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
        Self {
            encoder: Encoder::new(init, shape),
            conductor: (shape.windows > 1).then(|| Conductor::new(init, shape)),
            decoder: Decoder::new(init, shape),
        }
    }

    /// `[N, steps, values]` to mean and logarithm of the variance of the latent vector, `[N, latent]` each.
    pub fn encode(&self, x: Tensor<3>, shape: &Shape) -> [Tensor<2>; 2] {
        let [batch, steps, values] = x.dims();
        let windows = x.reshape([batch * shape.windows, steps / shape.windows, values]);
        match &self.conductor {
            None => self.encoder.forward(windows),
            Some(conductor) => {
                let [means, _] = self.encoder.forward(windows);
                conductor.gather(means.reshape([batch, shape.windows, shape.window_latent]))
            }
        }
    }

    /// `[N, latent]` to the scores of each step's values, `[N, steps, values]`.
    pub fn decode(&self, z: Tensor<2>, shape: &Shape) -> Tensor<3> {
        let [batch, _] = z.dims();
        let windows = match &self.conductor {
            None => z,
            Some(conductor) => conductor.spread(z, shape),
        };
        self.decoder.forward(windows, shape.beats()).reshape([batch, shape.all_steps(), shape.values()])
    }
}

/// One latent vector over several windows.
#[derive(Module, Debug)]
pub struct Conductor {
    /// What stands for a window to channels.
    pub enter: Linear,
    /// Over neighbouring windows.
    pub up: Block,
    /// All windows to the mean of the latent vector.
    pub mean: Linear,
    /// All windows to the logarithm of its variance.
    pub log_var: Linear,
    /// The latent vector to all windows.
    pub open: Linear,
    /// Over neighbouring windows.
    pub down: Block,
    /// Channels to what stands for a window.
    pub leave: Linear,
}

impl Conductor {
    /// A conductor with fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        let (width, all) = (shape.conductor_width, shape.windows * shape.conductor_width);
        Self {
            enter: Linear::new(init, shape.window_latent, width, 1.0),
            up: Block::new(init, width),
            mean: Linear::new(init, all, shape.latent, 1.0),
            log_var: Linear::new(init, all, shape.latent, 0.1),
            open: Linear::new(init, shape.latent, all, 1.0),
            down: Block::new(init, width),
            leave: Linear::new(init, width, shape.window_latent, 1.0),
        }
    }

    /// `[N, windows, window latent]` to mean and logarithm of the variance, `[N, latent]` each.
    pub fn gather(&self, windows: Tensor<3>) -> [Tensor<2>; 2] {
        let [batch, count, _] = windows.dims();
        let x = self.up.forward(self.enter.forward(windows));
        let [_, _, width] = x.dims();
        let x = x.reshape([batch, count * width]);
        [self.mean.forward(x.clone()), self.log_var.forward(x)]
    }

    /// `[N, latent]` to `[N * windows, window latent]`.
    pub fn spread(&self, z: Tensor<2>, shape: &Shape) -> Tensor<2> {
        let [batch, _] = z.dims();
        let x = self.open.forward(z).reshape([batch, shape.windows, shape.conductor_width]);
        let x = self.leave.forward(self.down.forward(x));
        x.reshape([batch * shape.windows, shape.window_latent])
    }
}

impl Encoder {
    /// An encoder with fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        let (step, beat, all) = (shape.step_width, shape.beat_width, shape.beats() * shape.beat_width);
        Self {
            // One value of each part is 1, the rest are 0.
            embed: Linear::new(init, shape.values(), step, (shape.values() as f64 / shape.parts.len() as f64).sqrt()),
            near: Block::new(init, step),
            gather: Linear::new(init, BEAT * step, beat, RELU),
            blocks: (0..shape.encoder_blocks).map(|_| Block::new(init, beat)).collect(),
            mean: Linear::new(init, all, shape.window_latent, 1.0),
            log_var: Linear::new(init, all, shape.window_latent, 0.1),
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
            spread: Linear::new(init, shape.window_latent, all, RELU),
            blocks: (0..shape.decoder_blocks).map(|_| Block::new(init, beat)).collect(),
            scatter: Linear::new(init, beat, BEAT * step, RELU),
            near: Block::new(init, step),
            output: Linear::new(init, step, shape.values(), 1.0),
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
