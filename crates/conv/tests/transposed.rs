//! A transposed convolution is the adjoint of a convolution, in every pass.

mod common;

use common::{error, noise};
use latentd_conv::{Epilogue, Geometry, Scratch, TransposedConv2d};
use proptest::prelude::*;

/// Scatters every input point through the kernel: the definition.
fn scatter(g: &Geometry, output: [usize; 2], input: &[f32], weight: &[f32]) -> Vec<f64> {
    let mut result = vec![0.0; g.out_channels * output[0] * output[1]];
    for from in 0..g.in_channels {
        for to in 0..g.out_channels {
            for y in 0..g.input[0] {
                for x in 0..g.input[1] {
                    for ky in 0..g.kernel[0] {
                        for kx in 0..g.kernel[1] {
                            let row = (y * g.stride[0] + ky * g.dilation[0]).checked_sub(g.padding[0][0]);
                            let column = (x * g.stride[1] + kx * g.dilation[1]).checked_sub(g.padding[1][0]);
                            let (Some(row), Some(column)) = (row, column) else {
                                continue;
                            };
                            if row < output[0] && column < output[1] {
                                let value = input[(from * g.input[0] + y) * g.input[1] + x];
                                let factor =
                                    weight[((from * g.out_channels + to) * g.kernel[0] + ky) * g.kernel[1] + kx];
                                result[(to * output[0] + row) * output[1] + column] +=
                                    f64::from(value) * f64::from(factor);
                            }
                        }
                    }
                }
            }
        }
    }
    result
}

proptest! {
    #[test]
    fn forward_equals_the_definition(
        channels in [1..=20usize, 1..=20usize],
        input in [1..=12usize, 1..=12usize],
        kernel in [1..=4usize, 1..=4usize],
        stride in [1..=3usize, 1..=3usize],
        padding in [[0..=1usize, 0..=1usize], [0..=1usize, 0..=1usize]],
        extra in [0..=2usize, 0..=2usize],
    ) {
        let geometry = Geometry {
            in_channels: channels[0], out_channels: channels[1], input, kernel, stride, padding,
            dilation: [1; 2], depthwise: false,
        };
        let extra = [extra[0].min(stride[0] - 1), extra[1].min(stride[1] - 1)];
        let Ok(conv) = TransposedConv2d::new(geometry, extra) else { return Ok(()) };
        let output = conv.adjoint().input;
        let values = noise(geometry.in_channels * input[0] * input[1], 1);
        let weight = noise(conv.adjoint().weight_len(), 2);
        let mut found = vec![f32::NAN; conv.adjoint().input_len()];
        let mut scratch = Scratch::single();
        conv.forward(&values, &weight, &mut found, &Epilogue::default(), &mut scratch).expect("lengths");
        let expected = scatter(&geometry, output, &values, &weight);
        prop_assert!(error(&expected, &found) < 1e-5);
        let prepared = conv.prepare(&weight, None).expect("a valid weight");
        found.fill(f32::NAN);
        prepared.run(&values, &mut found, &Epilogue::default(), &mut scratch).expect("lengths");
        prop_assert!(error(&expected, &found) < 1e-5);
    }
}

/// The forward pass is linear in the input and in the weight, so that `<forward, g>` is both
/// `<input, input gradient>` and `<weight, weight gradient>`.
#[test]
fn gradients_are_adjoint_to_the_forward_pass() {
    let geometry = Geometry { kernel: [2; 2], stride: [2; 2], ..Geometry::same(20, 13, 1, [9, 7]) };
    let conv = TransposedConv2d::new(geometry, [0; 2]).expect("a valid geometry");
    assert_eq!(conv.adjoint().input, [18, 14]);
    let mut scratch = Scratch::single();
    let input = noise(3 * conv.adjoint().output_len(), 1);
    let weight = noise(conv.adjoint().weight_len(), 2);
    let gradient = noise(3 * conv.adjoint().input_len(), 3);
    let mut output = vec![f32::NAN; gradient.len()];
    let mut input_gradient = vec![f32::NAN; input.len()];
    let mut weight_gradient = vec![f32::NAN; weight.len()];
    let mut bias_gradient = vec![f32::NAN; 13];
    conv.forward(&input, &weight, &mut output, &Epilogue::default(), &mut scratch).expect("lengths");
    conv.input_gradient(&gradient, &weight, &mut input_gradient, &mut scratch).expect("lengths");
    conv.weight_gradient(&input, &gradient, &mut weight_gradient, &mut scratch).expect("lengths");
    conv.bias_gradient(&gradient, &mut bias_gradient).expect("lengths");
    let product = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let expected = product(&output, &gradient);
    assert!((product(&input, &input_gradient) - expected).abs() < 1e-3);
    assert!((product(&weight, &weight_gradient) - expected).abs() < 1e-3);
    let sum: f64 = gradient.iter().map(|value| f64::from(*value)).sum();
    assert!((bias_gradient.iter().map(|value| f64::from(*value)).sum::<f64>() - sum).abs() < 1e-3);
}
