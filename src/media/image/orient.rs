//! The eight orientations of EXIF, applied to the pixels.

use super::{Density, Image, Samples, chunks};

/// Turns `image` so that a picture whose EXIF orientation is `orientation` (1..=8) stands upright. Any other value leaves it.
pub(super) fn apply(image: &mut Image, orientation: u8) {
    let channels = image.layout.channels();
    let (width, height) = (image.width, image.height);
    match &mut image.samples {
        Samples::U8(samples) => turn(samples, width, height, channels, orientation),
        Samples::U16(samples) => turn(samples, width, height, channels, orientation),
    }
    if (5..=8).contains(&orientation) {
        (image.width, image.height) = (height, width);
        chunks::turn(&mut image.metadata.chunks);
        image.metadata.density = image.metadata.density.map(Density::turned);
        if let Some(block) = &mut image.metadata.exif {
            Density::turn_exif(block);
        }
    }
}

fn turn<T: Copy>(samples: &mut Vec<T>, width: usize, height: usize, channels: usize, orientation: u8) {
    match orientation {
        2 => mirror_rows(samples, width, channels),
        3 => reverse_pixels(samples, channels),
        4 => {
            reverse_pixels(samples, channels);
            mirror_rows(samples, width, channels);
        }
        5..=8 => {
            let mut out = Vec::with_capacity(samples.len());
            // The new rows are the old columns: 5 transposes, 6 turns right, 7 transposes the other way, 8 turns left.
            let from_right = matches!(orientation, 7 | 8);
            let from_bottom = matches!(orientation, 6 | 7);
            for row in 0..width {
                let x = if from_right { width - 1 - row } else { row };
                for column in 0..height {
                    let y = if from_bottom { height - 1 - column } else { column };
                    let at = (y * width + x) * channels;
                    out.extend_from_slice(&samples[at..at + channels]);
                }
            }
            *samples = out;
        }
        _ => {}
    }
}

fn mirror_rows<T>(samples: &mut [T], width: usize, channels: usize) {
    for row in samples.chunks_exact_mut(width * channels) {
        reverse_pixels(row, channels);
    }
}

/// The pixels in reverse order, each keeping the order of its channels.
fn reverse_pixels<T>(samples: &mut [T], channels: usize) {
    samples.reverse();
    for pixel in samples.chunks_exact_mut(channels) {
        pixel.reverse();
    }
}
