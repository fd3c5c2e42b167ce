//! GFLOP/s by shape and path. Criterion calls the throughput "Gelem/s": an element here is a
//! multiplication or an addition of the direct sum, so that Gelem/s is GFLOP/s.
//!
//! `cargo bench -p latentd-conv` measures one thread; `cargo bench -p latentd-conv -- 2-threads`
//! all of them. The example `speed` prints the same as a table in half a minute.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use latentd_conv::{Algorithm, Conv2d, Epilogue, Geometry, Scratch};

const BATCH: usize = 4;

fn shapes() -> Vec<(&'static str, Geometry)> {
    let same = |inputs, outputs, kernel| Geometry::same(inputs, outputs, kernel, [48, 48]);
    vec![
        ("3x3 3->64", same(3, 64, 3)),
        ("3x3 32->32", same(32, 32, 3)),
        ("3x3 64->64", same(64, 64, 3)),
        ("3x3 128->128", same(128, 128, 3)),
        ("3x3 64->3", same(64, 3, 3)),
        ("1x1 64->64", same(64, 64, 1)),
        ("5x5 32->32", same(32, 32, 5)),
        ("2x2 stride 2 64->128", Geometry { kernel: [2; 2], stride: [2; 2], ..same(64, 128, 1) }),
        ("3x3 depthwise 64", Geometry { depthwise: true, ..same(64, 64, 3) }),
    ]
}

fn convolution(criterion: &mut Criterion) {
    for threads in [1, rayon::current_num_threads()] {
        let mut scratch = Scratch::with_threads(threads);
        for (name, geometry) in shapes() {
            let mut group = criterion.benchmark_group(format!("{threads}-threads {name}"));
            group.throughput(Throughput::Elements(geometry.flops(BATCH)));
            group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
            let input = vec![0.5; BATCH * geometry.input_len()];
            let weight = vec![0.25; geometry.weight_len()];
            let mut output = vec![0.5; BATCH * geometry.output_len()];
            let mut input_gradient = input.clone();
            let mut weight_gradient = weight.clone();
            for algorithm in Algorithm::ALL {
                let Ok(conv) = Conv2d::with_algorithm(geometry, algorithm) else {
                    continue;
                };
                let id = |pass: &str| BenchmarkId::new(pass, format!("{algorithm:?}"));
                group.bench_function(id("forward"), |bencher| {
                    let linear = Epilogue::default();
                    bencher.iter(|| conv.forward(&input, &weight, &mut output, &linear, &mut scratch));
                });
                group.bench_function(id("input gradient"), |bencher| {
                    bencher.iter(|| conv.input_gradient(&output, &weight, &mut input_gradient, &mut scratch));
                });
                group.bench_function(id("weight gradient"), |bencher| {
                    bencher.iter(|| conv.weight_gradient(&input, &output, &mut weight_gradient, &mut scratch));
                });
            }
        }
        if threads == rayon::current_num_threads() {
            break;
        }
    }
}

criterion_group!(benches, convolution);
criterion_main!(benches);
