//! The pipelines that are shipped are right, the registry that describes them is sound, and settings do what they say.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod json_schema;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{files, png};
use latentd::model::Models;
use latentd::pipeline::{CATALOG, Loaded, Pipeline};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_shipped_pipeline_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("pipelines")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "yaml") {
            Loaded::load(&entry.path(), &Models::default().with_projects()).unwrap_or_else(|e| panic!("{e:?}"));
            count += 1;
        }
    }
    assert!(count >= 4);
}

#[test]
fn every_shipped_pipeline_meets_the_schema() {
    let schema = latentd::config::schema(&CATALOG);
    for entry in std::fs::read_dir(root().join("pipelines")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "yaml") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let node = latentd::config::yaml::load(&text, &mut Vec::new()).unwrap();
            let json = latentd::config::to_json(&node);
            assert!(json_schema::accepts(&schema, &json), "{}", entry.path().display());
            let mut wrong = json.clone();
            wrong["source"]["folder"]["pth"] = "x".into();
            assert!(!json_schema::accepts(&schema, &wrong));
        }
    }
}

#[test]
fn the_tables_of_settings_are_sound() {
    assert_eq!(latentd::config::audit(&CATALOG), Vec::<String>::new());
}

#[test]
fn the_shipped_schema_is_the_programs_own() {
    let output = Command::new(env!("CARGO_BIN_EXE_latentd")).arg("schema").output().unwrap();
    let shipped = std::fs::read(root().join("pipelines/schema.json")).unwrap();
    assert!(output.stdout == shipped, "run `latentd schema > pipelines/schema.json`");
}

#[test]
fn a_folder_that_watches_its_own_output_is_refused() {
    let home = common::Home::new();
    let folder = home.folder("photos");
    std::os::unix::fs::symlink(&folder, home.path("alias")).unwrap();
    for (sink, fine) in [
        ("path: ./photos", false),
        ("path: ./alias/out", false),
        ("path: ./photos/out", false),
        ("path: ./other, quarantine: ./photos/bad", false),
        ("path: ./other, originals: { move: ./photos/done }", false),
        ("path: ./other", true),
    ] {
        let text =
            format!("name: loop\nsource:\n  folder: {{ path: ./photos }}\nstages: []\nsink:\n  folder: {{ {sink} }}\n");
        std::fs::write(home.path("p.yaml"), text).unwrap();
        let output = home.run(&["check", "p.yaml"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if fine { 0 } else { 78 }), "{sink}: {message}");
        assert!(fine || message.contains("p.yaml:6:"), "{message}");
    }
}

/// What it made of a live microphone came three times too fast, and what it did not take was kept for ever.
#[cfg(feature = "live")]
#[test]
fn a_speaker_is_given_the_rate_that_it_plays_at() {
    let home = common::Home::new();
    for (rate, fine) in [(48_000, true), (16_000, false)] {
        let text =
            format!("name: live\nsource: microphone\nstages:\n  - resample: {{ rate: {rate} }}\nsink: speaker\n");
        std::fs::write(home.path("p.yaml"), text).unwrap();
        let output = home.run(&["check", "p.yaml"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if fine { 0 } else { 78 }), "{message}");
        assert!(fine || message.contains("p.yaml:4:"), "{message}");
    }
}

#[test]
fn a_source_takes_what_its_patterns_say_and_as_much_of_the_machine() {
    let home = common::Home::new();
    let load = |settings: &str| {
        let file = home.pipeline(settings, "resize: { long_side: 4 }", "");
        Pipeline::load(&file, &Models::default()).unwrap().source
    };
    let patterns = ", include: [\"*.JPG\", raw/*.png], exclude: [\"*-draft.*\", \"private/**\"]";
    let source = load(&format!("{patterns}, settle: 1.5 s"));
    assert_eq!(source.settle, Duration::from_millis(1500));
    for (name, taken) in [
        ("a.jpg", true),
        ("deep/b.Jpg", true),
        ("a.png", false),
        ("raw/c.PNG", true),
        ("raw/deeper/c.png", false),
        ("deep/raw/c.png", false),
        ("a-Draft.jpg", false),
        ("private/deep/a.jpg", false),
        (".hidden.jpg", false),
    ] {
        assert_eq!(source.accepts(&source.root.join(name)), taken, "{name}");
    }
    for (name, entered) in [("", true), ("deep/er", true), (".hidden", false), ("deep/.hidden/er", false)] {
        assert_eq!(source.enters(&source.root.join(name)), entered, "{name}");
    }
    assert!(!load(", recursive: false").enters(&source.root.join("deep")));
    assert_eq!(load("").weight, 1.0);
    assert_eq!((load(", priority: low").weight, load(", priority: high").weight), (0.25, 4.0));
}

#[test]
fn a_source_refuses_what_is_larger_than_it_says() {
    let home = common::Home::new();
    // 3,000 pixels of noise: 5,000 bytes or more.
    let picture = png(60, 50);
    assert!(picture.len() > 1000);
    std::fs::write(home.path("a.png"), picture).unwrap();
    for (settings, refusal) in [
        (", max_megapixels: 0.004, max_size: 1MB", None),
        (", max_megapixels: 0.002, max_size: 1MB", Some("the picture is 60 x 50")),
        (", max_megapixels: 0.004, max_size: 1kB", Some("the limit is 1000")),
    ] {
        home.pipeline(settings, "resize: { long_side: 4 }", "");
        let output = home.run(&["apply", "pipeline.yaml", "a.png", "--out", "out"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if refusal.is_some() { 65 } else { 0 }), "{settings}: {message}");
        assert!(refusal.is_none_or(|words| message.contains(words)), "{settings}: {message}");
    }
}

#[test]
fn jpeg_files_are_of_the_quality_that_their_sink_says() {
    let home = common::Home::new();
    std::fs::write(home.path("a.png"), png(60, 50)).unwrap();
    let sizes = [", quality: 30", "", ", quality: 92", ", quality: 100"].map(|quality| {
        home.pipeline("", "resize: { long_side: 60 }", &format!(", name: a.jpg, overwrite: true{quality}"));
        let output = home.run(&["apply", "pipeline.yaml", "a.png"]);
        assert!(output.status.success(), "{output:?}");
        std::fs::metadata(home.path("outbox/a.jpg")).unwrap().len()
    });
    assert!(sizes[0] < sizes[1] && sizes[1] == sizes[2] && sizes[2] < sizes[3], "{sizes:?}");
}

/// As `date` tells them: by the clock on the wall, and not by that of Greenwich.
#[test]
fn names_hold_the_local_date_and_time() {
    // Fourteen hours ahead, where it is tomorrow for most of the day.
    const ZONE: &str = "XXX-14";
    let home = common::Home::new();
    home.pipeline("", "resize: { long_side: 4 }", ", name: \"{date} {time}.{ext}\"");
    std::fs::write(home.path("a.png"), png(6, 6)).unwrap();
    let now = || {
        let told = Command::new("date").arg("+%Y-%m-%d %H-%M-%S.png").env("TZ", ZONE).output().unwrap();
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    };
    let before = now();
    let output = home.latentd().args(["apply", "pipeline.yaml", "a.png"]).env("TZ", ZONE).output().unwrap();
    let after = now();
    assert!(output.status.success(), "{output:?}");
    let name = files(&home.path("outbox")).remove(0).display().to_string();
    // As text they are in the order of time.
    assert!(before <= name && name <= after, "{before}, {name}, {after}");
}

/// Each was accepted, and then no file was ever taken, or each given up, or the folder looked at all the time.
#[test]
fn settings_that_cannot_work_are_refused_with_what_was_meant() {
    let home = common::Home::new();
    for (source, mend) in [
        ("include: []", "write patterns like `*.jpg`, or leave it out for all"),
        ("include: [\"./*.png\"]", "did you mean `*.png`?"),
        ("include: [jpg, \"*.png\"]", "did you mean `*.jpg`?"),
        ("recursive: false, include: [\"sub/*.png\"]", "did you mean `*.png`?"),
        ("max_size: 0", "a size such as"),
        ("max_size: 5", "write the unit: `5MB`"),
        ("max_memory: 5M", "did you mean `5MB`?"),
        ("max_memory: 2 gib", "did you mean `2GiB`?"),
        ("max_time: 0", "`100ms` or more"),
        ("poll: 0", "`100ms` or more"),
        ("poll: 5", "write the unit: `5s`"),
    ] {
        home.pipeline(&format!(", {source}"), "", "");
        let (code, _, err) = common::run(&home, "check pipeline.yaml");
        assert!(code == Some(78) && err.contains("pipeline.yaml:3:") && err.contains(mend), "{source}: {err}");
    }
}
