//! Prints GFLOP/s by shape and path, the best of several runs.

use std::time::Instant;

use latentd_conv::{Conv2d, Epilogue, Geometry, Scratch};

const RUNS: usize = 12;

fn main() {
    let threads: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let mut scratch = Scratch::with_threads(threads);
    println!(
        "{threads} thread(s), GFLOP/s\n{:<34}{:>10}{:>10}{:>10}",
        "shape", "forward", "d input", "d weight"
    );
    let square =
        |inputs, outputs, kernel, side| Geometry::same(inputs, outputs, kernel, [side, side]);
    let shapes = [
        ("3x3 32->32 48x48", square(32, 32, 3, 48)),
        ("3x3 48->48 48x48", square(48, 48, 3, 48)),
        ("3x3 64->64 48x48", square(64, 64, 3, 48)),
        ("3x3 96->96 48x48", square(96, 96, 3, 48)),
        ("3x3 128->128 48x48", square(128, 128, 3, 48)),
        ("3x3 64->64 256x256", square(64, 64, 3, 256)),
        ("3x3 3->64 48x48", square(3, 64, 3, 48)),
        ("3x3 13->64 48x48", square(13, 64, 3, 48)),
        ("3x3 64->12 48x48", square(64, 12, 3, 48)),
        ("3x3 64->3 48x48", square(64, 3, 3, 48)),
        ("1x1 64->64 48x48", square(64, 64, 1, 48)),
        ("5x5 32->32 48x48", square(32, 32, 5, 48)),
        (
            "2x2 s2 64->128 48x48",
            Geometry {
                kernel: [2; 2],
                stride: [2; 2],
                ..square(64, 128, 1, 48)
            },
        ),
        (
            "3x3 s2 64->64 48x48",
            Geometry {
                stride: [2; 2],
                ..square(64, 64, 3, 48)
            },
        ),
        (
            "1x9 64->64 1x16384",
            Geometry {
                kernel: [1, 9],
                padding: [[0; 2], [4; 2]],
                ..square(64, 64, 1, 48)
            },
        ),
    ];
    for (name, mut geometry) in shapes {
        if name.contains("16384") {
            geometry.input = [1, 16384];
        }
        let points = geometry.input[0] * geometry.input[1];
        let batch = (16 * 48 * 48 / points).max(1);
        let input = noise(batch * geometry.input_len());
        let weight = noise(geometry.weight_len());
        let mut output = vec![0.0; batch * geometry.output_len()];
        let mut input_gradient = input.clone();
        let mut weight_gradient = weight.clone();
        let conv = Conv2d::new(geometry).expect("a valid shape");
        let flops = geometry.flops(batch) as f64;
        let forward = best(|| {
            conv.forward(
                &input,
                &weight,
                &mut output,
                &Epilogue::default(),
                &mut scratch,
            )
            .expect("lengths")
        });
        let backward = best(|| {
            conv.input_gradient(&output, &weight, &mut input_gradient, &mut scratch)
                .expect("lengths")
        });
        let gradient = best(|| {
            conv.weight_gradient(&input, &output, &mut weight_gradient, &mut scratch)
                .expect("lengths")
        });
        let rate = |seconds: f64| flops / seconds / 1e9;
        println!(
            "{name:<34}{:>10.0}{:>10.0}{:>10.0}",
            rate(forward),
            rate(backward),
            rate(gradient)
        );
    }
}

fn best(mut run: impl FnMut()) -> f64 {
    run();
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}
