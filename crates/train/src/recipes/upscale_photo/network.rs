use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::layers::{Conv, Init, ResidualBlock};
use crate::onnx::{Graph, Value};

/// The size of an [`Upscaler`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// How many times larger the picture becomes on each side.
    pub scale: usize,
    /// Channels of the trunk.
    pub width: usize,
    /// Residual blocks of the trunk.
    pub blocks: usize,
}

/// A trunk of residual blocks at the small picture's size, with a skip over all of it; its last convolution paints
/// the `scale * scale` pixels of each square at once (sub-pixel convolution, Shi et al. 2016), as a correction to the
/// repeated small pixel.
#[derive(Module, Debug)]
pub struct Upscaler {
    /// 3 channels to the trunk's width.
    pub head: Conv,
    /// The trunk.
    pub blocks: Vec<ResidualBlock>,
    /// The trunk's width to `3 * scale * scale`.
    pub tail: Conv,
}

impl Upscaler {
    /// An upscaler that starts close to repeating each pixel.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        let channels_out = 3 * shape.scale * shape.scale;
        Self {
            head: Conv::new(init, 3, shape.width, 3, 1, 1.0),
            blocks: (0..shape.blocks).map(|_| ResidualBlock::new(init, shape.width)).collect(),
            tail: Conv::new(init, shape.width, channels_out, 3, 1, 0.1),
        }
    }

    /// `[N, 3, H, W]`, values 0..1, to `[N, 3 * scale^2, H, W]` in depth layout.
    pub fn forward(&self, small: Tensor<4>) -> Tensor<4> {
        let head = self.head.forward(small.clone());
        let trunk = self.blocks.iter().fold(head.clone(), |x, block| block.forward(x));
        let correction = self.tail.forward(trunk + head);
        let squares = correction.dims()[1] / 3;
        correction + small.repeat_dim(1, squares)
    }

    /// The whole of it as an ONNX graph from `image` `[1, 3, H, W]`; returns the picture that is to be its output.
    pub fn write(&self, graph: &mut Graph) -> Value {
        let image = graph.picture("image", 3);
        let head = self.head.write(graph, "head", &image);
        let mut x = head.clone();
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.write(graph, &format!("blocks.{at}"), &x);
        }
        let trunk = graph.add("trunk", &x, &head);
        let correction = self.tail.write(graph, "tail", &trunk);
        let scale = (self.tail.weight.val().dims()[0] / 3).isqrt();
        let repeated = graph.repeat_channels("repeated", &image, scale * scale);
        let large = graph.add("large", &correction, &repeated);
        graph.depth_to_space("pixels", &large, scale)
    }
}
