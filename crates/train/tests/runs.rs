//! What becomes of a run, its checkpoint and its model when something goes wrong or is asked for twice.

mod desk;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desk::Desk;
use latentd::model::{Card, Model};

impl Desk {
    fn new() -> Self {
        let desk = Self::empty();
        fs::create_dir(desk.path("pictures")).expect("a folder");
        for k in 0..6u32 {
            let wave =
                |x: u32, y: u32| (128.0 + 100.0 * ((x + 7 * k) as f32 * 0.1).sin() * (y as f32 * 0.07).cos()) as u8;
            let picture =
                image::RgbImage::from_fn(144, 136, |x, y| image::Rgb([wave(x, y), wave(y, x), wave(x + y, y)]));
            picture.save(desk.path(&format!("pictures/{k}.png"))).expect("a picture");
        }
        desk
    }

    fn card(&self, model: &str) -> Card {
        Model::from_path(&self.path(model)).expect("a model").card
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file")
}

const SMALL: &str = "denoise-photo --data pictures --widths 8,12 --blocks 1,1 --patch 32 --batch 2 --score-every 10";

/// Whatever was wrong, it was 1.
#[test]
fn the_exit_code_says_what_was_wrong() {
    let desk = Desk::new();
    let train = |options: &str| format!("{SMALL} {options}");
    for (arguments, code) in [
        ("--help".to_owned(), 0),
        ("denoise-nothing".to_owned(), 64),
        (train("--out models/a"), 64),
        (train("--out models/a --steps 0"), 64),
        (train("--out models/a --steps 1").replace("--data pictures", "--data nowhere"), 66),
        (train("--out models/a --steps 1 --resume"), 66),
        ("eval models/none --set pictures".to_owned(), 70),
    ] {
        let output = desk.run(&arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {told}");
    }
}

/// Half a day of training ended with the pager that it was read in.
#[test]
fn a_reader_that_goes_away_ends_no_run() {
    let desk = Desk::new();
    let mut command = desk.command(&format!("{SMALL} --out models/a --steps 30"));
    let mut program = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut told = BufReader::new(program.stderr.take().expect("a pipe"));
    told.read_line(&mut String::new()).expect("a line");
    drop(told);
    assert!(program.wait().expect("a status").success());
    assert_eq!(desk.card("models/a").training.expect("training").steps, 30);
}

/// It counted as none, and the run began anew over the weights.
#[test]
fn a_checkpoint_without_its_state_is_not_written_over() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    fs::remove_file(desk.path("runs/a/checkpoint/state.json")).expect("a file");
    let weights = bytes(&desk.path("runs/a/checkpoint/weights.bpk"));
    let told = desk.fail(&format!("{SMALL} --out models/a --steps 2"));
    assert!(told.contains("state.json") && told.contains("--fresh begins anew"), "{told}");
    assert!(weights == bytes(&desk.path("runs/a/checkpoint/weights.bpk")));
    desk.succeed(&format!("{SMALL} --out models/a --steps 2 --fresh"));
    fs::write(desk.path("runs/a/checkpoint/average.bpk"), "damaged").expect("a file");
    let told = desk.fail(&format!("{SMALL} --out models/a --steps 4"));
    assert!(told.contains("average.bpk") && told.contains("--fresh"), "{told}");
}

/// Each ended the run, and took what was learnt with it.
#[test]
fn what_cannot_be_written_costs_no_model() {
    let desk = Desk::new();
    for folder in ["runs/a/log.jsonl", "runs/a/loss.svg"] {
        fs::create_dir_all(desk.path(folder)).expect("a folder");
    }
    let told = desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    assert!(told.contains("log is kept in memory") && told.contains("loss is not drawn"), "{told}");
    // A checkpoint that cannot be written is told after the model is there.
    fs::write(desk.path("runs/a/checkpoint.new"), "in the way").expect("a file");
    let told = desk.fail(&format!("{SMALL} --out models/a --steps 4"));
    assert!(told.contains("cannot save a checkpoint"), "{told}");
    assert_eq!(desk.card("models/a").training.expect("training").steps, 4);
}

/// A run that made a model worse looked like progress.
#[test]
fn a_run_tells_where_it_began_and_whether_it_is_worse_now() {
    let desk = Desk::new();
    let told = desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    assert!(told.contains("held out: PSNR") && told.contains("at the start"), "{told}");
    let told = desk.succeed(&format!("{SMALL} --out models/b --init models/a --steps 6 --learning-rate 0.02"));
    assert!(told.contains("worse than where it began"), "{told}");
    let log = String::from_utf8(bytes(&desk.path("runs/b/log.jsonl"))).expect("a log");
    let first: serde_json::Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    assert!(first["step"] == 0 && first["score"].is_f64() && first["loss"].is_f64(), "{first}");
    let told =
        desk.succeed(&format!("{SMALL} --out models/b --init models/a --keep 0.5 --steps 6 --learning-rate 0.02"));
    assert!(told.contains("of what is published"), "{told}");
}

/// The card named the model that the run began with as the one that was mixed in.
#[test]
fn a_card_names_the_model_that_was_mixed_in() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    desk.succeed(&format!("{SMALL} --out models/b --steps 2 --learning-rate 0.002"));
    desk.succeed(&format!("{SMALL} --out models/c --steps 2 --init models/a"));
    let told = desk.succeed(&format!("{SMALL} --out models/mean --run runs/c --steps 2 --init models/b --keep 0.5"));
    assert!(told.contains("began with a; 0.5 of b is mixed"), "{told}");
    let training = desk.card("models/mean").training.expect("training");
    assert!(training.recipe.ends_with("--seed 1 --held-out 16 --keep 0.5 --init b"), "{}", training.recipe);
    assert_eq!(training.init.as_deref(), Some("a and b"));
    let training = desk.card("models/c").training.expect("training");
    assert_eq!((training.init.as_deref(), training.recipe.contains("--keep")), (Some("a"), false));
}

/// Whatever lay at --out was gone.
#[test]
fn a_model_of_another_run_is_kept() {
    let desk = Desk::new();
    let golden = |model: &str| bytes(&desk.path(model).join("golden.safetensors"));
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    desk.succeed(&format!("{SMALL} --out models/a --steps 3"));
    assert!(!desk.path("models/a.before").exists());
    let first = golden("models/a");
    let told = desk.succeed(&format!("{SMALL} --out models/a --run runs/other --seed 2 --steps 2"));
    assert!(told.contains("a.before"), "{told}");
    assert!(first == golden("models/a.before") && first != golden("models/a"));
    desk.succeed(&format!("{SMALL} --out models/a --run runs/other --seed 2 --steps 3"));
    assert!(!desk.path("models/a.before-2").exists());
}

/// Pictures that had been learnt from were scored as held out.
#[test]
fn other_pictures_held_out_make_another_run() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 2"));
    assert!(desk.fail(&format!("{SMALL} --out models/a --steps 2 --held-out 1")).contains("at its end"));
    let told = desk.succeed(&format!("{SMALL} --out models/a --steps 3 --held-out 1"));
    assert!(told.contains("--held-out 16 of 6 files") && told.contains("may have been learnt from"), "{told}");

    // Checkpoints of older programs do not tell, and are published as they are.
    let state = desk.path("runs/a/checkpoint/state.json");
    let mut told: serde_json::Value = serde_json::from_slice(&bytes(&state)).expect("JSON");
    told.as_object_mut().expect("an object").remove("drawn").expect("it is told");
    fs::write(&state, told.to_string()).expect("a file");
    desk.succeed(&format!("{SMALL} --out models/a --steps 3"));
}

/// The first weights were published.
#[test]
fn the_shortest_run_takes_a_step() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --hours 1e-9"));
    let card = desk.card("models/a");
    assert_eq!(card.training.expect("training").steps, 1);
    // It learnt from somebody's own pictures.
    assert_eq!(card.licence, None);
    desk.succeed(&format!("{SMALL} --out models/b --steps 1 --licence CC0-1.0"));
    assert_eq!(desk.card("models/b").licence.as_deref(), Some("CC0-1.0"));
}

/// For a hundred steps nobody saw whether anything happened.
#[test]
fn a_run_is_seen_and_tells_where_it_was_interrupted() {
    let desk = Desk::new();
    let recipe = SMALL.replace("--score-every 10", "--score-every 1000000");
    let mut command = desk.command(&format!("{recipe} --out models/a --steps 10000000"));
    let program = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let log = desk.path("runs/a/log.jsonl");
    let begun = Instant::now();
    // The second entry comes by the clock.
    while fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing is seen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("a signal");
    let output = program.wait_with_output().expect("a status");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130));
    assert!(told.contains("interrupted at step") && told.contains("after 0:00:"), "{told}");
}

/// Some tensors of a network of another kind fitted by chance, and the rest was trained from nothing.
#[test]
fn a_model_of_another_kind_is_not_where_a_training_starts() {
    let desk = Desk::new();
    let upscale = "upscale-photo-x2 --data pictures --width 8 --blocks 1 --patch 16 --batch 1";
    desk.succeed(&format!("{upscale} --out models/x2 --steps 1"));
    let told = desk.fail(&format!("{SMALL} --out models/a --steps 1 --init models/x2"));
    assert!(told.contains("to upscale an image") && told.contains("to denoise an image"), "{told}");
    // Without a card the weights tell.
    fs::copy(desk.path("models/x2/model.onnx"), desk.path("x2.onnx")).expect("a file");
    let restore = "restore --data pictures --damage noise --size 32 --widths 24 --batch 2";
    let told = desk.fail(&format!("{restore} --out models/a --steps 1 --init x2.onnx"));
    assert!(told.contains("is another network"), "{told}");
}

/// All data were read first, and what was too small was taken for something else.
#[test]
fn mistakes_are_told_before_anything_is_read() {
    let desk = Desk::new();
    let refused = |options: &str, what: &str| {
        let told = desk.fail(&format!("{SMALL} --steps 1 {options}").replace("--data pictures", "--data nowhere"));
        assert!(told.contains(what) && !told.contains("nowhere"), "{options}: {told}");
    };
    let out = "--out models/a";
    refused("--out models/a_b", "letters, digits and `-`");
    refused(&format!("{out} --batch 70000"), "--batch");
    refused(&format!("{out} --save-every=-7"), "--save-every");
    refused(&format!("{out} --held-out 0"), "--held-out");
    let told = desk.fail(&format!("{SMALL} {out} --steps 1").replace("--score-every 10", "--score-every 0"));
    assert!(told.contains("--score-every"), "{told}");
    for (options, what) in [("--widths 5000,8", "--widths"), ("--blocks 65,1", "--blocks")] {
        let recipe = SMALL.replace("--widths 8,12", "").replace("--blocks 1,1", "");
        let rest = if what == "--widths" { "--blocks 1,1" } else { "--widths 8,12" };
        let told = desk.fail(&format!("{recipe} {out} --steps 1 {options} {rest}"));
        assert!(told.contains(what) && told.contains("must be"), "{told}");
    }
    let told = desk.fail("digits --data pictures --out models --run runs");
    assert!(told.contains("no IDX files") && !desk.path("models/digits-ae").exists(), "{told}");
}

/// A damaged picture ended the evaluation, and what could not be measured was found out at its end.
#[test]
fn an_evaluation_passes_over_what_is_damaged_and_refuses_what_cannot_be() {
    let desk = Desk::new();
    desk.succeed(&format!("{SMALL} --out models/a --steps 1"));
    fs::write(desk.path("pictures/damaged.png"), "no picture").expect("a file");
    let told = desk.succeed("eval models/a --set pictures");
    assert!(told.contains("damaged.png") && told.contains("1 of 7 pictures were passed over"), "{told}");
    for sigma in ["nan", "1e30"] {
        assert!(desk.fail(&format!("eval models/a --set pictures --sigma {sigma}")).contains("0 to 255"));
    }
    assert!(desk.fail("eval models/a --set pictures --pairs _real,_mean").contains("_real"));
    desk.succeed(
        "upscale-photo-x2 --data pictures --width 8 --blocks 1 --patch 16 --batch 1 --out models/x2 --steps 1",
    );
    assert!(desk.fail("eval models/x2 --set pictures --sigma 25").contains("for denoisers"));

    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/denoise-speech");
    for folder in ["noisy", "clean"] {
        fs::create_dir(desk.path(folder)).expect("a folder");
    }
    fs::write(desk.path("noisy/a.wav"), "a recording").expect("a file");
    fs::write(desk.path("clean/b.wav"), "a recording").expect("a file");
    let told = desk.fail(&format!("eval {model} --set noisy --clean clean --out out"));
    assert!(told.contains("has the name of one"), "{told}");
    assert!(desk.fail(&format!("eval {model} --set noisy --out out --write")).contains("--clean"));
}
