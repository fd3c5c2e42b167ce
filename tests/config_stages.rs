//! The stages of a file are read without its source and sink: what plugins do, which are built without the daemon.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use latentd::config::{Stages, read_stages};
use latentd::model::Models;
use latentd::stage::{self, DESCRIPTIONS, Site};

fn read(text: &str) -> Stages {
    read_stages(Path::new("a/b.yaml"), text, DESCRIPTIONS)
}

/// All that is wrong with the stages of `text`, one problem a line.
fn wrong(text: &str) -> String {
    let stages = read(text);
    let models = Models::default().with_projects();
    let site = Site { models: &models, folder: Path::new("a") };
    let (_, more) = stage::build_chain(&stages.list, stages.problems.is_empty(), &site);
    stages.check(more).unwrap_err().to_string()
}

#[test]
fn stages_alone_and_those_of_a_whole_pipeline() {
    let alone = read("stages:\n  - denoise: { sigma: 10 }\n  - upscale\n");
    assert!(alone.check(Vec::new()).is_ok(), "{:?}", alone.problems);
    let names = |stages: &Stages| stages.list.iter().map(|c| c.description.name).collect::<Vec<_>>();
    assert_eq!(names(&alone), ["denoise", "upscale"]);
    assert_eq!(alone.list[0].settings.get("sigma").unwrap().as_number(), Some(10.0));
    let whole = read("name: x\nsource: { anything: 1 }\nstages: [upscale]\nsink: { speaker: { device: y } }\n");
    assert!(whole.check(Vec::new()).is_ok(), "{:?}", whole.problems);
    assert_eq!(names(&whole), ["upscale"]);
    assert!(read("stages: []").check(Vec::new()).is_ok());
}

#[test]
fn every_mistake_has_its_place() {
    assert!(wrong("name: x\n").starts_with("a/b.yaml:1:1: error: the pipeline has no `stages`"));
    assert_eq!(
        wrong("stage: [upscale]\n"),
        "a/b.yaml:1:1: error: unknown key `stage` (did you mean `stages`?)\n",
        "a misspelled key is one mistake"
    );
    assert!(wrong("- upscale\n").starts_with("a/b.yaml:1:1: error: a pipeline must have the keys"));
    assert!(wrong("stages: [\n").starts_with("a/b.yaml:"));
    // Mistakes of form, of models and of order at once.
    let many = wrong("stages:\n  - denoise: { strength: 2, colour: red }\n  - upscale: { model: nowhere }\n  - blur\n");
    let places: Vec<&str> = many.lines().filter_map(|line| line.split(" error").next()).collect();
    assert_eq!(places, ["a/b.yaml:2:26:", "a/b.yaml:2:29:", "a/b.yaml:3:23:", "a/b.yaml:4:5:"], "{many}");
    // Settings that a model has no use for.
    let unfit =
        "stages:\n  - denoise: { model: denoise-camera, sigma: 10 }\n  - denoise: { attenuation_limit_db: 3 }\n";
    assert_eq!(
        wrong(unfit),
        "a/b.yaml:2:46: error: `sigma` is for models that are told how strong the noise is, and `denoise-camera` is none (leave it out)\n\
         a/b.yaml:3:38: error: `attenuation_limit_db` is for models of sound, and `denoise-photo` is none (leave it out)\n"
    );
    let order = wrong("stages:\n  - upscale\n  - high_pass\n");
    assert!(
        order.starts_with("a/b.yaml:3:5: error: stage 2 `high_pass` takes sound, stage 1 `upscale` yields an image")
    );
}
