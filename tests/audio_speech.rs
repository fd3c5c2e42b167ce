//! What `denoise-speech` must leave as it is: the beginnings of speech.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use audio_common::{Dice, Throat, VOWELS, pipeline, through};
use common::Home;
use latentd::media::Audio;
use latentd::media::audio::{Block, Depth, Memory};

/// Samples of a burst: 350 ms.
const BURST: usize = 16_800;
/// Samples of 20 ms.
const BEGINNING: usize = 960;

/// Bursts of a voice, each behind silence and of another pitch, vowel and loudness, and where they begin.
fn bursts() -> (Vec<f32>, Vec<usize>) {
    let mut dice = Dice::new(7);
    let (mut sound, mut begins) = (Vec::new(), Vec::new());
    for number in 0..12u16 {
        sound.resize(sound.len() + 28_800 + 1_237 * usize::from(number), 0.0);
        begins.push(sound.len());
        let (mut throat, mut phase) = (Throat::new(48_000), 1.0f64);
        let (pitch, level) = (110.0 + 11.0 * f64::from(number), 0.08 / f64::from(1 + number % 3));
        for n in 0..BURST {
            let pulse = f64::from(phase >= 1.0) + 0.01 * f64::from(dice.next());
            phase = phase.fract() + pitch * (1.0 + 0.15 * (n as f64 / 9_600.0).sin()) / 48_000.0;
            // It is there within 5 ms, and goes within 50.
            let envelope = (n as f64 / 240.0).min((BURST - n) as f64 / 2_400.0).min(1.0);
            let value = throat.sample(pulse, VOWELS[usize::from(number) % VOWELS.len()]);
            sound.push((value * level * envelope) as f32);
        }
    }
    sound.resize(sound.len() + 24_000, 0.0);
    (sound, begins)
}

fn energy(sound: &[f32]) -> f64 {
    sound.iter().map(|v| f64::from(v * v)).sum()
}

/// The first 20 ms of a burst against the 100 ms after them. In noise 15 dB softer they lose half a decibel at most; behind digital silence, where the
/// first pulse of a voice might as well be a click, 1.3 dB in the mean and once 9.8.
#[test]
fn speech_is_heard_from_its_beginning() {
    let home = Home::new();
    let pipeline = pipeline(&home.path(""), "denoise: {model: denoise-speech}");
    let (clean, begins) = bursts();
    let power = begins.iter().map(|&at| energy(&clean[at..][..BURST])).sum::<f64>() / (begins.len() * BURST) as f64;
    for (noise, mean, worst) in [(Some(15.0), 1.0, 3.0), (None, 3.0, 14.0)] {
        // The dice are as likely to give any number of -1..1, whose mean square is a third.
        let level = noise.map_or(0.0, |softer: f64| (3.0 * power * 10f64.powf(-softer / 10.0)).sqrt() as f32);
        let mut dice = Dice::new(3);
        let sound: Vec<f32> = clean.iter().map(|v| v + level * dice.next()).collect();
        let audio = Audio::new(Memory::new(48_000, Block::from_planes(vec![sound])), Depth::Float);
        let cleaned = through(&pipeline, audio).unwrap().read_all().unwrap();
        let cleaned = cleaned.plane(0);
        let gain = |from: usize, frames: usize| {
            10.0 * (energy(&cleaned[from..][..frames]) / energy(&clean[from..][..frames])).log10()
        };
        let lost = |&at: &usize| gain(at + BEGINNING, 5 * BEGINNING) - gain(at, BEGINNING);
        let losses: Vec<f64> = begins.iter().map(lost).collect();
        let most = losses.iter().copied().fold(f64::MIN, f64::max);
        let average = losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(average < mean && most < worst, "noise {noise:?}: {average:.1} dB in the mean, of {losses:.1?}");
        // They are not all taken away alike.
        assert!(begins.iter().all(|&at| gain(at + BEGINNING, 5 * BEGINNING) > -6.0), "noise {noise:?}");
    }
}
