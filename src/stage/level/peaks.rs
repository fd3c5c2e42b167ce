//! True peaks: how high the sound rises between its samples, by oversampling as ITU-R BS.1770-4 has it in annex 2. The filter is the one that `ebur128`
//! measures by and keeps to itself, so that what is limited by the one is not too high by the other.

use std::f64::consts::PI;

use crate::media::audio::{Block, Format};

/// Taps of the interpolating filter, a sinc under a Hann window, as many as the one that annex 2 has as an example.
const TAPS: usize = 48;
/// Frames that are passed over together where nothing can be too high.
const STRETCH: usize = 32;

/// Finds the peaks of one stream.
pub(super) struct Peaks {
    /// The filter's phases: how the samples within reach make each value between two of them, which begins with the first of the two.
    phases: Vec<Vec<f32>>,
    /// For each channel, the samples that are still within reach, and the new ones.
    lines: Vec<Vec<f32>>,
    /// No value is larger than the largest sample within reach times this.
    most: f32,
}

impl Peaks {
    /// Oversamples up to 192,000 Hz at least: four times below 96,000 Hz, twice below 192,000, else not at all.
    pub(super) fn new(format: Format) -> Peaks {
        let factor = match format.rate {
            ..96_000 => 4,
            96_000..192_000 => 2,
            _ => 1,
        };
        let phases: Vec<Vec<f32>> =
            if factor == 1 { vec![vec![1.0]] } else { (0..factor).map(|n| phase(n, factor)).collect() };
        let sums = phases.iter().map(|phase| phase.iter().map(|tap| tap.abs()).sum::<f32>());
        // What is added up in another order may differ in its last digit.
        let most = sums.fold(0.0, f32::max) * 1.0001;
        let lines = vec![vec![0.0; phases[0].len() - 1]; format.channels];
        Peaks { phases, lines, most }
    }

    /// Frames by which it lags behind.
    pub(super) fn delay(&self) -> usize {
        self.phases[0].len() / 2
    }

    /// For each frame of `input` the highest peak, over all channels, from the frame that came [`Peaks::delay`] before up to the one after that; or
    /// anything up to `enough` where it is no higher.
    pub(super) fn find(&mut self, input: &Block, enough: f32, found: &mut Vec<f32>) {
        let (frames, reach) = (input.frames(), self.phases[0].len() - 1);
        found.clear();
        found.resize(frames, 0.0);
        for (line, plane) in self.lines.iter_mut().zip(input.planes()) {
            line.extend_from_slice(plane);
            for (index, found) in found.chunks_mut(STRETCH).enumerate() {
                let begin = index * STRETCH;
                let span = &line[begin..begin + found.len() + reach];
                if span.iter().fold(0f32, |peak, v| peak.max(v.abs())) * self.most <= enough {
                    continue;
                }
                for phase in &self.phases {
                    let mut values = [0f32; STRETCH];
                    for (at, tap) in phase.iter().enumerate() {
                        values.iter_mut().zip(&span[at..]).for_each(|(value, v)| *value += tap * v);
                    }
                    found.iter_mut().zip(values).for_each(|(peak, value)| *peak = peak.max(value.abs()));
                }
            }
            line.drain(..frames);
        }
    }
}

/// The taps of one phase, in the order of the samples.
fn phase(number: usize, factor: usize) -> Vec<f32> {
    let tap = |index: usize| {
        let window = 0.5 - 0.5 * (2.0 * PI * index as f64 / TAPS as f64).cos();
        let turn = PI * (index as f64 - TAPS as f64 / 2.0) / factor as f64;
        let sinc = if turn == 0.0 { 1.0 } else { turn.sin() / turn };
        (window * sinc) as f32
    };
    (0..TAPS / factor).rev().map(|at| tap(at * factor + number)).collect()
}

#[cfg(test)]
mod tests {
    use ebur128::{EbuR128, Mode};

    use super::*;

    /// A tone whose samples all miss its top.
    #[test]
    fn peaks_between_samples_are_found_where_they_are() {
        for (rate, factor) in [(8_000, 4), (48_000, 4), (96_000, 2)] {
            let format = Format { rate, channels: 2 };
            let mut peaks = Peaks::new(format);
            assert_eq!((peaks.phases.len(), peaks.delay()), (factor, TAPS / factor / 2));
            let tone = |n: usize| (PI * (n as f64 + 0.5) / 2.0).sin() as f32;
            let plane: Vec<f32> = (0..1000).map(|n| if (400..600).contains(&n) { tone(n) } else { 0.0 }).collect();
            assert!(plane.iter().all(|v| v.abs() < 0.708));
            let mut found = Vec::new();
            peaks.find(&Block::from_planes(vec![vec![0.0; 1000], plane]), 0.8, &mut found);
            let mut tops = found[450..550].windows(2).map(|two| two[0].max(two[1]));
            assert!(tops.all(|top| (top - 1.0).abs() < 0.01), "{rate}: {:?}", &found[450..460]);
            let delay = peaks.delay();
            assert!(found[..400].iter().chain(&found[600 + 2 * delay..]).all(|peak| *peak <= 0.8));
        }
    }

    #[test]
    fn they_are_those_that_the_meter_finds() {
        // Numbers that look random.
        let sample = |n: usize, c: usize| ((n * (7919 + 104_729 * c) + n * n * 31) % 1009) as f32 / 1009.0 - 0.5;
        for rate in [8_000, 44_100, 48_000, 96_000, 192_000] {
            for channels in [1, 2, 3, 8] {
                let planes: Vec<Vec<f32>> = (0..channels).map(|c| (0..2000).map(|n| sample(n, c)).collect()).collect();
                let block = Block::from_planes(planes);
                let mut found = Vec::new();
                Peaks::new(Format { rate, channels }).find(&block, 0.0, &mut found);
                let own = found.into_iter().fold(0f32, f32::max);
                let samples: Vec<f32> = block.interleaved().collect();
                let meter = EbuR128::new(channels as u32, rate, Mode::TRUE_PEAK).and_then(|mut meter| {
                    meter.add_frames_f32(&samples)?;
                    (0..channels as u32)
                        .try_fold(0f64, |peak, c| Ok::<_, ebur128::Error>(peak.max(meter.true_peak(c)?)))
                });
                let difference = meter.map(|peak| (peak - f64::from(own)).abs());
                assert!(difference.is_ok_and(|difference| difference < 1e-5), "{rate} Hz, {channels}: {own}");
            }
        }
    }
}
