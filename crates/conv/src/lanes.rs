//! Sixteen values side by side, which the compiler keeps in one vector register or a few.
//!
//! Everything here is inlined into the bodies of [`vectorise`], which `pulp` dispatches to the
//! machine's best instruction set; plain loops over sixteen values become single instructions there.

/// Makes a closure callable only once, when moved into it.
pub(crate) struct Once;

/// Evaluates an expression compiled for AVX2 where the machine has it.
///
/// A closure that could be called again is called through a shim, and the shim is compiled without
/// the instruction set and not inlined; hence the value that the body moves.
macro_rules! vectorise {
    ($body:expr) => {{
        let once = $crate::lanes::Once;
        $crate::lanes::with_avx2(
            #[inline(always)]
            || {
                let _moved = once;
                $body
            },
        )
    }};
}
pub(crate) use vectorise;

/// AVX2 even where there is AVX-512: for the latter, the compiler turns shuffles of sixteen values
/// into gathers and scatters, which are several times slower.
#[inline(always)]
pub(crate) fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(simd, Work(work));
    }
    work()
}

#[cfg(target_arch = "x86_64")]
struct Work<F>(F);

#[cfg(target_arch = "x86_64")]
impl<R, F: FnOnce() -> R> pulp::WithSimd for Work<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> R {
        (self.0)()
    }
}

/// Values side by side.
pub(crate) const LANES: usize = 16;

/// Sixteen values.
pub(crate) type Lanes = [f32; LANES];

#[inline(always)]
fn zip(a: &Lanes, b: &Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut result = [0.0; LANES];
    for lane in 0..LANES {
        result[lane] = f(a[lane], b[lane]);
    }
    result
}

#[inline(always)]
pub(crate) fn add(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| a + b)
}

#[inline(always)]
pub(crate) fn sub(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| a - b)
}

#[inline(always)]
pub(crate) fn mul(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| a * b)
}

#[inline(always)]
pub(crate) fn scale(factor: f32, a: &Lanes) -> Lanes {
    zip(a, a, |a, _| factor * a)
}

/// `a + factor * b`.
#[inline(always)]
pub(crate) fn scaled(a: &Lanes, factor: f32, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| a + factor * b)
}

/// Alternately a value of each, from lane `first` on.
#[inline(always)]
fn interleave(a: &Lanes, b: &Lanes, first: usize) -> Lanes {
    let mut result = [0.0; LANES];
    for lane in 0..LANES / 2 {
        result[2 * lane] = a[first + lane];
        result[2 * lane + 1] = b[first + lane];
    }
    result
}

/// Rows become columns: four perfect shuffles of the rows.
#[inline(always)]
pub(crate) fn transpose(rows: &mut [Lanes; LANES]) {
    for _ in 0..LANES.ilog2() {
        let from = *rows;
        for row in 0..LANES / 2 {
            rows[2 * row] = interleave(&from[row], &from[row + LANES / 2], 0);
            rows[2 * row + 1] = interleave(&from[row], &from[row + LANES / 2], LANES / 2);
        }
    }
}

/// The lanes that start at `index`.
#[inline(always)]
pub(crate) fn load(values: &[f32], index: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&values[index..index + LANES]);
    lanes
}

/// Every fourth value from each of the first four: a row of points as the columns of its tiles of four.
#[inline(always)]
pub(crate) fn split(row: &[f32; 4 * LANES]) -> [Lanes; 4] {
    let mut columns = [[0.0; LANES]; 4];
    for lane in 0..LANES {
        for (column, values) in columns.iter_mut().enumerate() {
            values[lane] = row[lane * 4 + column];
        }
    }
    columns
}

/// The inverse of [`split`].
#[inline(always)]
pub(crate) fn join(columns: &[Lanes; 4]) -> [f32; 4 * LANES] {
    let mut row = [0.0; 4 * LANES];
    for lane in 0..LANES {
        for (column, values) in columns.iter().enumerate() {
            row[lane * 4 + column] = values[lane];
        }
    }
    row
}
