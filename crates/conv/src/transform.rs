//! The transforms of Winograd's minimal filtering F(4x4, 3x3), sixteen tiles at a time.
//!
//! The matrices are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
//! (2016), section 4.3. Values of one kind for sixteen neighbouring tiles (or channels) lie side by
//! side in a [`Lanes`], which the compiler keeps in one or a few vector registers.

/// Tiles that are transformed together.
pub(crate) const LANES: usize = 16;
/// Output points of a tile, and the distance between tiles, along an axis.
pub(crate) const STEP: usize = 4;
/// Input points of a tile along an axis.
pub(crate) const SIDE: usize = 6;
/// Values of a transformed tile: as many products replace the 9 * 16 of the direct sum.
pub(crate) const POINTS: usize = SIDE * SIDE;

/// One value for each of sixteen tiles.
pub(crate) type Lanes = [f32; LANES];

#[inline(always)]
fn map2(a: &Lanes, b: &Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut result = [0.0; LANES];
    for lane in 0..LANES {
        result[lane] = f(a[lane], b[lane]);
    }
    result
}

#[inline(always)]
fn add(a: &Lanes, b: &Lanes) -> Lanes {
    map2(a, b, |a, b| a + b)
}

#[inline(always)]
fn sub(a: &Lanes, b: &Lanes) -> Lanes {
    map2(a, b, |a, b| a - b)
}

/// `a + factor * b`.
#[inline(always)]
fn scaled(a: &Lanes, factor: f32, b: &Lanes) -> Lanes {
    map2(a, b, |a, b| a + factor * b)
}

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
    let scale = |factor: f32, a: &Lanes| map2(a, a, |a, _| factor * a);
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

/// The lanes that start at `index`.
#[inline(always)]
pub(crate) fn load(values: &[f32], index: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&values[index..index + LANES]);
    lanes
}

/// Every fourth value from each of the first four: a row of points as the columns of its tiles.
#[inline(always)]
pub(crate) fn split(row: &[f32; STEP * LANES]) -> [Lanes; STEP] {
    let mut columns = [[0.0; LANES]; STEP];
    for lane in 0..LANES {
        for (column, values) in columns.iter_mut().enumerate() {
            values[lane] = row[lane * STEP + column];
        }
    }
    columns
}

/// The inverse of [`split`].
#[inline(always)]
pub(crate) fn join(columns: &[Lanes; STEP]) -> [f32; STEP * LANES] {
    let mut row = [0.0; STEP * LANES];
    for lane in 0..LANES {
        for (column, values) in columns.iter().enumerate() {
            row[lane * STEP + column] = values[lane];
        }
    }
    row
}
