//! Prints GFLOP/s by shape and path, the best of several runs; the argument is the number of
//! threads (1). Winograd's numbers count the direct sum's operations, so that all columns compare.

use std::time::{Duration, Instant};

use latentd_conv::{Algorithm, Conv2d, Epilogue, Error, Geometry, Scratch, TransposedConv2d};

/// Time spent on each number.
const BUDGET: Duration = Duration::from_millis(150);
/// Input points of a batch: short enough that some runs are not interrupted on a busy machine.
const POINTS: usize = 4 * 48 * 48;

fn main() -> Result<(), Error> {
    let threads = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut scratch = Scratch::with_threads(threads);
    println!("GFLOP/s, {threads} thread(s)   |------- direct --------|   |------ Winograd -------|");
    println!(
        "{:<24}{:>8}{:>9}{:>9}{:>10}{:>9}{:>9}",
        "shape", "forward", "d input", "d weight", "forward", "d input", "d weight"
    );
    for (name, geometry) in shapes() {
        row(name, geometry, &mut scratch)?;
    }
    transposed(&mut scratch)
}

fn shapes() -> Vec<(&'static str, Geometry)> {
    let same = |inputs, outputs, kernel, side| Geometry::same(inputs, outputs, kernel, [side, side]);
    let mut shapes = vec![
        ("3x3 16->16 48x48", same(16, 16, 3, 48)),
        ("3x3 32->32 48x48", same(32, 32, 3, 48)),
        ("3x3 48->48 48x48", same(48, 48, 3, 48)),
        ("3x3 64->64 48x48", same(64, 64, 3, 48)),
        ("3x3 96->96 48x48", same(96, 96, 3, 48)),
        ("3x3 128->128 48x48", same(128, 128, 3, 48)),
        ("3x3 64->64 24x24", same(64, 64, 3, 24)),
        ("3x3 128->128 12x12", same(128, 128, 3, 12)),
        ("3x3 64->64 256x256", same(64, 64, 3, 256)),
        ("3x3 3->64 48x48", same(3, 64, 3, 48)),
        ("3x3 13->64 48x48", same(13, 64, 3, 48)),
        ("3x3 64->12 48x48", same(64, 12, 3, 48)),
        ("3x3 64->3 48x48", same(64, 3, 3, 48)),
        ("1x1 64->64 48x48", same(64, 64, 1, 48)),
        ("5x5 32->32 48x48", same(32, 32, 5, 48)),
    ];
    let down = Geometry { kernel: [2; 2], stride: [2; 2], ..same(64, 128, 1, 48) };
    shapes.push(("2x2 s2 64->128 48x48", down));
    shapes.push(("3x3 s2 64->64 48x48", Geometry { stride: [2; 2], ..same(64, 64, 3, 48) }));
    let sound = Geometry { kernel: [1, 9], padding: [[0; 2], [4; 2]], ..Geometry::same(64, 64, 1, [1, 16384]) };
    shapes.push(("1x9 64->64 1x16384", sound));
    shapes.push(("3x3 depthwise 64 48x48", Geometry { depthwise: true, ..same(64, 64, 3, 48) }));
    shapes.push(("7x7 depthwise 64 48x48", Geometry { depthwise: true, ..same(64, 64, 7, 48) }));
    shapes
}

fn row(name: &str, geometry: Geometry, scratch: &mut Scratch) -> Result<(), Error> {
    let batch = (POINTS / (geometry.input[0] * geometry.input[1])).max(1);
    let input = noise(batch * geometry.input_len());
    let weight = noise(geometry.weight_len());
    let mut output = vec![0.0; batch * geometry.output_len()];
    let mut gradient = input.clone();
    let mut weight_gradient = weight.clone();
    print!("{name:<24}");
    for algorithm in Algorithm::ALL {
        let Ok(conv) = Conv2d::with_algorithm(geometry, algorithm) else {
            continue;
        };
        let rate = |seconds: f64| geometry.flops(batch) as f64 / seconds / 1e9;
        let linear = Epilogue::default();
        let forward = best(|| conv.forward(&input, &weight, &mut output, &linear, scratch))?;
        let backward = best(|| conv.input_gradient(&output, &weight, &mut gradient, scratch))?;
        let weights = best(|| conv.weight_gradient(&input, &output, &mut weight_gradient, scratch))?;
        print!("{:>8.0}{:>9.0}{:>9.0}  ", rate(forward), rate(backward), rate(weights));
    }
    println!();
    Ok(())
}

fn transposed(scratch: &mut Scratch) -> Result<(), Error> {
    let geometry = Geometry { kernel: [2; 2], stride: [2; 2], ..Geometry::same(128, 64, 1, [24, 24]) };
    let conv = TransposedConv2d::new(geometry, [0; 2])?;
    let batch = 4;
    let input = noise(batch * conv.adjoint().output_len());
    let weight = noise(conv.adjoint().weight_len());
    let mut output = vec![0.0; batch * conv.adjoint().input_len()];
    let mut gradient = input.clone();
    let mut weight_gradient = weight.clone();
    let rate = |seconds: f64| conv.adjoint().flops(batch) as f64 / seconds / 1e9;
    let linear = Epilogue::default();
    let forward = best(|| conv.forward(&input, &weight, &mut output, &linear, scratch))?;
    let backward = best(|| conv.input_gradient(&output, &weight, &mut gradient, scratch))?;
    let weight = best(|| conv.weight_gradient(&input, &output, &mut weight_gradient, scratch))?;
    let name = "2x2 T2 128->64 24x24";
    println!("{name:<24}{:>8.0}{:>9.0}{:>9.0}", rate(forward), rate(backward), rate(weight));
    Ok(())
}

fn best(mut run: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    run()?;
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed() < BUDGET {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}
