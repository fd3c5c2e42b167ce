//! A card decides: what it says is what is done, an edit of it counts, and what it cannot mean is refused when it is read.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use audio_common::constant;
use common::{Home, png, run};
use latentd::Kind;
use latentd::model::{Card, Models, sha256_hex};
use latentd::pipeline::Pipeline;
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// A network with two outputs: `nothing`, black, and `halved`, half as bright.
fn two_outputs() -> Vec<u8> {
    let times = |factor: &str, output: &str| NodeProto {
        op_type: "Mul".into(),
        name: output.into(),
        input: vec!["image".into(), factor.into()],
        output: vec![output.into()],
        ..Default::default()
    };
    let port = |name: &str| {
        let dim = |value: dimension::Value| Dimension { value: Some(value), denotation: String::new() };
        let sizes = [dimension::Value::DimValue(1), dimension::Value::DimValue(3)].into_iter();
        let free = ["H", "W"].map(|name| dimension::Value::DimParam(name.into()));
        let shape = TensorShapeProto { dim: sizes.chain(free).map(dim).collect() };
        let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
        let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), denotation: String::new() };
        ValueInfoProto { name: name.into(), r#type: Some(kind), ..Default::default() }
    };
    let graph = GraphProto {
        name: "two".into(),
        node: vec![times("zero", "nothing"), times("half", "halved")],
        initializer: vec![constant("zero", 0.0), constant("half", 0.5)],
        input: vec![port("image")],
        output: vec![port("nothing"), port("halved")],
        ..Default::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, opset_import: vec![opset], graph: Some(graph), ..Default::default() }.encode_to_vec()
}

/// Writes that network as `models/two` with a card that names `output`, and more lines.
fn write(home: &Home, output: &str, more: &str) -> PathBuf {
    let folder = home.folder("models/two");
    let onnx = two_outputs();
    let card = format!(
        "name: two\ntask: denoise\nmedia: image\nsha256: {}\ninputs: [{{ name: image, shape: [1, 3, H, W] }}]\noutputs: [{{ name: {output}, shape: [1, 3, H, W] }}]\nreceptive_field: 1\n{more}",
        sha256_hex(&onnx)
    );
    fs::write(folder.join("model.onnx"), onnx).unwrap();
    fs::write(folder.join("card.yaml"), card).unwrap();
    folder
}

fn load(file: &Path) -> Pipeline {
    Pipeline::load(file, &Models::default().with_projects()).unwrap_or_else(|e| panic!("{}", latentd::Error::from(e)))
}

/// It took the first output, whatever the card named.
#[test]
fn a_picture_is_the_output_that_the_card_names() {
    let home = Home::new();
    write(&home, "halved", "");
    let pipeline = home.pipeline("", "denoise: { model: two }", "");
    fs::write(home.path("inbox/a.png"), png(40, 30)).unwrap();
    let output = home.run(&["apply", pipeline.to_str().unwrap(), "inbox", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [before, after] = ["inbox/a.png", "out/a.png"].map(|name| image::open(home.path(name)).unwrap().into_rgb8());
    let halved = before.as_raw().iter().zip(after.as_raw()).all(|(a, b)| a.div_ceil(2).abs_diff(*b) <= 1);
    assert!(halved && after.as_raw().iter().any(|v| *v > 0));

    write(&home, "no-such-output", "");
    let output = home.run(&["check", pipeline.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no output `no-such-output`"));
}

/// The journal kept old results, and a reload changed nothing.
#[test]
fn an_edited_card_is_another_pipeline_and_edited_words_are_not() {
    let home = Home::new();
    write(&home, "halved", "");
    let file = home.pipeline("", "denoise: { model: two }", "");
    let before = load(&file).fingerprint;
    write(&home, "halved", "summary: what it is for\nlimits: [none]\n");
    assert_eq!(load(&file).fingerprint, before);
    write(&home, "halved", "multiple_of: 4\n");
    assert_ne!(load(&file).fingerprint.results, before.results);
    write(&home, "nothing", "");
    assert_ne!(load(&file).fingerprint.results, before.results);
}

/// It was called as good as none.
#[test]
fn a_damaged_golden_file_is_told() {
    let home = Home::new();
    let folder = write(&home, "halved", "");
    let verify = || {
        let output = home.run(&["models", "verify", "two", "--models", "models"]);
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, text) = verify();
    assert!(code == Some(0) && text.contains("there is no golden file"), "{text}");
    fs::write(folder.join("golden.safetensors"), [7; 100]).unwrap();
    let (code, text) = verify();
    assert!(code != Some(0) && text.contains("golden"), "{code:?} {text}");
}

/// They passed `check`, and failed at work or said nothing.
#[test]
fn what_a_card_cannot_mean_is_refused_when_it_is_read() {
    let of = |name: &str| fs::read_to_string(format!("models/{name}/card.yaml")).unwrap();
    let refused = |card: String, why: &str| {
        let error = Card::from_yaml(&card).unwrap_err();
        assert_eq!(error.kind(), Kind::Model);
        assert!(error.message().contains(why), "{error}");
    };
    let replaced = |card: &str, from: &str, to: &str| {
        assert!(card.contains(from), "{from} in {card}");
        card.replacen(from, to, 1)
    };
    let photo = of("denoise-photo");
    let fixed = serde_yaml::from_str::<serde_yaml::Value>(&photo).map(|mut card| {
        card["inputs"][0]["shape"] = serde_yaml::from_str("[1, 3, 64, 64]").unwrap();
        serde_yaml::to_string(&card).unwrap()
    });
    refused(fixed.unwrap(), "of any size");
    let mut endless: serde_yaml::Value = serde_yaml::from_str(&photo).unwrap();
    endless["outputs"][0]["range"] = serde_yaml::from_str("[0, .inf]").unwrap();
    refused(serde_yaml::to_string(&endless).unwrap(), "range");
    refused(replaced(&of("denoise-speech"), "task: denoise", "task: upscale"), "only pictures are");
    let mut strange: serde_yaml::Value = serde_yaml::from_str(&of("digits-vae20")).unwrap();
    for quantiles in ["[]", "[1]", "[3, 2, 1]", "[1, .nan, 2]"] {
        strange["latent"]["novelty"]["quantiles"] = serde_yaml::from_str(quantiles).unwrap();
        refused(serde_yaml::to_string(&strange).unwrap(), "quantiles");
    }
}

/// It was ignored.
#[test]
fn an_ensemble_of_orientations_is_for_pictures() {
    let home = Home::new();
    let pipeline = home.pipeline("", "denoise: { model: denoise-speech, ensemble: true }", "");
    let output = home.run(&["check", pipeline.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(told.contains("ensemble") && told.contains("models of pictures"), "{told}");
}

/// 190 kB of aliases took 3 GB of memory, and lists within lists minutes.
#[test]
fn a_card_is_plain() {
    let photo = fs::read_to_string("models/denoise-photo/card.yaml").unwrap();
    let without = |key: &str| photo.lines().take_while(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
    let card = without("limits:");
    assert!(Card::from_yaml(&card).is_ok() && card.len() < photo.len());
    for (more, why) in [
        (format!("limits: [&a \"{}\"{}]", "x".repeat(100_000), ", *a".repeat(30_000)), "aliases"),
        ("limits: [*a]".to_owned(), ""),
        (format!("limits: {}{}", "[".repeat(40), "]".repeat(40)), "nested more than 32 deep"),
        (format!("limits: {}", "[".repeat(100_000)), ""),
    ] {
        let error = Card::from_yaml(&format!("{card}\n{more}\n")).unwrap_err();
        assert_eq!(error.kind(), Kind::Model);
        assert!(error.to_string().contains(why) && error.mend_text().is_some(), "{error}");
    }
}

/// It said `larger than 0 MiB`.
#[test]
fn a_card_that_is_too_large_is_told_by_its_size() {
    let home = Home::new();
    let folder = write(&home, "halved", "");
    fs::write(folder.join("card.yaml"), "#".repeat(300 << 10)).unwrap();
    let output = home.run(&["models", "verify", "two", "--models", "models"]);
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && told.contains("larger than 256 KiB"), "{told}");
}

/// It was the YAML, a shape of four numbers over six lines.
#[test]
fn a_card_is_shown_to_people_and_to_programs() {
    let home = Home::new();
    let (code, text, _) = run(&home, "models show denoise-speech");
    assert_eq!(code, Some(0));
    for said in [
        "denoise-speech  (built in)",
        "task      denoise, of sound",
        "takes     spectrum [1, 2, 481], 4 states",
        "48000 Hz, frames of 960 samples, 480 apart, 20 ms of delay",
        "166,780 parameters",
        "DNSMOS OVRL",
        "measured by `latentd-train eval",
        "where it fails",
        "LibriSpeech",
    ] {
        assert!(text.contains(said), "{said:?} in\n{text}");
    }
    let (_, yaml, _) = run(&home, "models show denoise-speech --yaml");
    let (_, json, _) = run(&home, "models show denoise-speech --json");
    let card = Card::from_yaml(&yaml).unwrap();
    assert_eq!(card.name, "denoise-speech");
    assert_eq!(serde_json::from_str::<Card>(&json).unwrap(), card);
}
