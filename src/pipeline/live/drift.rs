//! Two devices never agree on what a second is. The speaker's ring tells by its fill who is faster, a PI controller makes of that a small change
//! of rate, and an asynchronous resampler carries it out: the delay holds for ever.

use audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Adjustable, Async, FixedAsync, Indexing, Resampler, SincInterpolationParameters, WindowFunction};

use crate::error::{Error, Kind, Result};
use crate::media::audio::Block;

/// Steers the fill of a ring. Fill is an integral of the rate, so the loop is of second order; these gains make it settle in about 20 s without
/// swinging: a clock that is 200 ppm off moves the fill by less than a millisecond, and the jitter of callbacks the pitch by some 10 ppm.
/// What no clock does, a microphone that skips or a speaker that takes twice, is made up for in a few seconds.
#[derive(Debug, Default)]
pub struct Drift {
    /// Mean of the error over some seconds.
    smooth: f64,
    integral: f64,
}

/// Share of the error that is corrected in a second.
const PROPORTIONAL: f64 = 0.2;
/// The error in seconds that clocks and jitter may make.
const NEAR: f64 = 0.003;
/// Share of what lies beyond that is corrected in a second.
const HASTE: f64 = 1.0;
/// The same for its sum over time, a second squared.
const INTEGRAL: f64 = 0.01;
/// Seconds over which the error is averaged.
const AVERAGE: f64 = 1.0;
/// The most that the rate is changed: 0.2 %, a thirtieth of a semitone, less than anybody hears.
const MOST: f64 = 2e-3;
/// More than clocks ever differ by; 200 ppm is much.
const CLOCKS: f64 = 4e-4;

impl Drift {
    /// The change of rate, relative: positive makes more frames. `error` is the fill that is missing and `elapsed` the time since the last
    /// call, both in seconds.
    pub fn correct(&mut self, error: f64, elapsed: f64) -> f64 {
        self.smooth += (error - self.smooth) * (elapsed / AVERAGE).min(1.0);
        let near = self.smooth.clamp(-NEAR, NEAR);
        let change = PROPORTIONAL * near + HASTE * (self.smooth - near) + INTEGRAL * self.integral;
        // The sum is what the clocks differ by; what lies beyond tells nothing of them.
        if near == self.smooth {
            self.integral = (self.integral + near * elapsed).clamp(-CLOCKS / INTEGRAL, CLOCKS / INTEGRAL);
        }
        change.clamp(-MOST, MOST)
    }
}

/// Changes the rate by any factor, which may change a little all the time.
pub struct Convert {
    resampler: Async<f32>,
    channels: usize,
    waiting: Block,
    ready: Vec<Vec<f32>>,
}

/// Points of the interpolating filter: flat to 18 kHz at 48 kHz for a delay of 0.7 ms.
const POINTS: usize = 64;

impl Convert {
    /// From one rate to another by blocks of `frames` frames: of what it takes, or of what it gives if `output`.
    ///
    /// # Errors
    /// Kind bug: rubato refuses the rates.
    pub fn new(from: u32, to: u32, channels: usize, frames: usize, output: bool) -> Result<Convert> {
        let ratio = f64::from(to) / f64::from(from);
        let parameters = SincInterpolationParameters::new(POINTS, WindowFunction::BlackmanHarris2);
        let fixed = if output { FixedAsync::Output } else { FixedAsync::Input };
        let resampler = Async::new_sinc(ratio, 1.01, &parameters, frames, channels, fixed)
            .map_err(|e| Error::new(Kind::Bug, "no resampler for these rates").because(e))?;
        let ready = vec![vec![0.0; resampler.output_frames_max()]; channels];
        let waiting = Block::with_room(channels, resampler.input_frames_max() * 4);
        Ok(Convert { resampler, channels, waiting, ready })
    }

    /// Frames that it wants next.
    pub fn wants(&self) -> usize {
        self.resampler.input_frames_next().saturating_sub(self.waiting.frames())
    }

    /// Frames that it has taken and not worked on yet.
    pub fn waiting(&self) -> usize {
        self.waiting.frames()
    }

    /// Frames that it gives next; less at the first time, for its own delay.
    pub fn gives(&self) -> usize {
        self.resampler.output_frames_next()
    }

    /// Seconds by which it makes sound later, of which it takes `rate` frames a second.
    pub fn delay(rate: u32) -> f64 {
        POINTS as f64 / 2.0 / f64::from(rate)
    }

    /// Makes `1 + change` times as many frames of what comes next as the two rates say.
    pub fn change(&mut self, change: f64) {
        // Within the bounds that were given at the start, so it cannot fail.
        let _ = self.resampler.set_resample_ratio_relative(1.0 + change, true);
    }

    /// Takes a block and adds what is ready to `output`.
    ///
    /// # Errors
    /// Kind bug: rubato refuses what it asked for.
    pub fn convert(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        self.waiting.append(input);
        let mut done = 0;
        loop {
            let wanted = self.resampler.input_frames_next();
            if self.waiting.frames() - done < wanted {
                break;
            }
            let size =
                |e: audioadapter_buffers::SizeError| Error::new(Kind::Bug, "a block of the wrong size").because(e);
            let room = self.ready[0].len();
            let from = SequentialSliceOfVecs::new(self.waiting.planes(), self.channels, self.waiting.frames())
                .map_err(size)?;
            let mut to = SequentialSliceOfVecs::new_mut(&mut self.ready, self.channels, room).map_err(size)?;
            let at = Indexing::new().input_offset(done);
            let (taken, given) = self
                .resampler
                .process_into_buffer(&from, &mut to, Some(&at))
                .map_err(|e| Error::new(Kind::Bug, "the resampler failed").because(e))?;
            for (plane, ready) in output.planes_mut().iter_mut().zip(&self.ready) {
                plane.extend_from_slice(&ready[..given]);
            }
            done += taken;
        }
        self.waiting.drop_front(done);
        Ok(())
    }
}
