//! Live `level` after a loud moment, in the pauses that follow, and between loud and soft talkers.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
mod live_common;

use audio_common::{noise, rms};
use common::Home;
use ebur128::{EbuR128, Mode};
use latentd::media::audio::{Block, Process};
use live_common::live;

const RATE: usize = 48_000;

/// What comes out of `level` for this loudness, 10 ms after 10 ms.
fn levelled(lufs: i32, sound: &[f32]) -> Vec<f32> {
    let home = Home::new();
    let mut chain = live(&home.path(""), &format!("level: {{loudness: {lufs}}}")).chain().unwrap();
    let (mut out, mut block) = (Vec::new(), Block::new(1));
    for part in sound.chunks(RATE / 100) {
        chain.process(&Block::from_planes(vec![part.to_vec()]), &mut block).unwrap();
        out.extend_from_slice(block.plane(0));
    }
    out
}

/// Frames of so many seconds.
fn frames(seconds: f64) -> usize {
    (seconds * RATE as f64) as usize
}

/// Integrated loudness of these seconds, in LUFS.
fn loudness(sound: &[f32], from: f64, to: f64) -> f64 {
    let mut meter = EbuR128::new(1, RATE as u32, Mode::I).unwrap();
    meter.add_frames_f32(&sound[frames(from)..frames(to)]).unwrap();
    meter.loudness_global().unwrap()
}

/// At this loudness, in LUFS.
fn at(lufs: f64, mut sound: Vec<f32>) -> Vec<f32> {
    let gain = 10f64.powf((lufs - loudness(&sound, 0.0, sound.len() as f64 / RATE as f64)) / 20.0) as f32;
    sound.iter_mut().for_each(|v| *v *= gain);
    sound
}

/// Syllables of noise, three in two seconds, and a breath after every tenth.
fn syllables(seconds: f64, seed: u64) -> Vec<f32> {
    let syllable = |(n, v): (usize, f32)| {
        let time = n as f64 / RATE as f64;
        let loud = (std::f64::consts::PI * 1.5 * time).sin().powi(2).max(0.05);
        if time % 4.0 < 3.2 { v * loud as f32 } else { 0.0 }
    };
    noise(frames(seconds), 0.03, seed).into_iter().enumerate().map(syllable).collect()
}

/// Noise at full scale.
fn bang(seconds: f64) -> Vec<f32> {
    noise(frames(seconds), 1.0, 9).into_iter().map(|v| v.clamp(-1.0, 1.0)).collect()
}

/// The gain in dB, for each of these seconds.
fn gains(sound: &[f32], out: &[f32], from: usize, to: usize) -> Vec<f32> {
    let second = |n: usize| n * RATE..(n + 1) * RATE;
    (from..to).map(|n| 20.0 * (rms(&out[second(n)]) / rms(&sound[second(n)])).log10()).collect()
}

/// A cough was what was heard from then on, the voice after it a pause, and and the gain stayed where the cough had put it: 26 dB lower than before.
#[test]
fn one_loud_moment_makes_nobody_quiet_for_ever() {
    for long in [0.5, 3.0] {
        let sound = [at(-32.0, syllables(20.0, 1)), bang(long), at(-32.0, syllables(60.0, 2))].concat();
        let out = levelled(-23, &sound);
        let after = 20.0 + long;
        let before = loudness(&out, 5.0, 20.0);
        assert!((before + 23.0).abs() < 1.5, "{before:.1} LUFS before");
        for (from, to) in [(after + 7.0, after + 17.0), (after + 30.0, after + 60.0)] {
            let now = loudness(&out, from, to);
            assert!((now - before).abs() < 2.0, "{before:.1} LUFS, after {long} s of bang {now:.1} at {from} s");
        }
        let peak = out.iter().fold(0f32, |peak, v| peak.max(v.abs()));
        assert!(peak < 0.892, "the bang came out with {peak}, and -1 dB was the most");
    }
}

/// The first thing heard is the cough.
#[test]
fn a_loud_moment_at_the_very_beginning_makes_nobody_quiet_for_ever() {
    let sound = [bang(0.5), at(-32.0, syllables(40.0, 3))].concat();
    let now = loudness(&levelled(-23, &sound), 10.0, 40.0);
    assert!((now + 23.0).abs() < 2.0, "{now:.1} LUFS");
}

/// The gain comes back in a pause as well, but only as far as makes nothing louder than it came; the rest when the voice goes on.
#[test]
fn noise_in_a_pause_after_a_loud_moment_is_not_made_louder_than_it_came() {
    let room = at(-46.0, noise(frames(60.0), 0.01, 4));
    let sound = [at(-26.0, syllables(20.0, 5)), bang(0.5), room, at(-26.0, syllables(20.0, 6))].concat();
    let out = levelled(-14, &sound);
    let before = gains(&sound, &out, 12, 19).into_iter().fold(f32::INFINITY, f32::min);
    assert!(before > 9.0, "{before:.1} dB");
    let pause = gains(&sound, &out, 21, 80);
    assert!(pause.iter().all(|gain| *gain < 0.1), "{pause:.1?}");
    assert!(pause[0] < -5.0 && pause[58] > -0.1, "{pause:.1?}");
    let again = loudness(&out, 87.0, 100.0);
    assert!((again + 14.0).abs() < 2.0, "{again:.1} LUFS");
}

/// docs/sound.md: within 15 s where 10 LU softer, at once where louder.
#[test]
fn talkers_10_lu_apart_are_followed_each_time() {
    let turns = (0..6u64).map(|turn| at(if turn % 2 == 0 { -22.0 } else { -32.0 }, syllables(20.0, 10 + turn)));
    let sound: Vec<f32> = turns.flatten().collect();
    let out = levelled(-23, &sound);
    for turn in 0..6 {
        let begin = f64::from(turn) * 20.0;
        let now = loudness(&out, begin + 15.0, begin + 20.0);
        assert!((now + 23.0).abs() < 2.0, "turn {turn}: {now:.1} LUFS");
        let first = loudness(&out, begin + 1.0, begin + 5.0);
        assert!(first < -23.0 + 5.0, "turn {turn} begins with {first:.1} LUFS");
    }
}

/// What has no syllables is no voice that a word could be an event in.
#[test]
fn noise_that_was_there_first_is_not_made_louder_again_after_each_word() {
    let word = |seed| at(-25.0, syllables(0.66, seed));
    let silence = |seconds| vec![0f32; frames(seconds)];
    let words: Vec<f32> = (0..4).flat_map(|n| [word(20 + n), silence(7.34)].concat()).collect();
    let mut sound = [silence(10.0), words].concat();
    let fan = at(-45.0, noise(sound.len(), 0.01, 7));
    sound.iter_mut().zip(&fan).for_each(|(v, noise)| *v += noise);
    let out = levelled(-23, &sound);
    for word in 0..4 {
        let begin = 10 + 8 * word;
        let pause = gains(&sound, &out, begin + 2, begin + 8);
        assert!(pause.iter().all(|gain| *gain < 8.0), "after word {word}: {pause:.1?}");
    }
}

/// The gain that comes back in pauses does so slowly.
#[test]
fn a_loud_voice_with_pauses_of_3_s_is_not_pumped() {
    let turn = |n: u64| [at(-12.0, syllables(3.2, 30 + n)), vec![0f32; frames(3.0)]].concat();
    let sound: Vec<f32> = (0..8).flat_map(turn).collect();
    let out = levelled(-23, &sound);
    let levels: Vec<f64> = (2..8).map(|n| loudness(&out, f64::from(n) * 6.2, f64::from(n) * 6.2 + 3.2)).collect();
    assert!(levels.iter().all(|level| (level + 23.0).abs() < 2.0), "{levels:.1?}");
}
