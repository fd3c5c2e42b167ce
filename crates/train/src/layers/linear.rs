use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::Init;
use crate::onnx::{Graph, Value};

/// A fully connected layer, `x * weight + bias`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[values in, values out]`
    pub weight: Param<Tensor<2>>,
    /// `[values out]`
    pub bias: Param<Tensor<1>>,
}

impl Linear {
    /// A layer whose weights have the deviation `gain / sqrt(values in)`: `sqrt(2)` before a ReLU (He et al. 2015), 1
    /// elsewhere, less for a layer that should start near zero.
    pub fn new(init: &mut Init, values_in: usize, values_out: usize, gain: f64) -> Self {
        Self {
            weight: init.normal([values_in, values_out], gain / (values_in as f64).sqrt()),
            bias: init.zeros([values_out]),
        }
    }

    /// `[..., values in] -> [..., values out]`: one product, whatever the axes before the last.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut shape = x.dims();
        let [values_in, values_out] = self.weight.lazy_shape().dims();
        let rows = shape.iter().product::<usize>() / values_in;
        shape[D - 1] = values_out;
        (x.reshape([rows, values_in]).matmul(self.weight.val()) + self.bias.val().unsqueeze()).reshape(shape)
    }

    /// [`forward`](Self::forward) followed by a ReLU.
    pub fn forward_relu<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::relu(self.forward(x))
    }

    /// Writes the layer into an ONNX graph.
    pub fn write(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        graph.linear(name, x, &self.weight, &self.bias)
    }

    /// Writes the layer and its ReLU into an ONNX graph.
    pub fn write_relu(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        let y = self.write(graph, name, x);
        graph.relu(&format!("{name}.relu"), &y)
    }
}
