use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Damage;
use crate::layers::{Conv, Down, Init, Up};
use crate::onnx::{Graph, Value};

/// The size of a [`Restorer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// What it undoes.
    pub damage: Damage,
    /// Planes of a picture.
    pub channels: usize,
    /// Channels of each level, finest first; the finest is at half the size of the restored picture.
    pub widths: Vec<usize>,
    /// Residual blocks of each level.
    pub blocks: usize,
}

impl Shape {
    /// Channels that the network takes: a noisy picture in depth layout, or a small one as it is.
    pub fn channels_in(&self) -> usize {
        match self.damage {
            Damage::Noise => 4 * self.channels,
            Damage::Halving => self.channels,
        }
    }
}

/// A U-Net (Ronneberger et al. 2015) at half the size of the restored picture and below, which paints 2x2 pixels at once.
#[derive(Module, Debug)]
pub struct Restorer {
    /// To the first width.
    pub head: Conv,
    /// From the finest level to the coarsest.
    pub encoder: Vec<Down>,
    /// From the coarsest level to the finest.
    pub decoder: Vec<Up>,
    /// The first width to the picture in depth layout.
    pub tail: Conv,
}

impl Restorer {
    /// Fresh weights.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        Self {
            head: Conv::new(init, shape.channels_in(), shape.widths[0], 3, 1, 2f64.sqrt()),
            encoder: Down::levels(init, &shape.widths, shape.blocks),
            decoder: Up::levels(init, &shape.widths, shape.blocks),
            tail: Conv::new(init, shape.widths[0], 4 * shape.channels, 3, 1, 1.0),
        }
    }

    /// `[N, channels in, H, W]` to the restored picture before its sigmoid, `[N, 4 C, H, W]` in depth layout.
    pub fn forward(&self, damaged: Tensor<4>) -> Tensor<4> {
        let mut x = self.head.forward_relu(damaged);
        let mut skips = Vec::with_capacity(self.encoder.len());
        for level in &self.encoder {
            x = level.forward(x);
            skips.push(x.clone());
        }
        skips.pop();
        for level in &self.decoder {
            x = level.forward(x);
            if let Some(skip) = skips.pop() {
                x = x + skip;
            }
        }
        self.tail.forward(x)
    }

    /// The whole of it as an ONNX graph from `image` to `output`.
    pub fn write(&self, shape: &Shape, graph: &mut Graph) {
        let image = graph.picture("image", shape.channels);
        let squares = match shape.damage {
            Damage::Noise => graph.space_to_depth("squares", &image, 2),
            Damage::Halving => image,
        };
        let mut x = self.head.write_relu(graph, "head", &squares);
        let mut skips: Vec<Value> = Vec::with_capacity(self.encoder.len());
        for (at, level) in self.encoder.iter().enumerate() {
            x = level.write(graph, &format!("encoder.{at}"), &x);
            skips.push(x.clone());
        }
        skips.pop();
        for (at, level) in self.decoder.iter().enumerate() {
            x = level.write(graph, &format!("decoder.{at}"), &x);
            if let Some(skip) = skips.pop() {
                x = graph.add(&format!("decoder.{at}.skip"), &x, &skip);
            }
        }
        let values = self.tail.write(graph, "tail", &x);
        let values = graph.sigmoid("values", &values);
        let pixels = graph.depth_to_space("pixels", &values, 2);
        graph.output("output", &pixels);
    }
}
