//! Promise: `apply` leaves no input out, and does nothing that the user is not told of.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Home, count, encoded, files, png, run, wait_for};
use image::ImageFormat;

/// Later than what was written before, also for clocks that go in steps.
fn later() {
    std::thread::sleep(Duration::from_millis(50));
}

fn names(home: &Home, folder: &str) -> Vec<String> {
    files(&home.path(folder)).iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

fn widths(home: &Home, folder: &str) -> Vec<u32> {
    let mut widths: Vec<u32> =
        names(home, folder).iter().map(|name| image::open(home.path(folder).join(name)).unwrap().width()).collect();
    widths.sort_unstable();
    widths
}

/// A home with a pipeline that changes little, and whose results are all PNG.
fn home() -> Home {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 40 }", ", name: \"{stem}.png\"");
    home.folder("in");
    home
}

/// One result was taken for that of each input with its name, and the others were never made.
#[test]
fn inputs_that_share_a_name_are_all_worked_on() {
    let home = home();
    let line = "apply pipeline.yaml in --out out --skip-existing";
    let (bmp, jpg) = (encoded(20, 20, ImageFormat::Bmp), encoded(30, 30, ImageFormat::Jpeg));
    fs::write(home.path("in/a.bmp"), &bmp).unwrap();
    assert_eq!(run(&home, line).0, Some(0));
    later();
    // It comes before the other one by name.
    fs::write(home.path("in/a.JPG"), &jpg).unwrap();
    let (code, _, err) = run(&home, line);
    assert!(code == Some(0) && err.contains("1 passed over") && err.contains("1 done"), "{err}");
    assert_eq!(widths(&home, "out"), [20, 30]);
    let (code, _, err) = run(&home, line);
    assert!(code == Some(0) && err.contains("2 passed over") && err.contains("0 done"), "{err}");
    assert_eq!(names(&home, "out"), ["a-1.png", "a.png"]);
}

/// Whichever was done first had the plain name.
#[test]
fn an_interrupted_run_is_gone_on_with() {
    let home = home();
    for n in 0..3 {
        fs::write(home.path(&format!("in/{n}.bmp")), encoded(20, 20, ImageFormat::Bmp)).unwrap();
        fs::write(home.path(&format!("in/{n}.jpg")), encoded(30, 30, ImageFormat::Jpeg)).unwrap();
        fs::write(home.path(&format!("in/{n}.png")), png(10, 10)).unwrap();
    }
    assert_eq!(run(&home, "apply pipeline.yaml in --out whole -j 3").0, Some(0));
    for gone in ["0-2.png", "1-1.png", "1-2.png"] {
        fs::remove_file(home.path("whole").join(gone)).unwrap();
    }
    for n in ["2.png", "2-1.png", "2-2.png"] {
        fs::remove_file(home.path("whole").join(n)).unwrap();
    }
    let (code, _, err) = run(&home, "apply pipeline.yaml in --out whole -j 3 --skip-existing");
    assert!(code == Some(0) && err.contains("3 passed over") && err.contains("6 done"), "{err}");
    // The one that has the name itself, then by name.
    for n in 0..3 {
        let width = |end: &str| image::open(home.path(&format!("whole/{n}{end}.png"))).unwrap().width();
        assert_eq!(["", "-1", "-2"].map(width), [10, 20, 30]);
    }
}

#[test]
fn an_input_that_was_changed_is_worked_on_again() {
    let home = home();
    let line = "apply pipeline.yaml in --out out --skip-existing";
    for name in ["a.png", "b.png"] {
        fs::write(home.path("in").join(name), png(20, 20)).unwrap();
    }
    assert_eq!(run(&home, line).0, Some(0));
    later();
    fs::write(home.path("in/a.png"), png(30, 30)).unwrap();
    let (code, _, err) = run(&home, line);
    assert!(code == Some(0) && err.contains("1 passed over") && err.contains("1 worked on again"), "{err}");
    assert_eq!(names(&home, "out"), ["a-1.png", "a.png", "b.png"]);
    assert_eq!(image::open(home.path("out/a-1.png")).unwrap().width(), 30);
    // And no third time.
    let (_, _, err) = run(&home, line);
    assert!(err.contains("2 passed over") && !err.contains("again"), "{err}");
}

/// All was there twice, without a word.
#[test]
fn a_second_run_tells_that_names_were_taken() {
    let home = home();
    for name in ["a.png", "b.png"] {
        fs::write(home.path("in").join(name), png(20, 20)).unwrap();
    }
    let (_, _, err) = run(&home, "apply pipeline.yaml in --out out");
    assert!(!err.contains("names"), "{err}");
    let (code, _, err) = run(&home, "apply pipeline.yaml in --out out -j 1");
    let words = ["2 results have other names", "out/a-1.png", "`--skip-existing`"];
    assert!(code == Some(0) && words.iter().all(|words| err.contains(words)), "{err}");
    // Names that inputs of one run share are nobody's older ones.
    fs::write(home.path("in/a.bmp"), encoded(20, 20, ImageFormat::Bmp)).unwrap();
    let (_, _, err) = run(&home, "apply pipeline.yaml in --out other");
    assert!(err.contains("3 done") && !err.contains("names"), "{err}");
}

/// Each run took the results of the one before as inputs.
#[test]
fn the_folder_of_the_inputs_is_none_for_results() {
    let home = home();
    fs::write(home.path("in/a.png"), png(20, 20)).unwrap();
    std::os::unix::fs::symlink("in", home.path("door")).unwrap();
    for out in ["in", "./in/", "door"] {
        let (code, _, err) = run(&home, &format!("apply pipeline.yaml in --out {out}"));
        assert!(code == Some(64) && err.contains("in: results would lie among the inputs"), "{out}: {err}");
    }
    assert_eq!(names(&home, "in"), ["a.png"]);
    // Where results are none of the inputs that the pipeline takes.
    home.pipeline(", include: [\"*.bmp\"]", "resize: { long_side: 40 }", ", name: \"{stem}.png\"");
    fs::write(home.path("in/b.bmp"), encoded(20, 20, ImageFormat::Bmp)).unwrap();
    assert_eq!(run(&home, "apply pipeline.yaml in --out in").0, Some(0));
    assert_eq!(names(&home, "in"), ["a.png", "b.bmp", "b.png"]);
}

#[test]
fn a_file_is_no_folder_for_results() {
    let home = home();
    fs::write(home.path("in/a.png"), png(20, 20)).unwrap();
    fs::write(home.path("afile"), "mine").unwrap();
    for out in ["afile", "afile/deep"] {
        let (code, _, err) = run(&home, &format!("apply pipeline.yaml in --out {out}"));
        assert!(code == Some(64) && err.contains("results go into a folder") && err.contains("help:"), "{err}");
    }
}

/// Neither the pictures that no pattern fitted nor the notes beside them were told of; or these failed a run that was well.
#[test]
fn what_is_passed_over_is_counted() {
    let home = home();
    home.pipeline(", exclude: [\"*.bmp\"]", "resize: { long_side: 40 }", "");
    fs::write(home.path("in/a.png"), png(20, 20)).unwrap();
    fs::write(home.path("in/b.BMP"), encoded(20, 20, ImageFormat::Bmp)).unwrap();
    fs::write(home.path("in/notes.txt"), "words").unwrap();
    fs::write(home.path("in/NOTES"), "words").unwrap();
    // A picture all the same.
    fs::write(home.path("in/c.dat"), png(20, 20)).unwrap();
    let (code, out, err) = run(&home, "apply pipeline.yaml in --out out --json");
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{err}");
    let words = ["1 passed over (.bmp): no pattern", "2 passed over (.txt, no ending): the content is not an image"];
    assert!(words.iter().all(|words| err.matches(words).count() == 1), "{err}");
    // What the user names is meant, and what its name says must be so.
    assert_eq!(run(&home, "apply pipeline.yaml in/notes.txt --out out").0, Some(65));
    fs::write(home.path("in/d.jpg"), "no picture").unwrap();
    assert_eq!(run(&home, "apply pipeline.yaml in --out out").0, Some(65));
}

#[test]
fn a_dry_run_tells_what_will_be_refused() {
    let home = home();
    fs::write(home.path("in/a.png"), png(20, 20)).unwrap();
    fs::write(home.path("in/b.png"), "no picture").unwrap();
    fs::write(home.path("in/c.png"), "").unwrap();
    fs::write(home.path("in/notes.txt"), "words").unwrap();
    let (code, out, err) = run(&home, "apply pipeline.yaml in in/notes.txt --out out --dry-run");
    let lines: Vec<&str> = out.lines().collect();
    let begins = [
        "in/a.png -> out/a.png",
        "in/b.png -> nothing: the content is not a picture",
        "in/c.png -> nothing: the file is empty",
        "in/notes.txt -> nothing: the content is not a picture",
    ];
    // As the run itself would end.
    assert!(code == Some(65) && lines.len() == begins.len(), "{out}{err}");
    assert!(lines.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{out}");
    let (_, out, _) = run(&home, "apply pipeline.yaml in --out out --dry-run --json");
    assert!(out.lines().any(|line| line.contains("in/b.png") && line.contains("\"kind\":\"input\"")), "{out}");
}

#[test]
fn settings_are_changed_for_once() {
    let home = home();
    fs::write(home.path("in/a.png"), png(60, 30)).unwrap();
    let before = fs::read_to_string(home.path("pipeline.yaml")).unwrap();
    let (code, _, err) =
        run(&home, "apply pipeline.yaml in --out out --set resize.long_side=20 --set sink.name={stem}-small.{ext}");
    assert_eq!(code, Some(0), "{err}");
    assert_eq!((names(&home, "out"), widths(&home, "out")), (vec!["a-small.png".to_owned()], vec![20]));
    // One that the program carries, and a setting that its text does not name.
    let (code, _, err) =
        run(&home, "apply thumbnails in --out carried --set resize.long_side=10 --set sink.quality=50");
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(widths(&home, "carried"), [10]);
    assert_eq!(fs::read_to_string(home.path("pipeline.yaml")).unwrap(), before);
    for (set, words) in [
        ("resize.long_sid=20", &["`resize` has no setting `long_sid`", "did you mean `long_side`?"][..]),
        ("resize.long_side=many", &["found `many`", "what `--set` makes of the pipeline is not right"]),
        ("resise.long_side=20", &["the pipeline has no stage `resise`", "did you mean `resize`?"]),
        ("long_side=20", &["write `resize.long_side=...`"]),
        ("resize=20", &["`resize` is no setting", "resize.long_side=..."]),
        ("resize", &["a stage, its setting and a value"]),
    ] {
        let (code, _, err) = run(&home, &format!("apply pipeline.yaml in --out none --set {set}"));
        assert!(code == Some(64) && words.iter().all(|word| err.contains(word)), "{set}: {code:?} {err}");
    }
    assert!(!home.path("none").exists());
}

/// Half-written files in a folder.
fn partial(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "partial")).collect()
}

/// It ended without a word, and left what it had begun.
#[test]
fn an_interruption_is_told_and_leaves_nothing_half_written() {
    let home = home();
    home.pipeline("", "denoise: { model: denoise-photo, sigma: 20 }", "");
    for n in 0..200 {
        fs::write(home.path(&format!("in/{n:03}.png")), png(200, 150)).unwrap();
    }
    let mut command = home.latentd();
    command.args(["apply", "pipeline.yaml", "in", "--out", "out", "-j", "1"]).stderr(Stdio::piped());
    let mut child: Child = command.spawn().unwrap();
    wait_for("the first result", Duration::from_secs(120), || !files(&home.path("out")).is_empty());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(status.code(), Some(130), "{err}");
    assert!(err.contains("of 200 done; the same with `--skip-existing` goes on"), "{err}");
    assert!(partial(&home.path("out")).is_empty());
}

/// A folder was made that is called like the picture that was wanted.
#[test]
fn a_picture_is_no_folder_for_results() {
    let home = home();
    fs::write(home.path("a.png"), png(20, 20)).unwrap();
    let (code, _, err) = run(&home, "apply pipeline.yaml a.png --out better.png");
    assert!(code == Some(64) && err.contains("better.png: results go into a folder"), "{err}");
    assert!(!home.path("better.png").exists());
    home.folder("better.png");
    assert_eq!(run(&home, "apply pipeline.yaml a.png --out better.png").0, Some(0));
    assert!(home.path("better.png/a.png").is_file());
}

/// Of files in folders only the path within was told, which is nowhere else.
#[test]
fn what_fails_in_a_folder_is_named_with_it() {
    let home = home();
    fs::write(home.path("a.png"), png(20, 20)).unwrap();
    fs::write(home.folder("holiday/deep").join("bad.png"), "no picture").unwrap();
    let (code, _, err) = run(&home, "apply pipeline.yaml holiday a.png");
    assert!(code == Some(65) && err.contains("error: holiday/deep/bad.png: "), "{err}");
    assert!(err.contains("1 done, in") && err.contains("1 failed"), "{err}");
}

/// The report was followed by the same mistake once more, and by a command for a file that is not there.
#[test]
fn mistakes_in_a_pipeline_are_told_once() {
    let home = home();
    fs::write(home.path("a.png"), png(20, 20)).unwrap();
    let text = fs::read_to_string(home.path("pipeline.yaml")).unwrap();
    fs::write(home.path("wrong.yaml"), text.replace("long_side", "lon_side")).unwrap();
    let (code, _, err) = run(&home, "apply wrong.yaml a.png");
    assert!(code == Some(78) && err.contains("wrong.yaml:"), "{err}");
    assert!(err.matches("unknown key").count() == 1 && !err.contains("latentd check"), "{err}");
    assert!(err.ends_with("error: 1 error in wrong.yaml\n"), "{err}");
}

/// Mends that had nothing to do with what was wrong, or none at all.
#[test]
fn slips_of_the_command_line_are_told_as_what_they_are() {
    let home = home();
    fs::write(home.path("a.png"), png(20, 20)).unwrap();
    for (line, mend) in [
        ("apply a.png pipeline.yaml", "write `latentd apply pipeline.yaml a.png`"),
        ("apply a.png denoise-photos --out x", "write `latentd apply denoise-photos a.png`"),
        ("apply a.png --out x b.png", "write `latentd apply PIPELINE a.png`"),
        ("apply phone-photos.yaml a.png --out x", "did you mean `phone-photos`?"),
        ("apply something a.png --out x", "one that the program carries: clean-microphone, clean-photos"),
        ("apply pipeline.yaml -", "save it to a file"),
        ("apply clean-recordings a.png --out x", "it is a picture, which `denoise-photos` takes"),
    ] {
        let (code, _, err) = run(&home, line);
        assert!(code != Some(0) && err.contains(mend), "{line}: {err}");
        assert_eq!(err.matches("error: ").count(), 1, "{line}: {err}");
    }
    assert!(!home.path("x").exists() || count(&home.path("x")) == 0);
}

/// It was done as often as it was named, each time under another name.
#[test]
fn what_is_named_twice_is_done_once() {
    let home = home();
    fs::write(home.path("in/a.png"), png(20, 20)).unwrap();
    let (code, _, err) = run(&home, "apply pipeline.yaml in in/a.png in/../in/a.png --out out");
    assert!(code == Some(0) && err.contains("2 named more than once"), "{err}");
    assert_eq!(names(&home, "out"), ["a.png"]);
}

/// `-1` stood in a name, and nobody said why.
#[test]
fn results_that_are_numbered_are_told() {
    let home = home();
    for folder in ["x", "y"] {
        fs::write(home.folder(folder).join("a.png"), png(20, 20)).unwrap();
    }
    let (code, _, err) = run(&home, "apply pipeline.yaml x/a.png y/a.png --out out");
    assert!(code == Some(0) && err.contains("1 result has another name, as out/a-1.png: several inputs"), "{err}");
    let (_, _, err) = run(&home, "apply pipeline.yaml x/a.png --out other");
    assert!(!err.contains("another name"), "{err}");
}
