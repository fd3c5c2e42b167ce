//! A convolution written as its definition, in f64, and random data.

#![allow(dead_code, reason = "each test uses a part")]

use latentd_conv::Geometry;
use proptest::prelude::*;

/// Calls `visit(output index, input index, weight index)` for every product of the definition.
pub fn each_product(geometry: &Geometry, batch: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let g = geometry;
    let [height, width] = g.output();
    let inputs = if g.depthwise { 1 } else { g.in_channels };
    for image in 0..batch {
        for out in 0..g.out_channels {
            for y in 0..height {
                for x in 0..width {
                    for input in 0..inputs {
                        for ky in 0..g.kernel[0] {
                            for kx in 0..g.kernel[1] {
                                let row = (y * g.stride[0] + ky * g.dilation[0]).checked_sub(g.padding[0][0]);
                                let column = (x * g.stride[1] + kx * g.dilation[1]).checked_sub(g.padding[1][0]);
                                let (Some(row), Some(column)) = (row, column) else {
                                    continue;
                                };
                                if row >= g.input[0] || column >= g.input[1] {
                                    continue;
                                }
                                let channel = if g.depthwise { out } else { input };
                                visit(
                                    ((image * g.out_channels + out) * height + y) * width + x,
                                    ((image * g.in_channels + channel) * g.input[0] + row) * g.input[1] + column,
                                    ((out * inputs + input) * g.kernel[0] + ky) * g.kernel[1] + kx,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

pub fn forward(g: &Geometry, batch: usize, input: &[f32], weight: &[f32]) -> Vec<f64> {
    let mut output = vec![0.0; batch * g.output_len()];
    each_product(g, batch, |o, i, w| output[o] += f64::from(input[i]) * f64::from(weight[w]));
    output
}

pub fn input_gradient(g: &Geometry, batch: usize, output_gradient: &[f32], weight: &[f32]) -> Vec<f64> {
    let mut gradient = vec![0.0; batch * g.input_len()];
    each_product(g, batch, |o, i, w| gradient[i] += f64::from(output_gradient[o]) * f64::from(weight[w]));
    gradient
}

pub fn weight_gradient(g: &Geometry, batch: usize, input: &[f32], output_gradient: &[f32]) -> Vec<f64> {
    let mut gradient = vec![0.0; g.weight_len()];
    each_product(g, batch, |o, i, w| gradient[w] += f64::from(output_gradient[o]) * f64::from(input[i]));
    gradient
}

/// Uniform values in [-1, 1).
pub fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2654435761).wrapping_add(12345);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// The largest difference, relative to the largest expected value.
pub fn error(expected: &[f64], found: &[f32]) -> f64 {
    assert_eq!(expected.len(), found.len());
    let scale = expected.iter().fold(1.0f64, |scale, value| scale.max(value.abs()));
    let largest = |worst: f64, (e, f): (&f64, &f32)| {
        let difference = (e - f64::from(*f)).abs();
        if difference.is_nan() { f64::INFINITY } else { worst.max(difference) }
    };
    expected.iter().zip(found).fold(0.0, largest) / scale
}

/// Small valid geometries of every kind: kernels 1 to 7, strides 1 to 3, dilation, ragged padding.
pub fn geometries() -> impl Strategy<Value = (Geometry, usize)> {
    let pair = |low, high| [low..=high, low..=high];
    let channels = prop_oneof![1..=5usize, 11..=18usize, 47..=50usize];
    let channels = (channels.clone(), channels);
    let padding = [pair(0usize, 4), pair(0usize, 4)];
    let shape = (pair(1usize, 21), pair(1usize, 7), pair(1usize, 3), padding, pair(1usize, 3));
    (channels, shape, 1..=3usize)
        .prop_map(|((in_channels, out_channels), (input, kernel, stride, padding, dilation), batch)| {
            let geometry =
                Geometry { in_channels, out_channels, input, kernel, stride, padding, dilation, depthwise: false };
            (geometry, batch)
        })
        .prop_filter("the kernel fits", |(geometry, _)| geometry.output_len() > 0)
        .prop_filter("the naive loop is quick", |(geometry, batch)| geometry.flops(*batch) < 20_000_000)
}
