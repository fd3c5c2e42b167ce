//! What a 24-megapixel photo costs, by format, in processor time and memory: `cargo bench --bench images`.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/images_common/mod.rs"]
mod images_common;

use images_common::*;
use latentd::media::image::{
    Chroma, Depth, Effort, EncodeOptions, Format, Image, Layout, Samples, Tile, encode, fill_under_alpha, resize,
};
use std::fs;
use std::io::Cursor;

/// Processor time of this thread in seconds; wall time would measure the neighbours too.
fn clock() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn memory(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Runs `work`; prints its time and how far memory rose above where it stood.
fn measure<T>(label: &str, work: impl FnOnce() -> T) -> T {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, start) = (memory("VmRSS"), clock());
    let result = work();
    println!("{label:34} {:6.2} s  +{:4.0} MiB", clock() - start, memory("VmHWM") - before);
    result
}

/// Smooth shapes with edges and grain, which compress about as a photo does.
fn photo(depth: Depth) -> Image {
    let mut image = resize(&picture(600, 400, Layout::Rgb, Depth::Sixteen), 6000, 4000).unwrap();
    let mut noise = 1_u32;
    let Samples::U16(samples) = &mut image.samples else { panic!() };
    for sample in samples {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = sample.saturating_add((noise >> 21) as u16);
    }
    let mut image = image.to_depth(depth);
    image.depth = depth;
    image
}

fn main() {
    for (depth, formats) in [(Depth::Eight, &Format::ALL[..]), (Depth::Sixteen, &[Format::Png, Format::Tiff])] {
        let image = photo(depth);
        for format in formats.iter().copied() {
            let options = |chroma, effort| EncodeOptions { chroma, effort, ..Default::default() };
            let variants = match format {
                Format::Png | Format::Tiff => {
                    vec![
                        ("fast", options(Chroma::Full, Effort::Fast)),
                        ("balanced", options(Chroma::Full, Effort::Balanced)),
                    ]
                }
                Format::Jpeg => {
                    vec![("4:4:4", options(Chroma::Full, Effort::Fast)), ("4:2:0", options(Chroma::Half, Effort::Fast))]
                }
                _ => vec![("", EncodeOptions::default())],
            };
            for (variant, options) in variants {
                let bytes = measure(&format!("encode {depth:?} {} {variant}", format.name()), || {
                    let mut out = Cursor::new(Vec::with_capacity(160 << 20));
                    encode::write(&image, format, &options, &mut out).unwrap();
                    out.into_inner()
                });
                let label = format!("decode, {:.1} MiB", bytes.len() as f64 / f64::from(1 << 20));
                measure(&label, || decoded(&bytes, format).unwrap());
            }
        }
    }
    let image = photo(Depth::Eight);
    let tile = |x, y| Tile { y, x, height: 256, width: 256 };
    let corners = || (0..4000).step_by(256).flat_map(|y| (0..6000).step_by(256).map(move |x| (x, y)));
    measure("all tiles to floats", || corners().map(|(x, y)| image.tile_f32(tile(x, y), 3)[0]).sum::<f32>());
    let mut target = image.clone();
    let planes = image.tile_f32(tile(0, 0), 3);
    measure("all tiles from floats", || {
        corners().for_each(|(x, y)| target.put_tile_f32(&planes, 3, tile(x, y), tile(0, 0)))
    });
    measure("resize to half", || resize(&image, 3000, 2000).unwrap());
    measure("resize to double", || resize(&image, 12_000, 8000).unwrap());
    measure("to 16 bits", || image.clone().to_sixteen());
    let mut holes = Image::new(6000, 4000, Layout::Rgba, Depth::Eight);
    if let Samples::U8(samples) = &mut holes.samples {
        samples
            .iter_mut()
            .enumerate()
            .for_each(|(i, s)| *s = if i % 4 == 3 { u8::from(i / 4000 % 3 == 0) } else { i as u8 });
    }
    measure("fill under alpha", || fill_under_alpha(&mut holes));
    let mut turned = photo(Depth::Eight);
    turned.metadata.exif = Some(tiff_structure(&[&[(0x0112, 3, 1, &[6, 0])]], None));
    let bytes = encoded(&turned, Format::Jpeg);
    measure("decode JPEG and turn it", || decoded(&bytes, Format::Jpeg).unwrap());
}
