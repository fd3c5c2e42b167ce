//! The transforms of Winograd's minimal filtering F(4x4, 3x3), sixteen tiles at a time.
//!
//! The matrices are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
//! (2016), section 4.3. A vector holds one value for each of sixteen neighbouring tiles, or for
//! as many channels.

use crate::lanes::Vectors;

/// Output points of a tile, and the distance between tiles, along an axis.
pub(crate) const STEP: usize = 4;
/// Input points of a tile along an axis.
pub(crate) const SIDE: usize = 6;
/// Values of a transformed tile: as many products replace the 9 * 16 of the direct sum.
pub(crate) const POINTS: usize = SIDE * SIDE;

/// The input transform along one axis: `B^T d`.
#[inline(always)]
pub(crate) fn input<T: Vectors>(v: T, d: [T::V; SIDE]) -> [T::V; SIDE] {
    let even = v.scaled(d[4], -4.0, d[2]);
    let odd = v.scaled(d[3], -4.0, d[1]);
    let fourth = v.sub(d[4], d[2]);
    let twice = v.sub(d[3], d[1]);
    [
        v.scaled(v.scaled(d[4], 4.0, d[0]), -5.0, d[2]),
        v.add(even, odd),
        v.sub(even, odd),
        v.scaled(fourth, 2.0, twice),
        v.scaled(fourth, -2.0, twice),
        v.scaled(v.scaled(d[5], 4.0, d[1]), -5.0, d[3]),
    ]
}

/// The output transform along one axis: `A^T m`.
#[inline(always)]
pub(crate) fn output<T: Vectors>(v: T, m: [T::V; SIDE]) -> [T::V; STEP] {
    let (sum, difference) = (v.add(m[1], m[2]), v.sub(m[1], m[2]));
    let (outer, slope) = (v.add(m[3], m[4]), v.sub(m[3], m[4]));
    [
        v.add(v.add(m[0], sum), outer),
        v.scaled(difference, 2.0, slope),
        v.scaled(sum, 4.0, outer),
        v.add(v.scaled(difference, 8.0, slope), m[5]),
    ]
}

/// The weight transform along one axis: `G g`.
#[inline(always)]
pub(crate) fn weight<T: Vectors>(v: T, g: [T::V; 3]) -> [T::V; SIDE] {
    let outer = v.add(g[0], g[2]);
    let wide = v.scaled(v.scale(1.0 / 24.0, g[0]), 1.0 / 6.0, g[2]);
    [
        v.scale(0.25, g[0]),
        v.scale(-1.0 / 6.0, v.add(outer, g[1])),
        v.scale(-1.0 / 6.0, v.sub(outer, g[1])),
        v.scaled(wide, 1.0 / 12.0, g[1]),
        v.scaled(wide, -1.0 / 12.0, g[1]),
        g[2],
    ]
}

/// The adjoint of [`output`]: `A y`.
#[inline(always)]
pub(crate) fn output_adjoint<T: Vectors>(v: T, y: [T::V; STEP]) -> [T::V; SIDE] {
    let (even, odd) = (v.add(y[0], y[2]), v.add(y[1], y[3]));
    let far_even = v.scaled(y[0], 4.0, y[2]);
    let far_odd = v.scaled(v.add(y[1], y[1]), 8.0, y[3]);
    [y[0], v.add(even, odd), v.sub(even, odd), v.add(far_even, far_odd), v.sub(far_even, far_odd), y[3]]
}

/// The adjoint of [`weight`]: `G^T u`.
#[inline(always)]
pub(crate) fn weight_adjoint<T: Vectors>(v: T, u: [T::V; SIDE]) -> [T::V; 3] {
    let (sum, difference) = (v.add(u[1], u[2]), v.sub(u[2], u[1]));
    let (outer, slope) = (v.add(u[3], u[4]), v.sub(u[3], u[4]));
    [
        v.scaled(v.scaled(v.scale(0.25, u[0]), -1.0 / 6.0, sum), 1.0 / 24.0, outer),
        v.scaled(v.scale(1.0 / 6.0, difference), 1.0 / 12.0, slope),
        v.scaled(v.scaled(u[5], -1.0 / 6.0, sum), 1.0 / 6.0, outer),
    ]
}
