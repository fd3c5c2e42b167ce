//! What the tests share: sounds and pictures, what the library makes of them, and what an element says.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Once;

use gst::prelude::*;
use latentd::config::{self, Node};
use latentd::crew::Crew;
use latentd::media::audio::{Block, Depth, Memory};
use latentd::media::{Audio, Media};
use latentd::model::Models;
use latentd::stage::{self, DESCRIPTIONS, Site, Stage};

/// GStreamer with the plugin in it.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstlatentd::register().unwrap();
    });
}

pub fn element(name: &str) -> gst::Element {
    init();
    gst::ElementFactory::make(name).build().unwrap()
}

/// One stage as a pipeline would have it.
pub fn stage(name: &str, settings: Vec<(&str, Node)>) -> Vec<Box<dyn Stage>> {
    let models = Models::default();
    vec![stage::named(name, settings, &Site { models: &models, folder: Path::new("/") }).unwrap()]
}

/// The stages of a pipeline's file.
pub fn stages_of(file: &Path) -> Vec<Box<dyn Stage>> {
    let read = config::read_stages(file, config::read(file).unwrap(), DESCRIPTIONS);
    let models = Models::default();
    let (stages, problems) = stage::build_chain(&read.list, true, &Site { models: &models, folder: Path::new("/") });
    read.check(problems).unwrap();
    stages
}

pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What the stages make of a sound in memory.
pub fn through(stages: &[Box<dyn Stage>], rate: u32, planes: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let audio = Audio::new(Memory::new(rate, Block::from_planes(planes.to_vec())), Depth::Float);
    match stage::process(stages, vec![Media::Audio(audio)], &Crew::alone()).unwrap().pop() {
        Some(Media::Audio(audio)) => audio.read_all().unwrap().planes().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// A generator of random numbers in -1..1.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0) as f32
    }
}

/// Something like a voice that says syllables, in a hiss.
pub fn noisy_speech(rate: u32, frames: usize, seed: u64) -> Vec<f32> {
    let mut dice = Dice(seed);
    let mut phase = 0.0;
    (0..frames)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            phase += (120.0 + 20.0 * (3.0 * t).sin()) / f64::from(rate);
            let voice: f64 = (1..12).map(|k| (std::f64::consts::TAU * phase * f64::from(k)).sin() / f64::from(k)).sum();
            let syllable = (std::f64::consts::TAU * 2.0 * t).sin().max(0.0);
            (0.15 * voice * syllable) as f32 + 0.02 * dice.next()
        })
        .collect()
}

pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths differ");
    a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// Samples of sound are the same but for the order of additions.
pub const ROUNDING: f32 = 1e-6;

/// Compares sounds, channel by channel.
pub fn assert_same(got: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: channels");
    for (got, expected) in got.iter().zip(expected) {
        let off = largest_difference(got, expected);
        assert!(off <= ROUNDING, "{what}: {off}");
    }
}

/// Compares pictures of 256 steps. An element takes the kernel that was measured to be the fastest here, and kernels round differently: a sample in a thousand may be one
/// step off.
pub fn assert_alike(got: &[u8], expected: &[u8], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let off = got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    let (differing, most) = (off.clone().filter(|off| *off > 0).count(), off.max().unwrap_or(0));
    assert!(
        most <= 1 && differing <= 1 + got.len() / 1000,
        "{what}: {differing} of {} differ, by {most} at most",
        got.len()
    );
}

/// A crew as an element has it, so that pictures are cut alike; nobody answers its calls.
pub fn crew() -> Crew {
    let helpers = std::thread::available_parallelism().map_or(1, usize::from) - 1;
    Crew::new(helpers).0.dedicated()
}

/// Gives the element a bus, for an element outside a pipeline has none.
pub fn listen(element: &gst::Element) -> gst::Bus {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    bus
}

/// The next error or warning on the bus.
pub fn complaint(bus: &gst::Bus) -> String {
    match bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]).expect("no message").view() {
        gst::MessageView::Error(e) => e.error().message().to_owned(),
        gst::MessageView::Warning(e) => e.error().message().to_owned(),
        _ => unreachable!(),
    }
}

/// What an element says that cannot start with these properties.
pub fn refusal(name: &str, properties: &[(&str, &str)]) -> String {
    let element = element(name);
    let bus = listen(&element);
    for (name, value) in properties {
        element.set_property(name, value);
    }
    assert!(element.set_state(gst::State::Paused).is_err(), "it starts with {properties:?}");
    element.set_state(gst::State::Null).unwrap();
    complaint(&bus)
}
