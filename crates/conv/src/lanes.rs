//! Sixteen values side by side, and the operations that the transforms need of them.

/// Values side by side.
pub(crate) const LANES: usize = 16;

/// Sixteen values in memory.
pub(crate) type Lanes = [f32; LANES];

/// Operations on sixteen values, by one instruction set; [`vectorise_with`](crate::dispatch)
/// chooses it.
pub(crate) trait Vectors: Copy {
    /// Sixteen values in registers.
    type V: Copy;

    fn load(self, values: &Lanes) -> Self::V;
    fn store(self, values: Self::V) -> Lanes;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a + factor * b`.
    fn scaled(self, a: Self::V, factor: f32, b: Self::V) -> Self::V;
    /// A value of each in turn, from the first of both, or from the ninth if `high`.
    fn interleave(self, a: Self::V, b: Self::V, high: bool) -> Self::V;
    /// Four vectors of consecutive values as those with the same index modulo four.
    fn split(self, rows: [Self::V; 4]) -> [Self::V; 4];
    /// The inverse of [`Self::split`].
    fn join(self, columns: [Self::V; 4]) -> [Self::V; 4];

    #[inline(always)]
    fn zero(self) -> Self::V {
        self.load(&[0.0; LANES])
    }

    #[inline(always)]
    fn scale(self, factor: f32, a: Self::V) -> Self::V {
        self.scaled(self.zero(), factor, a)
    }

    /// Rows become columns, of which the first `count` are written, `pitch` apart: four perfect shuffles of the rows.
    #[inline(always)]
    fn transpose(self, rows: [&Lanes; LANES], (columns, pitch): (&mut [f32], usize), count: usize) {
        let mut rows = rows.map(|row| self.load(row));
        for _ in 0..LANES.ilog2() {
            let from = rows;
            for row in 0..LANES / 2 {
                let (a, b) = (from[row], from[row + LANES / 2]);
                rows[2 * row] = self.interleave(a, b, false);
                rows[2 * row + 1] = self.interleave(a, b, true);
            }
        }
        for (column, values) in columns.chunks_mut(pitch).zip(rows).take(count) {
            column[..LANES].copy_from_slice(&self.store(values));
        }
    }
}

/// Plain loops, which the compiler turns into what the machine has.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip(a: &Lanes, b: &Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut result = [0.0; LANES];
    for lane in 0..LANES {
        result[lane] = f(a[lane], b[lane]);
    }
    result
}

impl Vectors for Portable {
    type V = Lanes;

    #[inline(always)]
    fn load(self, values: &Lanes) -> Lanes {
        *values
    }

    #[inline(always)]
    fn store(self, values: Lanes) -> Lanes {
        values
    }

    #[inline(always)]
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        zip(&a, &b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        zip(&a, &b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Lanes, b: Lanes) -> Lanes {
        zip(&a, &b, |a, b| a * b)
    }

    #[inline(always)]
    fn scaled(self, a: Lanes, factor: f32, b: Lanes) -> Lanes {
        zip(&a, &b, |a, b| a + factor * b)
    }

    #[inline(always)]
    fn interleave(self, a: Lanes, b: Lanes, high: bool) -> Lanes {
        let first = if high { LANES / 2 } else { 0 };
        let mut result = [0.0; LANES];
        for lane in 0..LANES / 2 {
            result[2 * lane] = a[first + lane];
            result[2 * lane + 1] = b[first + lane];
        }
        result
    }

    #[inline(always)]
    fn split(self, rows: [Lanes; 4]) -> [Lanes; 4] {
        let mut columns = [[0.0; LANES]; 4];
        let values = rows.as_flattened();
        for lane in 0..LANES {
            for (column, target) in columns.iter_mut().enumerate() {
                target[lane] = values[lane * 4 + column];
            }
        }
        columns
    }

    #[inline(always)]
    fn join(self, columns: [Lanes; 4]) -> [Lanes; 4] {
        let mut rows = [[0.0; LANES]; 4];
        let values = rows.as_flattened_mut();
        for lane in 0..LANES {
            for (column, from) in columns.iter().enumerate() {
                values[lane * 4 + column] = from[lane];
            }
        }
        rows
    }
}

/// The sixteen values that start at `index`.
#[inline(always)]
pub(crate) fn at(values: &[f32], index: usize) -> &Lanes {
    values[index..].first_chunk().expect("buffers end with room for sixteen values")
}

/// Holds an instruction set's shuffles to those of the plain loops.
#[cfg(test)]
pub(crate) fn compare_with_plain_loops<T: Vectors>(v: T) {
    let rows: [Lanes; LANES] = std::array::from_fn(|row| std::array::from_fn(|lane| (row * LANES + lane) as f32));
    let four: [Lanes; 4] = std::array::from_fn(|row| rows[row]);
    let loaded = four.map(|lanes| v.load(&lanes));
    assert_eq!(v.split(loaded).map(|lanes| v.store(lanes)), Portable.split(four));
    assert_eq!(v.join(loaded).map(|lanes| v.store(lanes)), Portable.join(four));
    for high in [false, true] {
        let found = v.store(v.interleave(loaded[0], loaded[1], high));
        assert_eq!(found, Portable.interleave(rows[0], rows[1], high));
    }
    for count in [3, 11, LANES] {
        let pitch = LANES + 3;
        let [mut found, mut expected] = [[0.5; LANES * (LANES + 3)]; 2];
        v.transpose(rows.each_ref(), (&mut found, pitch), count);
        Portable.transpose(rows.each_ref(), (&mut expected, pitch), count);
        assert_eq!(found, expected);
    }
}
