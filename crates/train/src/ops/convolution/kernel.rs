//! latentd-conv's kernels on burn's processor tensors, forward and backward.

use std::cell::RefCell;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};
use latentd_conv::{Activation, Conv2d, Epilogue, Geometry, Scratch, TransposedConv2d};
use rayon::prelude::*;

use super::Sweep;

thread_local! {
    /// Kept from one call to the next: the buffers have grown to what the largest layer needs.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::parallel());
}

const VALID: &str = "shapes that burn has checked are those of a convolution";

/// `relu?(x * weight + bias + residual?)`
pub fn conv2d(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    residual: Option<&FlexTensor>,
    sweep: Sweep,
) -> FlexTensor {
    let conv = convolution(x, weight, sweep);
    let [height, width] = conv.geometry().output();
    let shape = [x.shape()[0], weight.shape()[0], height, width];
    let [x, weight, bias] = [x, weight, bias].map(FlexTensor::to_contiguous);
    let residual = residual.map(FlexTensor::to_contiguous);
    let epilogue = Epilogue {
        bias: Some(values(&bias)),
        residual: residual.as_ref().map(values),
        activation: if sweep.relu { Activation::Relu } else { Activation::Identity },
    };
    fill(shape, |out, scratch| conv.forward(values(&x), values(&weight), out, &epilogue, scratch))
}

/// The gradient of the input of [`conv2d`]; `gradient` is that of its output before the ReLU.
pub fn input_gradient(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor, sweep: Sweep) -> FlexTensor {
    let conv = convolution(x, weight, sweep);
    let [weight, gradient] = [weight, gradient].map(FlexTensor::to_contiguous);
    fill(x.shape(), |out, scratch| conv.input_gradient(values(&gradient), values(&weight), out, scratch))
}

/// The gradient of the weights of [`conv2d`].
pub fn weight_gradient(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor, sweep: Sweep) -> FlexTensor {
    let conv = convolution(x, weight, sweep);
    let [x, gradient] = [x, gradient].map(FlexTensor::to_contiguous);
    fill(weight.shape(), |out, scratch| conv.weight_gradient(values(&x), values(&gradient), out, scratch))
}

/// The gradient of a bias: `gradient` `[N, C, H, W]` summed over all but the channels, `[C]`.
pub fn bias_gradient(gradient: &FlexTensor) -> FlexTensor {
    let [_, channels, height, width] = gradient.shape().dims();
    let gradient = gradient.to_contiguous();
    let planes: Vec<f32> = values(&gradient).par_chunks(height * width).with_min_len(32).map(sum).collect();
    let mut sums = vec![0f32; channels];
    for (at, plane) in planes.into_iter().enumerate() {
        sums[at % channels] += plane;
    }
    tensor(sums, [channels])
}

/// A sum in 16 lanes, which compilers turn into vectors and which loses less precision than one after another.
fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let chunks = values.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, v)| *lane += v);
    }
    lanes.iter().sum::<f32>() + rest
}

/// The gradient before a ReLU from that after it, given its output.
pub fn relu_gradient(output: &FlexTensor, gradient: FlexTensor) -> FlexTensor {
    let shape = gradient.shape();
    let [output, gradient] = [output, &gradient].map(FlexTensor::to_contiguous);
    let mut passed = vec![0f32; shape.num_elements()];
    let outputs = values(&output).par_chunks(BLOCK).zip(values(&gradient).par_chunks(BLOCK));
    passed.par_chunks_mut(BLOCK).zip(outputs).for_each(|(passed, (output, gradient))| {
        for ((p, y), g) in passed.iter_mut().zip(output).zip(gradient) {
            *p = if *y > 0.0 { *g } else { 0.0 };
        }
    });
    tensor(passed, shape)
}

/// Values that one thread takes at a time where there is little to do for each.
const BLOCK: usize = 1 << 15;

/// Transposed convolution 2x2 of stride 2 with bias.
pub fn conv_transpose2x2(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor) -> FlexTensor {
    let [batch, channels_in, height, width] = x.shape().dims();
    let channels_out = weight.shape()[1];
    let [x, weight, bias] = [x, weight, bias].map(FlexTensor::to_contiguous);
    let epilogue = Epilogue { bias: Some(values(&bias)), ..Epilogue::default() };
    let conv = squares(channels_in, channels_out, height, width);
    fill([batch, channels_out, 2 * height, 2 * width], |out, scratch| {
        conv.forward(values(&x), values(&weight), out, &epilogue, scratch)
    })
}

/// The gradient of the input of [`conv_transpose2x2`].
pub fn conv_transpose2x2_input_gradient(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor) -> FlexTensor {
    let [_, channels_in, height, width] = x.shape().dims();
    let conv = squares(channels_in, weight.shape()[1], height, width);
    let [weight, gradient] = [weight, gradient].map(FlexTensor::to_contiguous);
    fill(x.shape(), |out, scratch| conv.input_gradient(values(&gradient), values(&weight), out, scratch))
}

/// The gradient of the weights of [`conv_transpose2x2`].
pub fn conv_transpose2x2_weight_gradient(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor) -> FlexTensor {
    let [_, channels_in, height, width] = x.shape().dims();
    let conv = squares(channels_in, weight.shape()[1], height, width);
    let [x, gradient] = [x, gradient].map(FlexTensor::to_contiguous);
    fill(weight.shape(), |out, scratch| conv.weight_gradient(values(&x), values(&gradient), out, scratch))
}

fn squares(in_channels: usize, out_channels: usize, height: usize, width: usize) -> TransposedConv2d {
    let geometry = Geometry {
        in_channels,
        out_channels,
        input: [height, width],
        kernel: [2; 2],
        stride: [2; 2],
        padding: [[0; 2]; 2],
        dilation: [1; 2],
        depthwise: false,
    };
    TransposedConv2d::new(geometry, [0; 2]).expect(VALID)
}

fn convolution(x: &FlexTensor, weight: &FlexTensor, sweep: Sweep) -> Conv2d {
    let [_, in_channels, height, width] = x.shape().dims();
    let [out_channels, _, kernel_height, kernel_width] = weight.shape().dims();
    let geometry = Geometry {
        in_channels,
        out_channels,
        input: [height, width],
        kernel: [kernel_height, kernel_width],
        stride: [sweep.stride; 2],
        padding: sweep.paddings([kernel_height, kernel_width]).map(|padding| [padding; 2]),
        dilation: [1; 2],
        depthwise: false,
    };
    Conv2d::new(geometry).expect(VALID)
}

/// A tensor that `compute` fills.
fn fill(
    shape: impl Into<Shape>,
    compute: impl FnOnce(&mut [f32], &mut Scratch) -> Result<(), latentd_conv::Error>,
) -> FlexTensor {
    let shape = shape.into();
    let mut out = vec![0f32; shape.num_elements()];
    SCRATCH.with_borrow_mut(|scratch| compute(&mut out, scratch).expect(VALID));
    tensor(out, shape)
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice::<f32>().expect("networks are of contiguous f32 tensors")
}
