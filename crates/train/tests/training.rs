//! The program from end to end on a small folder of made-up pictures.

mod desk;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use desk::Desk;
use latentd::model::{Golden, Kernel, Model, verify};
use latentd_train::data::SmallPictures;
use latentd_train::onnx::Weights;

impl Desk {
    fn new() -> Self {
        let desk = Self::empty();
        let pictures = desk.path("pictures/nested");
        fs::create_dir_all(&pictures).expect("a folder");
        for k in 0..6u32 {
            let picture = image::RgbImage::from_fn(160, 144, |x, y| {
                let wave = |f: f32| (128.0 + 100.0 * ((x + 7 * k) as f32 * f).sin() * (y as f32 * f * 0.7).cos()) as u8;
                let edge = if (x / 24 + y / 18 + k) % 2 == 0 { 30 } else { 0 };
                image::Rgb([wave(0.05), wave(0.11).saturating_add(edge), wave(0.07)])
            });
            picture.save(pictures.join(format!("{k}.png"))).expect("a picture");
        }
        desk
    }

    fn losses(&self, run: &str) -> Vec<f64> {
        let log = fs::read_to_string(self.path(run).join("log.jsonl")).expect("a log");
        let entry = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["loss"].as_f64();
        log.lines().map(|line| entry(line).expect("a loss")).collect()
    }
}

const SMALL: &str = "denoise-photo --data pictures --widths 8,12 --blocks 1,1 --patch 32 --batch 4 --score-every 10";

fn check(model: &Path) {
    let loaded = Model::from_path(model).expect("a model");
    let golden = Golden::of(&loaded).expect("a file that can be read").expect("a golden file");
    for &kernel in Kernel::ALL {
        assert!(verify(&loaded, &golden, kernel).expect("it runs") < 1e-4);
    }
}

#[test]
fn a_short_training_lowers_the_loss_and_publishes_a_model_that_verifies() {
    let desk = Desk::new();
    let recipe = SMALL.replace("--batch 4", "--batch 16 --learning-rate 3e-3");
    desk.succeed(&format!("{recipe} --out models/denoise-test --steps 200"));
    // One entry a step; after 85 % of the run the loss is another.
    let losses = desk.losses("runs/denoise-test");
    let mean = |entries: &[f64]| entries.iter().sum::<f64>() / entries.len() as f64;
    let (first, last) = (mean(&losses[..16]), mean(&losses[150..166]));
    assert!(last < 0.9 * first, "{first} to {last}");
    check(&desk.path("models/denoise-test"));
    assert!(desk.path("runs/denoise-test/loss.svg").exists());

    desk.succeed("eval models/denoise-test --set pictures/nested --sigma 25 --write");
    let card = Model::from_path(&desk.path("models/denoise-test")).expect("a model").card;
    assert_eq!(card.metrics.len(), 2);
    assert_eq!(card.metrics[0].name, "nested sigma 25, PSNR");
    assert_eq!(card.metrics[0].command, "latentd-train eval models/denoise-test --set nested --sigma 25");
    assert_eq!(card.training.expect("training").data[0].licence, "as supplied by the user");
    check(&desk.path("models/denoise-test"));
}

#[test]
fn a_resumed_run_ends_as_an_uninterrupted_one() {
    // So many that the signal comes long before the last: a step may take a millisecond, and a signal some.
    const STEPS: u32 = 300;
    let desk = Desk::new();
    // The schedule follows the steps of the whole run, so the first part must not end its own.
    desk.succeed(&format!("{SMALL} --out models/whole --steps {STEPS}"));
    let log = desk.path("runs/halves/log.jsonl");
    interrupt(&desk, &format!("{SMALL} --out models/halves --steps {STEPS} --save-every 0"), "INT", || {
        fs::read_to_string(&log).is_ok_and(|text| text.lines().count() >= 5)
    });
    let told = desk.succeed(&format!("{SMALL} --out models/halves --steps {STEPS}"));
    assert!(told.contains("going on from the checkpoint"), "{told}");
    let read = |name: &str| fs::read(desk.path("models").join(name).join("golden.safetensors")).expect("a golden file");
    assert!(read("whole") == read("halves"), "the golden files differ");
    assert_eq!(desk.losses("runs/whole"), desk.losses("runs/halves"));
}

/// Starts the program, asks it to stop by a signal once it has come far enough, and waits for its checkpoint.
fn interrupt(desk: &Desk, arguments: &str, signal: &str, far_enough: impl Fn() -> bool) {
    // Tests may be run under nohup, and what it sets is inherited.
    let mut program = Command::new("env")
        .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_latentd-train")])
        .args(arguments.split_whitespace())
        .current_dir(desk.path(""))
        .spawn()
        .expect("the program starts");
    let begun = Instant::now();
    while !far_enough() {
        assert!(program.try_wait().expect("a status").is_none(), "it ended before it was asked to");
        if begun.elapsed() > Duration::from_secs(120) {
            program.kill().expect("a signal");
            panic!("it does not come far enough");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill").args([&format!("-{signal}"), &program.id().to_string()]).status().expect("a signal");
    assert_eq!(program.wait().expect("a status").code(), Some(130));
}

/// Checkpoints came only with the log, and a terminal that was closed took all since the last one with it.
#[test]
fn checkpoints_come_when_asked_for_and_before_a_hang_up_ends_a_run() {
    let desk = Desk::new();
    let recipe = SMALL.replace("--score-every 10", "--score-every 100000");
    let state = desk.path("runs/a/checkpoint/state.json");
    interrupt(&desk, &format!("{recipe} --out models/a --steps 100000 --save-every 0"), "HUP", || state.exists());
    let saved: serde_json::Value = serde_json::from_slice(&fs::read(&state).expect("a file")).expect("JSON");
    assert!(saved["step"].as_u64().is_some_and(|step| step > 0 && step < 10_000), "{saved}");
}

/// The old weights were published as if they had been trained by the new command line.
#[test]
fn a_run_at_its_end_is_published_again_only_as_what_it_is() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    desk.succeed(&format!("{SMALL} --out models/b --run runs/a --steps 2"));
    let golden = |model: &str| fs::read(desk.path("models").join(model).join("golden.safetensors")).expect("a file");
    assert!(golden("a") == golden("b"));
    let other = SMALL.replace("--batch 4", "--batch 2");
    assert!(desk.fail(&format!("{other} --out models/a --steps 2")).contains("at its end"));
    let told = desk.succeed(&format!("{other} --out models/a --steps 3"));
    assert!(told.contains("goes on as `denoise-photo") && told.contains("--batch 2"), "{told}");
}

/// One tensor was copied, and the rest trained from nothing as if that had been asked for.
#[test]
fn a_model_that_is_wider_is_not_where_a_narrow_one_starts() {
    let desk = Desk::new();
    desk.succeed(&format!("{} --out models/wide --steps 1", SMALL.replace("8,12", "16,24")));
    let told = desk.fail(&format!("{SMALL} --out models/a --steps 1 --init models/wide"));
    assert!(told.contains("wider than this network") && told.contains("add --widths 16,24\n"), "{told}");
}

/// Scores of tiny pictures were a panic, or no number.
#[test]
fn pictures_that_are_too_small_to_be_scored_are_passed_over() {
    let desk = Desk::new();
    fs::create_dir(desk.path("set")).expect("a folder");
    image::RgbImage::new(12, 10).save(desk.path("set/tiny.png")).expect("a picture");
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
    let eval = format!("eval {models}/upscale-photo-x2-fast --set set");
    let told = desk.fail(&eval);
    assert!(told.contains("tiny.png is only 12x10") && told.contains("16x16"), "{told}");
    let whole = image::open(desk.path("pictures/nested/0.png")).expect("a picture");
    whole.crop_imm(0, 0, 17, 16).save(desk.path("set/small.png")).expect("a picture");
    desk.succeed(&eval);
}

#[test]
fn a_damaged_checkpoint_does_not_keep_a_run_from_beginning_anew() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    fs::write(desk.path("runs/a/checkpoint/state.json"), "").expect("a file");
    assert!(desk.fail(&format!("{SMALL} --out models/a --steps 2")).contains("damaged"));
    desk.succeed(&format!("{SMALL} --out models/a --steps 2 --fresh"));
}

/// Of 25 steps a score was taken at the 50th only, of 1001 never.
#[test]
fn scores_are_taken_when_they_were_asked_for() {
    let desk = Desk::new();
    let recipe = SMALL.replace("--score-every 10", "--score-every 13");
    desk.succeed(&format!("{recipe} --out models/a --steps 39"));
    let log = fs::read_to_string(desk.path("runs/a/log.jsonl")).expect("a log");
    let entries = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let scored: Vec<u64> = entries.filter(|e| e["score"].is_f64()).filter_map(|e| e["step"].as_u64()).collect();
    assert_eq!(scored, [0, 13, 26, 39]);
}

/// Its own defaults were refused: little is left of the smallest pictures at a quarter of their size.
#[test]
fn every_upscaler_trains_with_its_defaults() {
    let desk = Desk::new();
    for recipe in ["upscale-camera-x2", "upscale-camera-x4"] {
        desk.succeed(&format!(
            "{recipe} --data pictures --width 8 --blocks 1 --batch 1 --out models/{recipe} --steps 1"
        ));
    }
}

/// The recordings were written over while they were read.
#[test]
fn recordings_are_not_cleaned_into_their_own_folder() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("sound/part")).expect("a folder");
    fs::write(desk.path("sound/part/a.wav"), "a recording").expect("a file");
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/denoise-speech");
    for out in ["sound", "sound/part", "."] {
        assert!(desk.fail(&format!("eval {model} --set sound --out {out}")).contains("apart from --set"), "{out}");
    }
    assert_eq!(fs::read(desk.path("sound/part/a.wav")).expect("a file"), b"a recording");
}

/// Folders that lie among the pictures of another were counted twice.
#[test]
fn a_class_is_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a/1.png", "a/m/2.png", "a/z.png", "b/3.png"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        image::RgbImage::new(24, 24).save(path).expect("a picture");
    }
    let pictures = SmallPictures::from_folder(folder.path(), 16, 1).expect("pictures");
    assert_eq!(pictures.labels, [0, 1, 0, 2]);
}

#[test]
fn another_network_does_not_go_on_from_a_checkpoint() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    let larger = SMALL.replace("8,12", "8,16");
    assert!(desk.fail(&format!("{larger} --out models/a --steps 2")).contains("--fresh"));
    desk.succeed(&format!("{larger} --out models/a --steps 2 --fresh"));
    assert!(desk.fail(&format!("{SMALL} --out models/b --steps 2 --resume")).contains("no checkpoint"));
}

#[test]
fn a_model_is_where_another_training_starts() {
    let desk = Desk::new();
    let recipe = "--data pictures --width 8 --blocks 1 --patch 16 --batch 2 --score-every 10";
    desk.succeed(&format!("upscale-photo-x2 {recipe} --out models/x2 --steps 3"));
    let told = desk.succeed(&format!("upscale-photo-x4 {recipe} --out models/x4 --steps 1 --init models/x2"));
    assert!(told.contains("6 tensors copied") && told.contains("tail.weight is"), "{told}");
    check(&desk.path("models/x4"));
    let card = Model::from_path(&desk.path("models/x4")).expect("a model").card;
    assert_eq!((card.scale, card.training.expect("training").init.as_deref()), (4, Some("x2")));
    assert!(Weights::read(&desk.path("models/x2")).is_ok());

    // What a model keeps of the one that it began as: all, then nothing.
    let answers = |model: &str| fs::read(desk.path("models").join(model).join("golden.safetensors")).expect("a file");
    let more = format!("upscale-photo-x2 {recipe} --init models/x2 --steps 3");
    desk.succeed(&format!("{more} --out models/same --keep 1"));
    desk.succeed(&format!("{more} --out models/other"));
    assert!(answers("same") == answers("x2") && answers("other") != answers("x2"));
    assert!(desk.fail(&format!("{more} --out models/never --keep 2")).contains("0 to 1"));
}

#[test]
fn a_hostile_folder_is_told_apart_from_a_usable_one() {
    let desk = Desk::new();
    let run = |data: &str| desk.fail(&format!("{} --out models/m --steps 1", SMALL.replace("pictures", data)));
    assert!(run("nowhere").contains("cannot read the folder nowhere"));
    fs::create_dir(desk.path("empty")).expect("a folder");
    assert!(run("empty").contains("no pictures"));

    fs::create_dir(desk.path("bad")).expect("a folder");
    fs::write(desk.path("bad/notes.txt"), "not a picture").expect("a file");
    fs::write(desk.path("bad/text.jpg"), "not a picture").expect("a file");
    fs::write(desk.path("bad/nothing.png"), "").expect("a file");
    image::RgbImage::new(20, 20).save(desk.path("bad/tiny.png")).expect("a picture");
    let whole = image::open(desk.path("pictures/nested/0.png")).expect("a picture");
    whole.save(desk.path("bad/cut.jpg")).expect("a picture");
    let bytes = fs::read(desk.path("bad/cut.jpg")).expect("bytes");
    fs::write(desk.path("bad/cut.jpg"), &bytes[..bytes.len() / 3]).expect("a file");
    let told = run("bad");
    assert!(told.contains("none of the 4 pictures"), "{told}");

    // One good picture among the bad ones is enough.
    fs::copy(desk.path("pictures/nested/0.png"), desk.path("bad/good.png")).expect("a picture");
    let told = desk.succeed(&format!("{} --out models/m --steps 1", SMALL.replace("pictures", "bad")));
    assert!(told.contains("text.jpg") && told.contains("tiny.png is only 20x20"), "{told}");
    assert!(told.contains("too few pictures to hold any out"), "{told}");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let desk = Desk::new();
    assert!(desk.fail(&format!("{SMALL} --out models/m")).contains("--steps"));
    assert!(desk.fail(&format!("{} --out models/m --steps 1", SMALL.replace("8,12", "8"))).contains("--widths"));
    assert!(
        desk.fail(&format!("{} --out models/m --steps 1", SMALL.replace("--patch 32", "--patch 30")))
            .contains("--patch")
    );
    assert!(desk.fail(&format!("{SMALL} --out models/a_b --steps 1")).contains("letters, digits and `-`"));
    assert!(desk.fail(&format!("{SMALL} --out models/m --steps 1 --save-every nan")).contains("--save-every"));
    assert!(desk.fail("bench --seconds nan").contains("--seconds"));
    let rest = "--data pictures --out models/m --steps 1";
    assert!(desk.fail(&format!("denoise-speech {rest} --noise pictures --batch 0")).contains("--batch"));
    assert!(desk.fail(&format!("restore {rest} --damage noise --widths 4,4,4,4,4")).contains("--widths"));
    if cfg!(not(feature = "cuda")) {
        assert!(desk.fail(&format!("{SMALL} --out models/m --steps 1 --device cuda")).contains("--features cuda"));
    }
}
