//! Patches of a picture that may tell its noise: none of a drawing or a page of text, whose edges must not pass for it.

use super::waves::{FAST, FAST_WAVES, SLOW, Waves, cosines, opponents, spectrum};
use super::{FEWEST, luminance};
use crate::media::Image;
use crate::media::image::Tile;

/// Side of a patch in pixels.
pub const SIDE: usize = 8;
/// Values of a patch in one colour, and as many waves.
pub const SIZE: usize = SIDE * SIDE;
/// Patches looked at, at most: enough for a steady estimate, and the largest photo takes no longer than a small one.
const PATCHES: usize = 40_000;
/// Luminance above this is noise where only patches count that are well within the range, or nearly: there pages of text, sharp, blurred or as JPEG,
/// measure no more than 3 steps of 255, and photos without noise no more than 5.8.
const STRONG: f64 = 20.0 / 255.0;
/// Pixels of a patch that have a left neighbour in it.
const PAIRS: usize = SIZE - SIDE;
/// A patch is mostly drawn if so many pixels of it, or more, are exactly like their left neighbours. In noise of 3 steps of 255 and no
/// colour, the weakest that matters, it is one in ten.
const DRAWN: usize = PAIRS / 4;

/// How many of the patches, which are in the order of their samples at the limits, have so few of them that what was cut off does not count.
pub fn clipped_little(patches: &[Patch], colors: usize) -> usize {
    patches.partition_point(|patch| patch.clipped <= SIZE * colors / 20)
}

/// What is kept of a patch.
pub struct Patch {
    /// Samples at the ends of the range.
    pub clipped: usize,
    /// Sum of squares of the slow waves, in all colours.
    pub slow: f32,
    /// Sum of squares of the slow waves of luminance.
    pub slow_gray: f32,
    /// Mean square of the fast waves of the two colour differences; 0 in a gray picture.
    pub color: f32,
    /// Squares of the fast waves of luminance.
    pub gray: [f32; FAST_WAVES],
}

/// Patches from all over the picture, but none if a third of them are of one shade each: noise leaves nothing like that behind, so this is a
/// drawing or a page of text, whose edges must not pass for noise. What there is less of may be a border around a noisy picture. Nor are there
/// any if more than half of those that are left are mostly drawn: lines of text that leave no patch of the paper alone. Where so
/// many are black or white, it may also be a photo that is under- or overexposed: what is well within the range tells, and a page of text
/// has nothing there. Strong noise reaches the limits everywhere, and is told from text by how much of it is luminance.
pub fn patches(image: &Image) -> Vec<Patch> {
    let colors = image.layout.colors();
    let (columns, rows) = (image.width - SIDE + 1, image.height - SIDE + 1);
    // Odd steps do not fall in with the 8x8 grid of a JPEG.
    let across = ((columns * rows / PATCHES) as f64).sqrt() as usize | 1;
    let down = (columns.div_ceil(across) * rows).div_ceil(PATCHES) | 1;
    let waves = cosines();
    let mut patches = Vec::new();
    let (mut painted, mut at_limit, mut drawn) = (0usize, 0usize, 0usize);
    for y in (0..rows).step_by(down) {
        for x in (0..columns).step_by(across) {
            let tile = Tile { y: y as isize, x: x as isize, height: SIDE, width: SIDE };
            // Under full transparency lies anything.
            if image.alpha_tile_f32(tile).is_some_and(|alpha| alpha.contains(&0.0)) {
                continue;
            }
            let planes = image.tile_f32(tile, colors);
            if planes.iter().all(|v| *v <= 0.0) || planes.iter().all(|v| *v >= 1.0) {
                at_limit += 1;
            } else if planes.chunks_exact(SIZE).all(|plane| plane.iter().all(|v| *v == plane[0])) {
                painted += 1;
            } else {
                drawn += usize::from(alike(&planes) >= DRAWN);
                patches.push(measure(&planes, &waves));
            }
        }
    }
    if 2 * painted > patches.len() || 2 * drawn > patches.len() {
        patches.clear();
    } else if 2 * (painted + at_limit) > patches.len() {
        patches.sort_by_key(|patch| patch.clipped);
        let open = clipped_little(&patches, colors);
        if open >= FEWEST && luminance(&patches[..open]) > STRONG {
            patches.truncate(open);
            return patches;
        }
        patches.retain(|patch| patch.clipped == 0);
        if patches.len() < FEWEST || 2 * painted > patches.len() {
            patches.clear();
        }
    }
    patches
}

/// Pixels that are exactly like their left neighbours; those at the ends of the range, where noise is cut off, do not count.
fn alike(planes: &[f32]) -> usize {
    let within = |at: &usize| planes.iter().skip(*at).step_by(SIZE).any(|v| *v > 0.0 && *v < 1.0);
    let same = |at: &usize| planes.chunks_exact(SIZE).all(|plane| plane[*at] == plane[at - 1]);
    (0..SIZE).filter(|at| at % SIDE > 0).filter(same).filter(within).count()
}

fn measure(planes: &[f32], waves: &Waves) -> Patch {
    let clipped = planes.iter().filter(|v| **v <= 0.0 || **v >= 1.0).count();
    let mut patch = Patch { clipped, slow: 0.0, slow_gray: 0.0, color: 0.0, gray: [0.0; FAST_WAVES] };
    for (index, plane) in opponents(planes).iter().enumerate() {
        let spectrum = spectrum(plane, waves);
        let mut fast = 0;
        for (at, value) in spectrum.iter().enumerate() {
            let (frequency, square) = (at / SIDE + at % SIDE, value * value);
            if (1..=SLOW).contains(&frequency) {
                patch.slow += square;
            } else if frequency >= FAST && index == 0 {
                patch.gray[fast] = square;
                fast += 1;
            } else if frequency >= FAST {
                patch.color += square / (2 * FAST_WAVES) as f32;
            }
        }
        if index == 0 {
            patch.slow_gray = patch.slow;
        }
    }
    patch
}
