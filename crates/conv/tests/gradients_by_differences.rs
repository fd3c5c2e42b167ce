//! Gradients agree with finite differences of the forward pass.

mod common;

use common::noise;
use latentd_conv::{Conv2d, Epilogue, Geometry, Scratch};

/// The loss is the output weighted by fixed noise; it is linear in the input, the weight and the
/// bias, so that a difference over a wide step is exact but for rounding.
struct Loss {
    conv: Conv2d,
    output_gradient: Vec<f32>,
    scratch: Scratch,
}

impl Loss {
    fn of(&mut self, input: &[f32], weight: &[f32], bias: &[f32]) -> f64 {
        let mut output = vec![0.0; self.output_gradient.len()];
        let epilogue = Epilogue { bias: Some(bias), ..Epilogue::default() };
        self.conv.forward(input, weight, &mut output, &epilogue, &mut self.scratch).expect("lengths");
        output.iter().zip(&self.output_gradient).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }
}

fn differences(values: &mut [f32], gradient: &[f32], mut loss: impl FnMut(&[f32]) -> f64) {
    for index in (0..values.len()).step_by(values.len().div_ceil(40)) {
        let value = values[index];
        values[index] = value + 0.5;
        let above = loss(values);
        values[index] = value - 0.5;
        let below = loss(values);
        values[index] = value;
        let difference = above - below;
        assert!((difference - f64::from(gradient[index])).abs() < 2e-3, "{difference} is not {}", gradient[index]);
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let shapes = [
        Geometry::same(3, 5, 3, [7, 9]),
        Geometry { stride: [2, 2], ..Geometry::same(4, 3, 3, [8, 7]) },
        Geometry { dilation: [2, 1], padding: [[0, 3], [1, 0]], ..Geometry::same(2, 3, 3, [9, 6]) },
        Geometry { stride: [2; 2], kernel: [2; 2], ..Geometry::same(3, 6, 1, [8, 6]) },
    ];
    for geometry in shapes {
        let batch = 2;
        let conv = Conv2d::new(geometry).expect("a valid geometry");
        let mut input = noise(batch * geometry.input_len(), 1);
        let mut weight = noise(geometry.weight_len(), 2);
        let mut bias = noise(geometry.out_channels, 3);
        let output_gradient = noise(batch * geometry.output_len(), 4);
        let mut scratch = Scratch::single();
        let mut input_gradient = vec![0.0; input.len()];
        let mut weight_gradient = vec![0.0; weight.len()];
        let mut bias_gradient = vec![0.0; bias.len()];
        conv.input_gradient(&output_gradient, &weight, &mut input_gradient, &mut scratch).expect("lengths");
        conv.weight_gradient(&input, &output_gradient, &mut weight_gradient, &mut scratch).expect("lengths");
        conv.bias_gradient(&output_gradient, &mut bias_gradient).expect("lengths");

        let mut loss = Loss { conv, output_gradient, scratch };
        let (fixed_weight, fixed_bias, fixed_input) = (weight.clone(), bias.clone(), input.clone());
        differences(&mut input, &input_gradient, |input| loss.of(input, &fixed_weight, &fixed_bias));
        differences(&mut weight, &weight_gradient, |weight| loss.of(&fixed_input, weight, &fixed_bias));
        differences(&mut bias, &bias_gradient, |bias| loss.of(&fixed_input, &fixed_weight, bias));
    }
}
