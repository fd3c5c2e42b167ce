//! From one rate to another by rubato's FFT resampler, whose delay is a whole number of frames on both sides.

use audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Resampler};

use super::{Block, Format, Process};
use crate::error::{Error, Kind, Result};

/// Frames at the lower rate that are transformed at a time: enough for a steep filter, flat to nine tenths of the band, and at 16 kHz still
/// only 10 ms, short enough for a call. Higher rates take as long.
const FRAMES: usize = 160;
const SECONDS: f64 = 0.01;

/// Changes the rate.
pub struct Resample {
    from: u32,
    output: Format,
    resampler: Fft<f32>,
    /// What waits until there is enough for a transform.
    waiting: Block,
    ready: Vec<Vec<f32>>,
}

impl Resample {
    /// From the rate of `input` to `rate`.
    ///
    /// # Errors
    /// Kind bug: rubato refuses the rates, which it does for none that files and devices may have.
    pub fn new(input: Format, rate: u32) -> Result<Resample> {
        let step = greatest_common_divisor(input.rate, rate);
        let lower = input.rate.min(rate);
        let wanted = (f64::from(lower) * SECONDS).max(FRAMES as f64);
        // An even number of steps, so that half of it, the delay, is a whole number of frames on both sides.
        let steps = (wanted / f64::from(lower / step) / 2.0).round().max(1.0) as usize * 2;
        let frames = steps * (input.rate / step) as usize;
        let resampler = Fft::new_custom(
            input.rate as usize,
            rate as usize,
            frames,
            1,
            input.channels,
            rubato::WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|e| Error::new(Kind::Bug, "no resampler for these rates").because(e))?;
        let ready = vec![vec![0.0; resampler.fft_size_out()]; input.channels];
        let waiting = Block::with_room(input.channels, frames + 4 * super::BLOCK);
        Ok(Resample { from: input.rate, output: Format { rate, channels: input.channels }, resampler, waiting, ready })
    }

    /// The least number of frames at `rate` that are whole frames at `other` too.
    pub(crate) fn whole_frames(rate: u32, other: u32) -> usize {
        (rate / greatest_common_divisor(rate, other)) as usize
    }
}

impl Process for Resample {
    fn output(&self) -> Format {
        self.output
    }

    fn input(&self) -> Format {
        Format { rate: self.from, channels: self.output.channels }
    }

    fn delay(&self) -> usize {
        self.resampler.output_delay()
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        self.waiting.append(input);
        let frames = self.resampler.fft_size_in();
        let channels = self.output.channels;
        let mut done = 0;
        while self.waiting.frames() - done >= frames {
            let size =
                |e: audioadapter_buffers::SizeError| Error::new(Kind::Bug, "a block of the wrong size").because(e);
            let from =
                SequentialSliceOfVecs::new(self.waiting.planes(), channels, self.waiting.frames()).map_err(size)?;
            let room = self.resampler.fft_size_out();
            let mut to = SequentialSliceOfVecs::new_mut(&mut self.ready, channels, room).map_err(size)?;
            let at = rubato::Indexing::new().input_offset(done);
            self.resampler
                .process_into_buffer(&from, &mut to, Some(&at))
                .map_err(|e| Error::new(Kind::Bug, "the resampler failed").because(e))?;
            for (plane, ready) in output.planes_mut().iter_mut().zip(&self.ready) {
                plane.extend_from_slice(ready);
            }
            done += frames;
        }
        self.waiting.drop_front(done);
        Ok(())
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}
