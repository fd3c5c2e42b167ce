//! Whoever has nothing but the program can begin: it carries pipelines, to be run by name or written down and changed.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Home, files, png, run};

#[test]
fn a_pipeline_is_written_down_and_is_right() {
    let home = Home::new();
    let (code, listed, _) = run(&home, "new");
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(code == Some(0) && names.contains(&"phone-photos") && names.contains(&"clean-microphone"), "{listed}");
    let (code, json, _) = run(&home, "new --json");
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert!(code == Some(0) && first["name"] == names[0] && first["purpose"].is_string(), "{json}");
    // Of those that the program's own models are enough for, and of the others.
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let (code, out, err) = run(&home, &format!("new --models {models} {} --out mine", names.join(" ")));
    assert_eq!((code, out.lines().count()), (Some(0), names.len()), "{err}");
    assert!(err.contains("phone-photos comes out in ") && err.contains("latentd run mine"), "{err}");
    for name in &names {
        let shipped = fs::read(format!("{}/pipelines/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!(fs::read(home.path(&format!("mine/{name}.yaml"))).unwrap(), shipped);
    }
    assert_eq!(run(&home, &format!("check --models {models} mine")).0, Some(0));
}

#[test]
fn nothing_is_written_over() {
    let home = Home::new();
    fs::write(home.folder("pipelines").join("thumbnails.yaml"), "mine").unwrap();
    let (code, out, err) = run(&home, "new phone-photos thumbnails");
    assert!(code == Some(64) && out.is_empty() && err.contains("pipelines/thumbnails.yaml"), "{out}{err}");
    assert_eq!(files(&home.path("pipelines")), ["thumbnails.yaml".as_ref() as &std::path::Path]);
    assert_eq!(fs::read(home.path("pipelines/thumbnails.yaml")).unwrap(), b"mine");
    let (code, _, err) = run(&home, "new phone-fotos");
    assert!(code == Some(64) && err.contains("did you mean `phone-photos`?"), "{err}");
    let (code, _, err) = run(&home, "new thumbnails --out pipelines/thumbnails.yaml");
    assert!(code == Some(64) && err.contains("results go into a folder"), "{err}");
}

#[test]
fn a_model_that_is_missing_is_told_once_the_pipeline_is_there() {
    let home = Home::new();
    let (code, out, err) = run(&home, "new novelty-gate thumbnails");
    assert!(code == Some(78) && err.contains("digits-vae20") && err.contains("--models"), "{out}{err}");
    assert_eq!(out, "pipelines/novelty-gate.yaml\npipelines/thumbnails.yaml\n");
}

#[test]
fn one_is_applied_by_its_name() {
    let home = Home::new();
    fs::write(home.path("photo.png"), png(900, 90)).unwrap();
    assert_eq!(run(&home, "apply thumbnails photo.png --out small").0, Some(0));
    assert_eq!(image::open(home.path("small/photo.jpg")).unwrap().width(), 640);
    assert_eq!(files(&home.path(".")).len(), 2, "nothing else is written");
    // Once more, as after an interruption: what is there is passed over, and named or not it takes no other name.
    fs::write(home.path("other.png"), png(900, 90)).unwrap();
    let (code, _, err) = run(&home, "apply thumbnails photo.png other.png --out small --skip-existing");
    assert!(code == Some(0) && err.contains("1 passed over"), "{err}");
    assert_eq!(files(&home.path("small")).len(), 2);
    assert_eq!(run(&home, "apply thumbnails photo.png --out small --skip-existing").0, Some(0));
    fs::remove_file(home.path("other.png")).unwrap();
    let (code, _, err) = run(&home, "apply thumbnails photo.png");
    assert!(code == Some(64) && err.contains("--out DIR") && err.contains("latentd new thumbnails"), "{err}");
    let (code, _, err) = run(&home, "apply tumbnails photo.png --out small");
    assert!(code == Some(66) && err.contains("did you mean `thumbnails`?"), "{err}");
    let (code, _, err) = run(&home, "apply clean-microphone photo.png --out small");
    assert!(code == Some(78) && err.contains("latentd run"), "{err}");
    let (code, _, err) = run(&home, "run thumbnails");
    assert!(code == Some(66) && err.contains("latentd new thumbnails"), "{err}");
    // A folder of that name is what the pipeline has watched.
    home.folder("thumbnails");
    assert_eq!(run(&home, "apply thumbnails photo.png --out small").0, Some(0));
    fs::remove_dir(home.path("thumbnails")).unwrap();
    // What lies there is meant, as for any other file.
    fs::copy(home.pipeline("", "resize: { long_side: 4 }", ""), home.path("thumbnails")).unwrap();
    assert_eq!(run(&home, "apply thumbnails photo.png --out tiny").0, Some(0));
    assert_eq!(image::open(home.path("tiny/photo.png")).unwrap().width(), 4);
}

/// A folder of downloads may hold a `models/` of a stranger's.
#[test]
fn one_that_is_named_takes_no_model_from_where_it_is_run() {
    let home = Home::new();
    for folder in ["models/denoise-photo", "models/upscale-photo-x2"] {
        fs::write(home.folder(folder).join("card.yaml"), "a stranger's").unwrap();
    }
    fs::write(home.path("photo.png"), png(20, 20)).unwrap();
    let (code, _, err) = run(&home, "apply clean-photos photo.png --out better");
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(image::open(home.path("better/photo.png")).unwrap().width(), 40);
    // As those of a file that lies there are.
    let (code, _, err) = run(&home, "new clean-photos --out .");
    assert!(code == Some(78) && err.contains("card.yaml"), "{err}");
}
