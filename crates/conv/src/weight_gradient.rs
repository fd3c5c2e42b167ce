//! The weight gradient: the output's gradient times the same shifted views of the input.

use crate::dispatch::{vectorise, vectorise_with};
use crate::kernel::{Matrix, for_each_share, gemm};
use crate::lanes::{LANES, Vectors, at};
use crate::plan::Plan;
use crate::product::UNPACKED_COLUMNS;
use crate::scratch::{Worker, take};
use crate::tile::{Layout, gather, spread};

/// Which operand of the products has its channels side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transposed {
    Input,
    OutputGradient,
}

/// Writes the gradient of a dense convolution's weight, summed over the batch.
///
/// Every thread sums its own tiles, one matrix for each tap, and these are added at the end. One
/// operand is transposed, tile by tile, so that its channels fill whole vectors: the output's
/// gradient, which is the smaller one to copy, unless it has so few channels that the input's fill
/// them better. Zeros in the output's gradient blank out the points that belong to no row.
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
    let [in_lanes, out_lanes] = plan.channels.map(|channels| channels.next_multiple_of(LANES));
    // Rows and columns of a tap's matrix, column-major.
    let (transposed, lanes, others) = match out_lanes * inputs <= in_lanes * outputs {
        true => (Transposed::OutputGradient, out_lanes, inputs),
        false => (Transposed::Input, in_lanes, outputs),
    };
    let tiles: Vec<_> = layout.tiles(plan).collect();
    let taps = &plan.out_phases[0];
    let sums_len = taps.len() * lanes * others;
    for worker in workers.iter_mut() {
        take(&mut worker.sums, sums_len).fill(0.0);
    }
    let pitch = spread(layout.points);
    for_each_share(images * tiles.len(), workers, |index, worker| {
        let image = index / tiles.len();
        let (first, size) = tiles[index % tiles.len()];
        let points = (size[0] - 1) * layout.pitch + size[1];
        let source = &output_gradient[image * outputs * out_plane..][..outputs * out_plane];
        let rows = |row: usize| (first[0] + row) * horizontal.output + first[1];

        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        let wide = take(&mut worker.product, outputs * pitch);
        vectorise!({
            gather(plan, layout, (first, size), &input[image * in_image..][..in_image], gathered);
            widen(source, out_plane, rows, (wide, pitch), (size, layout.pitch));
        });
        let phases = plan.in_phases.len();
        let values = match transposed {
            Transposed::Input => phases * layout.channel * lanes,
            Transposed::OutputGradient => layout.points * lanes,
        };
        let turned = take(&mut worker.other, values);
        vectorise_with!(v => match transposed {
            Transposed::Input => {
                let from = gathered.chunks_exact(inputs * layout.channel);
                for (from, to) in from.zip(turned.chunks_exact_mut(layout.channel * lanes)) {
                    transpose_all(v, (from, layout.channel, inputs), to, lanes);
                }
            }
            Transposed::OutputGradient => {
                let points = points.next_multiple_of(LANES);
                transpose_all(v, (wide, pitch, outputs), &mut turned[..points * lanes], lanes);
            }
        });
        let sums = worker.sums[..sums_len].chunks_exact_mut(lanes * others);
        for (tap, sums) in taps.iter().zip(sums) {
            let shift = tap.shift[0] * layout.pitch + tap.shift[1];
            let (turned, others_view, distance) = match transposed {
                Transposed::Input => (&turned[(tap.in_phase * layout.channel + shift) * lanes..], &*wide, pitch),
                Transposed::OutputGradient => (&*turned, &gathered[layout.start(plan, tap)..], layout.channel),
            };
            for other in (0..others).step_by(UNPACKED_COLUMNS) {
                gemm(
                    [lanes, UNPACKED_COLUMNS.min(others - other), points],
                    (&mut sums[other * lanes..], lanes),
                    true,
                    Matrix { data: turned, rows: 1, columns: lanes },
                    Matrix { data: &others_view[other * distance..], rows: 1, columns: distance },
                );
            }
        }
    });
    gradient.fill(0.0);
    for worker in workers.iter() {
        for (index, sums) in worker.sums[..sums_len].chunks_exact(lanes).enumerate() {
            let (kernel, other) = (taps[index / others].kernel, index % others);
            let (kept, start, step) = match transposed {
                Transposed::Input => (inputs, other * inputs * plan.kernel_len, plan.kernel_len),
                Transposed::OutputGradient => (outputs, other * plan.kernel_len, inputs * plan.kernel_len),
            };
            for (sum, target) in sums[..kept].iter().zip(gradient[start + kernel..].iter_mut().step_by(step)) {
                *target += sum;
            }
        }
    }
}

/// Copies a tile of the output's gradient to the layout of gathered points, zeros in its gaps.
#[inline(always)]
fn widen(
    source: &[f32],
    plane: usize,
    start: impl Fn(usize) -> usize,
    (wide, pitch): (&mut [f32], usize),
    (size, row_pitch): ([usize; 2], usize),
) {
    for (source, target) in source.chunks_exact(plane).zip(wide.chunks_exact_mut(pitch)) {
        let mut end = 0;
        for row in 0..size[0] {
            let from = row * row_pitch;
            target[end..from].fill(0.0);
            end = from + size[1];
            target[from..end].copy_from_slice(&source[start(row)..][..size[1]]);
        }
        target[end..].fill(0.0);
    }
}

/// `target[point * lanes + channel] = source[channel * pitch + point]`, zeros for lanes beyond the
/// channels; points up to what `target` holds, a multiple of sixteen.
#[inline(always)]
fn transpose_all<T: Vectors>(
    v: T,
    (source, pitch, channels): (&[f32], usize, usize),
    target: &mut [f32],
    lanes: usize,
) {
    let points = target.len() / lanes;
    for channel in (0..lanes).step_by(LANES) {
        for point in (0..points).step_by(LANES) {
            let rows = std::array::from_fn(|row| match channel + row < channels {
                true => at(source, (channel + row) * pitch + point),
                false => &[0.0; LANES],
            });
            v.transpose(rows, (&mut target[point * lanes + channel..], lanes), LANES);
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
    let (groups, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for group in groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}
