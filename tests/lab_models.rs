//! The digits models are what their cards say: golden outputs, measured numbers above the bars, and digits that come through.
#![allow(missing_docs, clippy::unwrap_used)]

mod lab_common;

use lab_common::{cloth, digits, model, values};
use latentd::Kind;
use latentd::model::{Card, Golden, Kernel, Model, Place, Session, sha256_hex, verify};
use latentd::stage::codec::ImageCodec;
use prost::Message;
use tract_onnx::pb::ModelProto;

const ALL: [&str; 9] = [
    "digits-ae",
    "digits-ae2",
    "digits-ae16",
    "digits-denoise",
    "digits-upscale-x2",
    "digits-vae2",
    "digits-vae20",
    "digits-cvae",
    "digits-aae",
];

fn cross_entropy(predicted: &[f32], target: &[f32]) -> f32 {
    let term = |(p, t): (&f32, &f32)| {
        let p = p.clamp(1e-6, 1.0 - 1e-6);
        -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
    };
    predicted.iter().zip(target).map(term).sum::<f32>() / target.len() as f32
}

#[test]
fn every_model_gives_its_golden_outputs() {
    for name in ALL {
        let model = model(name);
        let golden = Golden::of(&model).unwrap().unwrap();
        for &kernel in Kernel::ALL {
            assert!(verify(&model, &golden, kernel).unwrap() < 1e-4, "{name} by {kernel:?}");
        }
    }
}

#[test]
fn models_are_small() {
    let mut all = 0;
    for name in ALL {
        let size = std::fs::metadata(lab_common::models().join(name).join("model.onnx")).unwrap().len();
        assert!(size < 2_000_000, "{name}: {size} bytes");
        all += size;
    }
    assert!(all < 12_000_000, "{all} bytes in all");
}

/// The numbers were measured on 10,000 test digits by `latentd-train eval digits --write`; here they are held to the bars.
#[test]
fn measured_numbers_reach_the_bars() {
    let number = |name: &str, what: &str| {
        let model = model(name);
        let found = model.card.metrics.iter().find(|m| m.name.contains(what));
        found.unwrap_or_else(|| panic!("the card of {name} has no number for `{what}`")).value
    };
    assert!(number("digits-ae", "cross-entropy of a value") < 0.0953);
    assert!(number("digits-denoise", "cross-entropy of a value") < 0.1398);
    assert!(number("digits-upscale-x2", "cross-entropy of a value") < 0.0955);
    assert!(number("digits-vae2", "784 x squared error + KL") < 35.7);
    assert!(number("digits-vae20", "cross-entropy of a digit + KL") < 104.0);
    assert!(number("digits-cvae", "samples told as the class") >= 0.97);
    assert!(number("digits-aae", "MMD^2") < 0.01);
    assert!(number("digits-vae20", "AUROC of digits against Fashion-MNIST") >= 0.95);
}

#[test]
fn digits_come_through_and_a_cloth_does_not() {
    for name in ["digits-ae", "digits-vae20"] {
        let codec = ImageCodec::open(&model(name), None).unwrap();
        let entropy =
            |planes: &[f32]| cross_entropy(&codec.planes(&codec.posterior(planes).unwrap().mean).unwrap(), planes);
        let all: Vec<f32> = digits().iter().map(|(_, picture)| entropy(&values(picture))).collect();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        assert!(mean < 0.125, "{name}: {mean}");
        let novelty = codec.novelty(&values(&cloth())).unwrap();
        assert!(digits().iter().all(|(_, picture)| codec.novelty(&values(picture)).unwrap() < novelty), "{name}");
    }
}

#[test]
fn a_conditional_model_makes_the_digit_that_it_is_told() {
    let model = model("digits-cvae");
    let classifier = Session::new(&model, &[("image", &[1, 1, 28, 28])], &["class_scores"]).unwrap();
    let told = |planes: &[f32]| {
        let scores = &classifier.run(&[planes]).unwrap()[0];
        (0..10).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
    };
    let right = digits().iter().filter(|(class, picture)| told(&values(picture)) == *class).count();
    assert!(right >= 38, "{right} of 40");
    for class in 0..10 {
        let codec = ImageCodec::open(&model, Some(class)).unwrap();
        assert_eq!(told(&codec.planes(&vec![0.0; model.card.latent.as_ref().unwrap().size]).unwrap()), class);
    }
}

#[test]
fn noise_goes_and_pixels_come() {
    let denoiser = Session::new(&model("digits-denoise"), &[("image", &[1, 1, 28, 28])], &["output"]).unwrap();
    let upscaler = Session::new(&model("digits-upscale-x2"), &[("image", &[1, 1, 14, 14])], &["output"]).unwrap();
    let mut state = 1u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let (mut noise, mut size) = (0.0, 0.0);
    for (_, picture) in digits() {
        let clean = values(&picture);
        // Twelve uniform draws make a normal one, near enough.
        let mut normal = || (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
        let noisy: Vec<f32> = clean.iter().map(|v| (v + 0.5 + 0.5 * normal()).clamp(0.0, 1.0)).collect();
        noise += cross_entropy(&denoiser.run(&[&noisy]).unwrap()[0], &clean) / 40.0;
        let at = |x: usize, y: usize| clean[y * 28 + x];
        let small: Vec<f32> = (0..196)
            .map(|i| (i % 14 * 2, i / 14 * 2))
            .map(|(x, y)| (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4.0)
            .collect();
        size += cross_entropy(&upscaler.run(&[&small]).unwrap()[0], &clean) / 40.0;
    }
    assert!(noise < 0.15 && size < 0.1, "{noise} {size}");
}

/// A score that is no number is above no bound, and passed every gate.
#[test]
fn a_novelty_that_is_no_number_is_an_error() {
    let whole = model("digits-vae20");
    let bytes = std::fs::read(lab_common::models().join("digits-vae20/model.onnx")).unwrap();
    let mut graph = ModelProto::decode(bytes.as_slice()).unwrap();
    let tensors = &mut graph.graph.as_mut().unwrap().initializer;
    let spread = tensors.iter_mut().find(|tensor| tensor.name.contains("log_var") && tensor.dims.len() == 1).unwrap();
    spread.raw_data = f32::INFINITY.to_le_bytes().repeat(spread.raw_data.len() / 4);
    let bytes = graph.encode_to_vec();
    let card = Card { sha256: sha256_hex(&bytes), ..whole.card.clone() };
    let broken = Model::new(card, &bytes, Place::Memory).unwrap();
    let digit = values(&digits()[3].1);
    assert!(ImageCodec::open(&whole, None).unwrap().novelty(&digit).is_ok());
    let error = ImageCodec::open(&broken, None).and_then(|codec| codec.novelty(&digit)).unwrap_err();
    assert_eq!(error.kind(), Kind::Model, "{error}");
}
