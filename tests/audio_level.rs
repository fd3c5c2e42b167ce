//! `level` brings recordings to the loudness that is asked, with no true peak above the one that is allowed: those in the way are limited, by no more than
//! `limit`, and what is still missing then is said.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::slice::from_ref;

use audio_common::{Dice, noise, pipeline, speech, through, write_wav};
use common::Home;
use ebur128::{Channel, EbuR128, Mode};
use latentd::media::Audio;
use latentd::media::audio::{Block, Depth, Memory};
use proptest::prelude::*;

/// What comes out of `level` with these settings.
fn levelled(rate: u32, planes: &[Vec<f32>], settings: &str) -> Block {
    let home = Home::new();
    let level = pipeline(&home.path(""), &format!("level: {{{settings}}}"));
    let audio = Audio::new(Memory::new(rate, Block::from_planes(planes.to_vec())), Depth::Float);
    through(&level, audio).unwrap().read_all().unwrap()
}

/// Loudness in LUFS and highest true peak in dB, as the crate `ebur128` measures them, without the histogram that is quick and less exact.
fn measured(rate: u32, sound: &Block) -> (f64, f64) {
    let mut meter = EbuR128::new(sound.channels() as u32, rate, Mode::I | Mode::TRUE_PEAK).unwrap();
    if sound.channels() > 2 {
        // Nobody told where their speakers stand.
        meter.set_channel_map(&vec![Channel::Center; sound.channels()]).unwrap();
    }
    meter.add_frames_f32(&sound.interleaved().collect::<Vec<_>>()).unwrap();
    let peak = (0..meter.channels()).map(|channel| meter.true_peak(channel).unwrap()).fold(0.0, f64::max);
    (meter.loudness_global().unwrap(), 20.0 * peak.log10())
}

/// Something like a voice, each second with a sound of the lips that is far louder for 3 ms.
fn voice(rate: u32, seconds: f64) -> Vec<f32> {
    let mut dice = Dice::new(5);
    let mut sound = speech(rate, seconds);
    let loud = sound.iter().fold(0f32, |peak, v| peak.max(v.abs()));
    let (second, short) = (rate as usize, rate as usize * 3 / 1000);
    for begin in (second / 2..sound.len() - short).step_by(second) {
        let height = loud * (1.5 + 0.5 * dice.next());
        sound[begin..begin + short].iter_mut().for_each(|v| *v = height * dice.next());
    }
    sound
}

/// By one gain alone it would be softer by 4 LU.
#[test]
fn a_voice_with_high_peaks_becomes_as_loud_as_asked() {
    for (rate, channels) in [(8_000, 1), (16_000, 1), (44_100, 2), (48_000, 2), (96_000, 1), (192_000, 1)] {
        let planes: Vec<Vec<f32>> = vec![voice(rate, 8.0); channels];
        let (loudness, peak) = measured(rate, &Block::from_planes(planes.clone()));
        let asked = -1.0 + loudness - peak + 4.0;
        for (limit, missing) in [(0, 4.0), (6, 0.0)] {
            let out = levelled(rate, &planes, &format!("loudness: {asked}, peak: -1, limit: {limit}"));
            assert_eq!(out.frames(), planes[0].len());
            let (loudness, peak) = measured(rate, &out);
            let short = asked - loudness;
            assert!((short - missing).abs() < 0.3, "{rate} Hz: {short:.2} LU short of {asked:.1} by `limit: {limit}`");
            assert!(peak < -0.999, "{rate} Hz: {peak:.3} dB");
        }
    }
}

#[test]
fn what_needs_no_limiter_gets_one_gain_and_nothing_else() {
    let sound = voice(48_000, 4.0);
    let outs = [0, 6, 20].map(|limit| levelled(48_000, from_ref(&sound), &format!("loudness: -40, limit: {limit}")));
    assert!(outs[0] == outs[1] && outs[1] == outs[2]);
    let gain = outs[0].peak() / sound.iter().fold(0f32, |peak, v| peak.max(v.abs()));
    let furthest = outs[0].plane(0).iter().zip(&sound).map(|(out, v)| (out - v * gain).abs()).fold(0.0, f32::max);
    assert!(furthest < 1e-7, "{furthest}");
}

/// Soft noise and one knock: what is not near the knock becomes louder by what a gain alone would allow and `limit`, not by more, and stays in time.
#[test]
fn one_knock_is_limited_by_no_more_than_allowed() {
    let mut sound = noise(5 * 44_100, 0.001, 3);
    sound[100_000..100_020].iter_mut().enumerate().for_each(|(n, v)| *v = 0.25 - 0.02 * n as f32);
    let (_, peak) = measured(44_100, &Block::from_planes(vec![sound.clone()]));
    for limit in [0, 6, 12] {
        let out = levelled(44_100, from_ref(&sound), &format!("loudness: -20, peak: -3, limit: {limit}"));
        let gain = 10f64.powf((-3.0 - peak + f64::from(limit)) / 20.0) as f32;
        for (n, (out, v)) in out.plane(0).iter().zip(&sound).enumerate() {
            let near = (99_700..144_100).contains(&n);
            assert!(near || (out - v * gain).abs() < v.abs() * gain * 1e-3, "{limit} dB, frame {n}: {out} of {v}");
        }
        let (_, peak) = measured(44_100, &out);
        assert!((peak + 3.0).abs() < 0.05, "{limit} dB: {peak:.3}");
    }
}

/// Otherwise a voice in the middle would move aside with each peak of something at one side.
#[test]
fn all_channels_get_the_same_gain() {
    let knocks = voice(48_000, 3.0);
    let tone: Vec<f32> = (0..knocks.len()).map(|n| 0.05 + 0.01 * (n as f32 * 0.01).sin()).collect();
    let planes = [tone.clone(), knocks.clone(), tone.clone(), tone.clone(), tone.clone(), tone.clone(), tone.clone()];
    let out = levelled(48_000, &planes, "loudness: -8, limit: 9");
    let gains: Vec<f32> = out.plane(0).iter().zip(&tone).map(|(out, v)| out / v).collect();
    let least = gains.iter().copied().fold(f32::INFINITY, f32::min);
    let most = gains.iter().copied().fold(0.0, f32::max);
    assert!(most > 1.5 * least, "nothing was limited: {least} to {most}");
    for (channel, plane) in [(1, &knocks), (6, &tone)] {
        let same =
            out.plane(channel).iter().zip(plane).zip(&gains).all(|((out, v), gain)| (out - v * gain).abs() < 1e-5);
        assert!(same, "channel {channel}");
    }
}

#[test]
fn silence_and_moments_stay_what_they_are() {
    for rate in [8_000, 48_000, 192_000] {
        for frames in [0, 1, 2, 100, rate as usize] {
            let out = levelled(rate, &vec![vec![0.0; frames]; 8], "loudness: -5");
            assert!(out.frames() == frames && out.peak() == 0.0);
            let moment = vec![0.001; frames.min(100)];
            let out = levelled(rate, from_ref(&moment), "loudness: -5");
            assert_eq!(out.plane(0), moment, "0.4 s is the shortest that has a loudness");
        }
    }
    let home = Home::new();
    let low = Audio::new(Memory::new(1_000, Block::from_planes(vec![noise(1_000, 0.1, 1)])), Depth::Float);
    let e = through(&pipeline(&home.path(""), "level"), low).unwrap().read_all().unwrap_err();
    assert!(e.to_string().contains("1000 Hz") && e.mend_text().is_some_and(|mend| mend.contains("resample")), "{e}");
    let loud = levelled(48_000, &[vec![1.0; 100]], "loudness: -5, peak: -6");
    assert!(loud.peak() < 0.502, "{}", loud.peak());
}

#[test]
fn what_is_missed_is_said_and_only_that() {
    let home = Home::new();
    let inbox = home.folder("in");
    let sound = voice(16_000, 5.0);
    let mut knock = noise(5 * 16_000, 0.001, 3);
    knock[40_000] = 0.9;
    write_wav(&inbox.join("voice.wav"), 16_000, &[sound], 16, false);
    write_wav(&inbox.join("knock.wav"), 16_000, &[knock], 16, false);
    write_wav(&inbox.join("silence.wav"), 16_000, &[vec![0.0; 16_000]], 16, false);
    drop(pipeline(&home.path(""), "level: {loudness: -23}"));
    let output = home.run(&["apply", "pipeline.yaml", "in", "--out", "out"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("LUFS")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    let parts = ["WARN", "knock.wav", "and not -23", "more than 6 dB", "-1.0 dB", "`limit`"];
    assert!(parts.iter().all(|part| lines[0].contains(part)), "{told}");
    let json = home.run(&["apply", "pipeline.yaml", "in/knock.wav", "--out", "again", "--log-format", "json"]);
    let told = String::from_utf8_lossy(&json.stderr).into_owned();
    let events: Vec<serde_json::Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let warns = |event: &&serde_json::Value| event["level"] == "WARN" && event["mend"].is_string();
    assert_eq!(events.iter().filter(warns).count(), 1, "{told}");
}

/// Sounds of every sort that has peaks between its samples: noise, clicks, tones in steps, squares, a tone at a quarter of the rate.
fn sound(sort: usize, frames: usize, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed + 1);
    let turn = f64::from(dice.next().abs()) * 3.0 + 0.01;
    let mut height = 1.0;
    let mut value = |n: usize| {
        if n.is_multiple_of(50) {
            height = dice.next().abs();
        }
        let tone = (turn * n as f64).sin() as f32;
        match sort {
            0 => dice.next(),
            1 if dice.next() > 0.99 => dice.next(),
            1 => 0.001 * dice.next(),
            2 => height * tone,
            3 => height * tone.signum(),
            _ => (std::f64::consts::FRAC_PI_2 * (n as f64 + 0.5)).sin() as f32 * height,
        }
    };
    (0..frames).map(&mut value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_peak_is_above_the_highest_that_is_allowed(
        rate in prop::sample::select(&[4_000u32, 8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000][..]),
        sorts in prop::collection::vec(0..5usize, 1..9),
        (loudness, peak, limit) in (-40..-4i32, -12..1i32, 0..21i32),
        seed in any::<u32>(),
    ) {
        let frames = rate as usize / 2;
        let plane = |(n, sort): (usize, &usize)| sound(*sort, frames, u64::from(seed) + n as u64);
        let planes: Vec<Vec<f32>> = sorts.iter().enumerate().map(plane).collect();
        let out = levelled(rate, &planes, &format!("loudness: {loudness}, peak: {peak}, limit: {limit}"));
        prop_assert_eq!((out.frames(), out.channels()), (frames, planes.len()));
        prop_assert!(out.planes().iter().flatten().all(|v| v.is_finite()));
        let (reached, highest) = measured(rate, &out);
        prop_assert!(highest <= f64::from(peak) + 0.01, "{highest} dB and not {peak}");
        prop_assert!(reached <= f64::from(loudness) + 0.3, "{reached} LUFS and not {loudness}");
    }
}
