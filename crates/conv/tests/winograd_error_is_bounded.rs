//! Winograd's algorithm loses accuracy against the direct sum; this bounds by how much.

mod common;

use common::{error, noise};
use latentd_conv::{Algorithm, Conv2d, Epilogue, Error, Geometry, Scratch};
use proptest::prelude::*;

/// Relative to the largest value of the output.
const TOLERANCE: f64 = 2e-5;

fn errors(geometry: Geometry, batch: usize, algorithm: Algorithm, threads: usize) -> [f64; 3] {
    let conv = Conv2d::with_algorithm(geometry, algorithm).expect("a valid geometry");
    let mut scratch = Scratch::with_threads(threads);
    let input = noise(batch * geometry.input_len(), 1);
    let weight = noise(geometry.weight_len(), 2);
    let output_gradient = noise(batch * geometry.output_len(), 3);
    let mut output = vec![f32::NAN; output_gradient.len()];
    conv.forward(&input, &weight, &mut output, &Epilogue::default(), &mut scratch).expect("lengths");
    let mut gradient = vec![f32::NAN; input.len()];
    conv.input_gradient(&output_gradient, &weight, &mut gradient, &mut scratch).expect("lengths");
    let mut weights = vec![f32::NAN; weight.len()];
    conv.weight_gradient(&input, &output_gradient, &mut weights, &mut scratch).expect("lengths");
    [
        error(&common::forward(&geometry, batch, &input, &weight), &output),
        error(&common::input_gradient(&geometry, batch, &output_gradient, &weight), &gradient),
        error(&common::weight_gradient(&geometry, batch, &input, &output_gradient), &weights),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_3x3_image_is_within_the_bound(
        channels in [1..=40usize, 1..=50usize],
        input in [1..=30usize, 1..=90usize],
        padding in [[0..=3usize, 0..=3usize], [0..=3usize, 0..=3usize]],
        batch in 1..=2usize,
        threads in 1..=2usize,
    ) {
        let geometry = Geometry { padding, out_channels: channels[1], ..Geometry::same(channels[0], 1, 3, input) };
        prop_assume!(geometry.output_len() > 0 && geometry.flops(batch) < 20_000_000);
        for found in errors(geometry, batch, Algorithm::Winograd, threads) {
            prop_assert!(found < TOLERANCE, "{found:e}");
        }
    }
}

#[test]
fn many_channels_are_within_the_bound() {
    let geometry = Geometry::same(192, 70, 3, [13, 70]);
    for found in errors(geometry, 1, Algorithm::Winograd, 2) {
        assert!(found < TOLERANCE, "{found:e}");
    }
    for found in errors(geometry, 1, Algorithm::Direct, 2) {
        assert!(found < TOLERANCE / 10.0, "the direct sum is the more accurate one: {found:e}");
    }
}

#[test]
fn other_kernels_are_refused() {
    let same = Geometry::same(16, 16, 3, [12, 12]);
    let others = [
        Geometry::same(16, 16, 5, [12, 12]),
        Geometry { stride: [1, 2], ..same },
        Geometry { dilation: [2, 1], ..same },
        Geometry { depthwise: true, ..same },
    ];
    for geometry in others {
        let refused = Conv2d::with_algorithm(geometry, Algorithm::Winograd);
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{geometry:?}");
    }
}
