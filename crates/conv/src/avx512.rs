//! The vector operations in AVX-512, whose shuffles the compiler does not find by itself: it makes
//! gathers and scatters of them. `pulp` wraps the instructions so that holding its token is proof
//! enough that the machine has them.

use std::arch::x86_64::__m512;

use pulp::x86::V4;

use crate::lanes::{LANES, Lanes, Vectors};

/// AVX-512 on a machine that has it.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(pub V4);

/// Picks lanes of two vectors: below 16 of the first, from 16 on of the second.
type Picks = [u32; LANES];

const fn halves(first: u32) -> Picks {
    let mut picks = [0; LANES];
    let mut lane = 0;
    while lane < 8 {
        picks[lane as usize] = first + lane;
        picks[lane as usize + 8] = 16 + first + lane;
        lane += 1;
    }
    picks
}

const fn every_fourth(first: u32) -> Picks {
    let mut picks = [0; LANES];
    let mut lane = 0;
    while lane < 8 {
        picks[lane as usize] = first + 4 * lane;
        picks[lane as usize + 8] = first + 1 + 4 * lane;
        lane += 1;
    }
    picks
}

const fn fours(first: u32) -> Picks {
    let mut picks = [0; LANES];
    let mut lane = 0;
    while lane < 16 {
        picks[lane as usize] = first + lane / 4 + lane % 4 * 8;
        lane += 1;
    }
    picks
}

const fn pairs(first: u32) -> Picks {
    let mut picks = [0; LANES];
    let mut lane = 0;
    while lane < 16 {
        picks[lane as usize] = first + lane / 2 + lane % 2 * 16;
        lane += 1;
    }
    picks
}

impl Avx512 {
    #[inline(always)]
    fn pick(self, a: __m512, b: __m512, picks: Picks) -> __m512 {
        self.0.avx512f._mm512_permutex2var_ps(a, pulp::cast(picks), b)
    }
}

impl Vectors for Avx512 {
    type V = __m512;

    #[inline(always)]
    fn load(self, values: &Lanes) -> __m512 {
        pulp::cast(*values)
    }

    #[inline(always)]
    fn store(self, values: __m512) -> Lanes {
        pulp::cast(values)
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        self.0.avx512f._mm512_add_ps(a, b)
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        self.0.avx512f._mm512_sub_ps(a, b)
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        self.0.avx512f._mm512_mul_ps(a, b)
    }

    #[inline(always)]
    fn scaled(self, a: __m512, factor: f32, b: __m512) -> __m512 {
        self.0.avx512f._mm512_fmadd_ps(pulp::cast([factor; LANES]), b, a)
    }

    #[inline(always)]
    fn interleave(self, a: __m512, b: __m512, high: bool) -> __m512 {
        const { assert!(LANES == 16) };
        if high { self.pick(a, b, const { pairs(8) }) } else { self.pick(a, b, const { pairs(0) }) }
    }

    #[inline(always)]
    fn split(self, [a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
        let even = [const { every_fourth(0) }, const { every_fourth(2) }];
        let [ab, ab2] = even.map(|picks| self.pick(a, b, picks));
        let [cd, cd2] = even.map(|picks| self.pick(c, d, picks));
        let (low, high) = (const { halves(0) }, const { halves(8) });
        [self.pick(ab, cd, low), self.pick(ab, cd, high), self.pick(ab2, cd2, low), self.pick(ab2, cd2, high)]
    }

    #[inline(always)]
    fn join(self, [a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
        let (low, high) = (const { halves(0) }, const { halves(8) });
        let (ab, cd) = (self.pick(a, b, low), self.pick(c, d, low));
        let (ab2, cd2) = (self.pick(a, b, high), self.pick(c, d, high));
        let (first, second) = (const { fours(0) }, const { fours(4) });
        [self.pick(ab, cd, first), self.pick(ab, cd, second), self.pick(ab2, cd2, first), self.pick(ab2, cd2, second)]
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn shuffles_are_those_of_the_plain_loops() {
        let Some(simd) = pulp::x86::V4::try_new() else { return };
        crate::lanes::compare_with_plain_loops(super::Avx512(simd));
    }
}
