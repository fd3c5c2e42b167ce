//! Convolutions.

#[cfg(feature = "flex")]
mod extension;
#[cfg(feature = "flex")]
mod kernel;
pub mod plain;
#[cfg(feature = "tch")]
mod torch;

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use super::on_flex;
#[cfg(feature = "tch")]
use super::on_torch;

/// How a convolution moves over its input and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Input points from one output point to the next, on both axes.
    pub stride: usize,
    /// Zeros on each side of the input, along axes where the kernel has more than one point.
    pub padding: usize,
    /// Whether negative outputs become 0.
    pub relu: bool,
}

impl Sweep {
    /// Zeros on each side along each axis, for a kernel of this height and width.
    fn paddings(self, kernel: [usize; 2]) -> [usize; 2] {
        kernel.map(|points| if points == 1 { 0 } else { self.padding })
    }
}

/// Convolution `[N, I, H, W] -> [N, O, H', W']` with weights `[O, I, K, K]` (or `[O, I, 1, K]`) and a bias `[O]`.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sweep: Sweep) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if on_flex(&x.device()) {
        return extension::conv2d(x, weight, bias, sweep);
    }
    plain::conv2d(x, weight, bias, sweep)
}

/// [`conv2d`] plus `residual`, a tensor of the output's shape. The ReLU, if any, comes after the sum.
pub fn conv2d_residual(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Tensor<4>,
    sweep: Sweep,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if on_flex(&x.device()) {
        return extension::conv2d_residual(x, weight, bias, residual, sweep);
    }
    plain::conv2d_residual(x, weight, bias, residual, sweep)
}

/// Transposed convolution of kernel 2x2 and stride 2, `[N, I, H, W] -> [N, O, 2H, 2W]`, with weights `[I, O, 2, 2]` and
/// a bias `[O]`: each input pixel paints its own 2x2 square.
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if on_flex(&x.device()) {
        return extension::conv_transpose2x2(x, weight, bias);
    }
    #[cfg(feature = "tch")]
    if on_torch(&x.device()) {
        return torch::conv_transpose2x2(x, weight, bias);
    }
    plain::conv_transpose2x2(x, weight, bias)
}
