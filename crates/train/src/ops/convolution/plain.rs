//! The same operations by burn's own kernels: for other devices, and the reference that ours are tested against. On LibTorch
//! gradients are LibTorch's.

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, activation, module};

use super::Sweep;

/// See [`super::conv2d`].
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sweep: Sweep) -> Tensor<4> {
    relu_if(sweep.relu, convolve(x, weight, bias, sweep))
}

/// See [`super::conv2d_residual`].
pub fn conv2d_residual(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Tensor<4>,
    sweep: Sweep,
) -> Tensor<4> {
    relu_if(sweep.relu, convolve(x, weight, bias, sweep) + residual)
}

/// See [`super::conv_transpose2x2`].
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let options = ConvTransposeOptions::new([2; 2], [0; 2], [0; 2], [1; 2], 1);
    module::conv_transpose2d(x, weight, Some(bias), options)
}

fn convolve(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sweep: Sweep) -> Tensor<4> {
    #[cfg(feature = "tch")]
    if crate::ops::on_torch(&x.device()) {
        return super::torch::convolve(x, weight, bias, sweep);
    }
    let [_, _, height, width] = weight.dims();
    let options = ConvOptions::new([sweep.stride; 2], sweep.paddings([height, width]), [1; 2], 1);
    module::conv2d(x, weight, Some(bias), options)
}

fn relu_if(relu: bool, x: Tensor<4>) -> Tensor<4> {
    if relu { activation::relu(x) } else { x }
}
