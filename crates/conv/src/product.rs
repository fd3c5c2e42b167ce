//! A plan computed tile by tile with `gemm`.

use crate::dispatch::vectorise;
use crate::epilogue::Epilogue;
use crate::kernel::{Grid, Matrix, Window, for_each_tile, gemm};
use crate::plan::{Plan, Tap};
use crate::scratch::{Worker, take};
use crate::tile::{Layout, gather, spread, steps};

/// Points of one call: its part of all channels of the input and output stays in the first-level
/// cache while the taps pass over it.
const BLOCK: usize = 128;
/// More columns than this and `gemm` copies the left operand before it multiplies.
pub(crate) const UNPACKED_COLUMNS: usize = 48;
/// With fewer input channels, one product over all taps is worth copying their points together.
const FEW_CHANNELS: usize = 12;

/// Computes `plan` of `input` with a weight from [`Plan::pack`] into whole images of `output`.
pub(crate) fn run(
    plan: &Plan,
    layout: &Layout,
    packed: &[f32],
    epilogue: &Epilogue,
    (input, output): (&[f32], &mut [f32]),
    workers: &mut [Worker],
) {
    let [inputs, outputs] = plan.channels;
    let plane = inputs * plan.axes[0].input * plan.axes[1].input;
    let grid = Grid { image: [outputs, plan.axes[0].output, plan.axes[1].output], tile: layout.output_tile(plan) };
    for_each_tile(output, grid, workers, |window, worker| {
        let image = &input[window.image() * plane..][..plane];
        let (first, size) = steps(plan, window);
        let (points, source) = if layout.in_place(plan) {
            let width = plan.axes[1].input;
            (size[0] * width, (&image[first[0] * width..], plane / inputs))
        } else {
            let gathered = take(&mut worker.gathered, layout.gathered(plan));
            vectorise!(gather(plan, layout, (first, size), image, gathered));
            (layout.run(size), (&*gathered, layout.channel))
        };
        let pitch = spread(layout.points);
        let across = plan.axes[1].out_step;
        let product = take(&mut worker.product, across * outputs * pitch);
        let mut weight = packed;
        for (down, phases) in plan.out_phases.chunks(across).enumerate() {
            for (taps, product) in phases.iter().zip(product.chunks_exact_mut(outputs * pitch)) {
                let (own, rest) = weight.split_at(outputs * taps.len() * inputs);
                weight = rest;
                if inputs < FEW_CHANNELS && taps.len() > 1 {
                    let columns = take(&mut worker.other, taps.len() * inputs * BLOCK);
                    multiply_columns(plan, layout, taps, own, source.0, columns, (product, pitch), points);
                } else {
                    multiply_taps(plan, layout, taps, own, source, (product, pitch), points);
                }
            }
            let line = take(&mut worker.line, across * layout.size[1]);
            vectorise!({
                for channel in 0..outputs {
                    let product = (&product[channel * pitch..], outputs * pitch);
                    let to = (channel, channel);
                    write_rows(plan, layout, (first, size), down, product, line, to, epilogue, window);
                }
            });
        }
    });
}

/// One product for each tap, of all input channels at once, straight from the gathered tile.
fn multiply_taps(
    plan: &Plan,
    layout: &Layout,
    taps: &[Tap],
    weight: &[f32],
    (source, channel): (&[f32], usize),
    (product, pitch): (&mut [f32], usize),
    points: usize,
) {
    let [inputs, outputs] = plan.channels;
    let depth = taps.len() * inputs;
    if taps.is_empty() {
        product.fill(0.0);
    }
    for block in (0..points).step_by(BLOCK) {
        let rows = BLOCK.min(points - block);
        for output in (0..outputs).step_by(UNPACKED_COLUMNS) {
            let columns = UNPACKED_COLUMNS.min(outputs - output);
            for (index, tap) in taps.iter().enumerate() {
                gemm(
                    [rows, columns, inputs],
                    (&mut product[output * pitch + block..], pitch),
                    index > 0,
                    Matrix { data: &source[layout.start(plan, tap) + block..], rows: 1, columns: channel },
                    Matrix { data: &weight[output * depth + index * inputs..], rows: 1, columns: depth },
                );
            }
        }
    }
}

/// One product for all taps, whose points are copied together first.
#[expect(clippy::too_many_arguments, reason = "the operands of one product")]
fn multiply_columns(
    plan: &Plan,
    layout: &Layout,
    taps: &[Tap],
    weight: &[f32],
    gathered: &[f32],
    columns: &mut [f32],
    (product, pitch): (&mut [f32], usize),
    points: usize,
) {
    let [inputs, outputs] = plan.channels;
    let depth = taps.len() * inputs;
    for block in (0..points).step_by(BLOCK) {
        let rows = BLOCK.min(points - block);
        for (index, target) in columns.chunks_exact_mut(BLOCK).enumerate() {
            let start = layout.start(plan, &taps[index / inputs]) + index % inputs * layout.channel + block;
            target[..rows].copy_from_slice(&gathered[start..][..rows]);
        }
        for output in (0..outputs).step_by(UNPACKED_COLUMNS) {
            gemm(
                [rows, UNPACKED_COLUMNS.min(outputs - output), depth],
                (&mut product[output * pitch + block..], pitch),
                false,
                Matrix { data: columns, rows: 1, columns: BLOCK },
                Matrix { data: &weight[output * depth..], rows: 1, columns: depth },
            );
        }
    }
}

/// Takes one channel's points to a channel of the window, and through one of the epilogue: the rows
/// of one vertical output phase, whose horizontal phases' products lie `distance` apart.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "what, where from, where to, and how")]
pub(crate) fn write_rows(
    plan: &Plan,
    layout: &Layout,
    (first, size): ([usize; 2], [usize; 2]),
    down: usize,
    (product, distance): (&[f32], usize),
    line: &mut [f32],
    (channel, of_epilogue): (usize, usize),
    epilogue: &Epilogue,
    window: &mut Window,
) {
    let [vertical, horizontal] = &plan.axes;
    for row in 0..size[0] {
        let y = (first[0] + row) * vertical.out_step + down;
        if y >= vertical.output {
            continue;
        }
        let offset = window.offset(channel, y);
        let target = window.row(channel, y);
        let product = &product[row * layout.pitch..];
        let points = match horizontal.out_step {
            1 => &product[..size[1]],
            step => {
                interleave(product, distance, step, &mut line[..step * size[1]]);
                &line[..target.len()]
            }
        };
        epilogue.write(of_epilogue, offset, points, target);
    }
}

/// One value of each of `step` rows in turn.
#[inline(always)]
fn interleave(rows: &[f32], distance: usize, step: usize, line: &mut [f32]) {
    if step == 2 {
        let pairs = rows.iter().zip(&rows[distance..]);
        for (to, (even, odd)) in line.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
            *to = [*even, *odd];
        }
    } else {
        for phase in 0..step {
            for (to, from) in line[phase..].iter_mut().step_by(step).zip(&rows[phase * distance..]) {
                *to = *from;
            }
        }
    }
}
