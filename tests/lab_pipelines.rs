//! The pipelines of the lab: a table that grows, a gate for what is unlike a digit, digits without their noise.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod lab_common;
mod melody_common;

use common::Home;
use latentd::media::latent::read_latents;
use melody_common::{JACQUES, MAMAN, save, tune};

fn pipeline(home: &Home, name: &str) {
    std::fs::create_dir_all(home.path("pipelines")).unwrap();
    let file = format!("pipelines/{name}.yaml");
    std::fs::copy(lab_common::root().join(&file), home.path(&file)).unwrap();
}

fn apply(home: &Home, name: &str, input: &str) -> (i32, String) {
    let models = lab_common::models();
    let file = format!("pipelines/{name}.yaml");
    let output = home.run(&["apply", &file, input, "--models", models.to_str().unwrap()]);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_table_grows_by_a_line_a_picture_and_never_twice() {
    let home = Home::new();
    pipeline(&home, "embed-images");
    lab_common::write(&home.path("pictures"));
    let table = || std::fs::read_to_string(home.path("latents/latents.csv")).unwrap();
    let (code, error) = apply(&home, "embed-images", "pictures/3");
    assert_eq!(code, 0, "{error}");
    assert_eq!(table().lines().count(), 1 + 4);
    for _ in 0..2 {
        let (code, error) = apply(&home, "embed-images", "pictures");
        assert_eq!(code, 0, "{error}");
    }
    // The four were named by their paths within `pictures/3` first, and within `pictures` now.
    assert_eq!(table().lines().count(), 1 + 4 + 40);
    // A crash in the middle of a line.
    let whole = table();
    std::fs::write(home.path("latents/latents.csv"), &whole[..whole.len() - 30]).unwrap();
    apply(&home, "embed-images", "pictures");
    let mut lines: Vec<String> = table().lines().map(str::to_owned).collect();
    let mut expected: Vec<String> = whole.lines().map(str::to_owned).collect();
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    let path = home.path("latents/latents.csv");
    let latents = read_latents(std::fs::File::open(&path).unwrap(), &path).unwrap();
    assert!(latents.len() == 44 && latents.iter().all(|latent| latent.size == 20 && latent.model == "digits-vae20"));
}

/// The names of what was encoded were lost, and pipelines that could decode nothing were found right.
#[test]
fn latents_of_a_pipeline_keep_their_names_and_their_model() {
    let home = Home::new();
    lab_common::write(&home.path("inbox"));
    let models = lab_common::models();
    let models = models.to_str().unwrap();
    let pipeline =
        home.pipeline(", recursive: true", "encode: { model: digits-vae20 }", ", name: \"{stem}.safetensors\"");
    let pipeline = pipeline.to_str().unwrap();
    assert!(home.run(&["apply", pipeline, "inbox/3", "--models", models]).status.success());
    let encoded = common::files(&home.path("outbox"));
    let first = format!("outbox/{}", encoded[0].display());
    assert!(home.run(&["decode", "digits-vae20", &first, "-o", "again", "--models", models]).status.success());
    let stem = |path: &std::path::Path| path.file_stem().unwrap().to_owned();
    assert_eq!(stem(&common::files(&home.path("again"))[0]), stem(&encoded[0]));
    home.pipeline("", "encode: { model: digits-vae2 }, decode: { model: digits-vae20 }", "");
    let output = home.run(&["check", pipeline, "--models", models]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(78) && told.contains("mean nothing to `digits-vae20`"), "{told}");
}

#[test]
fn what_is_no_digit_does_not_pass_the_gate() {
    let home = Home::new();
    pipeline(&home, "novelty-gate");
    home.folder("incoming");
    lab_common::cloth().save(home.path("incoming/cloth.png")).unwrap();
    lab_common::digits()[5].1.save(home.path("incoming/five.png")).unwrap();
    let (code, error) = apply(&home, "novelty-gate", "incoming");
    assert_eq!(code, 65, "{error}");
    assert!(error.contains("cloth.png") && error.contains("unlike what `digits-vae20` was trained on"), "{error}");
    assert!(home.path("digits/five.png").is_file() && !home.path("digits/cloth.png").exists());
}

#[test]
fn what_is_no_digit_passes_a_gate_that_only_warns() {
    let home = Home::new();
    pipeline(&home, "novelty-gate");
    let file = home.path("pipelines/novelty-gate.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("then: quarantine"));
    std::fs::write(&file, text.replace("then: quarantine", "then: warn")).unwrap();
    home.folder("incoming");
    lab_common::cloth().save(home.path("incoming/cloth.png")).unwrap();
    lab_common::digits()[5].1.save(home.path("incoming/five.png")).unwrap();
    let (code, error) = apply(&home, "novelty-gate", "incoming");
    assert_eq!(code, 0, "{error}");
    assert_eq!(error.matches("unlike what `digits-vae20` was trained on").count(), 1, "of the cloth alone: {error}");
    let pixels = |name: &str| image::open(home.path(name)).unwrap().into_luma8();
    assert!(pixels("digits/cloth.png") == pixels("incoming/cloth.png") && home.path("digits/five.png").is_file());
}

#[test]
fn a_table_is_as_readable_as_other_files() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    pipeline(&home, "embed-images");
    lab_common::digits()[5].1.save(home.folder("pictures").join("five.png")).unwrap();
    let mut command = home.latentd_by("sh", &["-c", "umask 022 && exec \"$0\" \"$@\""]);
    command.args(["apply", "pipelines/embed-images.yaml", "pictures", "--models"]).arg(lab_common::models());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mode = std::fs::metadata(home.path("latents/latents.csv")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

/// The gate stayed shut at its widest, and the mend was to open it wider.
#[test]
fn nothing_is_stranger_than_above_one() {
    let home = Home::new();
    pipeline(&home, "novelty-gate");
    let file = home.path("pipelines/novelty-gate.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace("above: 0.99", "above: 1");
    std::fs::write(&file, text).unwrap();
    home.folder("incoming");
    lab_common::cloth().save(home.path("incoming/cloth.png")).unwrap();
    let (code, error) = apply(&home, "novelty-gate", "incoming");
    assert!(code == 0 && home.path("digits/cloth.png").is_file(), "{code} {error}");
}

#[test]
fn noise_is_taken_out_of_digits() {
    let home = Home::new();
    pipeline(&home, "denoise-digits");
    home.folder("noisy-digits");
    let (_, clean) = lab_common::digits().swap_remove(8);
    let mut state = 7u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let mut noisy = clean.clone();
    for pixel in noisy.iter_mut() {
        let normal = (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
        *pixel = (f32::from(*pixel) + 255.0 * (0.5 + 0.5 * normal)).clamp(0.0, 255.0) as u8;
    }
    noisy.save(home.path("noisy-digits/8.png")).unwrap();
    let (code, error) = apply(&home, "denoise-digits", "noisy-digits");
    assert_eq!(code, 0, "{error}");
    let result = image::open(home.path("clean-digits/8.png")).unwrap().into_luma8();
    let error = |picture: &image::GrayImage| -> f32 {
        let pairs = picture.as_raw().iter().zip(clean.as_raw());
        pairs.map(|(a, b)| (f32::from(*a) - f32::from(*b)).powi(2)).sum::<f32>() / 784.0
    };
    assert!(error(&result) < error(&noisy) / 8.0, "{} {}", error(&result), error(&noisy));
}

/// The original went, and its line was in no table: what is gathered was taken for done for ever.
#[test]
fn an_original_goes_only_when_its_line_is_in_the_table() {
    let home = Home::new();
    let text = std::fs::read_to_string(lab_common::root().join("pipelines/embed-images.yaml")).unwrap();
    let text = text.replace("gather: latents.csv", "gather: latents.csv, originals: delete");
    let text = text.replace("path: ../pictures", "path: ../pictures, quiet: 200ms");
    let file = home.folder("pipelines").join("embed.yaml");
    std::fs::write(&file, text).unwrap();
    let (picture, table) = (home.folder("pictures").join("five.png"), home.path("latents/latents.csv"));
    let daemon = home.daemon(&file, &["--models", lab_common::models().to_str().unwrap()]);
    for _ in 0..2 {
        lab_common::digits()[5].1.save(&picture).unwrap();
        common::wait_for("the original to go", std::time::Duration::from_secs(120), || !picture.exists());
        assert_eq!(std::fs::read_to_string(&table).unwrap().lines().count(), 2);
        std::fs::remove_file(&table).unwrap();
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// Runs `pipeline.yaml` over files: exit code and stderr.
fn over(home: &Home, inputs: &[&str]) -> (i32, String) {
    let mut command = home.latentd();
    let output = command.args(["apply", "pipeline.yaml"]).args(inputs).arg("--models").arg(lab_common::models());
    let output = output.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The bars that had stayed were left out, and the others stood behind another tune's: nothing could read the table any more.
#[test]
fn a_table_stays_readable_when_a_tune_has_changed_in_part() {
    let home = Home::new();
    home.pipeline("", "encode: { model: melody-2bar }", ", gather: t.csv");
    let half = |text: &str| text.split(' ').filter(|word| !word.is_empty()).take(14).collect::<Vec<_>>().join(" ");
    save(&tune(MAMAN), &home.path("a.mid"));
    save(&tune(JACQUES), &home.path("b.mid"));
    assert_eq!(over(&home, &["a.mid", "b.mid"]).0, 0);
    // The first four bars as before.
    save(&tune(&format!("{} {}", half(MAMAN), half(JACQUES))), &home.path("a.mid"));
    for _ in 0..2 {
        assert_eq!(over(&home, &["a.mid", "b.mid"]).0, 0);
    }
    let path = home.path("outbox/t.csv");
    let latents = read_latents(std::fs::File::open(&path).unwrap(), &path).unwrap();
    let of = |source: &str| {
        let own = latents.iter().filter(|latent| latent.source.as_deref() == Some(source));
        own.map(|latent| latent.rows().map(<[f32]>::to_vec).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let (a, b) = (of("a.mid"), of("b.mid"));
    assert!(a.len() == 2 && b.len() == 1, "{} {}", a.len(), b.len());
    assert!(a[0][..2] == a[1][..2] && a[0][2..] != a[1][2..]);
}

/// All of them went to quarantine, each with another's fault.
#[test]
fn in_a_group_the_one_that_is_to_blame_is_told() {
    let home = Home::new();
    let mut drums = tune(MAMAN);
    drums.voices[0].channel = 9;
    save(&drums, &home.path("b.mid"));
    for name in ["a.mid", "c.mid"] {
        save(&tune(MAMAN), &home.path(name));
    }
    lab_common::cloth().save(home.path("b.png")).unwrap();
    for name in ["a.png", "c.png"] {
        lab_common::digits()[5].1.save(home.path(name)).unwrap();
    }
    let latent = |model: &str| format!("source,model,row{}\n,{model},0{}\n", ",z".repeat(20), ",0".repeat(20));
    for (name, model) in [("a.csv", "digits-vae20"), ("b.csv", "digits-vae2"), ("c.csv", "digits-vae20")] {
        std::fs::write(home.path(name), latent(model)).unwrap();
    }
    for (stage, ending, why) in [
        ("encode: { model: melody-2bar }", "mid", "only drums"),
        ("reconstruct: { model: melody-2bar }", "mid", "only drums"),
        ("decode: { model: digits-vae20 }", "csv", "means nothing"),
        ("novelty: { model: digits-vae20, then: quarantine }", "png", "unlike what"),
    ] {
        home.pipeline(", group: 3", stage, "");
        let names = ["a", "b", "c"].map(|stem| format!("{stem}.{ending}"));
        let (code, told) = over(&home, &names.each_ref().map(String::as_str));
        let blamed = |name: &str| told.lines().any(|line| line.starts_with("error:") && line.contains(name));
        assert!(code == 65 && told.contains(why) && blamed(&names[1]), "{stage}: {told}");
        assert!(!blamed(&names[0]) && !blamed(&names[2]), "{stage}: {told}");
    }
}

/// The verb took what the stage refused: formats of numbers alone do not tell their model.
#[test]
fn the_stage_decode_takes_latents_that_do_not_tell_their_model() {
    let home = Home::new();
    home.pipeline("", "decode: { model: digits-vae20 }", ", name: \"{stem}.png\"");
    let row = format!(",,0{}\n", ",0.5".repeat(20));
    std::fs::write(home.path("mute.csv"), format!("source,model,row{}\n{row}", ",z".repeat(20))).unwrap();
    let (code, told) = over(&home, &["mute.csv"]);
    assert!(code == 0 && home.path("outbox/mute.png").is_file(), "{told}");
    let other = row.replace(",,0", ",digits-vae2,0");
    std::fs::write(home.path("other.csv"), format!("source,model,row{}\n{other}", ",z".repeat(20))).unwrap();
    assert_eq!(over(&home, &["other.csv"]).0, 65);
}
