//! Rooms: impulse responses of exponentially decaying noise (Moorer 1979, "About this reverberation business").

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::RATE;

/// What a room does to a voice.
pub struct Room {
    /// From the mouth to the microphone.
    pub heard: Vec<f32>,
    /// What is to be kept of it: the same, dying away three times as fast after the first reflections, since hall that is
    /// wholly taken away sounds unnatural and hall that is wholly kept hides words.
    pub kept: Vec<f32>,
}

impl Room {
    /// A room with a decay of 0.1 to 0.7 s by 60 dB.
    pub fn draw(rng: &mut StdRng) -> Room {
        let decay = rng.random_range(0.1..0.7);
        let ratio = rng.random_range(0.5..8.0f64);
        let delay = (rng.random_range(0.001..0.006) * f64::from(RATE)) as usize;
        let length = (decay * f64::from(RATE)) as usize;
        let per_sample = 3.0 * std::f64::consts::LN_10 / (decay * f64::from(RATE));
        let mut tail: Vec<f64> = (0..length)
            .map(|n| {
                let value: f64 = StandardNormal.sample(rng);
                // Reflections are few at first.
                let dense = n as f64 > 0.03 * f64::from(RATE) || rng.random_bool(0.15);
                if n < delay || !dense { 0.0 } else { value * (-per_sample * n as f64).exp() }
            })
            .collect();
        // Air and walls swallow treble: a gentle low pass.
        let mut before = 0.0;
        for v in &mut tail {
            before += 0.5 * (*v - before);
            *v = before;
        }
        let power: f64 = tail.iter().map(|v| v * v).sum();
        let scale = 1.0 / (ratio * power).sqrt();
        let early = (0.02 * f64::from(RATE)) as usize;
        let heard: Vec<f32> =
            tail.iter().enumerate().map(|(n, v)| if n == 0 { 1.0 } else { (v * scale) as f32 }).collect();
        let fade = |n: usize| (-2.0 * per_sample * n.saturating_sub(early) as f64).exp() as f32;
        let kept = heard.iter().enumerate().map(|(n, v)| v * fade(n)).collect();
        Room { heard, kept }
    }
}
