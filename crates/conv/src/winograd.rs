//! 3x3 convolution of stride 1 by Winograd's minimal filtering F(4x4, 3x3).
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): 4x4 output points
//! from 36 products for each pair of channels where the direct sum takes 144. Tiles are taken in
//! blocks whose transformed input stays in the second-level cache; the products of one transformed
//! point of all tiles and channels are one call of `gemm`.

use crate::dispatch::vectorise_with;
use crate::epilogue::Epilogue;
use crate::kernel::{Grid, Matrix, Window, for_each_tile, gemm};
use crate::lanes::{LANES, Vectors, at};
use crate::plan::{Axis, Plan};
use crate::product::UNPACKED_COLUMNS;
use crate::scratch::{Worker, take};
use crate::tile::{Inside, gather_rows, spread};
use crate::transform::{POINTS, SIDE, STEP, input, output, weight};

/// Values of a block's transformed input: most of a second-level cache of a megabyte.
const BLOCK_VALUES: usize = 216 * 1024;
/// Tiles that `gemm`'s widest microkernel computes at once.
const MAX_TILES: usize = 64;
/// As the former two, for the weight gradient, whose sums are as large as the weights: so that they
/// pass through the cache less often, its blocks stay in the third level.
const GRADIENT_VALUES: usize = 664 * 1024;
const GRADIENT_TILES: usize = 256;

/// How the tiles of a plan are taken in blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocks {
    /// Height and width of a block in tiles.
    pub size: [usize; 2],
}

impl Blocks {
    /// None for a plan that is not a 3x3 convolution of stride and dilation 1.
    pub fn new(plan: &Plan) -> Option<Self> {
        Self::within(plan, (BLOCK_VALUES / (POINTS * plan.channels[0])).min(MAX_TILES))
    }

    /// As [`Self::new`], for the weight gradient of the plan.
    pub fn for_gradient(plan: &Plan) -> Option<Self> {
        let channels = plan.channels[0].max(plan.channels[1]);
        Self::within(plan, (GRADIENT_VALUES / (POINTS * channels)).min(GRADIENT_TILES))
    }

    /// Blocks of at most `limit` tiles, but at least sixteen.
    fn within(plan: &Plan, limit: usize) -> Option<Self> {
        let limit = limit.max(LANES);
        let fits = |axis: &Axis| axis.in_step == 1 && axis.out_step == 1 && axis.taps.len() == 3 && axis.halo == 2;
        if plan.depthwise || !plan.axes.iter().all(fits) {
            return None;
        }
        let [height, width] = [0, 1].map(|axis| plan.axes[axis].output.div_ceil(STEP));
        let columns = width.div_ceil(width.div_ceil(limit));
        let computed = |rows: usize| match height % rows {
            0 => height / rows * (rows * columns).next_multiple_of(LANES),
            rest => height / rows * (rows * columns).next_multiple_of(LANES) + (rest * columns).next_multiple_of(LANES),
        };
        let rows = (1..=height)
            .take_while(|&rows| rows == 1 || (rows * columns).next_multiple_of(LANES) <= limit)
            .min_by_key(|&rows| (computed(rows), std::cmp::Reverse(rows)))
            .unwrap_or(1);
        Some(Self { size: [rows, columns] })
    }

    /// Whether the transforms cost less than the products they save.
    pub fn pays(&self, plan: &Plan) -> bool {
        let [inputs, outputs] = plan.channels;
        let [rows, columns] = self.size;
        inputs.min(outputs) >= 12 && columns >= 3 && rows * columns >= LANES / 2
    }
}

/// The weight as the products read it: `[transformed point][out channel][in channel]`.
pub(crate) fn pack(plan: &Plan, values: &[f32], packed: &mut Vec<f32>) {
    let [inputs, outputs] = plan.channels;
    let packed = take(packed, POINTS * inputs * outputs);
    vectorise_with!(v => {
        for output in 0..outputs {
            for first in (0..inputs).step_by(LANES) {
                let lanes = LANES.min(inputs - first);
                let mut kernel = [[[0.0; LANES]; 3]; 3];
                for tap in &plan.out_phases[0] {
                    let target = &mut kernel[tap.shift[0]][tap.shift[1]];
                    for (lane, to) in target[..lanes].iter_mut().enumerate() {
                        *to = values[plan.weight_index(output, first + lane, tap.kernel)];
                    }
                }
                // A loop, since a closure given to `map` is compiled without the instruction set.
                let mut rows = [[v.zero(); SIDE]; 3];
                for (transformed, row) in rows.iter_mut().zip(&kernel) {
                    *transformed = weight(v, [v.load(&row[0]), v.load(&row[1]), v.load(&row[2])]);
                }
                #[expect(clippy::needless_range_loop, reason = "a column of three rows")]
                for column in 0..SIDE {
                    let transformed = weight(v, [rows[0][column], rows[1][column], rows[2][column]]);
                    for (row, from) in transformed.into_iter().enumerate() {
                        let start = ((row * SIDE + column) * outputs + output) * inputs + first;
                        packed[start..start + lanes].copy_from_slice(&v.store(from)[..lanes]);
                    }
                }
            }
        }
    });
}

/// Computes `plan` of `input` with a weight from [`pack`] into whole images of `output`.
pub(crate) fn run(
    plan: &Plan,
    blocks: &Blocks,
    packed: &[f32],
    epilogue: &Epilogue,
    (input, output): (&[f32], &mut [f32]),
    workers: &mut [Worker],
) {
    let [inputs, outputs] = plan.channels;
    let [vertical, horizontal] = &plan.axes;
    let image_len = inputs * vertical.input * horizontal.input;
    let grid = Grid { image: [outputs, vertical.output, horizontal.output], tile: blocks.size.map(|size| size * STEP) };
    let most = (blocks.size[0] * blocks.size[1]).next_multiple_of(LANES);
    // Each point's values end with room for a row of tiles that is written sixteen lanes at a time.
    let in_point = spread(inputs * most + LANES);
    let out_point = spread(UNPACKED_COLUMNS.min(outputs) * most + LANES);
    for_each_tile(output, grid, workers, |window, worker| {
        let size = window.area().map(|[from, to]| (to - from).div_ceil(STEP));
        let tiles = (size[0] * size[1]).next_multiple_of(LANES);
        let transformed = take(&mut worker.gathered, POINTS * in_point);
        let product = take(&mut worker.product, POINTS * out_point);
        let image = &input[window.image() * image_len..][..image_len];
        let rows = &mut worker.other;
        let first = window.area().map(|[from, _]| from);
        vectorise_with!(v => transform_input(v, plan, (first, size), image, rows, (transformed, in_point), tiles));
        for first in (0..outputs).step_by(UNPACKED_COLUMNS) {
            let columns = UNPACKED_COLUMNS.min(outputs - first);
            for point in 0..POINTS {
                gemm(
                    [tiles, columns, inputs],
                    (&mut product[point * out_point..], tiles),
                    false,
                    Matrix { data: &transformed[point * in_point..], rows: 1, columns: tiles },
                    Matrix { data: &packed[(point * outputs + first) * inputs..], rows: 1, columns: inputs },
                );
            }
            vectorise_with!(v => for column in 0..columns {
                let product = &product[column * tiles..];
                write_back(v, (product, out_point), size, first + column, epilogue, window);
            });
        }
    });
}

/// `B^T d B` of every tile of a block from output point `first` on, as `[transformed point][in channel][tile]`.
#[inline(always)]
pub(crate) fn transform_input<T: Vectors>(
    v: T,
    plan: &Plan,
    (first, size): ([usize; 2], [usize; 2]),
    image: &[f32],
    rows: &mut Vec<f32>,
    (transformed, point): (&mut [f32], usize),
    tiles: usize,
) {
    let [vertical, horizontal] = &plan.axes;
    let [top, left] = [0, 1].map(|axis| first[axis] as isize + plan.axes[axis].first);
    let pitch = size[1].next_multiple_of(LANES) * STEP + LANES;
    let rows = take(rows, (size[0] * STEP + 2) * pitch);
    let inside = Inside::new(left, size[1] * STEP + 2, 0, horizontal);
    for (channel, plane) in image.chunks_exact(vertical.input * horizontal.input).enumerate() {
        gather_rows(vertical, &inside, plane, top, rows, pitch);
        for row in 0..size[0] {
            for column in (0..size[1]).step_by(LANES) {
                let from = &rows[row * STEP * pitch + column * STEP..];
                let to = &mut transformed[channel * tiles + row * size[1] + column..];
                transform_tiles(v, (from, pitch), (to, point));
            }
        }
    }
}

/// Sixteen tiles side by side: down the columns of points first, which needs no shuffling, then
/// along the rows.
#[inline(always)]
fn transform_tiles<T: Vectors>(v: T, (rows, pitch): (&[f32], usize), (transformed, point): (&mut [f32], usize)) {
    const WIDTH: usize = STEP * LANES + LANES;
    let mut lines = [[0.0f32; WIDTH]; SIDE];
    for start in (0..WIDTH).step_by(LANES) {
        let column = std::array::from_fn(|row| v.load(at(rows, row * pitch + start)));
        for (line, lanes) in lines.iter_mut().zip(input(v, column)) {
            line[start..start + LANES].copy_from_slice(&v.store(lanes));
        }
    }
    for (row, line) in lines.iter().enumerate() {
        let from = |first: usize| std::array::from_fn(|part| v.load(at(line, first + part * LANES)));
        let [a, b, c, d] = v.split(from(0));
        let [e, f, ..] = v.split(from(STEP));
        for (column, lanes) in input(v, [a, b, c, d, e, f]).into_iter().enumerate() {
            transformed[(row * SIDE + column) * point..][..LANES].copy_from_slice(&v.store(lanes));
        }
    }
}

/// `A^T m A` of every tile of one output channel, to its place in the output.
#[inline(always)]
fn write_back<T: Vectors>(
    v: T,
    (product, point): (&[f32], usize),
    size: [usize; 2],
    channel: usize,
    epilogue: &Epilogue,
    window: &mut Window,
) {
    let [[top, bottom], [left, right]] = window.area();
    for row in 0..size[0] {
        for column in (0..size[1]).step_by(LANES) {
            let tile = row * size[1] + column;
            let mut lines = [[v.zero(); SIDE]; STEP];
            for across in 0..SIDE {
                let down = std::array::from_fn(|index| v.load(at(product, (index * SIDE + across) * point + tile)));
                for (line, lanes) in lines.iter_mut().zip(output(v, down)) {
                    line[across] = lanes;
                }
            }
            let from = column * STEP;
            let count = (STEP * LANES).min(right - left - from);
            for (index, line) in lines.into_iter().enumerate() {
                let y = top + row * STEP + index;
                if y < bottom {
                    let points = v.join(output(v, line)).map(|lanes| v.store(lanes));
                    let points = &points.as_flattened()[..count];
                    let offset = window.offset(channel, y) + from;
                    let target = &mut window.row(channel, y)[from..from + count];
                    epilogue.write(channel, offset, points, target);
                }
            }
        }
    }
}
