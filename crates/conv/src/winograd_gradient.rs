//! The weight gradient of a 3x3 convolution through Winograd's transforms.
//!
//! The forward pass is `A^T ((G g G^T) * (B^T d B)) A`, linear in the weight g; its adjoint takes
//! the output's gradient y through `A y A^T`, multiplies it with the same transformed input, and
//! brings the sum over all tiles back by `G^T u G`. It saves as many products as the forward pass.

use crate::dispatch::vectorise_with;
use crate::kernel::{Matrix, for_each_share, gemm};
use crate::lanes::{LANES, Vectors, at};
use crate::plan::{Axis, Plan};
use crate::product::UNPACKED_COLUMNS;
use crate::scratch::{Worker, take};
use crate::tile::{Inside, gather_rows, spread};
use crate::transform::{POINTS, SIDE, STEP, output_adjoint, weight_adjoint};
use crate::winograd::{Blocks, transform_input};

/// Writes the gradient of the weight of `plan`, the forward pass, summed over the batch.
pub(crate) fn run(
    plan: &Plan,
    blocks: &Blocks,
    (input, output_gradient): (&[f32], &[f32]),
    gradient: &mut [f32],
    workers: &mut [Worker],
) {
    let [inputs, outputs] = plan.channels;
    let in_image = inputs * plan.axes[0].input * plan.axes[1].input;
    let output = [plan.axes[0].output, plan.axes[1].output];
    let out_image = outputs * output[0] * output[1];
    let images = input.len() / in_image;
    let area = blocks.size.map(|size| size * STEP);
    let across = output[1].div_ceil(area[1]);
    let per_image = across * output[0].div_ceil(area[0]);

    let lanes = outputs.next_multiple_of(LANES);
    let most = (blocks.size[0] * blocks.size[1]).next_multiple_of(LANES);
    let in_point = spread(inputs * most + LANES);
    let out_point = spread(most * lanes);
    let sum_point = spread(inputs * lanes);
    for worker in workers.iter_mut() {
        take(&mut worker.sums, POINTS * sum_point).fill(0.0);
    }
    for_each_share(images * per_image, workers, |index, worker| {
        let (image, block) = (index / per_image, index % per_image);
        let first = [block / across * area[0], block % across * area[1]];
        let size = [0, 1].map(|axis| area[axis].min(output[axis] - first[axis]).div_ceil(STEP));
        let tiles = size[0] * size[1];
        let pitch = tiles.next_multiple_of(LANES);
        let transformed = take(&mut worker.gathered, POINTS * in_point);
        let turned = take(&mut worker.product, POINTS * out_point);
        let rows = &mut worker.other;
        let image_in = &input[image * in_image..][..in_image];
        let image_out = &output_gradient[image * out_image..][..out_image];
        vectorise_with!(v => transform_input(v, plan, (first, size), image_in, rows, (transformed, in_point), pitch));
        vectorise_with!(v => transform_output(v, output, (first, size), image_out, rows, (turned, out_point, lanes)));
        for point in 0..POINTS {
            let sums = &mut worker.sums[point * sum_point..];
            for input in (0..inputs).step_by(UNPACKED_COLUMNS) {
                gemm(
                    [lanes, UNPACKED_COLUMNS.min(inputs - input), tiles],
                    (&mut sums[input * lanes..], lanes),
                    true,
                    Matrix { data: &turned[point * out_point..], rows: 1, columns: lanes },
                    Matrix { data: &transformed[point * in_point + input * pitch..], rows: 1, columns: pitch },
                );
            }
        }
    });
    let Some((sums, others)) = workers.split_first_mut() else {
        return;
    };
    let sums = &mut sums.sums[..POINTS * sum_point];
    for other in others {
        for (sum, value) in sums.iter_mut().zip(&other.sums) {
            *sum += value;
        }
    }
    vectorise_with!(v => finish(v, plan, (sums, sum_point, lanes), gradient));
}

/// `A y A^T` of every tile of a block, as `[transformed point][tile][out channel]`.
#[inline(always)]
fn transform_output<T: Vectors>(
    v: T,
    output: [usize; 2],
    (first, size): ([usize; 2], [usize; 2]),
    image: &[f32],
    rows: &mut Vec<f32>,
    (turned, point, lanes): (&mut [f32], usize, usize),
) {
    let [vertical, horizontal] = output.map(Axis::plain);
    let pitch = size[1].next_multiple_of(LANES) * STEP;
    let inside = Inside::new(first[1] as isize, size[1] * STEP, 0, &horizontal);
    let len = size[0] * STEP * pitch;
    let rows = take(rows, LANES * len);
    let mut block = [[[0.0; LANES]; LANES]; POINTS];
    let planes = image.chunks(LANES * output[0] * output[1]).enumerate();
    for (group, planes) in planes {
        let mut channels = rows.chunks_exact_mut(len);
        for (plane, rows) in planes.chunks_exact(output[0] * output[1]).zip(&mut channels) {
            gather_rows(&vertical, &inside, plane, first[0] as isize, rows, pitch);
        }
        channels.for_each(|rows| rows.fill(0.0));
        for row in 0..size[0] {
            for column in (0..size[1]).step_by(LANES) {
                for (channel, rows) in rows.chunks_exact(len).enumerate() {
                    let from = &rows[row * STEP * pitch + column * STEP..];
                    transform_tiles(v, (from, pitch), channel, &mut block);
                }
                let count = LANES.min(size[1] - column);
                for (index, block) in block.iter().enumerate() {
                    let tile = row * size[1] + column;
                    let to = &mut turned[index * point + tile * lanes + group * LANES..];
                    v.transpose(block.each_ref(), (to, lanes), count);
                }
            }
        }
    }
}

/// Sixteen tiles of one channel, side by side.
#[inline(always)]
fn transform_tiles<T: Vectors>(
    v: T,
    (rows, pitch): (&[f32], usize),
    channel: usize,
    block: &mut [[[f32; LANES]; LANES]; POINTS],
) {
    let mut lines = [[v.zero(); STEP]; SIDE];
    for part in 0..STEP {
        let column = std::array::from_fn(|row| v.load(at(rows, row * pitch + part * LANES)));
        for (line, values) in lines.iter_mut().zip(output_adjoint(v, column)) {
            line[part] = values;
        }
    }
    for (row, line) in lines.into_iter().enumerate() {
        for (column, values) in output_adjoint(v, v.split(line)).into_iter().enumerate() {
            block[row * SIDE + column][channel] = v.store(values);
        }
    }
}

/// `G^T u G` of the sums, to their places in the gradient.
#[inline(always)]
fn finish<T: Vectors>(v: T, plan: &Plan, (sums, point, lanes): (&[f32], usize, usize), gradient: &mut [f32]) {
    let [inputs, outputs] = plan.channels;
    for input in 0..inputs {
        for first in (0..outputs).step_by(LANES) {
            let from = |index: usize| v.load(at(sums, index * point + input * lanes + first));
            // Loops, since a closure given to `from_fn` is compiled without the instruction set.
            let mut rows = [[v.zero(); 3]; SIDE];
            for (row, values) in rows.iter_mut().enumerate() {
                *values = weight_adjoint(v, std::array::from_fn(|column| from(row * SIDE + column)));
            }
            let mut columns = [[v.zero(); 3]; 3];
            for (column, values) in columns.iter_mut().enumerate() {
                *values = weight_adjoint(v, rows.map(|row| row[column]));
            }
            for tap in &plan.out_phases[0] {
                let values = v.store(columns[tap.shift[1]][tap.shift[0]]);
                for (output, value) in (first..outputs).zip(values) {
                    gradient[plan.weight_index(output, input, tap.kernel)] = value;
                }
            }
        }
    }
}
