//! A sensor behind a mosaic of red, green and blue filters, and what the camera makes of its noise.
//!
//! The noise of a photo is that of the sensor after the camera's own processing (Brooks et al. 2019, "Unprocessing Images for Learned Raw Denoising"):
//! a picture is taken back to the light that the sensor would have seen, the noise is drawn there and goes the way of a photo.
//! Interpolating the mosaic is linear here, so that the noise can go that way alone and the picture keeps its own pixels.

use nalgebra::{Matrix3, Vector3};
use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::{gaussian, smooth};

/// The exponent of the tone curve, near enough to sRGB's.
const GAMMA: f32 = 2.2;

/// What brightness is made of in linear light (BT.709).
const LUMA: Vector3<f32> = Vector3::new(0.2126, 0.7152, 0.0722);

/// A camera and how it is set.
struct Camera {
    /// The variance of noise at full light that comes of light's arriving in photons.
    shot: f32,
    /// The deviation of noise in the dark.
    read: f32,
    /// From the sensor's colours to the picture's, white balance included.
    colours: Matrix3<f32>,
    /// The same back.
    back: Matrix3<f32>,
    /// Where the mosaic begins.
    phase: [usize; 2],
    /// Deviations in pixels of the smoothing of the noise's brightness and of its colours.
    smoothing: [f32; 2],
    /// The share of the noise's brightness that is as coarse as its colours.
    blotches: f32,
    /// How much of its strength noise keeps when it is smoothed: cameras smooth what is fine, and leave what is coarse.
    kept: [f32; 2],
    /// How much it sharpens.
    sharpening: f32,
}

impl Camera {
    fn draw(rng: &mut StdRng) -> Self {
        let logarithmic = |rng: &mut StdRng, low: f32, high: f32| (rng.random_range(low.ln()..high.ln())).exp();
        let (shot, read) = (logarithmic(rng, 1e-5, 5e-3), logarithmic(rng, 3e-4, 8e-3));
        // Filters overlap, so that a colour is what its filter lets through less some of the others; white stays white.
        let mut less = |low: f32, high: f32| -rng.random_range(low..high);
        let [rg, rb, gr, gb, br, bg] =
            [less(0.2, 0.9), less(-0.2, 0.2), less(0.1, 0.4), less(0.1, 0.5), less(0.0, 0.15), less(0.2, 0.7)];
        let matrix = Matrix3::new(1.0 - rg - rb, rg, rb, gr, 1.0 - gr - gb, gb, br, bg, 1.0 - br - bg);
        let balance = Vector3::new(rng.random_range(1.2..2.6f32), 1.0, rng.random_range(1.2..2.4f32));
        let colours = matrix * Matrix3::from_diagonal(&balance);
        // A tenth of a pixel is none.
        let fine = if rng.random_bool(0.3) { 0.1 } else { rng.random_range(0.25..1.2f32) };
        let coarse = logarithmic(rng, 0.5, 6.0);
        Self {
            shot,
            read,
            colours,
            // In each row a colour's own place outweighs the others: there is an inverse.
            back: colours.try_inverse().unwrap_or_else(Matrix3::identity),
            phase: [rng.random_range(0..2), rng.random_range(0..2)],
            smoothing: [fine, coarse],
            blotches: rng.random_range(0.0..0.25),
            kept: [rng.random_range(0.5..1.0), rng.random_range(0.4..1.0)],
            sharpening: if rng.random_bool(0.5) { 0.0 } else { rng.random_range(0.0..0.8f32) },
        }
    }

    /// Which filter lies over a pixel: green in a chessboard, red and blue in every other row.
    fn filter(&self, x: usize, y: usize) -> usize {
        match ((x + self.phase[0]) % 2, (y + self.phase[1]) % 2) {
            (0, 0) => 0,
            (1, 1) => 2,
            _ => 1,
        }
    }
}

/// The noise of a sensor, as it looks when the camera has made a picture of it, on planes of 0..1, `[3, side, side]`.
pub fn expose(rng: &mut StdRng, planes: &mut [f32], side: usize) {
    let camera = Camera::draw(rng);
    let plane = side * side;
    let light: Vec<Vector3<f32>> =
        (0..plane).map(|at| Vector3::from_fn(|channel, _| planes[channel * plane + at].max(0.0).powf(GAMMA))).collect();
    let seen: Vec<f32> = light
        .iter()
        .enumerate()
        .map(|(at, light)| {
            let raw = camera.back * light;
            let power = camera.shot * raw[camera.filter(at % side, at / side)].clamp(0.0, 1.0);
            let noise: f32 = StandardNormal.sample(rng);
            noise * (power + camera.read * camera.read).sqrt()
        })
        .collect();
    let noise = finish(&camera, &demosaic(&camera, &seen, side), side);
    for (at, light) in light.iter().enumerate() {
        for channel in 0..3 {
            let value = light[channel] + noise[channel * plane + at];
            planes[channel * plane + at] = value.clamp(0.0, 1.0).powf(1.0 / GAMMA);
        }
    }
    if camera.sharpening > 0.0 {
        planes.chunks_exact_mut(plane).for_each(|values| sharpen(values, side, camera.sharpening));
    }
}

/// All three colours at each pixel, from the one that its filter let through, by what neighbours say of the missing ones
/// (Malvar, He and Cutler 2004, "High-quality linear interpolation for demosaicing of Bayer-patterned color images").
fn demosaic(camera: &Camera, seen: &[f32], side: usize) -> Vec<f32> {
    // Mirrored at the edge, which keeps the order of the filters.
    let mirrored = |at: isize| if at < 0 { -at } else { at.min(2 * (side as isize - 1) - at) } as usize;
    let mut planes = vec![0f32; 3 * side * side];
    for y in 0..side {
        for x in 0..side {
            let at = |dx: isize, dy: isize| seen[mirrored(y as isize + dy) * side + mirrored(x as isize + dx)];
            let across = [at(-1, 0) + at(1, 0), at(-2, 0) + at(2, 0)];
            let down = [at(0, -1) + at(0, 1), at(0, -2) + at(0, 2)];
            let corners = at(-1, -1) + at(1, -1) + at(-1, 1) + at(1, 1);
            let own = at(0, 0);
            let beside = |near: [f32; 2], far: [f32; 2]| 5.0 * own + 4.0 * near[0] - corners - near[1] + 0.5 * far[1];
            let filter = camera.filter(x, y);
            let mut colours = [0f32; 3];
            if filter == 1 {
                let of_row = camera.filter(x + 1, y);
                colours[of_row] = beside(across, down) / 8.0;
                colours[2 - of_row] = beside(down, across) / 8.0;
            } else {
                colours[1] = (4.0 * own + 2.0 * (across[0] + down[0]) - across[1] - down[1]) / 8.0;
                colours[2 - filter] = (6.0 * own + 2.0 * corners - 1.5 * (across[1] + down[1])) / 8.0;
            }
            colours[filter] = own;
            colours.iter().enumerate().for_each(|(channel, v)| planes[(channel * side + y) * side + x] = *v);
        }
    }
    planes
}

/// Noise in the sensor's colours, in those of the picture, and with the camera's own smoothing: colours become blotches of some pixels,
/// brightness stays finer.
fn finish(camera: &Camera, noise: &[f32], side: usize) -> Vec<f32> {
    let plane = side * side;
    let mut planes = vec![0f32; 3 * plane];
    let mut brightness = vec![0f32; plane];
    for at in 0..plane {
        let noise = camera.colours * Vector3::from_fn(|channel, _| noise[channel * plane + at]);
        brightness[at] = LUMA.dot(&noise);
        (0..3).for_each(|channel| planes[channel * plane + at] = noise[channel] - brightness[at]);
    }
    let smoothed = |values: &[f32], which: usize| {
        let kernel = gaussian(camera.smoothing[which]);
        // Smoothing leaves this of the deviation of noise whose pixels have nothing to do with each other.
        let left = kernel.iter().map(|k| k * k).sum::<f32>();
        let scale = left.powf(-camera.kept[which]);
        smooth(values, side, &kernel).into_iter().map(move |v| v * scale)
    };
    let (fine, coarse) = (smoothed(&brightness, 0), smoothed(&brightness, 1));
    let brightness: Vec<f32> = fine.zip(coarse).map(|(f, c)| f + camera.blotches * (c - f)).collect();
    let colours = planes.chunks_exact(plane).map(|colour| smoothed(colour, 1));
    colours.flat_map(|colour| colour.zip(&brightness).map(|(c, b)| c + b).collect::<Vec<_>>()).collect()
}

/// Unsharp masking by a 3x3 mean.
fn sharpen(plane: &mut [f32], side: usize, amount: f32) {
    let source = plane.to_vec();
    for y in 1..side - 1 {
        for x in 1..side - 1 {
            let mean: f32 = (0..9).map(|i| source[(y + i / 3 - 1) * side + x + i % 3 - 1]).sum::<f32>() / 9.0;
            let at = y * side + x;
            plane[at] = (source[at] + amount * (source[at] - mean)).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn an_even_light_is_the_same_after_the_mosaic() {
        let mut rng = StdRng::seed_from_u64(1);
        let side = 12;
        for _ in 0..8 {
            let camera = Camera::draw(&mut rng);
            let colours = [0.2, 0.5, 0.7];
            let seen: Vec<f32> = (0..side * side).map(|at| colours[camera.filter(at % side, at / side)]).collect();
            let planes = demosaic(&camera, &seen, side);
            for (plane, colour) in planes.chunks_exact(side * side).zip(colours) {
                assert!(plane.iter().all(|v| (v - colour).abs() < 1e-5), "{colour}");
            }
            let white = camera.colours * camera.back * Vector3::repeat(1.0);
            assert!((white - Vector3::repeat(1.0)).norm() < 1e-3, "{white}");
        }
    }

    #[test]
    fn noise_is_blotched_and_stronger_where_there_is_more_light() {
        let side = 64;
        let mut rng = StdRng::seed_from_u64(3);
        let (mut dark, mut bright, mut alike, mut all) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..40 {
            let camera = Camera { shot: 1e-3, read: 1e-4, sharpening: 0.0, ..Camera::draw(&mut rng) };
            let seen: Vec<f32> = (0..side * side).map(|_| StandardNormal.sample(&mut rng)).collect();
            let noise = finish(&camera, &demosaic(&camera, &seen, side), side);
            alike += noise.windows(2).map(|pair| pair[0] * pair[1]).sum::<f32>();
            all += noise.iter().map(|v| v * v).sum::<f32>();
            let spread = |light: f32, rng: &mut StdRng| {
                let mut planes = vec![light; 3 * side * side];
                expose(rng, &mut planes, side);
                planes.iter().map(|v| (v.powf(GAMMA) - light.powf(GAMMA)).powi(2)).sum::<f32>()
            };
            dark += spread(0.2, &mut rng);
            bright += spread(0.6, &mut rng);
        }
        assert!(alike > 0.3 * all, "{alike} of {all}");
        assert!(bright > dark, "{bright} against {dark}");
    }
}
