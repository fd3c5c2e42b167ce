//! Depthwise convolution: every channel is an image of its own, with a kernel of its own.
//!
//! There is no product of matrices in it; sums over the taps run along contiguous points, in
//! tiles that stay in the first-level cache.

use pulp::Arch;

use crate::epilogue::Epilogue;
use crate::kernel::{Grid, for_each_tile};
use crate::lanes::{LANES, add, load, mul, scaled};
use crate::plan::{Plan, Tap};
use crate::product::write_rows;
use crate::scratch::{Worker, take};
use crate::tile::{Layout, gather, steps};

/// Vectors that are summed in registers at once; a tile's run of points is a multiple of them.
const RUN: usize = 4;

/// Computes `plan` of `input` with the weight as it is into whole images of `output`.
pub(crate) fn run(
    plan: &Plan,
    layout: &Layout,
    weight: &[f32],
    epilogue: &Epilogue,
    (input, output): (&[f32], &mut [f32]),
    workers: &mut [Worker],
) {
    let plane = plan.axes[0].input * plan.axes[1].input;
    let grid = Grid { image: [1, plan.axes[0].output, plan.axes[1].output], tile: layout.output_tile(plan) };
    let channels = weight.len() / plan.kernel_len;
    for_each_tile(output, grid, workers, |window, worker| {
        let channel = window.image % channels;
        let image = &input[window.image * plane..][..plane];
        let kernel = &weight[channel * plan.kernel_len..][..plan.kernel_len];
        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        let across = plan.axes[1].out_step;
        let product = take(&mut worker.product, across * layout.points);
        let line = take(&mut worker.line, across * layout.size[1]);
        let (first, size) = steps(plan, window);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                gather(plan, layout, (first, size), image, gathered);
                for (down, phases) in plan.out_phases.chunks(across).enumerate() {
                    for (taps, product) in phases.iter().zip(product.chunks_exact_mut(layout.points)) {
                        sum(plan, layout, taps, kernel, gathered, &mut product[..layout.run(size)]);
                    }
                    let (product, to) = ((&*product, layout.points), (0, channel));
                    write_rows(plan, layout, (first, size), down, product, line, to, epilogue, window);
                }
            },
        );
    });
}

/// The weighted sum of one output phase's taps.
#[inline(always)]
fn sum(plan: &Plan, layout: &Layout, taps: &[Tap], kernel: &[f32], gathered: &[f32], product: &mut [f32]) {
    for (index, target) in product.chunks_exact_mut(RUN * LANES).enumerate() {
        let mut sums = [[0.0; LANES]; RUN];
        for tap in taps {
            let start = layout.start(plan, tap) + index * RUN * LANES;
            let weight = kernel[tap.kernel];
            for (part, sum) in sums.iter_mut().enumerate() {
                *sum = scaled(sum, weight, &load(gathered, start + part * LANES));
            }
        }
        for (part, sum) in sums.iter().enumerate() {
            target[part * LANES..][..LANES].copy_from_slice(sum);
        }
    }
}

/// Writes the weight's gradient, summed over the batch: `plan` is the forward pass.
pub(crate) fn weight_gradient(
    plan: &Plan,
    layout: &Layout,
    (input, output_gradient): (&[f32], &[f32]),
    gradient: &mut [f32],
    workers: &mut [Worker],
) {
    let [vertical, horizontal] = &plan.axes;
    let (in_plane, out_plane) = (vertical.input * horizontal.input, vertical.output * horizontal.output);
    let channels = gradient.len() / plan.kernel_len;
    // The gradient of one channel is one "image" of a single row, so that threads share channels.
    let grid = Grid { image: [1, 1, plan.kernel_len], tile: [1, plan.kernel_len] };
    for_each_tile(gradient, grid, workers, |window, worker| {
        let channel = window.image;
        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        let wide = take(&mut worker.other, layout.points);
        let gradient = window.row(0, 0);
        gradient.fill(0.0);
        let planes = input.chunks_exact(in_plane).zip(output_gradient.chunks_exact(out_plane));
        for (image, source) in planes.skip(channel).step_by(channels) {
            for (first, size) in layout.tiles(plan) {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        gather(plan, layout, (first, size), image, gathered);
                        let run = &mut wide[..layout.run(size)];
                        run.fill(0.0);
                        for row in 0..size[0] {
                            let from = (first[0] + row) * horizontal.output + first[1];
                            run[row * layout.pitch..][..size[1]].copy_from_slice(&source[from..][..size[1]]);
                        }
                        for tap in &plan.out_phases[0] {
                            gradient[tap.kernel] += dot(run, &gathered[layout.start(plan, tap)..]);
                        }
                    },
                );
            }
        }
    });
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [[0.0; LANES]; RUN];
    for start in (0..a.len()).step_by(RUN * LANES) {
        for (part, sum) in sums.iter_mut().enumerate() {
            let index = start + part * LANES;
            *sum = add(sum, &mul(&load(a, index), &load(b, index)));
        }
    }
    sums.iter().flatten().sum()
}
