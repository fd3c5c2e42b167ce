//! Patches taken apart into waves, by the cosine transform.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use super::patches::{SIDE, SIZE};

/// Waves whose two frequencies (0..=7 half periods) add up to at most this are slow; the constant one is left out.
pub const SLOW: usize = 5;
/// Number of slow waves.
pub const SLOW_WAVES: usize = 20;
/// Waves whose two frequencies add up to at least this are fast.
pub const FAST: usize = 9;
/// Number of fast waves.
pub const FAST_WAVES: usize = 21;

/// Luminance and two differences of the colours, or the one plane of a gray picture. The axes are at right angles and of length 1, so
/// white noise is as strong in each as in the colours.
pub fn opponents(planes: &[f32]) -> Vec<[f32; SIZE]> {
    let axis = |weights: [f32; 3], length: f32| {
        let mut plane = [0.0; SIZE];
        for (weight, color) in weights.iter().zip(planes.chunks_exact(SIZE)) {
            for (sum, value) in plane.iter_mut().zip(color) {
                *sum += weight / length.sqrt() * value;
            }
        }
        plane
    };
    match planes.len() / SIZE {
        1 => vec![axis([1.0, 0.0, 0.0], 1.0)],
        _ => vec![axis([1.0, 1.0, 1.0], 3.0), axis([1.0, 0.0, -1.0], 2.0), axis([1.0, -2.0, 1.0], 6.0)],
    }
}

/// Waves of one axis, one a row.
pub type Waves = [[f32; SIDE]; SIDE];

/// The waves of one axis, one a row, each of length 1.
pub fn cosines() -> Waves {
    let wave = |frequency: usize, at: usize| {
        let scale = if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        scale * 0.5 * (PI / SIDE as f32 * (at as f32 + 0.5) * frequency as f32).cos()
    };
    std::array::from_fn(|frequency| std::array::from_fn(|at| wave(frequency, at)))
}

/// The cosine transform (DCT-II) of an 8x8 patch.
pub fn spectrum(plane: &[f32; SIZE], waves: &Waves) -> [f32; SIZE] {
    let turned: Waves = std::array::from_fn(|at| std::array::from_fn(|frequency| waves[frequency][at]));
    let (mut half, mut whole) = ([0.0; SIZE], [0.0; SIZE]);
    for (wave, out) in waves.iter().zip(half.chunks_exact_mut(SIDE)) {
        for (weight, line) in wave.iter().zip(plane.chunks_exact(SIDE)) {
            out.iter_mut().zip(line).for_each(|(sum, value)| *sum += weight * value);
        }
    }
    for (line, out) in half.chunks_exact(SIDE).zip(whole.chunks_exact_mut(SIDE)) {
        for (value, wave) in line.iter().zip(&turned) {
            out.iter_mut().zip(wave).for_each(|(sum, weight)| *sum += weight * value);
        }
    }
    whole
}
