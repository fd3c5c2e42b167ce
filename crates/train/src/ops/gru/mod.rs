//! A layer of gated recurrent units.

#[cfg(feature = "flex")]
mod bands;
#[cfg(feature = "flex")]
mod bands_kernel;
#[cfg(feature = "flex")]
mod extension;
#[cfg(feature = "flex")]
mod kernel;
#[cfg(feature = "flex")]
mod math;
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

/// A GRU over time that the bands of a spectrum share: `x` `[N, I, T, P]` holds `I` values for each of `T` steps and `P`
/// bands of `N` clips, and every band has a state of its own, zero at first. Returns all states, `[N, H, T, P]`.
pub fn gru_bands(x: Tensor<4>, weights: GruWeights) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if on_flex(&x.device()) {
        return bands::recur(x, weights);
    }
    gru_bands_plain(x, weights)
}

/// [`gru_bands`] by [`gru`]: for other devices, and the reference that it is tested against.
pub fn gru_bands_plain(x: Tensor<4>, weights: GruWeights) -> Tensor<4> {
    let [clips, inputs, steps, bands] = x.dims();
    let units = weights.state.dims()[0];
    let h = Tensor::zeros([clips * bands, units], &x.device());
    let x = x.permute([2, 0, 3, 1]).reshape([steps, clips * bands, inputs]);
    gru(x, h, weights).reshape([steps, clips, bands, units]).permute([1, 3, 0, 2])
}
