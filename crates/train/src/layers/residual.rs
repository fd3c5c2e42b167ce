use burn::module::Module;
use burn::tensor::Tensor;

use super::{Conv, Init};
use crate::onnx::{Graph, Value};

/// `x + conv(relu(conv(x)))`, both 3x3. No normalisation: it costs time and does not help restoration.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The convolution before the ReLU.
    pub first: Conv,
    /// The convolution after it.
    pub second: Conv,
}

impl ResidualBlock {
    /// A block that starts close to the identity, so that any number of them can be stacked.
    pub fn new(init: &mut Init, channels: usize) -> Self {
        Self {
            first: Conv::new(init, channels, channels, 3, 1, 2f64.sqrt()),
            second: Conv::new(init, channels, channels, 3, 1, 0.1),
        }
    }

    /// `[N, C, H, W] -> [N, C, H, W]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.second.forward_residual(self.first.forward_relu(x.clone()), x)
    }

    /// Writes the block into an ONNX graph.
    pub fn write(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        let inner = self.first.write(graph, &format!("{name}.first"), x);
        let inner = graph.relu(&format!("{name}.relu"), &inner);
        let inner = self.second.write(graph, &format!("{name}.second"), &inner);
        graph.add(&format!("{name}.sum"), &inner, x)
    }
}
