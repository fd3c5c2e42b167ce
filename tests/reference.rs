//! `latentd stages` and docs/pipelines.md tell the tables by which pipelines are checked (UPDATE_GOLDEN=1 writes the page below its mark), and what those say
//! of media is so.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use common::{Home, run};
use latentd::config::read_stages;
use latentd::media::MediaKind;
use latentd::model::Models;
use latentd::pipeline::CATALOG;
use latentd::stage::{self, DESCRIPTIONS, Site};
use serde_json::Value;

/// What is above it in the page was written by hand.
const MARK: &str = "<!-- made by `latentd stages --markdown` -->\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_page_is_the_programs_own() {
    let path = root().join("docs/pipelines.md");
    let page = fs::read_to_string(&path).unwrap();
    let (words, tables) = page.split_once(MARK).unwrap();
    let (code, told, _) = run(&Home::new(), "stages --markdown");
    assert_eq!(code, Some(0));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, [words, MARK, &told].concat()).unwrap();
    } else {
        assert!(tables == told, "run `UPDATE_GOLDEN=1 cargo test --release --test reference`");
    }
}

#[test]
fn stages_take_and_give_what_their_tables_say() {
    // Models of the other kinds that the examples do not name.
    let others = [
        "denoise: { model: denoise-speech }",
        "encode: { model: melody-2bar }",
        "decode: { model: melody-2bar }",
        "reconstruct: { model: digits-vae20 }",
        "interpolate: { model: digits-vae20 }",
    ];
    let models = Models::default().with_projects();
    let site = Site { models: &models, folder: root() };
    for description in DESCRIPTIONS {
        let start = format!("{}:", description.name);
        let more = others.into_iter().filter(|other| other.starts_with(&start));
        let (mut takes, mut gives) = (HashSet::new(), HashSet::new());
        for example in more.chain([description.example]) {
            let text = format!("stages:\n  - {example}\n");
            let read = read_stages(&root().join("example.yaml"), text, DESCRIPTIONS);
            let (stages, problems) = stage::build_chain(&read.list, true, &site);
            read.check(problems).unwrap();
            takes.insert(stages[0].takes());
            gives.insert(stages[0].yields());
        }
        let said = |kinds: &[MediaKind]| kinds.iter().copied().collect::<HashSet<_>>();
        assert_eq!(takes, said(description.takes), "{}", description.name);
        assert_eq!(gives, said(description.gives), "{}", description.name);
    }
}

#[test]
fn every_setting_is_told() {
    let home = Home::new();
    let (code, list, _) = run(&home, "stages");
    assert_eq!(code, Some(0));
    for (part, known) in CATALOG.parts() {
        assert!(list.contains(&format!("{part}s\n")), "{list}");
        for description in known {
            let name = description.name;
            assert!(list.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name}: {list}");
            let (code, told, _) = run(&home, &format!("stages {name}"));
            assert_eq!(code, Some(0), "{name}");
            assert!(told.contains(&format!("{part} {name}\n")) && told.contains(description.example), "{told}");
            let (_, json, _) = run(&home, &format!("stages {name} --json"));
            let mut objects = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let object = objects.find(|object| object["part"] == part).unwrap();
            let settings = object["settings"].as_array().unwrap();
            assert_eq!(settings.len(), description.fields.len(), "{name}");
            for (field, setting) in description.fields.iter().zip(settings) {
                assert!(told.contains(&format!("\n  {}  (", field.name)) && told.contains(field.doc), "{told}");
                assert!(setting["name"] == field.name && setting["schema"]["description"] == field.doc, "{json}");
            }
        }
    }
    let (_, denoise, _) = run(&home, "stages denoise");
    let strength = "\n  strength  (default 1)\n      A number from 0 to 1. How much";
    assert!(denoise.contains(strength), "{denoise}");
    assert!(
        denoise.contains("\n  attenuation_limit_db  (may be left out)\n      A number from 0 to 100 dB. For sound")
    );
    let (_, folders, _) = run(&home, "stages folder");
    assert_eq!(folders.matches("\n  path  (must be given)\n      A path. ").count(), 2, "{folders}");
}

#[test]
fn a_name_that_is_not_there_is_told_with_the_one_that_was_meant() {
    let home = Home::new();
    for (name, mend) in [("denoize", "did you mean `denoise`?"), ("sharpen", "`latentd stages` lists them")] {
        let (code, out, err) = run(&home, &format!("stages {name}"));
        assert!(code == Some(64) && out.is_empty() && err.contains(mend), "{err}");
    }
}

/// The unit that a number has is told where a value is wrong, and is not to be written.
#[test]
fn a_number_is_written_without_its_unit() {
    let home = Home::new();
    for (value, words) in [
        ("80 Hz", "help: write the number alone: `80`"),
        ("80 dB", "`frequency` must be a number from 5 to 5000 Hz, found `80 dB`"),
        ("3", "`frequency` must be a number from 5 to 5000 Hz, found `3`"),
    ] {
        home.pipeline("", &format!("high_pass: {{ frequency: {value} }}"), "");
        let (code, _, err) = run(&home, "check pipeline.yaml");
        assert!(code == Some(78) && err.contains(words), "{err}");
    }
}

#[test]
fn lines_are_as_long_as_the_terminal_is_wide() {
    let home = Home::new();
    let line = "script -qec \"stty cols 50; '$0' stages speaker\" /dev/null";
    let Some(output) = home.latentd_by("sh", &["-c", line]).output().ok().filter(|output| output.status.success())
    else {
        eprintln!("script, of util-linux, is not here");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("speaker") && text.lines().count() > 10, "{text}");
    for line in text.lines() {
        assert!(line.trim_end().chars().count() <= 50, "{line}");
    }
    assert!(!text.contains('\x1b'), "NO_COLOR is set: {text:?}");
}
