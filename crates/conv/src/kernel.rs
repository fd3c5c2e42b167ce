//! The crate's only unsafe code: the call into `gemm`, and writing one output from many threads.
//!
//! `gemm` takes raw pointers because its operands may be strided views; [`gemm`] takes slices and
//! checks that the last element each view reaches lies inside them. [`for_each_tile`] lets threads
//! write disjoint rectangles of all channels of an image, which no safe splitting of a slice can
//! express, since a rectangle's rows are scattered through it; [`Window`] hands out only rows of
//! its own rectangle, and the rectangles are cut here, so that they are disjoint by construction.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A strided view of a matrix: element (i, j) is `data[i * rows + j * columns]`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Where the elements are.
    pub data: &'a [f32],
    /// Distance from a row to the next.
    pub rows: usize,
    /// Distance from a column to the next.
    pub columns: usize,
}

/// `dst (m x n, column-major, columns `dst_columns` apart) = [dst +] lhs (m x k) * rhs (k x n)`.
///
/// Fastest without any packing when `lhs.rows == 1`, `m` is a multiple of 64, `n <= 48` and
/// `rhs.rows == 1`.
///
/// # Panics
/// When an element of a view or of `dst` lies outside its slice.
pub fn gemm(
    [m, n, k]: [usize; 3],
    (dst, dst_columns): (&mut [f32], usize),
    accumulate: bool,
    lhs: Matrix,
    rhs: Matrix,
) {
    if m == 0 || n == 0 {
        return;
    }
    // Without wrapping around: what is too large to be counted is beyond every slice.
    let last = |rows: usize, to_row: usize, columns: usize, to_column: usize| {
        (rows - 1).checked_mul(to_row)?.checked_add((columns - 1).checked_mul(to_column)?)
    };
    let inside = |len: usize, last: Option<usize>| last.is_some_and(|last| last < len);
    assert!(dst_columns >= m && inside(dst.len(), last(m, 1, n, dst_columns)), "destination of a product");
    if k > 0 {
        assert!(inside(lhs.data.len(), last(m, lhs.rows, k, lhs.columns)), "left operand of a product");
        assert!(inside(rhs.data.len(), last(k, rhs.rows, n, rhs.columns)), "right operand of a product");
    }
    let strides = |view: &Matrix| (view.columns as isize, view.rows as isize);
    let ((lhs_cs, lhs_rs), (rhs_cs, rhs_rs)) = (strides(&lhs), strides(&rhs));
    // SAFETY: the asserts above bound every element that the three views reach, strides are
    // non-negative, and `dst` is a unique borrow, so that it cannot overlap the operands.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            dst_columns as isize,
            1,
            accumulate,
            lhs.data.as_ptr(),
            lhs_cs,
            lhs_rs,
            rhs.data.as_ptr(),
            rhs_cs,
            rhs_rs,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// How an output of many images is cut: every image into a grid of rectangles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// Channels, height and width of one image.
    pub image: [usize; 3],
    /// Height and width of a rectangle; those at the lower and right edges may be smaller.
    pub tile: [usize; 2],
}

/// One rectangle of all channels of one image of the output, writable by one thread.
pub(crate) struct Window<'a> {
    output: *mut f32,
    image_size: [usize; 3],
    image: usize,
    area: [[usize; 2]; 2],
    lifetime: PhantomData<&'a mut [f32]>,
}

impl Window<'_> {
    /// Index of the image.
    pub fn image(&self) -> usize {
        self.image
    }

    /// First and past-the-last row, and column.
    pub fn area(&self) -> [[usize; 2]; 2] {
        self.area
    }

    /// Row `y` (in the image) of a channel, from the rectangle's first column to its last.
    pub fn row(&mut self, channel: usize, y: usize) -> &mut [f32] {
        let [channels, height, width] = self.image_size;
        let [[top, bottom], [left, right]] = self.area;
        assert!(channel < channels && (top..bottom).contains(&y), "row outside the window");
        let start = self.offset(channel, y);
        debug_assert!(bottom <= height && right <= width);
        // SAFETY: inside the output, since the window's area is inside the image; no other window
        // reaches this row segment, and `&mut self` keeps this one from being borrowed twice.
        unsafe { std::slice::from_raw_parts_mut(self.output.add(start), right - left) }
    }

    /// Where [`Self::row`] starts in the whole output; a residual has the same layout.
    pub fn offset(&self, channel: usize, y: usize) -> usize {
        let [channels, height, width] = self.image_size;
        ((self.image * channels + channel) * height + y) * width + self.area[1][0]
    }
}

struct Shared(*mut f32);
// SAFETY: only used to build disjoint windows.
unsafe impl Sync for Shared {}

impl Shared {
    fn window<'a>(&self, grid: Grid, index: usize) -> Window<'a> {
        let [_, height, width] = grid.image;
        let across = width.div_ceil(grid.tile[1]);
        let per_image = across * height.div_ceil(grid.tile[0]);
        let (image, index) = (index / per_image, index % per_image);
        let [top, left] = [index / across * grid.tile[0], index % across * grid.tile[1]];
        Window {
            output: self.0,
            image_size: grid.image,
            image,
            area: [[top, height.min(top + grid.tile[0])], [left, width.min(left + grid.tile[1])]],
            lifetime: PhantomData,
        }
    }
}

/// Runs `work` once for every rectangle of every whole image of `output`, on as many threads of
/// rayon's pool as there are `workers`; each call owns one of these.
pub(crate) fn for_each_tile<S: Send>(
    output: &mut [f32],
    grid: Grid,
    workers: &mut [S],
    work: impl Fn(&mut Window, &mut S) + Sync,
) {
    let [channels, height, width] = grid.image;
    let images = output.len() / (channels * height * width);
    let tiles = images * width.div_ceil(grid.tile[1]) * height.div_ceil(grid.tile[0]);
    let shared = Shared(output.as_mut_ptr());
    for_each_index(tiles, workers, |index, worker| work(&mut shared.window(grid, index), worker));
}

/// Runs `work` for every index below `count`, on as many threads as there are `workers`. Indices
/// are taken one by one, so that a thread that is slowed down takes fewer of them.
fn for_each_index<S: Send>(count: usize, workers: &mut [S], work: impl Fn(usize, &mut S) + Sync) {
    let next = AtomicUsize::new(0);
    on_each(count, workers, |_, worker| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            work(index, worker);
        }
    });
}

/// As `for_each_index`, but every worker takes the same indices each time, so that what it sums up
/// is reproducible.
pub(crate) fn for_each_share<S: Send>(count: usize, workers: &mut [S], work: impl Fn(usize, &mut S) + Sync) {
    let step = workers.len();
    on_each(count, workers, |first, worker| {
        for index in (first..count).step_by(step) {
            work(index, worker);
        }
    });
}

/// Runs `work` once for each worker, or for as many as there is work for.
fn on_each<S: Send>(count: usize, workers: &mut [S], work: impl Fn(usize, &mut S) + Sync) {
    match workers {
        [only] => work(0, only),
        many => rayon::scope(|scope| {
            let work = &work;
            for (number, worker) in many.iter_mut().enumerate().take(count) {
                scope.spawn(move |_| work(number, worker));
            }
        }),
    }
}
