//! The hiss of a recording that is to count as clean: a network that is shown it as speech learns to leave it.

use crate::dsp::{Stft, Window};

const SIZE: usize = 960;
const HOP: usize = SIZE / 2;

/// Frames over which power is averaged to be told from hiss, 90 ms.
const SMOOTH: usize = 9;

/// The share of a recording's frames taken to be without speech.
const PAUSES: f64 = 0.08;

/// How many times the floor counts as hiss: the quietest frames lie below what hiss has on average.
const OVER: f32 = 4.0;

/// What remains at least of hiss, -22 dB, since less would take soft consonants along; its own peaks leave more, -12 dB of all.
const REMAINS: f32 = 0.08;

/// A recording without its steady hiss, as long as it was: each bin's floor is told from the quietest twelfth of the
/// recording, and power near it is taken down (Wiener's rule on smoothed spectra). Digital silence is no pause.
pub fn without_hiss(samples: &[f32]) -> Vec<f32> {
    let stft = Stft::new(SIZE, HOP, Window::Sine);
    let mut padded = vec![0f32; (samples.len() + 2 * HOP).next_multiple_of(HOP) + HOP];
    padded[HOP..HOP + samples.len()].copy_from_slice(samples);
    let mut spectra = stft.analyse(&padded);
    let bins = stft.bins();
    let frames = spectra.len() / bins;
    let power: Vec<f32> = spectra.iter().map(|bin| bin.norm_sqr()).collect();
    for bin in 0..bins {
        let at = |t: usize| power[t * bins + bin];
        let smooth: Vec<f32> = (0..frames)
            .map(|t| {
                let window = t.saturating_sub(SMOOTH / 2)..(t + SMOOTH / 2 + 1).min(frames);
                let count = window.len() as f32;
                window.map(at).sum::<f32>() / count
            })
            .collect();
        // Sixteen bits' rounding and less is silence, whatever the recording.
        let mut heard: Vec<f32> = smooth.iter().copied().filter(|p| *p > 1e-8).collect();
        if heard.is_empty() {
            continue;
        }
        let place = (PAUSES * (heard.len() - 1) as f64) as usize;
        let (_, floor, _) = heard.select_nth_unstable_by(place, f32::total_cmp);
        let hiss = OVER * *floor;
        for t in 0..frames {
            // A beginning of speech opens at once, by the power of the frame itself.
            let power = at(t).max(smooth[t]).max(1e-12);
            spectra[t * bins + bin] *= (1.0 - hiss / power).max(REMAINS);
        }
    }
    stft.synthesise(&spectra)[HOP..HOP + samples.len()].to_vec()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::noise::white;
    use super::*;
    use crate::dsp::math::{rms, si_sdr};

    #[test]
    fn pauses_lose_their_hiss_and_tones_stay() {
        let hiss = white(&mut StdRng::seed_from_u64(3), 96_000);
        // Half a second of tone, half a second of pause.
        let tone = |n: usize| if (n / 24_000).is_multiple_of(2) { 0.2 * (n as f32 * 0.08).sin() } else { 0.0 };
        let clean: Vec<f32> = (0..hiss.len()).map(tone).collect();
        let noisy: Vec<f32> = clean.iter().zip(&hiss).map(|(tone, hiss)| tone + 0.002 * hiss).collect();
        let found = without_hiss(&noisy);
        assert_eq!(found.len(), noisy.len());
        let pause = 30_000..42_000;
        assert!(rms(&found[pause.clone()]) < 0.3 * rms(&noisy[pause]));
        let speech = 54_000..66_000;
        assert!(si_sdr(&clean[speech.clone()], &found[speech]) > 40.0);
    }

    #[test]
    fn silence_stays_silence() {
        assert_eq!(without_hiss(&[0.0; 5000]), [0.0; 5000]);
    }
}
