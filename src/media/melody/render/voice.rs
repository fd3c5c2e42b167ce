//! A plain voice for machines without a SoundFont: a few harmonics that fade, and noise for drums.

use realfft::num_complex::Complex;

use super::RATE;
use crate::media::melody::{DRUM_CHANNEL, Melody, Note};

/// Harmonics and how loud each is.
const HARMONICS: [(f32, f32); 4] = [(1.0, 1.0), (2.0, 0.35), (3.0, 0.15), (4.0, 0.06)];

/// Seconds in which a tone fades to a third, while it is held and after it was let go.
const HELD: f32 = 0.9;
const LET_GO: f32 = 0.06;

/// Seconds of a drum's sound, at most.
const DRUM: f32 = 0.35;

/// One channel of samples.
pub fn render(piece: &Melody) -> Vec<f32> {
    let rate = f64::from(RATE);
    let mut samples = vec![0f32; ((piece.seconds() + 0.5) * rate) as usize];
    for voice in &piece.voices {
        for note in &voice.notes {
            let [start, end] = [note.start, note.end].map(|tick| (piece.seconds_at(tick) * rate) as usize);
            let Some(room) = samples.get_mut(start..) else { continue };
            if voice.channel == DRUM_CHANNEL { drum(note, room) } else { tone(note, end.saturating_sub(start), room) }
        }
    }
    samples
}

/// Adds a tone that is held for `held` samples. Sines are turned and envelopes shrunk from sample to sample: asked for anew each time they would
/// take longer than all the rest of a morph.
fn tone(note: &Note, held: usize, room: &mut [f32]) {
    let rate = RATE as f32;
    let frequency = 440.0 * ((f32::from(note.pitch) - 69.0) / 12.0).exp2();
    let length = held + (LET_GO * 4.0 * rate) as usize;
    let audible = HARMONICS.iter().filter(|(number, _)| number * frequency < rate / 2.0);
    // Of each harmonic where it is, its level included, and by how much it turns.
    let mut turning: Vec<[Complex<f32>; 2]> = audible
        .map(|(number, level)| {
            let angle = f64::from(number * frequency) * std::f64::consts::TAU / f64::from(RATE);
            [Complex::new(*level, 0.0), Complex::new(angle.cos() as f32, angle.sin() as f32)]
        })
        .collect();
    let [while_held, let_go] = [HELD, LET_GO].map(|seconds| (-1.0 / (seconds * rate)).exp());
    let mut envelope = f32::from(note.velocity) / 127.0;
    for (at, sample) in room.iter_mut().take(length).enumerate() {
        let wave: f32 = turning.iter().map(|[at, _]| at.im).sum();
        turning.iter_mut().for_each(|[at, by]| *at *= *by);
        *sample += (at as f32 / (0.005 * rate)).min(1.0) * envelope * wave;
        envelope *= if at < held { while_held } else { while_held * let_go };
    }
}

/// Adds a drum: noise that is the shorter and brighter the higher the key, over a falling tone for the low ones.
fn drum(note: &Note, room: &mut [f32]) {
    let rate = RATE as f32;
    let loud = f32::from(note.velocity) / 127.0;
    let (fade, tonal, pitch) = match note.pitch {
        ..=36 => (0.12, 1.0, 60.0),
        37..=40 => (0.10, 0.4, 180.0),
        41 | 43 | 45 | 47 | 48 | 50 => (0.14, 0.8, 90.0 + 12.0 * f32::from(note.pitch - 41)),
        42 | 44 => (0.03, 0.0, 0.0),
        _ => (0.2, 0.0, 0.0),
    };
    let mut state = u32::from(note.pitch) * 7919 + 1;
    for (at, sample) in room.iter_mut().take((DRUM * rate) as usize).enumerate() {
        let time = at as f32 / rate;
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
        let tone = (std::f32::consts::TAU * pitch * time * (1.0 - time).max(0.2)).sin();
        *sample += loud * (-time / fade).exp() * (tonal * tone + (1.0 - tonal) * 0.5 * noise);
    }
}
