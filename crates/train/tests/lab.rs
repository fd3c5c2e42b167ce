//! The recipes of small pictures from end to end: IDX files and folders in, models that verify out.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use latentd::media::Image;
use latentd::media::image::{Depth, Layout, Metadata, Samples};
use latentd::model::{Golden, Kernel, Model, Task, verify};
use latentd::stage::codec::ImageCodec;
use latentd_train::data::SmallPictures;

const SIDE: usize = 16;

/// Bright bars of three kinds at places that differ: level, upright, slanting.
fn bar(index: usize) -> (Vec<u8>, u8) {
    let class = index % 3;
    let at = 3 + index / 3 % 10;
    let lit = |x: usize, y: usize| match class {
        0 => y.abs_diff(at) < 2,
        1 => x.abs_diff(at) < 2,
        _ => (x + y).abs_diff(at + 8) < 2,
    };
    let pixels = (0..SIDE * SIDE).map(|i| if lit(i % SIDE, i / SIDE) { 230 } else { 10 }).collect();
    (pixels, class as u8)
}

fn idx(path: &Path, shape: &[usize], values: &[u8]) {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|&length| bytes.extend((length as u32).to_be_bytes()));
    bytes.extend(values);
    fs::write(path, bytes).expect("a file");
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir_all(desk.path("bars")).expect("a folder");
        for (part, count) in [("train", 240), ("t10k", 30)] {
            let (pixels, labels): (Vec<Vec<u8>>, Vec<u8>) = (0..count).map(bar).unzip();
            idx(&desk.path(&format!("bars/{part}-images-idx3-ubyte")), &[count, SIDE, SIDE], &pixels.concat());
            idx(&desk.path(&format!("bars/{part}-labels-idx1-ubyte")), &[count], &labels);
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_latentd-train"))
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .expect("the program starts")
    }

    fn succeed(&self, arguments: &str) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn log(&self, run: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.path(run).join("log.jsonl")).expect("a log");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn model(&self, name: &str) -> Model {
        let model = Model::from_path(&self.path(name)).expect("a model");
        let golden = Golden::of(&model).expect("a file that can be read").expect("a golden file");
        for &kernel in Kernel::ALL {
            assert!(verify(&model, &golden, kernel).expect("it runs") < 1e-4, "{name}");
        }
        model
    }
}

const SMALL: &str = "--batch 16 --widths 8,12 --score-every 20";

#[test]
fn every_kind_of_autoencoder_learns_and_is_published() {
    let desk = Desk::new();
    for kind in ["plain", "variational", "conditional", "adversarial"] {
        let rest = format!("--kind {kind} --latent 4 --narrow 4 --dense 24 --steps 300 --learning-rate 3e-3 {SMALL}");
        // Novelty has percentiles from a hundred pictures on.
        let rest = format!("{rest} --held-out 110");
        desk.succeed(&format!("autoencoder --data bars --out models/bars-{kind} {rest}"));
        let log = desk.log(&format!("runs/bars-{kind}"));
        let part = |entry: &serde_json::Value| entry["parts"]["reconstruction of a picture"].as_f64();
        let parts: Vec<f64> = log.iter().filter_map(part).collect();
        assert!(parts[parts.len() - 1] < 0.7 * parts[0], "{kind}: {parts:?}");
        let model = desk.model(&format!("models/bars-{kind}"));
        let space = model.card.latent.clone().expect("a latent space");
        assert_eq!((model.card.task, space.size, space.prior), (Task::Autoencode, 4, kind != "plain"));
        assert_eq!(space.classes, if kind == "conditional" { 3 } else { 0 });
        // What a conditional model finds novel would depend on what it is told.
        assert_eq!(space.novelty.is_some(), kind != "conditional");
        if let Some(novelty) = space.novelty {
            assert!(novelty.quantiles.is_sorted() && novelty.quantiles.len() == 101);
            let codec = ImageCodec::open(&model, None).expect("a codec");
            let of = |values: Vec<f32>| novelty.percentile(codec.novelty(&values).expect("a score"));
            assert_eq!(of((0..SIDE * SIDE).map(|i| (i * 7919 % 97) as f32 / 96.0).collect()), 1.0);
            assert!(of(bar(4).0.iter().map(|&v| f32::from(v) / 255.0).collect()) < 1.0);
        }
    }
}

#[test]
fn both_damages_are_learnt_to_be_undone() {
    let desk = Desk::new();
    for (damage, task, scale) in [("noise", Task::Denoise, 1), ("halving", Task::Upscale, 2)] {
        let rest = format!("--damage {damage} --steps 150 --learning-rate 3e-3 {SMALL}");
        desk.succeed(&format!("restore --data bars --out models/bars-{damage} {rest}"));
        let log = desk.log(&format!("runs/bars-{damage}"));
        let score = |entry: &serde_json::Value| entry["score"].as_f64();
        let scores: Vec<f64> = log.iter().filter_map(score).collect();
        assert!(scores[scores.len() - 1] > scores[0] + 0.05, "{damage}: {scores:?}");
        let model = desk.model(&format!("models/bars-{damage}"));
        assert_eq!((model.card.task, model.card.scale, model.card.channels()), (task, scale, 1));
        assert!(model.card.tile_context.is_some());
    }
}

#[test]
fn any_folder_of_pictures_will_do() {
    let desk = Desk::new();
    for (class, colour) in [("warm", [220u8, 90, 40]), ("cold", [30, 80, 200])] {
        fs::create_dir_all(desk.path("mine").join(class)).expect("a folder");
        for k in 0..6u32 {
            let picture = image::RgbImage::from_fn(60 + 4 * k, 50, |x, y| {
                image::Rgb(colour.map(|c| c.saturating_add(((x * (k + 2) + y) % 30) as u8)))
            });
            picture.save(desk.path("mine").join(class).join(format!("{k}.png"))).expect("a picture");
        }
    }
    let line =
        format!("autoencoder --data mine --size 32 --channels 3 --latent 4 --dense 16 --narrow 2 --steps 10 {SMALL}");
    desk.succeed(&format!("{line} --out models/mine"));
    let model = desk.model("models/mine");
    let codec = ImageCodec::open(&model, None).expect("a codec");
    assert_eq!(codec.shape(), [3, 32, 32]);
    // Of twelve pictures one is held out, which tells no percentiles.
    assert_eq!(model.card.latent.expect("a space").novelty, None);
    let recipe = model.card.training.expect("training").recipe;
    assert!(recipe.contains("--size 32 --channels 3 --seed 1 --held-out 0"), "{recipe}");
    // What is held out is seen as the program sees it, and not the middle of it.
    let set = SmallPictures::from_folder(&desk.path("mine"), 32, 3).expect("pictures");
    let file = image::open(desk.path("mine/cold/3.png")).expect("a picture").into_rgb8();
    let (width, height) = (file.width() as usize, file.height() as usize);
    let (layout, samples, depth) = (Layout::Rgb, Samples::U8(file.into_raw()), Depth::Eight);
    let picture = Image { width, height, layout, samples, depth, metadata: Metadata::default() };
    let seen = codec.view(&picture).expect("a view");
    let found = set.picture(3);
    assert!(seen.len() == found.len() && seen.iter().zip(&found).all(|(a, b)| (a - b).abs() < 0.5 / 255.0));
    desk.succeed(&format!("{line} --kind conditional --out models/mine-told"));
    assert_eq!(desk.model("models/mine-told").card.latent.expect("a space").classes, 2);
    for (wrong, words) in
        [("--size 30", "cannot be halved"), ("--channels 2", "--channels 1 or 3"), ("--latent 0", "--latent")]
    {
        let output = desk.run(&format!("autoencoder --data mine {wrong} --steps 1 {SMALL} --out models/x"));
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains(words), "{wrong}");
    }
}
