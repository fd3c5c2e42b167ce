//! A plan computed tile by tile with `gemm`.

use pulp::Arch;

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
    let grid = Grid {
        image: [outputs, plan.axes[0].output, plan.axes[1].output],
        tile: layout.output_tile(plan),
    };
    for_each_tile(output, grid, workers, |window, worker| {
        let image = &input[window.image * plane..][..plane];
        let gathered = take(&mut worker.gathered, layout.gathered(plan));
        let (first, size) = steps(plan, window);
        Arch::new().dispatch(|| gather(plan, layout, (first, size), image, gathered));
        let pitch = spread(layout.points);
        let product = take(&mut worker.product, outputs * pitch);
        let points = layout.run(size);
        let mut weight = packed;
        for (phase, taps) in plan.out_phases.iter().enumerate() {
            let (own, rest) = weight.split_at(outputs * taps.len() * inputs);
            weight = rest;
            if inputs < FEW_CHANNELS && taps.len() > 1 {
                let columns = take(&mut worker.other, taps.len() * inputs * BLOCK);
                multiply_columns(
                    plan,
                    layout,
                    taps,
                    own,
                    gathered,
                    columns,
                    (product, pitch),
                    points,
                );
            } else {
                multiply_taps(plan, layout, taps, own, gathered, (product, pitch), points);
            }
            Arch::new().dispatch(|| {
                write_back(
                    plan,
                    layout,
                    (first, size),
                    phase,
                    (product, pitch),
                    epilogue,
                    window,
                )
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
    gathered: &[f32],
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
                    Matrix {
                        data: &gathered[layout.start(plan, tap) + block..],
                        rows: 1,
                        columns: layout.channel,
                    },
                    Matrix {
                        data: &weight[output * depth + index * inputs..],
                        rows: 1,
                        columns: depth,
                    },
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
            let start =
                layout.start(plan, &taps[index / inputs]) + index % inputs * layout.channel + block;
            target[..rows].copy_from_slice(&gathered[start..][..rows]);
        }
        for output in (0..outputs).step_by(UNPACKED_COLUMNS) {
            gemm(
                [rows, UNPACKED_COLUMNS.min(outputs - output), depth],
                (&mut product[output * pitch + block..], pitch),
                false,
                Matrix {
                    data: columns,
                    rows: 1,
                    columns: BLOCK,
                },
                Matrix {
                    data: &weight[output * depth..],
                    rows: 1,
                    columns: depth,
                },
            );
        }
    }
}

/// Takes the points that exist from the product to their place in the output.
#[inline(always)]
fn write_back(
    plan: &Plan,
    layout: &Layout,
    area: ([usize; 2], [usize; 2]),
    phase: usize,
    (product, pitch): (&[f32], usize),
    epilogue: &Epilogue,
    window: &mut Window,
) {
    for (channel, product) in product.chunks_exact(pitch).enumerate() {
        write_rows(
            plan,
            layout,
            area,
            phase,
            product,
            (channel, channel),
            epilogue,
            window,
        );
    }
}

/// Takes one channel's points to a channel of the window, and through one of the epilogue.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "what, where from, where to, and how"
)]
pub(crate) fn write_rows(
    plan: &Plan,
    layout: &Layout,
    (first, size): ([usize; 2], [usize; 2]),
    phase: usize,
    product: &[f32],
    (channel, of_epilogue): (usize, usize),
    epilogue: &Epilogue,
    window: &mut Window,
) {
    let [vertical, horizontal] = &plan.axes;
    let [down, across] = [phase / horizontal.out_step, phase % horizontal.out_step];
    for row in 0..size[0] {
        let y = (first[0] + row) * vertical.out_step + down;
        if y >= vertical.output {
            continue;
        }
        let offset = window.offset(channel, y) + across;
        let points = &product[row * layout.pitch..][..size[1]];
        let Some(target) = window.row(channel, y).get_mut(across..) else {
            continue;
        };
        match horizontal.out_step {
            1 => epilogue.write(of_epilogue, offset, points, target),
            step => epilogue.write_strided(of_epilogue, offset, points, step, target),
        }
    }
}
