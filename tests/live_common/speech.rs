//! Noisy speech for a microphone, and by how much what comes out is nearer to the voice.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::process::Command;

use super::audio_common::{self, Dice, lag, rms, si_sdr};
use super::common::Home;

/// Frames before the first word: buffers have settled by then.
const LEAD: usize = 10 * 48_000;

/// Frames of the voice by which it is found again.
const KNOWN: usize = 3 * 48_000;

/// Frames that are aligned at once, and by how many they may lie apart from the piece before.
const PIECE: usize = 12_000;
const REACH: usize = 1_000;

/// Speech of a synthesiser, about 7 s at 48 kHz.
pub fn voice(home: &Home) -> Vec<f32> {
    let file = home.path("voice.wav");
    let words = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. These days a chicken leg is a rare dish.";
    let said = Command::new("espeak-ng").args(["-v", "en", "-s", "150", "-w"]).arg(&file).arg(words).status().unwrap();
    assert!(said.success());
    let source = audio_common::open(&file).unwrap();
    let up = latentd::media::audio::Resample::new(source.format(), 48_000).unwrap();
    let voice = source.through(up).read_all().unwrap().plane(0).to_vec();
    let level = 0.08 / rms(&voice);
    voice.into_iter().map(|v| v * level).collect()
}

/// The voice after 10 s of silence, and the same with a fan that is as loud as the voice. A microphone hears it long before somebody speaks; a program
/// that begins to play into the sink does not.
pub fn with_a_fan(home: &Home) -> (Vec<f32>, Vec<f32>) {
    let mut clean = vec![0.0; LEAD];
    clean.extend(voice(home));
    let mut fan = Dice::new(3);
    let noisy = clean.iter().map(|s| s + 0.14 * fan.next()).collect();
    (clean, noisy)
}

/// By how many dB of SI-SDR the voice in `heard` is nearer to `clean` than in `noisy`. What was heard is late by fewer frames than it is longer.
pub fn improvement(clean: &[f32], noisy: &[f32], heard: &[f32]) -> f64 {
    assert!(heard.len() > clean.len(), "only {} frames were recorded", heard.len());
    let by = lag(&clean[LEAD..][..KNOWN], &heard[LEAD..], heard.len() - clean.len());
    // The middle, where the server's own start and end play no part; piece by piece, since the rate follows the clocks.
    let (mut found, mut wanted, mut given) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = by;
    for start in (LEAD + 24_000..clean.len() - 24_000 - PIECE).step_by(PIECE) {
        let piece = start..start + PIECE;
        // A pause has nothing to be aligned by.
        if rms(&clean[piece.clone()]) < 0.02 {
            continue;
        }
        let near = at.saturating_sub(REACH)..(at + REACH).min(heard.len() - PIECE - start);
        let fit = |by: &usize| si_sdr(&heard[by + start..][..PIECE], &clean[piece.clone()]);
        at = near.max_by(|a, b| fit(a).total_cmp(&fit(b))).unwrap();
        found.extend_from_slice(&heard[at + start..][..PIECE]);
        wanted.extend_from_slice(&clean[piece.clone()]);
        given.extend_from_slice(&noisy[piece]);
    }
    let (before, after) = (si_sdr(&given, &wanted), si_sdr(&found, &wanted));
    println!("SI-SDR {before:.1} dB before, {after:.1} dB after");
    after - before
}
