//! The weight gradient: the output's gradient times the same shifted views of the input.

use crate::kernel::{Matrix, for_each_index, gemm};
use crate::plan::Plan;
use crate::product::UNPACKED_COLUMNS;
use crate::scratch::{Worker, take};
use crate::tile::{Layout, gather};

/// Writes the gradient of a dense convolution's weight, summed over the batch.
///
/// Every thread sums its own tiles as `[tap][in channel][out channel]` and the sums are added at
/// the end. The output's gradient is transposed, tile by tile: of both operands it is the smaller
/// one to copy, and its zeros blank out the points that belong to no row.
pub(crate) fn run(
    plan: &Plan,
    layout: &Layout,
    (input, output_gradient): (&[f32], &[f32]),
    gradient: &mut [f32],
    workers: &mut [Worker],
) {
    let [inputs, outputs] = plan.channels;
    let [vertical, horizontal] = &plan.axes;
    let in_image = inputs * vertical.input * horizontal.input;
    let out_plane = vertical.output * horizontal.output;
    let images = input.len() / in_image;
    let lanes = outputs.next_multiple_of(16);
    let tiles: Vec<_> = layout.tiles(plan).collect();
    let taps = &plan.out_phases[0];
    for worker in workers.iter_mut() {
        take(&mut worker.sums, taps.len() * inputs * lanes).fill(0.0);
    }
    for_each_index(images * tiles.len(), workers, |index, worker| {
        let image = index / tiles.len();
        let (first, size) = tiles[index % tiles.len()];
        let points = (size[0] - 1) * layout.pitch + size[1];

        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        gather(
            plan,
            layout,
            (first, size),
            &input[image * in_image..][..in_image],
            gathered,
        );

        let transposed = take(&mut worker.other, layout.points * lanes);
        transposed[..points * lanes].fill(0.0);
        let source = &output_gradient[image * outputs * out_plane..][..outputs * out_plane];
        for row in 0..size[0] {
            let from = (first[0] + row) * horizontal.output + first[1];
            transpose(
                &source[from..],
                (out_plane, outputs),
                &mut transposed[row * layout.pitch * lanes..],
                (lanes, size[1]),
            );
        }

        let sums = &mut worker.sums[..taps.len() * inputs * lanes];
        for (tap, sums) in taps.iter().zip(sums.chunks_exact_mut(inputs * lanes)) {
            let start = layout.start(plan, tap);
            for input in (0..inputs).step_by(UNPACKED_COLUMNS) {
                gemm(
                    [lanes, UNPACKED_COLUMNS.min(inputs - input), points],
                    (&mut sums[input * lanes..], lanes),
                    true,
                    Matrix {
                        data: transposed,
                        rows: 1,
                        columns: lanes,
                    },
                    Matrix {
                        data: &gathered[start + input * layout.channel..],
                        rows: 1,
                        columns: layout.channel,
                    },
                );
            }
        }
    });
    gradient.fill(0.0);
    for worker in workers.iter() {
        for (index, sums) in worker.sums[..taps.len() * inputs * lanes]
            .chunks_exact(lanes)
            .enumerate()
        {
            let (kernel, input) = (taps[index / inputs].kernel, index % inputs);
            for (output, sum) in sums[..outputs].iter().enumerate() {
                gradient[(output * inputs + input) * plan.kernel_len + kernel] += sum;
            }
        }
    }
}

/// Columns `0..outputs` of rows `0..points` of `target` from rows of `source`.
fn transpose(
    source: &[f32],
    (source_pitch, outputs): (usize, usize),
    target: &mut [f32],
    (target_pitch, points): (usize, usize),
) {
    for output in 0..outputs {
        let source = &source[output * source_pitch..][..points];
        for (from, to) in source
            .iter()
            .zip(target[output..].iter_mut().step_by(target_pitch))
        {
            *to = *from;
        }
    }
}

/// Sums the output's gradient over images and points, for each of the channels.
pub(crate) fn bias(output_gradient: &[f32], plane: usize, gradient: &mut [f32]) {
    gradient.fill(0.0);
    for image in output_gradient.chunks_exact(plane * gradient.len()) {
        for (sum, points) in gradient.iter_mut().zip(image.chunks_exact(plane)) {
            *sum += lane_sum(points);
        }
    }
}

/// A sum in sixteen interleaved parts: vectorised, and more accurate than one running sum.
fn lane_sum(values: &[f32]) -> f32 {
    let (groups, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for group in groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}
