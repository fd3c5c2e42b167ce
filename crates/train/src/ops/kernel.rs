//! latentd-conv's kernels on burn's processor tensors, forward and backward.

use std::cell::RefCell;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};
use latentd_conv::{Activation, Conv2d, Epilogue, Geometry, Scratch};

use super::Sweep;

thread_local! {
    /// Kept from one call to the next: the buffers have grown to what the largest layer needs.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::parallel());
}

const LENGTHS: &str = "the slices have the lengths of the geometry";

/// `relu?(x * weight + bias + residual?)`
pub fn conv2d(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor, residual: Option<&FlexTensor>, sweep: Sweep) -> FlexTensor {
    let geometry = geometry(x, weight, sweep);
    let [height, width] = geometry.output();
    let shape = [x.shape()[0], geometry.out_channels, height, width];
    let [x, weight, bias] = [x, weight, bias].map(FlexTensor::to_contiguous);
    let residual = residual.map(FlexTensor::to_contiguous);
    let epilogue = Epilogue {
        bias: Some(values(&bias)),
        residual: residual.as_ref().map(values),
        activation: if sweep.relu { Activation::Relu } else { Activation::Identity },
    };
    let run = |conv: Conv2d, out: &mut [f32], scratch: &mut Scratch| {
        conv.forward(values(&x), values(&weight), out, &epilogue, scratch)
    };
    compute(geometry, shape, run)
}

/// The gradient of the input of [`conv2d`]; `gradient` is that of its output before the ReLU.
pub fn input_gradient(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor, sweep: Sweep) -> FlexTensor {
    let [weight_now, gradient] = [weight, gradient].map(FlexTensor::to_contiguous);
    let run = |conv: Conv2d, out: &mut [f32], scratch: &mut Scratch| {
        conv.input_gradient(values(&gradient), values(&weight_now), out, scratch)
    };
    compute(geometry(x, weight, sweep), x.shape(), run)
}

/// The gradient of the weights of [`conv2d`].
pub fn weight_gradient(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor, sweep: Sweep) -> FlexTensor {
    let [x_now, gradient] = [x, gradient].map(FlexTensor::to_contiguous);
    let run = |conv: Conv2d, out: &mut [f32], scratch: &mut Scratch| {
        conv.weight_gradient(values(&x_now), values(&gradient), out, scratch)
    };
    compute(geometry(x, weight, sweep), weight.shape(), run)
}

/// The gradient of a bias: `gradient` `[N, C, H, W]` summed over all but the channels, `[C]`.
pub fn bias_gradient(gradient: &FlexTensor) -> FlexTensor {
    let [_, channels, height, width] = gradient.shape().dims();
    let gradient = gradient.to_contiguous();
    let mut sums = vec![0f32; channels];
    for (at, plane) in values(&gradient).chunks(height * width).enumerate() {
        sums[at % channels] += plane.iter().sum::<f32>();
    }
    tensor(sums, [channels])
}

/// The gradient before a ReLU from that after it, given its output.
pub fn relu_gradient(output: &FlexTensor, gradient: FlexTensor) -> FlexTensor {
    let shape = gradient.shape();
    let [output, gradient] = [output, &gradient].map(FlexTensor::to_contiguous);
    let pass = |(y, g): (&f32, &f32)| if *y > 0.0 { *g } else { 0.0 };
    let passed: Vec<f32> = values(&output).iter().zip(values(&gradient)).map(pass).collect();
    tensor(passed, shape)
}

/// Transposed convolution 2x2 of stride 2 with bias: the input gradient of a 2x2 convolution of stride 2.
pub fn conv_transpose2x2(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor) -> FlexTensor {
    let [batch, _, height, width] = x.shape().dims();
    let [channels_in, channels_out, ..]: [usize; 4] = weight.shape().dims();
    let geometry = squares(channels_out, channels_in, 2 * height, 2 * width);
    let [x, weight, bias] = [x, weight, bias].map(FlexTensor::to_contiguous);
    let run = |conv: Conv2d, out: &mut [f32], scratch: &mut Scratch| {
        conv.input_gradient(values(&x), values(&weight), out, scratch)?;
        for (at, plane) in out.chunks_mut(4 * height * width).enumerate() {
            let add = values(&bias)[at % channels_out];
            plane.iter_mut().for_each(|v| *v += add);
        }
        Ok(())
    };
    compute(geometry, [batch, channels_out, 2 * height, 2 * width], run)
}

/// The gradient of the input of [`conv_transpose2x2`].
pub fn conv_transpose2x2_input_gradient(weight: &FlexTensor, gradient: &FlexTensor) -> FlexTensor {
    let [batch, channels_out, height, width] = gradient.shape().dims();
    let channels_in = weight.shape()[0];
    let [weight, gradient] = [weight, gradient].map(FlexTensor::to_contiguous);
    let run = |conv: Conv2d, out: &mut [f32], scratch: &mut Scratch| {
        conv.forward(values(&gradient), values(&weight), out, &Epilogue::default(), scratch)
    };
    compute(squares(channels_out, channels_in, height, width), [batch, channels_in, height / 2, width / 2], run)
}

/// The gradient of the weights of [`conv_transpose2x2`].
pub fn conv_transpose2x2_weight_gradient(x: &FlexTensor, gradient: &FlexTensor) -> FlexTensor {
    // Input and output gradient change places: the convolution's weight `[I, O, 2, 2]` has the layout wanted here.
    let [_, channels_out, height, width] = gradient.shape().dims();
    let channels_in = x.shape()[1];
    let [x, gradient] = [x, gradient].map(FlexTensor::to_contiguous);
    let run = |conv: Conv2d, out: &mut [f32], scratch: &mut Scratch| {
        conv.weight_gradient(values(&gradient), values(&x), out, scratch)
    };
    compute(squares(channels_out, channels_in, height, width), [channels_in, channels_out, 2, 2], run)
}

/// The convolution whose input gradient a transposed convolution is; its input is the transposed one's output.
fn squares(in_channels: usize, out_channels: usize, height: usize, width: usize) -> Geometry {
    Geometry {
        in_channels,
        out_channels,
        input: [height, width],
        kernel: [2; 2],
        stride: [2; 2],
        padding: [[0; 2]; 2],
        dilation: [1; 2],
        depthwise: false,
    }
}

fn geometry(x: &FlexTensor, weight: &FlexTensor, sweep: Sweep) -> Geometry {
    let [_, in_channels, height, width] = x.shape().dims();
    let [out_channels, _, kernel_height, kernel_width] = weight.shape().dims();
    Geometry {
        in_channels,
        out_channels,
        input: [height, width],
        kernel: [kernel_height, kernel_width],
        stride: [sweep.stride; 2],
        padding: [[sweep.padding; 2]; 2],
        dilation: [1; 2],
        depthwise: false,
    }
}

fn compute(
    geometry: Geometry,
    shape: impl Into<Shape>,
    run: impl FnOnce(Conv2d, &mut [f32], &mut Scratch) -> Result<(), latentd_conv::Error>,
) -> FlexTensor {
    let shape = shape.into();
    let mut out = vec![0f32; shape.num_elements()];
    let conv = Conv2d::new(geometry).expect("a layer's shape is a valid convolution");
    SCRATCH.with_borrow_mut(|scratch| run(conv, &mut out, scratch).expect(LENGTHS));
    tensor(out, shape)
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice::<f32>().expect("networks are of contiguous f32 tensors")
}
