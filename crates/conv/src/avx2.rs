//! The vector operations in AVX2 with FMA, sixteen values as two registers of eight. Of the plain loops the compiler
//! makes shuffles of single values, and the transforms then take longer than the products between them. `pulp` wraps
//! the instructions so that holding its token is proof enough that the machine has them.

use std::arch::x86_64::__m256;

use pulp::x86::V3;

use crate::lanes::{LANES, Lanes, Vectors};

/// AVX2 on a machine that has it.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub V3);

/// Halves of two registers: the low ones, or the high ones.
const LOW: i32 = 0x20;
const HIGH: i32 = 0x31;
/// Pairs within each 128 bits of two registers: the first ones, or the second ones.
const FIRST: i32 = 0x44;
const SECOND: i32 = 0xee;

// No closure holds an instruction: one is compiled without the instruction set unless told otherwise, and then calls it.
impl Avx2 {
    #[inline(always)]
    fn halves<const WHICH: i32>(self, a: __m256, b: __m256) -> __m256 {
        self.0.avx._mm256_permute2f128_ps::<WHICH>(a, b)
    }

    /// In each 128 bits, four rows of four become columns.
    #[inline(always)]
    fn turn(self, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
        let avx = self.0.avx;
        let (ab, ab2) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
        let (cd, cd2) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
        [
            avx._mm256_shuffle_ps::<FIRST>(ab, cd),
            avx._mm256_shuffle_ps::<SECOND>(ab, cd),
            avx._mm256_shuffle_ps::<FIRST>(ab2, cd2),
            avx._mm256_shuffle_ps::<SECOND>(ab2, cd2),
        ]
    }

    /// Of 32 consecutive values those with the same index modulo four.
    #[inline(always)]
    fn split_half(self, [[a, b], [c, d]]: [[__m256; 2]; 2]) -> [__m256; 4] {
        self.turn([
            self.halves::<LOW>(a, c),
            self.halves::<HIGH>(a, c),
            self.halves::<LOW>(b, d),
            self.halves::<HIGH>(b, d),
        ])
    }

    /// The inverse of [`Self::split_half`].
    #[inline(always)]
    fn join_half(self, columns: [__m256; 4]) -> [[__m256; 2]; 2] {
        let [a, b, c, d] = self.turn(columns);
        [[self.halves::<LOW>(a, b), self.halves::<LOW>(c, d)], [self.halves::<HIGH>(a, b), self.halves::<HIGH>(c, d)]]
    }

    /// A square of eight: rows become columns.
    #[inline(always)]
    fn square(self, [a, b, c, d, e, f, g, h]: [__m256; 8]) -> [__m256; 8] {
        let [a, b, c, d] = self.turn([a, b, c, d]);
        let [e, f, g, h] = self.turn([e, f, g, h]);
        [
            self.halves::<LOW>(a, e),
            self.halves::<LOW>(b, f),
            self.halves::<LOW>(c, g),
            self.halves::<LOW>(d, h),
            self.halves::<HIGH>(a, e),
            self.halves::<HIGH>(b, f),
            self.halves::<HIGH>(c, g),
            self.halves::<HIGH>(d, h),
        ]
    }
}

impl Vectors for Avx2 {
    type V = [__m256; 2];

    #[inline(always)]
    fn load(self, values: &Lanes) -> Self::V {
        pulp::cast(*values)
    }

    #[inline(always)]
    fn store(self, values: Self::V) -> Lanes {
        pulp::cast(values)
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.avx._mm256_add_ps(a[0], b[0]), self.0.avx._mm256_add_ps(a[1], b[1])]
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.avx._mm256_sub_ps(a[0], b[0]), self.0.avx._mm256_sub_ps(a[1], b[1])]
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.avx._mm256_mul_ps(a[0], b[0]), self.0.avx._mm256_mul_ps(a[1], b[1])]
    }

    #[inline(always)]
    fn scaled(self, a: Self::V, factor: f32, b: Self::V) -> Self::V {
        let factor = self.0.avx._mm256_set1_ps(factor);
        [self.0.fma._mm256_fmadd_ps(factor, b[0], a[0]), self.0.fma._mm256_fmadd_ps(factor, b[1], a[1])]
    }

    #[inline(always)]
    fn interleave(self, a: Self::V, b: Self::V, high: bool) -> Self::V {
        const { assert!(LANES == 16) };
        let (a, b) = (a[usize::from(high)], b[usize::from(high)]);
        let (even, odd) = (self.0.avx._mm256_unpacklo_ps(a, b), self.0.avx._mm256_unpackhi_ps(a, b));
        [self.halves::<LOW>(even, odd), self.halves::<HIGH>(even, odd)]
    }

    #[inline(always)]
    fn split(self, [a, b, c, d]: [Self::V; 4]) -> [Self::V; 4] {
        let [low, high] = [self.split_half([a, b]), self.split_half([c, d])];
        [[low[0], high[0]], [low[1], high[1]], [low[2], high[2]], [low[3], high[3]]]
    }

    #[inline(always)]
    fn join(self, [a, b, c, d]: [Self::V; 4]) -> [Self::V; 4] {
        let [first, second] = self.join_half([a[0], b[0], c[0], d[0]]);
        let [third, fourth] = self.join_half([a[1], b[1], c[1], d[1]]);
        [first, second, third, fourth]
    }

    /// Four squares of eight, which need fewer shuffles and no more registers than there are.
    #[inline(always)]
    fn transpose(self, rows: [&Lanes; LANES], (columns, pitch): (&mut [f32], usize), count: usize) {
        const SQUARE: usize = LANES / 2;
        for (down, across) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let square: [Half; SQUARE] = std::array::from_fn(|row| cut(rows[down * SQUARE + row])[across]);
            let square = self.square(pulp::cast(square));
            for (index, values) in pulp::cast::<_, [Half; SQUARE]>(square).into_iter().enumerate() {
                let column = across * SQUARE + index;
                if column < count {
                    columns[column * pitch + down * SQUARE..][..SQUARE].copy_from_slice(&values);
                }
            }
        }
    }
}

/// Eight values in memory.
type Half = [f32; LANES / 2];

#[inline(always)]
fn cut(values: &Lanes) -> [Half; 2] {
    pulp::cast(*values)
}

#[cfg(test)]
mod tests {
    #[test]
    fn shuffles_are_those_of_the_plain_loops() {
        let Some(simd) = pulp::x86::V3::try_new() else { return };
        crate::lanes::compare_with_plain_loops(super::Avx2(simd));
    }
}
