//! Tiles: a rectangle of steps with the input that it reads, gathered so that every tap is a
//! contiguous run of points.

use crate::kernel::Window;
use crate::plan::{Axis, Plan, Tap};

/// Points that `gemm`'s widest microkernel computes at once.
const PANEL: usize = 64;
/// Points that its narrowest computes at once: fewer than a panel, as of sound's few bands, are not worth a panel.
const SLIVER: usize = 16;
/// Values that a tile's input and output may take together: half of an ordinary second-level cache.
const TILE_VALUES: usize = 128 * 1024;
/// A tile longer than this gains nothing more.
const MAX_POINTS: usize = 1024;
/// Wider images are cut into columns of about this many points.
const MAX_WIDTH: usize = 256;

/// The size of a plan's tiles and the layout of what is gathered for one.
///
/// A tile of `size` steps is gathered as rows `pitch` apart, so that point (row, column) is number
/// `row * pitch + column` of a run of `points`; the products compute the whole run, including the
/// few points between one row's end and the next row's start, which are then ignored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Height and width in steps.
    pub size: [usize; 2],
    pub pitch: usize,
    /// Length of the run that the products compute, in whole microkernels.
    pub points: usize,
    /// Distance between the channels of the gathered input.
    pub channel: usize,
    /// Gathered rows.
    rows: usize,
}

impl Layout {
    /// The tile that wastes the fewest points among those that stay in the second-level cache.
    pub fn new(plan: &Plan) -> Self {
        let [height, width] = plan.steps();
        // What tiles read beyond their own columns must stay a small part.
        let most = MAX_WIDTH.max(4 * plan.axes[1].halo);
        let columns = width.div_ceil(width.div_ceil(most));
        let values = plan.channels[0] * plan.in_phases.len() + plan.channels[1];
        let limit = (TILE_VALUES / values).clamp(PANEL, MAX_POINTS);
        let pitch = columns + plan.axes[1].halo;
        let points = |rows: usize| panels(plan, (rows - 1) * pitch + columns);
        let computed = |rows: usize| match height % rows {
            0 => height / rows * points(rows),
            rest => height / rows * points(rows) + points(rest),
        };
        let rows = (1..=height)
            .take_while(|&rows| rows == 1 || points(rows) <= limit)
            .min_by_key(|&rows| (computed(rows), std::cmp::Reverse(rows)))
            .unwrap_or(1);
        Self::of(plan, [rows, columns])
    }

    fn of(plan: &Plan, size: [usize; 2]) -> Self {
        let pitch = size[1] + plan.axes[1].halo;
        let rows = size[0] + plan.axes[0].halo;
        let points = panels(plan, (size[0] - 1) * pitch + size[1]);
        // The last tap's run may end past the last row by what rounding added to it.
        let values = plan.axes[0].halo * pitch + plan.axes[1].halo + points.max(size[0] * pitch);
        Self { size, pitch, points, channel: spread(values), rows }
    }

    /// All tiles of an image: their first steps and sizes.
    pub fn tiles(&self, plan: &Plan) -> impl Iterator<Item = ([usize; 2], [usize; 2])> {
        let [height, width] = plan.steps();
        let [rows, columns] = self.size;
        (0..height).step_by(rows).flat_map(move |top| {
            (0..width)
                .step_by(columns)
                .map(move |left| ([top, left], [rows.min(height - top), columns.min(width - left)]))
        })
    }

    /// Points to compute for a tile that the image's edge has cut to `size` steps.
    pub fn run(&self, size: [usize; 2]) -> usize {
        let least = if self.points < PANEL { SLIVER } else { PANEL };
        ((size[0] - 1) * self.pitch + size[1]).next_multiple_of(least)
    }

    /// Whether the image's rows are already what would be gathered, as for a 1x1 kernel, and its
    /// channels do not all fall into the same sets of the first-level cache.
    pub fn in_place(&self, plan: &Plan) -> bool {
        let [vertical, horizontal] = &plan.axes;
        let whole = |axis: &Axis| axis.in_step == 1 && axis.halo == 0 && axis.first == 0;
        whole(vertical)
            && whole(horizontal)
            && vertical.input >= vertical.steps()
            && horizontal.input == self.size[1]
            && horizontal.steps() == self.size[1]
            && !(vertical.input * horizontal.input).is_multiple_of(1024)
    }

    /// Values of the gathered input of one tile.
    pub fn gathered(&self, plan: &Plan) -> usize {
        plan.in_phases.len() * plan.channels[0] * self.channel
    }

    /// Where a tap reads the first point of the first channel.
    pub fn start(&self, plan: &Plan, tap: &Tap) -> usize {
        tap.in_phase * plan.channels[0] * self.channel + tap.shift[0] * self.pitch + tap.shift[1]
    }

    /// The tile of output points that `size` steps cover.
    pub fn output_tile(&self, plan: &Plan) -> [usize; 2] {
        [self.size[0] * plan.axes[0].out_step, self.size[1] * plan.axes[1].out_step]
    }
}

/// At least `points`, as whole microkernels compute them, or as a depthwise convolution takes them.
fn panels(plan: &Plan, points: usize) -> usize {
    points.next_multiple_of(if points < PANEL && !plan.depthwise { SLIVER } else { PANEL })
}

/// At least `values`, as an odd number of cache lines, so that channels do not share cache sets.
pub(crate) fn spread(values: usize) -> usize {
    (values.div_ceil(16) | 1) * 16
}

/// Steps of a window: the first of each axis and how many.
pub(crate) fn steps(plan: &Plan, window: &Window) -> ([usize; 2], [usize; 2]) {
    let first = std::array::from_fn(|axis| window.area()[axis][0] / plan.axes[axis].out_step);
    let size = std::array::from_fn(|axis| window.area()[axis][1].div_ceil(plan.axes[axis].out_step) - first[axis]);
    (first, size)
}

/// Gathers what the tile of `size` steps from `first` reads of `image`, zeros outside of it.
pub(crate) fn gather(
    plan: &Plan,
    layout: &Layout,
    (first, size): ([usize; 2], [usize; 2]),
    image: &[f32],
    gathered: &mut [f32],
) {
    let [vertical, horizontal] = &plan.axes;
    let plane = vertical.input * horizontal.input;
    let top = first[0] as isize + vertical.first;
    let left = first[1] as isize + horizontal.first;
    let columns = size[1] + horizontal.halo;
    let rows = size[0] + vertical.halo;
    debug_assert!(rows <= layout.rows && columns <= layout.pitch);
    let mut channels = gathered.chunks_exact_mut(layout.channel);
    for phase in &plan.in_phases {
        let inside = Inside::new(left, columns, phase[1], horizontal);
        let start = top * vertical.in_step as isize + phase[0] as isize;
        for (source, target) in image.chunks_exact(plane).zip(&mut channels) {
            let (target, after) = target.split_at_mut(rows * layout.pitch);
            gather_rows(vertical, &inside, source, start, target, layout.pitch);
            // These points are multiplied by zeros in the weight gradient: no stale NaN.
            after.fill(0.0);
        }
    }
}

/// Gathers rows of one phase of one channel, from row `start` of its plane, `pitch` apart.
pub(crate) fn gather_rows(
    vertical: &Axis,
    inside: &Inside,
    plane: &[f32],
    start: isize,
    target: &mut [f32],
    pitch: usize,
) {
    for (row, target) in target.chunks_exact_mut(pitch).enumerate() {
        let y = usize::try_from(start + (row * vertical.in_step) as isize).ok();
        match y.filter(|&y| y < vertical.input) {
            Some(y) => inside.copy(&plane[y * inside.width..][..inside.width], target),
            None => target.fill(0.0),
        }
    }
}

/// The part of a gathered row that lies inside the image.
pub(crate) struct Inside {
    width: usize,
    zeros: usize,
    start: usize,
    len: usize,
    step: usize,
}

impl Inside {
    /// Columns `left..left + columns` of one phase of the axis.
    pub fn new(left: isize, columns: usize, phase: usize, axis: &Axis) -> Self {
        let (width, step) = (axis.input, axis.in_step);
        let end = width.saturating_sub(phase).div_ceil(step) as isize;
        let from = left.clamp(0, end);
        let to = (left + columns as isize).clamp(from, end);
        let zeros = ((from - left).max(0) as usize).min(columns);
        let start = from as usize * step + phase;
        Self { width, zeros, start, len: (to - from) as usize, step }
    }

    fn copy(&self, source: &[f32], target: &mut [f32]) {
        let (zeros, rest) = target.split_at_mut(self.zeros);
        let (target, after) = rest.split_at_mut(self.len);
        zeros.fill(0.0);
        after.fill(0.0);
        if self.len == 0 {
            return;
        }
        match self.step {
            1 => target.copy_from_slice(&source[self.start..][..self.len]),
            2 => subsample::<2>(&source[self.start..], target),
            step => {
                for (to, from) in target.iter_mut().zip(source[self.start..].iter().step_by(step)) {
                    *to = *from;
                }
            }
        }
    }
}

/// Every `STEP`-th value; a constant step compiles to shuffles.
fn subsample<const STEP: usize>(source: &[f32], target: &mut [f32]) {
    let (groups, _) = source.as_chunks::<STEP>();
    for (to, from) in target.iter_mut().zip(groups) {
        *to = from[0];
    }
    if let (true, Some(last)) = (target.len() > groups.len(), target.last_mut()) {
        *last = source[groups.len() * STEP];
    }
}
