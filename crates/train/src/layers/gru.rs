use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Init;
use crate::ops;
use crate::ops::gru::GruWeights;

/// A layer of gated recurrent units whose gates lie side by side, in ONNX's order: update, reset, new.
#[derive(Module, Debug)]
pub struct GruLayer {
    /// Input to gates, `[values in, 3 * units]`.
    pub input: Param<Tensor<2>>,
    /// Bias of the input's share, `[3 * units]`.
    pub input_bias: Param<Tensor<1>>,
    /// State to gates, `[units, 3 * units]`.
    pub state: Param<Tensor<2>>,
    /// Bias of the state's share, `[3 * units]`.
    pub state_bias: Param<Tensor<1>>,
}

impl GruLayer {
    /// Weights of the deviation `1 / sqrt(values in)` and `1 / sqrt(units)`.
    pub fn new(init: &mut Init, values_in: usize, units: usize) -> Self {
        Self {
            input: init.normal([values_in, 3 * units], 1.0 / (values_in as f64).sqrt()),
            input_bias: init.zeros([3 * units]),
            state: init.normal([units, 3 * units], 1.0 / (units as f64).sqrt()),
            state_bias: init.zeros([3 * units]),
        }
    }

    /// All states `[N, units, T, P]` over `x` `[N, values in, T, P]`: see [`ops::gru_bands`].
    pub fn forward_bands(&self, x: Tensor<4>) -> Tensor<4> {
        ops::gru_bands(x, self.weights())
    }

    /// The tensors as the operation takes them.
    pub fn weights(&self) -> GruWeights {
        GruWeights {
            input: self.input.val(),
            input_bias: self.input_bias.val(),
            state: self.state.val(),
            state_bias: self.state_bias.val(),
        }
    }
}
