//! The transforms of Winograd's minimal filtering F(4x4, 3x3), sixteen tiles at a time.
//!
//! The matrices are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
//! (2016), section 4.3. A [`Lanes`] holds one value for each of sixteen neighbouring tiles, or for
//! as many channels.

use crate::lanes::{Lanes, add, scale, scaled, sub};

/// Output points of a tile, and the distance between tiles, along an axis.
pub(crate) const STEP: usize = 4;
/// Input points of a tile along an axis.
pub(crate) const SIDE: usize = 6;
/// Values of a transformed tile: as many products replace the 9 * 16 of the direct sum.
pub(crate) const POINTS: usize = SIDE * SIDE;

/// The input transform along one axis: `B^T d`.
#[inline(always)]
pub(crate) fn input(d: &[Lanes; SIDE]) -> [Lanes; SIDE] {
    let even = scaled(&d[4], -4.0, &d[2]);
    let odd = scaled(&d[3], -4.0, &d[1]);
    let fourth = sub(&d[4], &d[2]);
    let twice = sub(&d[3], &d[1]);
    [
        scaled(&scaled(&d[4], 4.0, &d[0]), -5.0, &d[2]),
        add(&even, &odd),
        sub(&even, &odd),
        scaled(&fourth, 2.0, &twice),
        scaled(&fourth, -2.0, &twice),
        scaled(&scaled(&d[5], 4.0, &d[1]), -5.0, &d[3]),
    ]
}

/// The output transform along one axis: `A^T m`.
#[inline(always)]
pub(crate) fn output(m: &[Lanes; SIDE]) -> [Lanes; STEP] {
    let (sum, difference) = (add(&m[1], &m[2]), sub(&m[1], &m[2]));
    let (outer, slope) = (add(&m[3], &m[4]), sub(&m[3], &m[4]));
    [
        add(&add(&m[0], &sum), &outer),
        scaled(&difference, 2.0, &slope),
        scaled(&sum, 4.0, &outer),
        add(&scaled(&difference, 8.0, &slope), &m[5]),
    ]
}

/// The weight transform along one axis: `G g`.
#[inline(always)]
pub(crate) fn weight(g: &[Lanes; 3]) -> [Lanes; SIDE] {
    let outer = add(&g[0], &g[2]);
    let wide = scaled(&scale(1.0 / 24.0, &g[0]), 1.0 / 6.0, &g[2]);
    [
        scale(0.25, &g[0]),
        scale(-1.0 / 6.0, &add(&outer, &g[1])),
        scale(-1.0 / 6.0, &sub(&outer, &g[1])),
        scaled(&wide, 1.0 / 12.0, &g[1]),
        scaled(&wide, -1.0 / 12.0, &g[1]),
        g[2],
    ]
}
