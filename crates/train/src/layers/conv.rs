use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Init;
use crate::onnx::{Graph, Value};
use crate::ops::{self, Sweep};

/// A convolution with bias. A stride-1 kernel is padded with zeros to keep the size; a strided one has no padding.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[channels out, channels in, kernel, kernel]`
    pub weight: Param<Tensor<4>>,
    /// `[channels out]`
    pub bias: Param<Tensor<1>>,
    /// 1, or the kernel's size for a convolution that shrinks the picture.
    pub stride: usize,
}

impl Conv {
    /// A convolution whose weights have the deviation `gain / sqrt(fan in)`: `sqrt(2)` before a ReLU (He et al. 2015,
    /// "Delving deep into rectifiers", equation 10), less for a layer that should start near zero.
    pub fn new(
        init: &mut Init,
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        stride: usize,
        gain: f64,
    ) -> Self {
        let fan_in = channels_in * kernel * kernel;
        Self {
            weight: init.normal([channels_out, channels_in, kernel, kernel], gain / (fan_in as f64).sqrt()),
            bias: init.zeros([channels_out]),
            stride,
        }
    }

    /// A convolution along rows only, of a kernel 1 x `kernel` and stride 1.
    pub fn row(init: &mut Init, channels_in: usize, channels_out: usize, kernel: usize, gain: f64) -> Self {
        let deviation = gain / ((channels_in * kernel) as f64).sqrt();
        Self {
            weight: init.normal([channels_out, channels_in, 1, kernel], deviation),
            bias: init.zeros([channels_out]),
            stride: 1,
        }
    }

    /// `[N, I, H, W] -> [N, O, H / stride, W / stride]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv2d(x, self.weight.val(), self.bias.val(), self.sweep(false))
    }

    /// [`forward`](Self::forward) followed by a ReLU.
    pub fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv2d(x, self.weight.val(), self.bias.val(), self.sweep(true))
    }

    /// [`forward`](Self::forward) plus `residual`, a tensor of the output's shape.
    pub fn forward_residual(&self, x: Tensor<4>, residual: Tensor<4>) -> Tensor<4> {
        ops::conv2d_residual(x, self.weight.val(), self.bias.val(), residual, self.sweep(false))
    }

    /// Zeros on each side of the input.
    pub fn padding(&self) -> usize {
        if self.stride == 1 { self.weight.lazy_shape()[3] / 2 } else { 0 }
    }

    /// Writes the layer into an ONNX graph.
    pub fn write(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        graph.conv(name, x, &self.weight, &self.bias, self.stride, self.padding())
    }

    /// Writes the layer and its ReLU into an ONNX graph.
    pub fn write_relu(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        let y = self.write(graph, name, x);
        graph.relu(&format!("{name}.relu"), &y)
    }

    /// Writes a layer along rows (see [`row`](Self::row)), whose input is `[1, I, 1, W]`, into an ONNX graph.
    pub fn write_row(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        let weight = graph.weight(&format!("{name}.weight"), &self.weight);
        let bias = graph.weight(&format!("{name}.bias"), &self.bias);
        let kernel = self.weight.lazy_shape()[3];
        graph.conv_row(name, x, (&weight, &bias), (kernel, 1), [self.padding(); 2])
    }

    fn sweep(&self, relu: bool) -> Sweep {
        Sweep { stride: self.stride, padding: self.padding(), relu }
    }
}

/// A transposed convolution 2x2 of stride 2: doubles height and width.
#[derive(Module, Debug)]
pub struct Upconv {
    /// `[channels in, channels out, 2, 2]`
    pub weight: Param<Tensor<4>>,
    /// `[channels out]`
    pub bias: Param<Tensor<1>>,
}

impl Upconv {
    /// Weights of deviation `1 / sqrt(channels in)`, which keeps the variance: each output pixel sees one input pixel.
    pub fn new(init: &mut Init, channels_in: usize, channels_out: usize) -> Self {
        Self {
            weight: init.normal([channels_in, channels_out, 2, 2], 1.0 / (channels_in as f64).sqrt()),
            bias: init.zeros([channels_out]),
        }
    }

    /// `[N, I, H, W] -> [N, O, 2H, 2W]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_transpose2x2(x, self.weight.val(), self.bias.val())
    }

    /// Writes the layer into an ONNX graph.
    pub fn write(&self, graph: &mut Graph, name: &str, x: &Value) -> Value {
        graph.conv_transpose2x2(name, x, &self.weight, &self.bias)
    }
}
