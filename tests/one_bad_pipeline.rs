//! A pipeline that cannot be read is told, and keeps nobody from hearing of the others.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use common::Home;
use serde_json::Value;

/// A pipeline with a file in quarantine, and beside it one with a mistake.
fn home() -> Home {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let wrong = "name: wrong\nsource: {folder: {pth: ./in}}\nstages: []\nsink: {folder: {path: ./out}}\n";
    fs::write(home.path("a-wrong.yaml"), wrong).unwrap();
    let from = home.path("inbox").canonicalize().unwrap();
    let note = format!("latentd could not work on this file.\n\nfile:   {}/x\nreason: no picture\n", from.display());
    let quarantine = home.folder("quarantine");
    fs::write(quarantine.join("a\nb.png"), "no picture").unwrap();
    fs::write(quarantine.join("a\nb.png.error.txt"), note).unwrap();
    home
}

fn run(home: &Home, line: &str) -> (Option<i32>, String, String) {
    let output = home.run(&line.split(' ').collect::<Vec<_>>());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_doctor_looks_at_the_others() {
    let home = home();
    let (code, out, err) = run(&home, "doctor a-wrong.yaml pipeline.yaml");
    assert_eq!(code, Some(78), "{out}{err}");
    assert!(out.contains("in a-wrong.yaml") && out.contains("test: source"), "{out}");
    assert!(err.contains("`pth`"), "{err}");
    let (code, out, _) = run(&home, "doctor --json gone.yaml pipeline.yaml");
    assert_eq!(code, Some(66), "{out}");
    let checks: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad = checks.iter().find(|check| check["what"] == "pipeline").unwrap();
    assert!(bad["verdict"] == "bad" && bad["found"].as_str().unwrap().contains("gone.yaml"), "{bad}");
    assert!(checks.iter().any(|check| check["what"] == "test: the sink"), "{out}");
}

#[test]
fn what_others_have_in_quarantine_is_listed_and_nothing_more() {
    let home = home();
    let of = "-p a-wrong.yaml -p pipeline.yaml";
    let (code, out, err) = run(&home, &format!("quarantine list --json {of}"));
    assert!(code == Some(78) && err.contains("`pth`"), "{code:?} {err}");
    // A path for programs is the path itself.
    let kept: Value = serde_json::from_str(&out).unwrap();
    assert!(kept["name"] == "a\nb.png" && kept["file"].as_str().unwrap().ends_with("/a\nb.png"), "{out}");
    // Whose a file is in a folder that several share is not known while one of them cannot be read.
    let (code, ..) = run(&home, &format!("quarantine purge --all {of}"));
    assert_eq!(code, Some(78));
    assert!(home.path("quarantine/a\nb.png").is_file());
}
