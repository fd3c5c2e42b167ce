use burn::module::{Module, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::layers::{Conv, Init, ResidualBlock, Upconv};
use crate::onnx::{Graph, Value};

/// The size of a [`Denoiser`]: one entry a level, from the finest to the coarsest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Residual blocks of each level, on the way down and again on the way up (the coarsest has them once).
    pub blocks: Vec<usize>,
}

impl Default for Shape {
    fn default() -> Self {
        Self { widths: vec![32, 64, 96], blocks: vec![1, 1, 2] }
    }
}

impl Shape {
    /// Height and width of a picture must be multiples of this.
    pub fn multiple_of(&self) -> usize {
        1 << self.widths.len()
    }
}

/// A convolutional encoder-decoder with skips (U-Net, Ronneberger et al. 2015) that works on 2x2 squares of pixels as
/// 12 channels and predicts the noise.
#[derive(Module, Debug)]
pub struct Denoiser {
    /// 12 channels to the first width.
    pub head: Conv,
    /// What one unit of sigma adds to each channel after `head`, `[1, width, 1, 1]`.
    pub level: Param<Tensor<4>>,
    /// From the finest level to the last but one.
    pub encoder: Vec<Down>,
    /// The coarsest level.
    pub middle: Vec<ResidualBlock>,
    /// From the last but one level back to the finest.
    pub decoder: Vec<Up>,
    /// The first width to 12 channels of noise.
    pub tail: Conv,
}

/// One level on the way down.
#[derive(Module, Debug)]
pub struct Down {
    /// At this level's size.
    pub blocks: Vec<ResidualBlock>,
    /// To the next level: 2x2 with stride 2.
    pub shrink: Conv,
}

/// One level on the way up.
#[derive(Module, Debug)]
pub struct Up {
    /// From the level below: 2x2 transposed with stride 2.
    pub grow: Upconv,
    /// At this level's size.
    pub blocks: Vec<ResidualBlock>,
}

impl Denoiser {
    /// A denoiser that starts close to the identity.
    ///
    /// # Panics
    /// When `shape` has no level or as many widths as blocks are not given.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        assert!(!shape.widths.is_empty() && shape.widths.len() == shape.blocks.len(), "one width and count a level");
        let coarsest = shape.widths.len() - 1;
        let blocks = |init: &mut Init, level: usize| {
            (0..shape.blocks[level]).map(|_| ResidualBlock::new(init, shape.widths[level])).collect()
        };
        let down = |init: &mut Init, level: usize| Down {
            blocks: blocks(init, level),
            shrink: Conv::new(init, shape.widths[level], shape.widths[level + 1], 2, 2, 1.0),
        };
        let up = |init: &mut Init, level: usize| Up {
            grow: Upconv::new(init, shape.widths[level + 1], shape.widths[level]),
            blocks: blocks(init, level),
        };
        Self {
            head: Conv::new(init, 12, shape.widths[0], 3, 1, 1.0),
            level: init.normal([1, shape.widths[0], 1, 1], 1.0),
            encoder: (0..coarsest).map(|level| down(init, level)).collect(),
            middle: blocks(init, coarsest),
            decoder: (0..coarsest).rev().map(|level| up(init, level)).collect(),
            tail: Conv::new(init, shape.widths[0], 12, 3, 1, 0.1),
        }
    }

    /// The picture without its noise. `noisy` is `[N, 12, H / 2, W / 2]` in depth layout with values 0..1, `sigma`
    /// `[N, 1, 1, 1]` the noise's deviation, 0..1.
    pub fn forward(&self, noisy: Tensor<4>, sigma: Tensor<4>) -> Tensor<4> {
        // The level is the same all over the picture, so a plane of it as an input channel would amount to a bias.
        let mut x = self.head.forward(noisy.clone()) + self.level.val() * sigma;
        let mut skips = Vec::with_capacity(self.encoder.len());
        for level in &self.encoder {
            x = run(&level.blocks, x);
            skips.push(x.clone());
            x = level.shrink.forward(x);
        }
        x = run(&self.middle, x);
        for (level, skip) in self.decoder.iter().zip(skips.into_iter().rev()) {
            x = run(&level.blocks, level.grow.forward(x) + skip);
        }
        noisy - self.tail.forward(x)
    }

    /// The whole of it as an ONNX graph from `image` `[1, 3, H, W]` and `sigma` `[1, 1, 1, 1]`, which is no input if it
    /// is `always` the same; returns the picture that is to be its output.
    pub fn write(&self, graph: &mut Graph, always: Option<f32>) -> Value {
        let image = graph.picture("image", 3);
        let noisy = graph.space_to_depth("squares", &image, 2);
        let mut x = self.head.write(graph, "head", &noisy);
        let sigma = match always {
            Some(level) => graph.constant("sigma", &[1, 1, 1, 1], &[level]),
            None => graph.number("sigma"),
        };
        let level = graph.scaled_channels("level", &sigma, &self.level);
        x = graph.add("head.level", &x, &level);
        let mut skips = Vec::with_capacity(self.encoder.len());
        for (at, level) in self.encoder.iter().enumerate() {
            x = write(graph, &format!("encoder.{at}.blocks"), &level.blocks, x);
            skips.push(x.clone());
            x = level.shrink.write(graph, &format!("encoder.{at}.shrink"), &x);
        }
        x = write(graph, "middle", &self.middle, x);
        for ((at, level), skip) in self.decoder.iter().enumerate().zip(skips.iter().rev()) {
            x = level.grow.write(graph, &format!("decoder.{at}.grow"), &x);
            x = graph.add(&format!("decoder.{at}.skip"), &x, skip);
            x = write(graph, &format!("decoder.{at}.blocks"), &level.blocks, x);
        }
        let noise = self.tail.write(graph, "tail", &x);
        let clean = graph.sub("clean", &noisy, &noise);
        graph.depth_to_space("pixels", &clean, 2)
    }
}

fn run(blocks: &[ResidualBlock], x: Tensor<4>) -> Tensor<4> {
    blocks.iter().fold(x, |x, block| block.forward(x))
}

fn write(graph: &mut Graph, name: &str, blocks: &[ResidualBlock], x: Value) -> Value {
    blocks.iter().enumerate().fold(x, |x, (at, block)| block.write(graph, &format!("{name}.{at}"), &x))
}
