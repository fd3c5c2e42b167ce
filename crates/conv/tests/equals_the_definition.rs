//! Every pass computes what the definition of a convolution says, for any geometry.

mod common;

use common::{error, geometries, noise};
use latentd_conv::{Algorithm, Conv2d, Epilogue, Geometry, Scratch};
use proptest::prelude::*;

/// Relative to the largest value; sums have up to 2500 terms.
const TOLERANCE: f64 = 1e-5;

fn check(geometry: Geometry, batch: usize, scratch: &mut Scratch) {
    let conv = Conv2d::with_algorithm(geometry, Algorithm::Direct).expect("a valid geometry");
    let input = noise(batch * geometry.input_len(), 1);
    let weight = noise(geometry.weight_len(), 2);
    let output_gradient = noise(batch * geometry.output_len(), 3);

    let mut output = vec![f32::NAN; output_gradient.len()];
    conv.forward(&input, &weight, &mut output, &Epilogue::default(), scratch).expect("lengths");
    let found = error(&common::forward(&geometry, batch, &input, &weight), &output);
    assert!(found < TOLERANCE, "forward: {found:e}");

    let mut gradient = vec![f32::NAN; input.len()];
    conv.input_gradient(&output_gradient, &weight, &mut gradient, scratch).expect("lengths");
    let expected = common::input_gradient(&geometry, batch, &output_gradient, &weight);
    let found = error(&expected, &gradient);
    assert!(found < TOLERANCE, "input gradient: {found:e}");

    let mut gradient = vec![f32::NAN; weight.len()];
    conv.weight_gradient(&input, &output_gradient, &mut gradient, scratch).expect("lengths");
    let expected = common::weight_gradient(&geometry, batch, &input, &output_gradient);
    let found = error(&expected, &gradient);
    assert!(found < TOLERANCE, "weight gradient: {found:e}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_geometry_equals_the_definition((geometry, batch) in geometries(), threads in 1..=3usize) {
        check(geometry, batch, &mut Scratch::with_threads(threads));
    }

    #[test]
    fn any_depthwise_geometry_equals_the_definition((geometry, batch) in geometries(), threads in 1..=2usize) {
        let out_channels = geometry.in_channels;
        check(Geometry { depthwise: true, out_channels, ..geometry }, batch, &mut Scratch::with_threads(threads));
    }
}

/// Larger than one tile in both directions, and cut by its edges.
#[test]
fn images_of_many_tiles_equal_the_definition() {
    let mut scratch = Scratch::with_threads(2);
    for input in [[3, 700], [1, 1500], [120, 33], [70, 130]] {
        let wide =
            Geometry { kernel: [1.min(input[0]), 9], padding: [[0; 2], [4; 2]], ..Geometry::same(4, 3, 1, input) };
        check(wide, 1, &mut scratch);
        check(Geometry::same(3, 5, 1, input), 2, &mut scratch);
        if input[0] > 2 {
            check(Geometry::same(13, 4, 3, input), 1, &mut scratch);
            check(Geometry { stride: [2; 2], ..Geometry::same(13, 4, 3, input) }, 1, &mut scratch);
        }
    }
}

/// A scratch that has held NaN must not leak it into a weight gradient, whose tiles have gaps.
#[test]
fn a_scratch_that_has_seen_nan_is_clean() {
    let mut scratch = Scratch::single();
    let large = Geometry::same(20, 20, 5, [30, 30]);
    let conv = Conv2d::new(large).expect("a valid geometry");
    let poison = vec![f32::NAN; large.input_len()];
    let mut gradient = vec![0.0; large.weight_len()];
    conv.weight_gradient(&poison, &poison, &mut gradient, &mut scratch).expect("lengths");
    for geometry in
        [Geometry::same(17, 13, 3, [9, 7]), Geometry::same(3, 2, 3, [9, 70]), Geometry::same(1, 1, 1, [1, 1])]
    {
        check(geometry, 2, &mut scratch);
    }
}

/// A dilated kernel of a sound model reads far beyond its tile.
#[test]
fn wide_dilated_kernels_equal_the_definition() {
    let sound = Geometry {
        kernel: [1, 5],
        dilation: [1, 300],
        padding: [[0; 2], [600; 2]],
        ..Geometry::same(2, 3, 1, [1, 3000])
    };
    check(sound, 1, &mut Scratch::with_threads(2));
}

#[test]
fn results_are_reproducible() {
    let geometry = Geometry::same(20, 24, 3, [40, 40]);
    for algorithm in Algorithm::ALL {
        let conv = Conv2d::with_algorithm(geometry, algorithm).expect("a valid geometry");
        let input = noise(4 * geometry.input_len(), 1);
        let weight = noise(geometry.weight_len(), 2);
        let results = [0, 1].map(|_| {
            let mut scratch = Scratch::with_threads(2);
            let mut output = vec![0.0; 4 * geometry.output_len()];
            let mut gradient = vec![0.0; weight.len()];
            conv.forward(&input, &weight, &mut output, &Epilogue::default(), &mut scratch).expect("lengths");
            conv.weight_gradient(&input, &output, &mut gradient, &mut scratch).expect("lengths");
            (output, gradient)
        });
        assert!(results[0] == results[1], "{algorithm:?}");
    }
}

#[test]
fn an_empty_batch_is_no_work() {
    let geometry = Geometry::same(3, 4, 3, [5, 5]);
    let conv = Conv2d::new(geometry).expect("a valid geometry");
    let mut gradient = vec![f32::NAN; geometry.weight_len()];
    conv.weight_gradient(&[], &[], &mut gradient, &mut Scratch::single()).expect("lengths");
    assert!(gradient.iter().all(|value| *value == 0.0));
}
