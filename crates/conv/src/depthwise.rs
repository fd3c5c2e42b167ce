//! Depthwise convolution: every channel is an image of its own, with a kernel of its own.
//!
//! There is no product of matrices in it; sums over the taps run along contiguous points, in
//! tiles that stay in the first-level cache.

use crate::dispatch::vectorise;
use crate::epilogue::Epilogue;
use crate::kernel::{Grid, for_each_tile};
use crate::lanes::{LANES, Portable, Vectors};
use crate::plan::{Plan, Tap};
use crate::product::write_rows;
use crate::scratch::{Worker, take};
use crate::tile::{Layout, gather, steps};

/// Points that are summed in registers at once; what a tile computes is a multiple of it.
const RUN: usize = 64;

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
    let reads: Vec<_> = plan.out_phases.iter().map(|taps| reads(plan, layout, taps)).collect();
    for_each_tile(output, grid, workers, |window, worker| {
        let channel = window.image() % channels;
        let image = &input[window.image() * plane..][..plane];
        let kernel = &weight[channel * plan.kernel_len..][..plan.kernel_len];
        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        let across = plan.axes[1].out_step;
        let product = take(&mut worker.product, across * layout.points);
        let line = take(&mut worker.line, across * layout.size[1]);
        let (first, size) = steps(plan, window);
        vectorise!({
            gather(plan, layout, (first, size), image, gathered);
            for (down, phases) in reads.chunks(across).enumerate() {
                for (reads, product) in phases.iter().zip(product.chunks_exact_mut(layout.points)) {
                    sum(reads, kernel, gathered, &mut product[..layout.run(size)]);
                }
                let (product, to) = ((&*product, layout.points), (0, channel));
                write_rows(plan, layout, (first, size), down, product, line, to, epilogue, window);
            }
        });
    });
}

/// Where the taps of an output phase read a tile, and which kernel point each is.
fn reads(plan: &Plan, layout: &Layout, taps: &[Tap]) -> Vec<(usize, usize)> {
    taps.iter().map(|tap| (layout.start(plan, tap), tap.kernel)).collect()
}

/// The weighted sum of one output phase's taps.
#[inline(always)]
fn sum(reads: &[(usize, usize)], kernel: &[f32], gathered: &[f32], product: &mut [f32]) {
    for (index, target) in product.as_chunks_mut::<RUN>().0.iter_mut().enumerate() {
        let mut sums = [[0.0; LANES]; RUN / LANES];
        for &(start, point) in reads {
            let source = run_at(gathered, start + index * RUN);
            for (sum, values) in sums.iter_mut().zip(source.as_chunks::<LANES>().0) {
                *sum = Portable.scaled(*sum, kernel[point], *values);
            }
        }
        target.as_chunks_mut::<LANES>().0.copy_from_slice(&sums);
    }
}

/// One bounds check for a whole run.
#[inline(always)]
fn run_at(values: &[f32], start: usize) -> &[f32; RUN] {
    values[start..].first_chunk().expect("tiles end with room for a run")
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
    let reads = reads(plan, layout, &plan.out_phases[0]);
    let grid = Grid { image: [1, 1, plan.kernel_len], tile: [1, plan.kernel_len] };
    for_each_tile(gradient, grid, workers, |window, worker| {
        let channel = window.image();
        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        let wide = take(&mut worker.other, layout.points);
        let gradient = window.row(0, 0);
        gradient.fill(0.0);
        let planes = input.chunks_exact(in_plane).zip(output_gradient.chunks_exact(out_plane));
        for (image, source) in planes.skip(channel).step_by(channels) {
            for (first, size) in layout.tiles(plan) {
                vectorise!({
                    gather(plan, layout, (first, size), image, gathered);
                    let run = &mut wide[..layout.run(size)];
                    run.fill(0.0);
                    for row in 0..size[0] {
                        let from = (first[0] + row) * horizontal.output + first[1];
                        run[row * layout.pitch..][..size[1]].copy_from_slice(&source[from..][..size[1]]);
                    }
                    for &(start, point) in &reads {
                        gradient[point] += dot(run, &gathered[start..]);
                    }
                });
            }
        }
    });
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [[0.0; LANES]; RUN / LANES];
    for (a, b) in a.as_chunks::<RUN>().0.iter().zip(b.as_chunks::<RUN>().0) {
        let values = a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0);
        for (sum, (a, b)) in sums.iter_mut().zip(values) {
            *sum = Portable.add(*sum, Portable.mul(*a, *b));
        }
    }
    sums.iter().flatten().sum()
}
