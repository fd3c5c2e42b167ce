use burn::module::Module;
use burn::tensor::{Tensor, activation};

use super::{Conv, Init, ResidualBlock, Upconv};
use crate::onnx::{Graph, Value};

/// One level of an encoder: half the size of the level above it.
#[derive(Module, Debug)]
pub struct Down {
    /// From the level above: 2x2 with stride 2, then a ReLU. The finest level has none.
    pub shrink: Option<Conv>,
    /// At this level's size.
    pub blocks: Vec<ResidualBlock>,
}

impl Down {
    /// The levels of an encoder of these widths, finest first, each with `blocks` residual blocks.
    pub fn levels(init: &mut Init, widths: &[usize], blocks: usize) -> Vec<Self> {
        let level = |at: usize| Self {
            shrink: (at > 0).then(|| Conv::new(init, widths[at - 1], widths[at], 2, 2, 2f64.sqrt())),
            blocks: (0..blocks).map(|_| ResidualBlock::new(init, widths[at])).collect(),
        };
        (0..widths.len()).map(level).collect()
    }

    /// `[N, C above, 2H, 2W] -> [N, C, H, W]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.shrink {
            Some(shrink) => shrink.forward_relu(x),
            None => x,
        };
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }

    /// Writes the level into an ONNX graph.
    pub fn write(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        let x = match &self.shrink {
            Some(shrink) => shrink.write_relu(graph, &format!("{name}.shrink"), x),
            None => x.clone(),
        };
        write_blocks(graph, name, &self.blocks, x)
    }
}

/// One level of a decoder.
#[derive(Module, Debug)]
pub struct Up {
    /// At this level's size.
    pub blocks: Vec<ResidualBlock>,
    /// To the level above: 2x2 transposed with stride 2, then a ReLU. The finest level has none.
    pub grow: Option<Upconv>,
}

impl Up {
    /// The levels of a decoder of these widths (given finest first), coarsest first, each with `blocks` residual blocks.
    pub fn levels(init: &mut Init, widths: &[usize], blocks: usize) -> Vec<Self> {
        let level = |at: usize| Self {
            blocks: (0..blocks).map(|_| ResidualBlock::new(init, widths[at])).collect(),
            grow: (at > 0).then(|| Upconv::new(init, widths[at], widths[at - 1])),
        };
        (0..widths.len()).rev().map(level).collect()
    }

    /// `[N, C, H, W] -> [N, C above, 2H, 2W]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        match &self.grow {
            Some(grow) => activation::relu(grow.forward(x)),
            None => x,
        }
    }

    /// Writes the level into an ONNX graph.
    pub fn write(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        let x = write_blocks(graph, name, &self.blocks, x.clone());
        match &self.grow {
            Some(grow) => {
                let x = grow.write(graph, &format!("{name}.grow"), &x);
                graph.relu(&format!("{name}.grow.relu"), &x)
            }
            None => x,
        }
    }
}

fn write_blocks(graph: &mut Graph, name: &str, blocks: &[ResidualBlock], x: Value) -> Value {
    blocks.iter().enumerate().fold(x, |x, (at, block)| block.write(graph, &format!("{name}.blocks.{at}"), &x))
}
