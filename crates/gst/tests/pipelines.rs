//! The stages of a pipeline's file in an element: which properties count beside them, and what cannot be done.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Dice, complaint, element, listen, refusal, write};
use gst::prelude::*;
use gst_check::Harness;

const AUDIO: &str = "latentdaudiodenoise";
const DENOISE: &str = "latentdvideodenoise";
const UPSCALE: &str = "latentdvideoupscale";

/// An autoencoder of gray pictures of 28 x 28, which is not built in.
const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/digits-vae20");

/// A pipeline of this one stage.
struct File(tempfile::TempDir);

impl File {
    fn new(stage: &str) -> File {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "one.yaml", &format!("stages:\n  - {stage}\n"));
        File(home)
    }

    fn path(&self) -> String {
        self.0.path().join("one.yaml").to_str().unwrap().to_owned()
    }
}

/// The samples of a noisy frame.
fn noisy(samples: usize) -> Vec<u8> {
    let mut dice = Dice(7);
    let sample = |n: usize| {
        let edge = if (n / 60).is_multiple_of(2) { 60.0 } else { 180.0 };
        (edge + 25.0 * dice.next()) as u8
    };
    (0..samples).map(sample).collect()
}

/// Frames of such a format, whose rows are whole fours of bytes, so that GStreamer does not pad them.
fn harness(element: &gst::Element, format: &str, width: usize, height: usize) -> Harness {
    let mut harness = Harness::with_element(element, Some("sink"), Some("src"));
    let caps = format!("video/x-raw, format={format}, width={width}, height={height}, framerate=25/1");
    harness.set_src_caps_str(&caps);
    harness
}

/// Bug: it was ignored without a word.
#[test]
fn strength_counts_beside_a_pipeline() {
    let file = File::new("denoise: { model: denoise-photo-fast, sigma: 20 }");
    let element = element(DENOISE);
    let bus = listen(&element);
    element.set_property("pipeline", file.path());
    let mut harness = harness(&element, "RGB", 40, 30);
    let before = noisy(40 * 30 * 3);
    let mut run = || {
        let out = harness.push_and_pull(gst::Buffer::from_mut_slice(before.clone())).unwrap();
        out.map_readable().unwrap().as_slice().to_vec()
    };
    let full = run();
    assert_ne!(full, before);
    for strength in [0.4f64, 0.0, 1.0] {
        element.set_property("strength", strength);
        let share = |(before, full): (&u8, &u8)| {
            let (before, full) = (f32::from(*before), f32::from(*full));
            (before + strength as f32 * (full - before)).round() as u8
        };
        let expected: Vec<u8> = before.iter().zip(&full).map(share).collect();
        assert!(run() == expected, "strength {strength}");
    }
    assert!(bus.pop_filtered(&[gst::MessageType::Warning]).is_none());
}

/// Bug: these were ignored too.
#[test]
fn what_does_not_count_beside_a_pipeline_is_told_at_the_start() {
    for (name, stage, property, value) in [
        (DENOISE, "denoise", "sigma", "12"),
        (DENOISE, "denoise", "ensemble", "true"),
        (UPSCALE, "upscale", "ensemble", "true"),
        (AUDIO, "high_pass", "attenuation-limit", "20"),
    ] {
        let file = File::new(stage);
        let element = element(name);
        let bus = listen(&element);
        element.set_property("pipeline", file.path());
        element.set_property_from_str(property, value);
        element.set_state(gst::State::Paused).unwrap();
        let said = complaint(&bus);
        let expected = format!("the stages of `pipeline` take no notice of `{property}` (say it in the YAML file)");
        assert_eq!(said, expected, "{name}");
        element.set_state(gst::State::Null).unwrap();
    }
}

/// Bug: they were told of with the first frame, or sent to where they do not work either.
#[test]
fn stages_that_cannot_work_in_an_element_are_refused_at_the_start() {
    for (name, stage, what, mend) in [
        (
            DENOISE,
            &*format!("interpolate: {{ model: {DIGITS}, steps: 3 }}"),
            "one.yaml:2:5: error: `interpolate` goes from one piece to another, and is given 1 (",
            "(leave it out of the pipeline of an element, which works on one piece at a time)",
        ),
        (
            DENOISE,
            "resize: { long_side: 16 }",
            "one.yaml:2:5: error: `resize` changes the size, and this element keeps it (",
            "(leave it out of the pipeline; videoscale does that)",
        ),
        (
            DENOISE,
            "resize: { long_side: 8192, enlarge: true }",
            "`resize` changes the size, and this element keeps it (",
            "(leave it out of the pipeline; videoscale does that)",
        ),
        (
            DENOISE,
            "upscale",
            "`upscale` changes the size, and this element keeps it (",
            "(use the element latentdvideoupscale for it)",
        ),
        (
            UPSCALE,
            "resize: { scale: 0.5 }",
            "frames of 8192 x 4320 would become 4096 x 2160, and",
            "(leave `resize` out of the pipeline; videoscale does that)",
        ),
        (
            UPSCALE,
            "resize: { long_side: 8192, enlarge: true }",
            "frames of 64 x 48 would become 1024 x 768, and",
            "(leave `resize` out of the pipeline; videoscale does that)",
        ),
    ] {
        let file = File::new(stage);
        let said = refusal(name, &[("pipeline", &file.path())]);
        assert!(said.contains(what) && said.ends_with(mend), "{name}, {stage}: {said}");
    }
}

/// Bug: the mend was to leave out stages that set a size.
#[test]
fn reconstruct_works_on_frames_of_its_models_size_and_tells_so() {
    let file = File::new(&format!("reconstruct: {{ model: {DIGITS} }}"));
    let denoise = element(DENOISE);
    let bus = listen(&denoise);
    denoise.set_property("pipeline", file.path());
    let mut wrong = harness(&denoise, "RGB", 40, 30);
    let pushed = wrong.push(gst::Buffer::from_mut_slice(noisy(40 * 30 * 3)));
    assert_eq!(pushed, Err(gst::FlowError::Error));
    let said = complaint(&bus);
    assert!(said.starts_with("the stages made a picture of 28 x 28 (Gray) where 40 x 30 (Rgb)"), "{said}");
    assert!(said.contains("(`reconstruct` makes pictures of its model's size and channels: bring frames to"), "{said}");

    let denoise = element(DENOISE);
    denoise.set_property("pipeline", file.path());
    let mut harness = harness(&denoise, "GRAY8", 28, 28);
    harness.push_and_pull(gst::Buffer::from_mut_slice(noisy(28 * 28))).unwrap();
}
