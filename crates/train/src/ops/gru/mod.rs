//! A layer of gated recurrent units.

#[cfg(feature = "flex")]
mod extension;
#[cfg(feature = "flex")]
mod kernel;
pub mod plain;

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use super::on_flex;

/// The trained tensors of a GRU of `H` units over inputs of `I` values. The three gates lie side by side in ONNX's
/// order: update `z`, reset `r`, new `n`.
#[derive(Clone, Debug)]
pub struct GruWeights {
    /// Input to gates, `[I, 3H]`.
    pub input: Tensor<2>,
    /// Bias of the input's share, `[3H]`.
    pub input_bias: Tensor<1>,
    /// State to gates, `[H, 3H]`.
    pub state: Tensor<2>,
    /// Bias of the state's share, `[3H]`.
    pub state_bias: Tensor<1>,
}

/// A GRU (Cho et al. 2014, with the reset gate after the product as in cuDNN and in ONNX's `linear_before_reset`) over
/// `x` `[T, N, I]` from the state `h` `[N, H]`; returns all states, `[T, N, H]`:
///
/// ```text
/// z = sigmoid(x Wz + bz + h Uz + cz)
/// r = sigmoid(x Wr + br + h Ur + cr)
/// n = tanh(x Wn + bn + r * (h Un + cn))
/// h = (1 - z) * n + z * h
/// ```
///
/// The inputs' share is one product over all time steps; one small product a step is left for the state.
pub fn gru(x: Tensor<3>, h: Tensor<2>, weights: GruWeights) -> Tensor<3> {
    let [steps, batch, inputs] = x.dims();
    let gates = weights.input.dims()[1];
    let gates_of_x = x.reshape([steps * batch, inputs]).matmul(weights.input) + weights.input_bias.unsqueeze();
    let gates_of_x: Tensor<3> = gates_of_x.reshape([steps, batch, gates]);
    #[cfg(feature = "flex")]
    if on_flex(&gates_of_x.device()) {
        return extension::recur(gates_of_x, h, weights.state, weights.state_bias);
    }
    plain::recur(gates_of_x, h, weights.state, weights.state_bias)
}
