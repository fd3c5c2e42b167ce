//! Pieces of recordings: faster or slower, and one after the other.

use latentd::media::audio::{Audio, Block, Depth, Memory, Resample};
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Material, RATE};

/// Samples over which one piece fades into the next, 5 ms: a step would be a click, and a target with clicks teaches them.
const FADE: usize = RATE as usize / 200;

/// `frames` samples of one voice or one kind of noise, at a percentage of its speed (and pitch with it) drawn from
/// `speeds` three times out of five; where a recording ends, another of the same group follows. And how far up they
/// reach, in Hz.
///
/// # Panics
/// When there is no recording.
pub fn excerpt(rng: &mut StdRng, material: &Material, speeds: std::ops::Range<u32>, frames: usize) -> (Vec<f32>, f32) {
    let group = material.draw(rng);
    let percent = if rng.random_bool(0.6) { rng.random_range(speeds) } else { 100 };
    let mut samples = Vec::with_capacity(frames);
    let mut bandwidth = 0f32;
    while samples.len() < frames {
        let recording = group.draw(rng);
        bandwidth = bandwidth.max(recording.bandwidth * percent as f32 / 100.0);
        let start = rng.random_range(0..recording.samples.len().saturating_sub(frames / 2).max(1));
        let piece = at_speed(&recording.samples[start..], percent, frames - samples.len() + FADE);
        append(&mut samples, &piece);
    }
    samples.truncate(frames);
    (samples, bandwidth)
}

/// At most `wanted` samples of `source`, of 32768, at a percentage of its speed. What does not fit below half of
/// [`RATE`] is filtered out.
fn at_speed(source: &[i16], percent: u32, wanted: usize) -> Vec<f32> {
    let count = wanted * percent as usize / 100 + 1;
    let samples: Vec<f32> = source.iter().take(count).map(|&v| f32::from(v) / 32768.0).collect();
    if percent == 100 {
        return samples;
    }
    // Played at so many percent of its rate it is as much faster.
    let memory = Memory::new(RATE * percent / 100, Block::from_planes(vec![samples]));
    let audio = Audio::new(memory, Depth::Float);
    let resample = Resample::new(audio.format(), RATE).expect("rubato takes all such rates");
    audio.through(resample).read_all().expect("memory can be read").plane(0).to_vec()
}

/// Adds `piece` to `samples`, cross-faded over [`FADE`] or as much as there is of both.
fn append(samples: &mut Vec<f32>, piece: &[f32]) {
    let fade = FADE.min(samples.len()).min(piece.len());
    let from = samples.len() - fade;
    for (n, (sum, next)) in samples[from..].iter_mut().zip(piece).enumerate() {
        let part = (n as f32 + 0.5) / fade as f32;
        *sum += part * (next - *sum);
    }
    samples.extend_from_slice(&piece[fade..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::math::rms;

    fn tone(hertz: f32, samples: usize) -> Vec<i16> {
        let sine = |n: usize| (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin();
        (0..samples).map(|n| (16000.0 * sine(n)) as i16).collect()
    }

    /// What is left of a tone without the tone of this frequency, in dB of it.
    fn rest(samples: &[f32], hertz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &v) in samples.iter().enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * hertz * n as f64 / f64::from(RATE)).sin_cos();
            (re, im) = (re + f64::from(v) * cos, im + f64::from(v) * sin);
        }
        let of_tone = 2.0 * (re * re + im * im) / (samples.len() as f64).powi(2);
        let whole = samples.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / samples.len() as f64;
        10.0 * ((whole - of_tone).max(1e-12) / of_tone).log10()
    }

    #[test]
    fn a_tone_stays_one_tone_at_another_speed() {
        for (hertz, percent) in [(1_000.0, 118), (12_000.0, 110), (15_000.0, 87)] {
            let found = at_speed(&tone(hertz, 48_000), percent, 20_000);
            assert!(found.len() >= 20_000, "{}", found.len());
            let rest = rest(&found[1_000..17_000], f64::from(hertz) * f64::from(percent) / 100.0);
            assert!(rest < -55.0, "{hertz} Hz at {percent} %: {rest:.1} dB of something else");
        }
    }

    #[test]
    fn what_would_be_above_the_band_is_gone_and_not_folded_back() {
        let found = at_speed(&tone(22_000.0, 48_000), 130, 20_000);
        assert!(rms(&found[1_000..19_000]) < 1e-3);
    }

    #[test]
    fn pieces_follow_each_other_without_a_click() {
        let mut samples = vec![1.0; 1000];
        append(&mut samples, &vec![-1.0; 1000]);
        assert_eq!(samples.len(), 2000 - FADE);
        let step = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 2.5 / FADE as f32, "{step}");
        // The first has nothing to fade from, and one shorter than a fade is no trouble.
        let mut samples = Vec::new();
        append(&mut samples, &[0.5; 3]);
        append(&mut samples, &[0.5; 10]);
        assert_eq!(samples, vec![0.5; 10]);
    }
}
