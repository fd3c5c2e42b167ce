//! No seam can be seen: a picture cut into tiles comes out as it would whole, alone or with helpers, and in all its orientations.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use latentd::config::Node;
use latentd::crew::Crew;
use latentd::media::image::{Depth, Layout, Samples};
use latentd::media::{Image, Media};
use latentd::model::{Choice, Kernel, Model, Models};
use latentd::stage::{self, Context, Site, Stage};

fn models_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn picture(width: usize, height: usize, layout: Layout) -> Image {
    let rgb = common::picture(width as u32, height as u32);
    let mut image = Image::new(width, height, layout, Depth::Eight);
    let samples = rgb.pixels().flat_map(|p| match layout {
        Layout::Gray => vec![p[0]],
        Layout::GrayAlpha => vec![p[0], 255 - p[1] / 2],
        Layout::Rgb => p.0.to_vec(),
        Layout::Rgba => vec![p[0], p[1], p[2], 255 - p[1] / 2],
    });
    image.samples = Samples::U8(samples.collect());
    image
}

struct Bench {
    model: Arc<Model>,
    stage: Box<dyn Stage>,
}

fn bench(stage: &str, model: &str, settings: &[(&str, Node)]) -> Bench {
    let models = Models::new(vec![models_folder()]);
    let all = [("model", Node::from(model))].into_iter().chain(settings.iter().cloned());
    let stage = stage::named(stage, all, &Site { models: &models, folder: Path::new(".") }).unwrap();
    Bench { model: models.get(model, Path::new(".")).unwrap(), stage }
}

impl Bench {
    fn run(&self, tile: usize, image: &Image, crew: Crew) -> Image {
        self.model.choose(Choice { tile, kernel: Kernel::Direct });
        let context = Context { crew, intermediate: false };
        let Media::Image(image) = self.stage.run(vec![Media::Image(image.clone())], &context).unwrap().remove(0) else {
            panic!("a picture")
        };
        self.model.forget_plans();
        image
    }
}

fn worst(a: &Image, b: &Image) -> u8 {
    let (Samples::U8(a), Samples::U8(b)) = (&a.samples, &b.samples) else { panic!("8 bits in, 8 bits out") };
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn denoised_tiles_equal_the_whole() {
    let bench = bench("denoise", "denoise-photo", &[("sigma", Node::from(25.0))]);
    let image = picture(700, 430, Layout::Rgb);
    let whole = bench.run(1024, &image, Crew::alone());
    assert!(worst(&image, &whole) > 10, "something was done");
    for tile in [256, 384, 512] {
        assert!(worst(&whole, &bench.run(tile, &image, Crew::alone())) <= 1, "tile {tile}");
    }
}

#[test]
fn enlarged_tiles_equal_the_whole() {
    let bench = bench("upscale", "upscale-photo-x2", &[]);
    for (width, height) in [(333, 217), (1, 1), (5, 300)] {
        let image = picture(width, height, Layout::Rgb);
        let whole = bench.run(512, &image, Crew::alone());
        assert_eq!((whole.width, whole.height), (2 * width, 2 * height));
        for tile in [96, 128, 256] {
            assert!(worst(&whole, &bench.run(tile, &image, Crew::alone())) <= 1, "{width}x{height}, tile {tile}");
        }
    }
}

#[test]
fn helpers_change_nothing() {
    let bench = bench("denoise", "denoise-photo", &[("sigma", Node::from(25.0))]);
    let image = picture(700, 430, Layout::Rgb);
    let alone = bench.run(256, &image, Crew::alone());
    let (crew, calls) = Crew::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let calls = calls.clone();
            scope.spawn(move || calls.iter().filter_map(|c| c.upgrade()).for_each(|work| work.help()));
        }
        assert_eq!(alone.samples, bench.run(256, &image, crew).samples);
    });
}

#[test]
fn gray_stays_gray_and_opacity_stays() {
    let bench = bench("denoise", "denoise-photo", &[("sigma", Node::from(15.0))]);
    for layout in [Layout::Gray, Layout::GrayAlpha, Layout::Rgba] {
        let image = picture(90, 70, layout);
        let result = bench.run(256, &image, Crew::alone());
        assert_eq!(result.layout, layout);
        let (Samples::U8(before), Samples::U8(after)) = (&image.samples, &result.samples) else { panic!("8 bits") };
        assert_ne!(before, after);
        if layout.has_alpha() {
            let n = layout.channels();
            assert!(before.chunks(n).zip(after.chunks(n)).all(|(a, b)| a[n - 1] == b[n - 1]), "{layout:?}");
        }
    }
}

#[test]
fn strength_mixes_the_input_in() {
    let image = picture(120, 80, Layout::Rgb);
    let at = |strength: f64| {
        bench("denoise", "denoise-photo", &[("sigma", Node::from(25.0)), ("strength", Node::from(strength))]).run(
            256,
            &image,
            Crew::alone(),
        )
    };
    assert!(worst(&image, &at(0.0)) == 0);
    let (none, half, all) = (&image.samples, at(0.5), at(1.0));
    let (Samples::U8(none), Samples::U8(half), Samples::U8(all)) = (none, &half.samples, &all.samples) else {
        panic!("8 bits")
    };
    for ((none, half), all) in none.iter().zip(half).zip(all) {
        assert!((f32::from(*half) - (f32::from(*none) + f32::from(*all)) / 2.0).abs() <= 1.5);
    }
}

#[test]
fn sixteen_bits_stay_sixteen() {
    let bench = bench("denoise", "denoise-photo", &[("sigma", Node::from(10.0))]);
    let mut image = picture(80, 60, Layout::Rgb).to_sixteen();
    image.depth = Depth::Sixteen;
    let result = bench.run(256, &image, Crew::alone());
    assert_eq!(result.depth, Depth::Sixteen);
    let Samples::U16(samples) = &result.samples else { panic!("16 bits") };
    assert!(samples.iter().any(|s| s % 257 != 0), "more than 256 levels");
}

/// The picture in one of its eight orientations: bit 0 of `turn` mirrors left-right, bit 1 top-bottom, bit 2 swaps the axes after that.
fn turned(image: &Image, turn: u8) -> Image {
    let (width, height) = if turn & 4 == 0 { (image.width, image.height) } else { (image.height, image.width) };
    let Samples::U16(samples) = &image.samples else { panic!("16 bits") };
    let n = image.layout.channels();
    let samples = (0..samples.len()).map(|at| {
        let (x, y) = (at / n % width, at / n / width);
        let (x, y) = if turn & 4 == 0 { (x, y) } else { (y, x) };
        let x = if turn & 1 == 0 { x } else { image.width - 1 - x };
        let y = if turn & 2 == 0 { y } else { image.height - 1 - y };
        samples[(y * image.width + x) * n + at % n]
    });
    Image { width, height, samples: Samples::U16(samples.collect()), ..image.clone() }
}

#[test]
fn an_ensemble_is_the_mean_of_eight_orientations() {
    let mut image = picture(24, 20, Layout::Rgb).to_sixteen();
    image.depth = Depth::Sixteen;
    let run = |ensemble: bool, image: &Image| {
        let settings = [("ensemble", Node::from(ensemble))];
        bench("upscale", "upscale-photo-x2-fast", &settings).run(256, image, Crew::alone())
    };
    let (one, ensemble) = (run(false, &image), run(true, &image));
    let mut sum = vec![0u32; one.samples.len()];
    for turn in 0..8 {
        let result = run(false, &turned(&image, turn));
        let back = (0..8).find(|&back| turned(&turned(&image, turn), back) == image).unwrap();
        let Samples::U16(samples) = turned(&result, back).samples else { panic!("16 bits in, 16 bits out") };
        sum.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += u32::from(sample));
    }
    let mean = sum.into_iter().map(|sum| (sum / 8) as u16).collect();
    let mean = Image { samples: Samples::U16(mean), ..ensemble.clone() };
    // In steps of 8 bits. The tile around a turned picture reaches over other borders, so a few pixels differ a little.
    let (apart, changed) = (255.0 * mean.distance(&ensemble), 255.0 * one.distance(&ensemble));
    assert!(apart < 0.02 && changed > 0.4, "{apart} from the mean, {changed} from one orientation");
}
