//! A model is what its card says, computes what training computed, and a stranger's model runs by a card alone.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Home, count, png, quietly, shipped_models};
use latentd::Kind;
use latentd::model::{Card, GOLDEN_TOLERANCE, Golden, Kernel, Model, Models, Place, sha256_hex, verify};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    shipped_models().into_iter().map(|name| folder.join(name)).collect()
}

#[test]
fn every_shipped_model_gives_its_golden_output_by_every_kernel() {
    for path in shipped() {
        let model = Model::from_path(&path).unwrap();
        let golden = Golden::of(&model).unwrap().unwrap();
        for &kernel in Kernel::ALL {
            let difference = verify(&model, &golden, kernel).unwrap();
            assert!(difference <= GOLDEN_TOLERANCE, "{} by {kernel:?}: {difference}", path.display());
        }
    }
}

/// Models that the program carries.
const BUILT_IN: [&str; 13] = [
    "denoise-camera",
    "denoise-photo",
    "denoise-photo-fast",
    "denoise-speech",
    "melody-2bar",
    "upscale-camera-x2",
    "upscale-camera-x4",
    "upscale-photo-x2",
    "upscale-photo-x2-fast",
    "upscale-photo-x3",
    "upscale-photo-x3-fast",
    "upscale-photo-x4",
    "upscale-photo-x4-fast",
];

#[test]
fn every_shipped_model_is_built_in_and_says_enough_of_itself() {
    let nowhere = Models::default();
    for path in shipped() {
        let name = path.file_name().unwrap().to_str().unwrap();
        // The lab's and the larger models lie beside the program; the others go wherever it goes.
        let model = match BUILT_IN.contains(&name) {
            true => nowhere.get(name, Path::new("/nonexistent")).unwrap(),
            false => std::sync::Arc::new(Model::from_path(&path).unwrap()),
        };
        assert_eq!((model.place == Place::BuiltIn, model.card.name.as_str()), (BUILT_IN.contains(&name), name));
        let card = &model.card;
        assert!(card.training.is_some() && card.licence.is_some() && card.size.is_some(), "{name}");
        assert!(!card.limits.is_empty() && card.metrics.iter().all(|m| !m.command.is_empty()), "{name}");
        assert!(card.metrics.len() >= 2, "{name}");
    }
}

#[test]
fn a_changed_file_is_not_loaded() {
    let source = &shipped()[0];
    let card = Card::from_yaml(&fs::read_to_string(source.join("card.yaml")).unwrap()).unwrap();
    let mut bytes = fs::read(source.join("model.onnx")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let error = Model::new(card, &bytes, Place::Memory).unwrap_err();
    assert_eq!(error.kind(), Kind::Model);
    assert!(error.message().contains("SHA-256"));
}

#[test]
fn hostile_onnx_bytes_are_errors_and_never_panics() {
    let source = &shipped()[0];
    let card = Card::from_yaml(&fs::read_to_string(source.join("card.yaml")).unwrap()).unwrap();
    let whole = fs::read(source.join("model.onnx")).unwrap();
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    for round in 0..300 {
        let mut bytes = whole.clone();
        match round % 3 {
            // The graph's structure stands at the end, behind the weights.
            0 => bytes.truncate(next() % whole.len()),
            1 => (0..4).for_each(|_| {
                let at = whole.len() - 1 - next() % 4000;
                bytes[at] = next() as u8;
            }),
            _ => {
                let at = next() % 200;
                bytes[at] = next() as u8;
            }
        }
        let card = Card { sha256: sha256_hex(&bytes), ..card.clone() };
        // tract's panics are caught where they happen, and are not worth a line each.
        let outcome =
            quietly(|| Model::new(card, &bytes, Place::Memory).and_then(|m| m.plan(64, 64, Kernel::Direct).map(drop)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => assert_eq!(error.kind(), Kind::Model, "{round}: {error}"),
            Err(_) => panic!("round {round} panics"),
        }
    }
}

#[test]
fn a_strangers_model_runs_by_a_card_alone() {
    let home = Home::new();
    let folder = home.folder("models/my-own-denoiser");
    fs::copy("models/denoise-photo/model.onnx", folder.join("model.onnx")).unwrap();
    let hash = sha256_hex(&fs::read(folder.join("model.onnx")).unwrap());
    let card = format!(
        "name: my-own-denoiser\ntask: denoise\nmedia: image\nsha256: {hash}\ninputs:\n  - {{ name: image, shape: [1, 3, H, W] }}\n  - {{ name: sigma, shape: [1, 1, 1, 1] }}\noutputs:\n  - {{ name: output, shape: [1, 3, H, W] }}\nreceptive_field: 67\nmultiple_of: 8\n"
    );
    fs::write(folder.join("card.yaml"), card).unwrap();
    let pipeline = home.pipeline("", "denoise: { model: my-own-denoiser, sigma: 20 }", "");
    fs::write(home.path("inbox/a.png"), png(60, 50)).unwrap();
    let output = home.run(&["apply", pipeline.to_str().unwrap(), "inbox", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count(&home.path("out")), 1);
}

/// A card could ask for tiles of any size, and the program ended for want of memory.
#[test]
fn context_is_not_larger_than_the_reach() {
    let card = fs::read_to_string("models/upscale-photo-x2-fast/card.yaml").unwrap();
    assert!(Card::from_yaml(&card).is_ok());
    let error = Card::from_yaml(&card.replace("tile_context: 8", "tile_context: 40000")).unwrap_err();
    assert!(error.to_string().contains("tile_context"), "{error}");
}

/// It took tunes and digits for pictures of any size, and ended at the first.
#[test]
fn what_is_no_picture_is_passed_over_by_the_benchmark() {
    let home = Home::new();
    let output = home.run(&["models", "bench", "melody-2bar", "denoise-speech", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("denoise-speech"));
}

#[test]
fn cards_go_out_and_come_back() {
    for path in shipped() {
        let text = fs::read_to_string(path.join("card.yaml")).unwrap();
        let card = Card::from_yaml(&text).unwrap();
        assert_eq!(Card::from_yaml(&card.to_yaml().unwrap()).unwrap(), card);
    }
    for wrong in ["", "name: x", "- 1", "name: ../x\ntask: denoise"] {
        assert_eq!(Card::from_yaml(wrong).unwrap_err().kind(), Kind::Model);
    }
}

/// Whoever looked for models waited for somebody to write into it.
#[test]
fn a_pipe_in_the_place_of_a_models_file_is_refused() {
    let home = Home::new();
    for (file, other) in [("card.yaml", "model.onnx"), ("model.onnx", "card.yaml")] {
        let folder = home.folder(&format!("with a pipe for {file}"));
        fs::copy(shipped()[0].join(other), folder.join(other)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(folder.join(file)).status().unwrap().success());
        let error = Model::from_path(&folder).unwrap_err();
        assert!(error.kind() == Kind::Model && error.to_string().contains(file), "{error}");
    }
}
