//! The pipelines that are shipped are right, and the registry that describes them is sound.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod json_schema;

use std::path::Path;
use std::process::Command;

use latentd::model::Models;
use latentd::pipeline::{CATALOG, Loaded};

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
