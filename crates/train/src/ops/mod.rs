//! The operations that networks are made of, on every device.

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, activation, module};

/// Convolution `[N, I, H, W] -> [N, O, H', W']` with weights `[O, I, K, K]`, a bias `[O]`, the same stride and zero
/// padding on both axes, and a ReLU at the end when `relu` is set.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, stride: usize, padding: usize, relu: bool) -> Tensor<4> {
    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
    let y = module::conv2d(x, weight, Some(bias), options);
    if relu { activation::relu(y) } else { y }
}

/// Transposed convolution of kernel 2x2 and stride 2, `[N, I, H, W] -> [N, O, 2H, 2W]`, with weights `[I, O, 2, 2]` and
/// a bias `[O]`: each input pixel paints its own 2x2 square.
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let options = ConvTransposeOptions::new([2; 2], [0; 2], [0; 2], [1; 2], 1);
    module::conv_transpose2d(x, weight, Some(bias), options)
}
