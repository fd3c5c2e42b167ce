//! A model of melodies is published with what it takes to draw from it, and can be fitted to other tunes.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use latentd::model::{DRAWS_FILE, Draws, Model};

fn train(folder: &Path, arguments: &str) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_latentd-train"));
    let output = program.args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments}: {text}");
    text
}

/// Scales from different notes, up and down.
fn write_tunes(folder: &Path, tonics: &[&str]) {
    fs::create_dir_all(folder).unwrap();
    for (at, tonic) in tonics.iter().enumerate() {
        let bar: String =
            (0..4).map(|beat| format!("{tonic}{}", ["DEF", "GFE", "Gce", "dBA"][(at + beat) % 4])).collect();
        let music = format!("{bar}|").repeat(8);
        fs::write(folder.join(format!("{at}.abc")), format!("X:1\nT:Tune {at}\nM:4/4\nL:1/16\nK:C\n{music}\n"))
            .unwrap();
    }
}

#[test]
fn samples_are_fitted_when_published_and_to_other_tunes() {
    let desk = tempfile::tempdir().unwrap();
    write_tunes(&desk.path().join("tunes"), &["C", "E", "G", "c", "A", "F"]);
    let shape = "--step-width 8 --beat-width 16 --encoder-blocks 1 --decoder-blocks 1 --latent 4 --window-latent 4";
    fs::write(desk.path().join("tunes/broken.mid"), "MThd").unwrap();
    let told = train(
        desk.path(),
        &format!("melody --data tunes --out models/small --run run --steps 3 --batch 4 --held-out 1 {shape}"),
    );
    assert!(told.contains("broken.mid") && told.contains("passed over"), "{told}");
    let folder = desk.path().join("models/small");
    let draw = || {
        let draws = Draws::of(&Model::from_path(&folder).unwrap()).unwrap();
        assert!(draws.fitted());
        draws.draw(0.3, || 0.5)
    };
    let published = draw();
    assert!(published.len() == 4 && published.iter().all(|value| value.is_finite()));
    write_tunes(&desk.path().join("mine"), &["g"]);
    let told = train(desk.path(), "draws models/small --set mine");
    assert!(told.contains("of 1 tunes"), "{told}");
    assert!(draw() != published);
    fs::write(folder.join(DRAWS_FILE), b"noise").unwrap();
    let error = Draws::of(&Model::from_path(&folder).unwrap()).unwrap_err();
    assert!(format!("{error:?}").contains(DRAWS_FILE), "{error:?}");
}
