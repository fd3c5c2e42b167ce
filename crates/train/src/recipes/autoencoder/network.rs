use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::layers::{Conv, Down, Init, Linear, ResidualBlock, Up};

/// The size of an [`Autoencoder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// What it is.
    pub kind: Kind,
    /// Rows and columns of a picture, a multiple of `2^widths.len()`.
    pub side: usize,
    /// Planes of a picture.
    pub channels: usize,
    /// Channels of each level, finest first; the first is at half the picture's size, each other at half the one before.
    pub widths: Vec<usize>,
    /// Residual blocks of each level.
    pub blocks: usize,
    /// Channels of the coarsest level that the dense layers see.
    pub narrow: usize,
    /// Values of each dense layer between the convolutions and the latent.
    pub dense: Vec<usize>,
    /// Numbers of the latent.
    pub latent: usize,
    /// Classes that a conditional network is told.
    pub classes: usize,
}

impl Shape {
    /// Rows and columns of the coarsest level.
    pub fn coarsest(&self) -> usize {
        self.side >> self.widths.len()
    }

    /// Values between the convolutions and the dense layers.
    pub fn flat(&self) -> usize {
        self.narrow * self.coarsest() * self.coarsest()
    }

    /// Numbers of the class that encoder and decoder are told: one for each class, or none.
    pub fn told(&self) -> usize {
        if self.kind == Kind::Conditional { self.classes } else { 0 }
    }
}

/// All that is trained: encoder and decoder, and what only some kinds have.
#[derive(Module, Debug)]
pub struct Autoencoder {
    /// Picture to latent.
    pub encoder: Encoder,
    /// Latent to picture.
    pub decoder: Decoder,
    /// Tells latents from draws of the prior (adversarial).
    pub discriminator: Option<Discriminator>,
    /// Tells classes of pictures, to judge samples (conditional).
    pub classifier: Option<Classifier>,
}

impl Autoencoder {
    /// Fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        Self {
            encoder: Encoder::new(init, shape),
            decoder: Decoder::new(init, shape),
            discriminator: (shape.kind == Kind::Adversarial).then(|| Discriminator::new(init, shape.latent)),
            classifier: (shape.kind == Kind::Conditional).then(|| Classifier::new(init, shape)),
        }
    }
}

/// Convolutions at half the picture's size and below, then dense layers to the latent's mean and, in variational
/// kinds, to the logarithm of its variance.
#[derive(Module, Debug)]
pub struct Encoder {
    /// The picture in depth layout to the first width.
    pub head: Conv,
    /// From the finest level to the coarsest.
    pub levels: Vec<Down>,
    /// The coarsest level's width to the few channels that the dense layers see.
    pub narrow: Conv,
    /// Between the convolutions and the latent.
    pub dense: Vec<Linear>,
    /// To the latent, or its mean.
    pub mean: Linear,
    /// To the logarithm of the latent's variance.
    pub log_var: Option<Linear>,
}

impl Encoder {
    fn new(init: &mut Init, shape: &Shape) -> Self {
        let relu = 2f64.sqrt();
        let widths = &shape.widths;
        let last = widths[widths.len() - 1];
        let head = Conv::new(init, 4 * shape.channels, widths[0], 3, 1, relu);
        let levels = Down::levels(init, widths, shape.blocks);
        let narrow = Conv::new(init, last, shape.narrow, 1, 1, relu);
        let mut values = shape.flat() + shape.told();
        let dense = shape.dense.iter().map(|&out| Linear::new(init, std::mem::replace(&mut values, out), out, relu));
        let dense = dense.collect();
        let log_var = shape.kind.is_variational().then(|| Linear::new(init, values, shape.latent, 0.1));
        Self { head, levels, narrow, dense, mean: Linear::new(init, values, shape.latent, 1.0), log_var }
    }

    /// `[N, 4 C, S / 2, S / 2]` in depth layout, and in conditional kinds `[N, classes]`, to the latent's mean and the
    /// logarithm of its variance, each `[N, latent]`.
    pub fn forward(&self, image: Tensor<4>, class: Option<Tensor<2>>) -> (Tensor<2>, Option<Tensor<2>>) {
        let x = self.levels.iter().fold(self.head.forward_relu(image), |x, level| level.forward(x));
        let flat: Tensor<2> = self.narrow.forward_relu(x).flatten(1, 3);
        let flat = with_class(flat, class);
        let x = self.dense.iter().fold(flat, |x, layer| layer.forward_relu(x));
        (self.mean.forward(x.clone()), self.log_var.as_ref().map(|layer| layer.forward(x)))
    }
}

/// The encoder's mirror image.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Between the latent and the convolutions; the last gives the coarsest level's few channels.
    pub dense: Vec<Linear>,
    /// The few channels to the coarsest level's width.
    pub widen: Conv,
    /// From the coarsest level to the finest.
    pub levels: Vec<Up>,
    /// The first width to the picture in depth layout.
    pub tail: Conv,
}

impl Decoder {
    fn new(init: &mut Init, shape: &Shape) -> Self {
        let relu = 2f64.sqrt();
        let widths = &shape.widths;
        let mut values = shape.latent + shape.told();
        let outs = shape.dense.iter().rev().copied().chain([shape.flat()]);
        let dense = outs.map(|out| Linear::new(init, std::mem::replace(&mut values, out), out, relu)).collect();
        Self {
            dense,
            widen: Conv::new(init, shape.narrow, widths[widths.len() - 1], 3, 1, relu),
            levels: Up::levels(init, widths, shape.blocks),
            tail: Conv::new(init, widths[0], 4 * shape.channels, 3, 1, 1.0),
        }
    }

    /// `[N, latent]`, and in conditional kinds `[N, classes]`, to the picture before its sigmoid, `[N, 4 C, S / 2, S / 2]`
    /// in depth layout.
    pub fn forward(&self, latent: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<4> {
        let flat = self.dense.iter().fold(with_class(latent, class), |x, layer| layer.forward_relu(x));
        let [count, values] = flat.dims();
        let narrow = self.widen.weight.lazy_shape()[1];
        let side = (values / narrow).isqrt();
        let coarsest = self.widen.forward_relu(flat.reshape([count, narrow, side, side]));
        self.tail.forward(self.levels.iter().fold(coarsest, |x, level| level.forward(x)))
    }
}

/// A few dense layers that tell a latent from a draw of the prior.
#[derive(Module, Debug)]
pub struct Discriminator {
    /// To one number: positive for the prior.
    pub layers: Vec<Linear>,
}

impl Discriminator {
    /// Values of its hidden layers.
    const WIDTH: usize = 128;

    /// Fresh weights for latents of `latent` numbers.
    pub fn new(init: &mut Init, latent: usize) -> Self {
        let relu = 2f64.sqrt();
        let layers = vec![
            Linear::new(init, latent, Self::WIDTH, relu),
            Linear::new(init, Self::WIDTH, Self::WIDTH, relu),
            Linear::new(init, Self::WIDTH, 1, 1.0),
        ];
        Self { layers }
    }

    /// `[N, latent] -> [N, 1]`, before the sigmoid.
    pub fn forward(&self, latent: Tensor<2>) -> Tensor<2> {
        chain(&self.layers, latent)
    }
}

/// A small convolutional classifier.
#[derive(Module, Debug)]
pub struct Classifier {
    /// The picture in depth layout to 24 channels.
    pub head: Conv,
    /// Halves the size, to 48 channels.
    pub shrink: Conv,
    /// At a quarter of the picture's size.
    pub block: ResidualBlock,
    /// To the few channels that the dense layers see.
    pub narrow: Conv,
    /// To one number a class.
    pub layers: Vec<Linear>,
}

impl Classifier {
    fn new(init: &mut Init, shape: &Shape) -> Self {
        let relu = 2f64.sqrt();
        let flat = 8 * (shape.side / 4) * (shape.side / 4);
        Self {
            head: Conv::new(init, 4 * shape.channels, 24, 3, 1, relu),
            shrink: Conv::new(init, 24, 48, 2, 2, relu),
            block: ResidualBlock::new(init, 48),
            narrow: Conv::new(init, 48, 8, 1, 1, relu),
            layers: vec![Linear::new(init, flat, 64, relu), Linear::new(init, 64, shape.classes, 1.0)],
        }
    }

    /// `[N, 4 C, S / 2, S / 2]` in depth layout to `[N, classes]` before the softmax.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let x = self.shrink.forward_relu(self.head.forward_relu(image));
        let x = self.narrow.forward_relu(self.block.forward(x));
        chain(&self.layers, x.flatten(1, 3))
    }
}

/// Layers with ReLUs between them and none after the last.
fn chain(layers: &[Linear], x: Tensor<2>) -> Tensor<2> {
    let Some((last, others)) = layers.split_last() else { return x };
    last.forward(others.iter().fold(x, |x, layer| layer.forward_relu(x)))
}

fn with_class(x: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
    match class {
        Some(class) => Tensor::cat(vec![x, class], 1),
        None => x,
    }
}
