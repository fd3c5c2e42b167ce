//! Bias, residual and activation are applied once, to the right channels, by every algorithm; and
//! wrong lengths are refused before anything is written.

mod common;

use common::noise;
use latentd_conv::{Activation, Algorithm, Conv2d, Epilogue, Error, Geometry, Matrix, Scratch, gemm};

fn expected(linear: &[f32], geometry: &Geometry, epilogue: &Epilogue) -> Vec<f32> {
    let [height, width] = geometry.output();
    let channel = |index: usize| index / (height * width) % geometry.out_channels;
    let activate = |index: usize, value: f32| match epilogue.activation {
        Activation::Identity => value,
        Activation::Relu => value.max(0.0),
        Activation::Prelu([slope]) if value < 0.0 => value * slope,
        Activation::Prelu(slopes) if value < 0.0 => value * slopes[channel(index)],
        Activation::Prelu(_) => value,
    };
    let add = |index: usize, value: &f32| {
        value + epilogue.bias.map_or(0.0, |b| b[channel(index)]) + epilogue.residual.map_or(0.0, |r| r[index])
    };
    linear.iter().enumerate().map(|(index, value)| activate(index, add(index, value))).collect()
}

#[test]
fn every_algorithm_applies_every_epilogue() {
    let dense = Geometry::same(20, 19, 3, [11, 21]);
    let depthwise = Geometry { depthwise: true, out_channels: 20, ..dense };
    let strided = Geometry { stride: [2; 2], ..dense };
    for geometry in [dense, depthwise, strided] {
        let conv = Conv2d::new(geometry).expect("a valid geometry");
        let input = noise(2 * geometry.input_len(), 1);
        let weight = noise(geometry.weight_len(), 2);
        let bias = noise(geometry.out_channels, 3);
        let residual = noise(2 * geometry.output_len(), 4);
        let slopes = noise(geometry.out_channels, 5);
        let mut scratch = Scratch::with_threads(2);
        for algorithm in Algorithm::ALL {
            let Ok(prepared) = conv.prepare(&weight, Some(algorithm)) else {
                continue;
            };
            assert_eq!(prepared.algorithm(), algorithm);
            let mut linear = vec![f32::NAN; residual.len()];
            prepared.run(&input, &mut linear, &Epilogue::default(), &mut scratch).expect("lengths");
            for activation in
                [Activation::Identity, Activation::Relu, Activation::Prelu(&[0.25]), Activation::Prelu(&slopes)]
            {
                for (bias, residual) in [(None, None), (Some(&bias[..]), None), (Some(&bias[..]), Some(&residual[..]))]
                {
                    let epilogue = Epilogue { bias, residual, activation };
                    let mut output = vec![f32::NAN; linear.len()];
                    prepared.run(&input, &mut output, &epilogue, &mut scratch).expect("lengths");
                    for (found, expected) in output.iter().zip(expected(&linear, &geometry, &epilogue)) {
                        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn nan_is_not_hidden_by_relu() {
    let geometry = Geometry::same(1, 1, 1, [1, 1]);
    let conv = Conv2d::new(geometry).expect("a valid geometry");
    let mut output = [0.0];
    let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::default() };
    conv.forward(&[f32::NAN], &[1.0], &mut output, &epilogue, &mut Scratch::single()).expect("lengths");
    assert!(output[0].is_nan());
}

/// Sizes whose products wrap around passed every check of a length.
#[test]
fn sizes_beyond_counting_are_refused() {
    let geometry = Geometry::same(1, 1, 1, [1, 1]);
    for padding in [[[274_176, 0], [67_280_421_310_720, 0]], [[usize::MAX, 1], [0, 0]]] {
        assert_eq!(Conv2d::new(Geometry { padding, ..geometry }).err(), Some(Error::TooLarge));
    }
    let dilation = [usize::MAX, 1];
    assert_eq!(Conv2d::new(Geometry { kernel: [3, 1], dilation, ..geometry }).err(), Some(Error::TooLarge));
}

/// A reach that wraps around to 0 was taken to lie inside.
#[test]
#[should_panic(expected = "left operand of a product")]
fn a_view_beyond_counting_is_refused() {
    let lhs = Matrix { data: &[1.0], rows: 1 << 63, columns: 0 };
    let rhs = Matrix { data: &[1.0], rows: 1, columns: 1 };
    gemm([3, 1, 1], (&mut [0.0; 3], 3), false, lhs, rhs);
}

/// It did nothing and said that all was well.
#[test]
fn the_scratch_that_nobody_chose_computes() {
    let conv = Conv2d::new(Geometry::same(1, 1, 1, [1, 2])).expect("a valid geometry");
    let mut output = [0.0; 2];
    let scratch = &mut Scratch::default();
    conv.forward(&[1.0, 2.0], &[3.0], &mut output, &Epilogue::default(), scratch).expect("lengths");
    assert_eq!((output, scratch.threads()), ([3.0, 6.0], 1));
}

#[test]
fn wrong_shapes_and_lengths_are_errors() {
    let geometry = Geometry::same(2, 3, 3, [4, 5]);
    assert_eq!(Conv2d::new(Geometry { stride: [0, 1], ..geometry }).err(), Some(Error::Zero("stride")));
    let large = Geometry { kernel: [9, 1], ..geometry };
    assert!(matches!(Conv2d::new(large), Err(Error::KernelTooLarge { axis: "height", kernel: 9, padded: 6 })));
    let unequal = Geometry { depthwise: true, ..geometry };
    assert_eq!(Conv2d::new(unequal).err(), Some(Error::Depthwise { inputs: 2, outputs: 3 }));

    let conv = Conv2d::new(geometry).expect("a valid geometry");
    let mut scratch = Scratch::single();
    let (input, weight, mut output) = (vec![0.0; 40], vec![0.0; 54], vec![7.0; 60]);
    let linear = Epilogue::default();
    let mut forward = |input: &[f32], weight: &[f32], output: &mut [f32], epilogue: &Epilogue| {
        conv.forward(input, weight, output, epilogue, &mut scratch)
    };
    assert!(matches!(forward(&input[1..], &weight, &mut output, &linear), Err(Error::Batch { name: "input", .. })));
    assert!(matches!(forward(&input, &weight[1..], &mut output, &linear), Err(Error::Length { name: "weight", .. })));
    assert!(matches!(forward(&input, &weight, &mut output[1..], &linear), Err(Error::Length { name: "output", .. })));
    let bias = Epilogue { bias: Some(&[0.0; 2]), ..linear };
    assert!(matches!(forward(&input, &weight, &mut output, &bias), Err(Error::Length { name: "bias", .. })));
    let slopes = Epilogue { activation: Activation::Prelu(&[0.1; 2]), ..linear };
    assert!(matches!(forward(&input, &weight, &mut output, &slopes), Err(Error::Length { .. })));
    assert!(output.iter().all(|value| *value == 7.0), "nothing is written");
}
