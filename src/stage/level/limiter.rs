//! A gain and a limiter of true peaks behind it, for sound of which some is known ahead. The gain that each peak (peaks.rs) needs is held as its least value
//! over the look-ahead, comes back exponentially, and is averaged over as long as it was held: a mean of values of which none is too large is not
//! too large either, so no peak gets through, and the gain has no corners that could be heard. P. Hämäläinen, "Smoothing of the Control Signal without
//! Clipped Output in Digital Peak Limiters", DAFx 2002, has the principle; all channels get one gain, so that nothing moves between speakers.

use std::collections::VecDeque;

use super::peaks::Peaks;
use crate::error::Result;
use crate::media::audio::{Block, Delay, Format, Process};

/// Seconds that the gain needs to come down.
const LOOK_AHEAD: f64 = 0.005;
/// The same in frames, at least: at low rates the filter that finds peaks would be longer, and some come through between samples.
const FRAMES: usize = 24;
/// Seconds in which the gain comes back by two thirds. In 20 ms it would follow the single pulses of a deep voice, by 1.4 dB at 80 Hz and 6 dB of limiting,
/// which is heard as roughness; here by 0.3 dB, and between syllables it is back. Slower, it would cost loudness: docs/sound.md has what was measured.
const RELEASE: f64 = 0.1;

/// See above. Its delay is the look-ahead, and what finding a peak takes.
pub(super) struct Limiter {
    format: Format,
    gain: f64,
    ceiling: f64,
    peaks: Peaks,
    /// What [`Peaks`] found in a block, and then the factors of its frames.
    found: Vec<f32>,
    envelope: Envelope,
    delay: Delay,
}

impl Limiter {
    /// Of sound that is made louder by the factor `gain` before, no true peak shall be above `ceiling` (full scale is 1); both above 0.
    pub(super) fn new(format: Format, gain: f64, ceiling: f64) -> Limiter {
        let peaks = Peaks::new(format);
        let envelope = Envelope::new(f64::from(format.rate));
        let delay = Delay::new(format, peaks.delay() + envelope.window);
        Limiter { format, gain, ceiling, peaks, found: Vec::new(), envelope, delay }
    }
}

impl Process for Limiter {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        self.delay.delay()
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        let most = self.ceiling / self.gain;
        self.peaks.find(input, most as f32, &mut self.found);
        for value in &mut self.found {
            let needed = (most / f64::from(*value)).min(1.0);
            *value = (self.gain * self.envelope.next(needed)) as f32;
        }
        self.delay.process(input, output)?;
        for plane in output.planes_mut() {
            plane.iter_mut().zip(&self.found).for_each(|(v, factor)| *v *= factor);
        }
        Ok(())
    }
}

/// Makes of the gain that each peak needs the gain that each frame gets, up to 1.
struct Envelope {
    /// Frames that a gain is for which is given now: so many before the one whose need came last.
    window: usize,
    /// Frames so far.
    now: u64,
    /// The least need of the last frames, and those that will be the least when it is gone (D. Lemire, "Streaming maximum-minimum filter using no more than
    /// three comparisons per element", 2006): when they came, and what they are, rising.
    least: VecDeque<(u64, f64)>,
    released: f64,
    /// What comes back in a frame of what is missing.
    share: f64,
    /// One after the other they take the corners off.
    means: [Mean; 2],
}

impl Envelope {
    fn new(rate: f64) -> Envelope {
        let window = ((LOOK_AHEAD * rate).round() as usize).max(FRAMES);
        let means = [window / 2, window - window / 2].map(|frames| Mean::new(frames + 1));
        let share = -(-1.0 / (RELEASE * rate)).exp_m1();
        Envelope { window, now: 0, least: VecDeque::new(), released: 1.0, share, means }
    }

    fn next(&mut self, needed: f64) -> f64 {
        while self.least.back().is_some_and(|(_, other)| *other >= needed) {
            self.least.pop_back();
        }
        self.least.push_back((self.now, needed));
        // One more than the window, since a peak lies between two frames, and concerns both.
        let oldest = self.now.saturating_sub(self.window as u64 + 1);
        while self.least.front().is_some_and(|(came, _)| *came < oldest) {
            self.least.pop_front();
        }
        self.now += 1;
        let least = self.least.front().map_or(needed, |(_, least)| *least);
        self.released = least.min(self.released + (least - self.released) * self.share);
        let [first, second] = &mut self.means;
        second.next(first.next((self.released * ONE) as u64)) as f64 / ONE
    }
}

/// What gains are counted in, rounded down: sums of whole numbers are exact after hours, too, and where nothing is limited a gain is 1 and nothing else.
const ONE: f64 = (1u64 << 40) as f64;

/// The mean of the last values, all [`ONE`] at first.
struct Mean {
    values: VecDeque<u64>,
    sum: u64,
}

impl Mean {
    fn new(length: usize) -> Mean {
        let values: VecDeque<u64> = std::iter::repeat_n(ONE as u64, length).collect();
        Mean { sum: values.iter().sum(), values }
    }

    fn next(&mut self, value: u64) -> u64 {
        self.sum += value;
        self.values.push_back(value);
        self.sum -= self.values.pop_front().unwrap_or(0);
        self.sum / self.values.len() as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::media::Audio;
    use crate::media::audio::{Depth, Memory};

    fn limited(rate: u32, planes: &[Vec<f32>], gain: f64, ceiling: f64) -> Block {
        let audio = Audio::new(Memory::new(rate, Block::from_planes(planes.to_vec())), Depth::Float);
        let limiter = Limiter::new(audio.format(), gain, ceiling);
        audio.through(limiter).read_all().unwrap()
    }

    /// A tone of 16 frames with a stretch that is twice as loud.
    fn tone(frames: usize, loud: std::ops::Range<usize>) -> Vec<f32> {
        let turn = |n: usize| (n % 16) as f32 * std::f32::consts::PI / 8.0;
        (0..frames).map(|n| turn(n).sin() * if loud.contains(&n) { 0.8 } else { 0.4 }).collect()
    }

    #[test]
    fn it_takes_as_much_as_is_needed_and_only_around_the_peak() {
        let sound = tone(48_000, 20_000..20_480);
        let quiet = vec![0.25f32; 48_000];
        let out = limited(48_000, &[sound.clone(), quiet], 1.0, 0.5);
        assert_eq!(out.frames(), 48_000);
        // Whatever was not near it is as it was, to the bit: 5 ms before, and long after.
        assert_eq!(out.plane(0)[..19_700], sound[..19_700]);
        assert!(out.plane(0)[19_990..20_490].iter().all(|v| v.abs() < 0.5001));
        let loudest = out.plane(0)[20_000..20_480].iter().fold(0f32, |peak, v| peak.max(v.abs()));
        assert!(loudest > 0.49, "{loudest}");
        // The other channel gets the same gain, which is that peak's in the middle of it.
        assert!((out.plane(1)[20_240] - 0.25 * 0.5 / 0.8).abs() < 0.003, "{}", out.plane(1)[20_240]);
        let back = out.plane(1)[20_480 + 240 + 4800] / 0.25;
        let expected = 1.0 - (1.0 - 0.5 / 0.8) * (-1.0f32).exp();
        assert!((back - expected).abs() < 0.02, "{back}, not {expected}");
    }

    #[test]
    fn what_is_soft_is_only_made_louder() {
        for rate in [1_000, 8_000, 48_000, 96_000, 192_000] {
            let sound = tone(5_003, 0..0);
            let expected: Vec<f32> = sound.iter().map(|v| v * 2.0).collect();
            assert_eq!(limited(rate, &[sound], 2.0, 0.99).plane(0), expected, "{rate}");
        }
    }

    #[test]
    fn blocks_make_no_difference() {
        let sound = Block::from_planes(vec![tone(5_000, 1_000..1_100), tone(5_000, 2_000..3_000)]);
        let format = Format { rate: 8_000, channels: 2 };
        let cut = |size: usize| {
            let mut limiter = Limiter::new(format, 1.5, 0.5);
            let (mut all, mut input, mut output) = (Block::new(2), Block::new(2), Block::new(2));
            for begin in (0..5_000).step_by(size) {
                input.clear();
                input.append_part(&sound, begin, size.min(5_000 - begin));
                limiter.process(&input, &mut output).unwrap();
                all.append(&output);
            }
            all
        };
        let whole = cut(5_000);
        assert!([1, 7, 480, 1024].into_iter().all(|size| cut(size) == whole));
    }

    #[test]
    fn one_frame_and_none_come_out_as_such() {
        let one = limited(48_000, &[vec![0.9]], 1.0, 0.45);
        assert!(one.frames() == 1 && (one.plane(0)[0] - 0.45).abs() < 1e-6, "{one:?}");
        assert!(limited(48_000, &[Vec::new()], 1.0, 0.45).is_empty());
        assert_eq!(limited(44_100, &[(); 8].map(|()| vec![0.0; 100]), 4.0, 0.5).peak(), 0.0);
    }
}
