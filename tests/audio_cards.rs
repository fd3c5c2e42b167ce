//! A card alone tells how a network of sound is run: each form that its section `audio` knows gives what the definitions in docs/sound.md say, computed here
//! anew.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::f64::consts::PI;
use std::fs;
use std::path::Path;

use audio_common::{Port, constant, constants, node, pipeline, sound_model, speech, through};
use common::Home;
use latentd::media::Audio;
use latentd::media::audio::{Block, Depth, Memory, Process};
use latentd::model::{Card, Model, Stream};

/// The sound as it comes out of the stage `denoise` by the model in `folder`.
fn cleaned(home: &Home, folder: &Path, sound: &[f32]) -> Vec<f32> {
    let pipeline = pipeline(&home.path(""), &format!("denoise: {{model: {}}}", folder.display()));
    let audio = Audio::new(Memory::new(48_000, Block::from_planes(vec![sound.to_vec()])), Depth::Float);
    through(&pipeline, audio).unwrap().read_all().unwrap().plane(0).to_vec()
}

/// The weight of a sample by its place in a frame, 0 to 1.
type Taper = fn(f64) -> f64;

/// Frames as a card tells of them.
struct Frames {
    window: usize,
    hop: usize,
    /// Before the network, and behind it.
    analysis: Taper,
    synthesis: Taper,
    /// Whether the result is divided by the weights' sum.
    average: bool,
}

impl Frames {
    /// The sound cut into frames, each made another by `network`, and put together again.
    fn through(&self, sound: &[f32], network: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let place = |n: usize| n as f64 / self.window as f64;
        let (mut sums, mut shares) = (vec![0.0; sound.len()], vec![0.0; sound.len()]);
        // By where a frame ends: the first has but one hop of the sound in it, and the last one of what follows.
        for end in (self.hop..sound.len() + self.window).step_by(self.hop) {
            let at = |n: usize| (end + n).checked_sub(self.window).filter(|at| *at < sound.len());
            let heard = |n: usize| at(n).map_or(0.0, |at| f64::from(sound[at]));
            let frame: Vec<f64> = (0..self.window).map(|n| heard(n) * (self.analysis)(place(n))).collect();
            for (n, value) in network(&frame).into_iter().enumerate() {
                if let Some(at) = at(n) {
                    sums[at] += value * (self.synthesis)(place(n));
                    shares[at] += (self.analysis)(place(n)) * (self.synthesis)(place(n));
                }
            }
        }
        let divisors = shares.iter().map(|share| if self.average { *share } else { 1.0 });
        sums.iter().zip(divisors).map(|(sum, divisor)| sum / divisor).collect()
    }
}

fn rectangular(_: f64) -> f64 {
    1.0
}

fn sqrt_hann(place: f64) -> f64 {
    (PI * place).sin()
}

fn hann(place: f64) -> f64 {
    0.5 - 0.5 * (2.0 * PI * place).cos()
}

fn hamming(place: f64) -> f64 {
    0.54 - 0.46 * (2.0 * PI * place).cos()
}

/// The frame with each bin of its spectrum made as many times larger as `gain` says for its magnitude, by the sums that define the transform.
fn by_gains(frame: &[f64], gain: impl Fn(f64) -> f64) -> Vec<f64> {
    let count = frame.len();
    let turn = |bin: usize, n: usize| 2.0 * PI * (bin * n % count) as f64 / count as f64;
    let bins = (0..count).map(|bin| {
        let sum = |part: fn(f64) -> f64| frame.iter().enumerate().map(|(n, v)| v * part(turn(bin, n))).sum::<f64>();
        let (re, im) = (sum(f64::cos), -sum(f64::sin));
        let gain = gain(re.hypot(im));
        (re * gain, im * gain)
    });
    let bins: Vec<(f64, f64)> = bins.collect();
    let sample = |n: usize| {
        let parts = bins.iter().enumerate().map(|(bin, (re, im))| re * turn(bin, n).cos() - im * turn(bin, n).sin());
        parts.sum::<f64>() / count as f64
    };
    (0..count).map(sample).collect()
}

/// They are equal, and the network has done something.
fn check(found: &[f32], expected: &[f64], sound: &[f32]) {
    assert_eq!((found.len(), expected.len()), (sound.len(), sound.len()));
    let most = |differences: &mut dyn Iterator<Item = f64>| differences.map(f64::abs).fold(0.0, f64::max);
    let wrong = most(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    let done = most(&mut sound.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    assert!(wrong < 1e-5 && done > 0.01, "wrong by {wrong}, and the network changes {done}");
}

/// Where bins are loud they stay, where they are soft they are made softer.
#[test]
fn a_network_may_take_magnitudes_and_give_gains() {
    let home = Home::new();
    let port: [Port; 1] = [("magnitude", &[1, 1, 17])];
    let gain: [Port; 1] = [("gain", &[1, 1, 17])];
    let nodes = vec![node("Add", &["magnitude", "soft"], "sum"), node("Div", &["magnitude", "sum"], "gain")];
    let audio = "sample_rate: 48000, window: 32, hop: 8, taper: hamming, \
                 input: {port: magnitude, form: magnitude}, output: {port: gain, form: gain}";
    let model = sound_model(&home.path("gains"), nodes, vec![constant("soft", 0.5)], [&port, &gain], audio);
    let sound = speech(48_000, 0.3);
    let frames = Frames { window: 32, hop: 8, analysis: hamming, synthesis: hamming, average: true };
    let expected = frames.through(&sound, |frame| by_gains(frame, |magnitude| magnitude / (magnitude + 0.5)));
    check(&cleaned(&home, &model, &sound), &expected, &sound);

    // What a form cannot stand for is told when the card is read.
    let card = fs::read_to_string(model.join("card.yaml")).unwrap();
    for (from, to, why) in [
        ("magnitude, form: magnitude", "magnitude, form: gain", "a gain is an output"),
        ("gain, form: gain", "gain, form: magnitude", "a magnitude an input"),
        ("magnitude, form: magnitude", "magnitude, form: waveform", "takes a waveform"),
        ("gain, form: gain", "gain, form: waveform", "needs one axis of 32"),
        ("gain, form: gain", "gain, form: spectrum", "real and imaginary parts"),
    ] {
        assert!(card.contains(from), "{card}");
        let error = Card::from_yaml(&card.replace(from, to)).unwrap_err();
        assert!(error.message().contains(why), "{to}: {error}");
    }
}

/// The network weighs the samples of a frame by their place in it, and frames are added as they are.
#[test]
fn a_network_may_take_waveforms_whose_frames_are_added() {
    let home = Home::new();
    let weights: Vec<f32> = (0..20).map(|n| 0.05 + 0.01 * n as f32).collect();
    let [wave, output]: [[Port; 1]; 2] = [[("wave", &[1, 20])], [("output", &[1, 20])]];
    let sound = speech(48_000, 0.3);
    for (name, overlap, average) in [("added", ", overlap: sum", false), ("shared", "", true)] {
        let audio = format!(
            "sample_rate: 48000, window: 20, hop: 5, taper: rectangular{overlap}, \
             input: {{port: wave, form: waveform}}, output: {{port: output, form: waveform}}"
        );
        let nodes = vec![node("Mul", &["wave", "weights"], "output")];
        let held = vec![constants("weights", &weights)];
        let model = sound_model(&home.path(name), nodes, held, [&wave, &output], &audio);
        let frames = Frames { window: 20, hop: 5, analysis: rectangular, synthesis: rectangular, average };
        let weighed = |frame: &[f64]| frame.iter().zip(&weights).map(|(v, w)| v * f64::from(*w)).collect();
        check(&cleaned(&home, &model, &sound), &frames.through(&sound, weighed), &sound);
    }
}

/// What the network adds to each frame is weighed behind it, by `synthesis` where the card names one and else by `taper`.
#[test]
fn frames_are_weighed_behind_the_network_by_a_taper_of_their_own() {
    let home = Home::new();
    let [wave, output]: [[Port; 1]; 2] = [[("wave", &[1, 16])], [("output", &[1, 16])]];
    let sound = speech(48_000, 0.3);
    let tapers: [(&str, &str, Taper, bool); 4] = [
        ("one", "", sqrt_hann, true),
        ("other", ", synthesis: hann", hann, true),
        ("none", ", synthesis: rectangular", rectangular, true),
        ("added", ", synthesis: hann, overlap: sum", hann, false),
    ];
    for (name, lines, synthesis, average) in tapers {
        let audio = format!(
            "sample_rate: 48000, window: 16, hop: 4, taper: sqrt-hann{lines}, \
             input: {{port: wave, form: waveform}}, output: {{port: output, form: waveform}}"
        );
        let nodes = vec![node("Add", &["wave", "more"], "output")];
        let model = sound_model(&home.path(name), nodes, vec![constant("more", 0.1)], [&wave, &output], &audio);
        let frames = Frames { window: 16, hop: 4, analysis: sqrt_hann, synthesis, average };
        let expected = frames.through(&sound, |frame| frame.iter().map(|v| v + f64::from(0.1f32)).collect());
        check(&cleaned(&home, &model, &sound), &expected, &sound);
    }
}

/// The network gives each frame two frames late: it keeps them in its states.
#[test]
fn lookahead_is_delay_that_files_are_rid_of() {
    let home = Home::new();
    let shape: &[usize] = &[1, 2, 9];
    let inputs: [Port; 3] = [("spectrum", shape), ("last", shape), ("before", shape)];
    let outputs: [Port; 3] = [("output", shape), ("next_last", shape), ("next_before", shape)];
    let sound = speech(48_000, 0.3);
    for (lookahead, late) in [(2, 0), (0, 16), (1, 8)] {
        let nodes = vec![
            node("Mul", &["before", "four"], "output"),
            node("Mul", &["last", "half"], "next_before"),
            node("Mul", &["spectrum", "half"], "next_last"),
        ];
        let held = vec![constant("four", 4.0), constant("half", 0.5)];
        let audio = format!(
            "sample_rate: 48000, window: 16, hop: 8, lookahead: {lookahead}, input: {{port: spectrum}}, output: {{port: output}}, \
             states: [{{input: last, output: next_last}}, {{input: before, output: next_before}}]"
        );
        let model = sound_model(&home.path(&format!("late-{lookahead}")), nodes, held, [&inputs, &outputs], &audio);
        let found = cleaned(&home, &model, &sound);
        assert!(found[..late].iter().all(|v| v.abs() < 1e-6), "silence at first");
        let wrong = found[late..].iter().zip(&sound).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == sound.len() && wrong < 1e-5, "{lookahead}: wrong by {wrong}");
        // Live it cannot be taken away, and is told.
        let model = Model::from_path(&model).unwrap();
        let audio = model.card.audio.as_ref().unwrap();
        assert_eq!((audio.delay(), audio.latency()), (8 + 8 * lookahead, 16 + 8 * lookahead));
        assert_eq!(Stream::new(&model, 1).unwrap().delay(), 8 + 8 * lookahead);
    }
}
