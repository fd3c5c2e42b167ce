//! A file at a loudness: measured whole, then given one gain. Where its peaks leave no room for that gain they are limited, and since this takes loudness
//! away, the gain is looked for by measuring what comes out.

use ebur128::Mode;

use super::limiter::Limiter;
use super::spool::{MOST, Spool};
use super::{Level, decibels, from_decibels, measured, meter};
use crate::error::Result;
use crate::media::Audio;
use crate::media::audio::{AudioRead, Block, Depth, Format};

/// What it takes to measure loudness: a histogram, so that hours take no more memory than minutes.
const LOUDNESS: Mode = Mode::I.union(Mode::HISTOGRAM);
/// So near to what is asked a result is near enough, in LU.
const NEAR: f64 = 0.1;
/// By how much it may miss that without a word, in LU: half of what EBU R 128 permits live programmes.
const MISSED: f64 = 0.5;
/// How often the limited sound is measured, at most. Speech takes two, rarely three.
const TRIES: usize = 5;
/// By how much limited speech becomes louder with each dB of gain; once two gains were tried, they tell.
const SLOPE: f64 = 0.7;
/// The least that those may tell.
const LEAST_SLOPE: f64 = 0.3;
/// By how much lower than asked peaks are limited, in dB: a gain that changes while the filter that finds them passes lets this much through at most.
const HAIR: f64 = 0.01;

/// A file's sound: drained into a file of floats while it is measured, then read back at its loudness.
pub(super) enum Levelled {
    /// Nothing of it has been read.
    Unmeasured {
        /// As it comes.
        audio: Audio,
        /// What is asked.
        level: Level,
    },
    /// The rest is only to be read.
    Measured {
        /// Spooled; where peaks are limited, behind the limiter, which has the gain then.
        sound: Audio,
        /// What it is to be multiplied with.
        gain: f32,
    },
    /// For the moment between the two.
    Nothing,
}

impl Levelled {
    pub(super) fn new(audio: Audio, level: Level) -> Levelled {
        Levelled::Unmeasured { audio, level }
    }

    fn measure(mut audio: Audio, level: Level) -> Result<Levelled> {
        let mut meter = meter(audio.format(), audio.speakers, LOUDNESS | Mode::TRUE_PEAK)?;
        let spool = Spool::fill(&mut audio, MOST, |samples| measured(meter.add_frames_f32(samples)))?;
        let loudness = measured(meter.loudness_global())?;
        let peaks = (0..meter.channels()).map(|channel| measured(meter.true_peak(channel)));
        let peak = peaks.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
        let room = if peak > 0.0 { level.peak / peak } else { f64::INFINITY };
        let sound = Audio::new(spool.replay(), audio.depth);
        tracing::debug!(loudness, peak, "loudness measured");
        if !loudness.is_finite() {
            if peak > 0.0 {
                tracing::info!(
                    "it is softer than -70 LUFS or shorter than 0.4 s, and so has no loudness: it is made no louder"
                );
            }
            return Ok(Levelled::Measured { sound, gain: room.min(1.0) as f32 });
        }
        let wanted = from_decibels(level.loudness - loudness);
        if wanted <= room || level.limit <= 0.0 {
            let gain = wanted.min(room);
            tell(level, loudness + decibels(gain));
            return Ok(Levelled::Measured { sound, gain: gain as f32 });
        }
        let replay = || {
            let mut again = Audio::new(spool.replay(), Depth::Float);
            again.speakers = audio.speakers;
            again
        };
        let (limiter, reached) = limit(replay, level, decibels(wanted), decibels(room) + level.limit)?;
        tell(level, reached);
        Ok(Levelled::Measured { sound: sound.through(limiter), gain: 1.0 })
    }
}

/// Looks for the limiter that makes spooled sound as loud as is asked, or as loud as it becomes by the gain `most`; `wanted` would do it if nothing had to be
/// limited. Both in dB. With the loudness that comes out of it, in LUFS.
fn limit(replay: impl Fn() -> Audio, level: Level, wanted: f64, most: f64) -> Result<(Limiter, f64)> {
    let ceiling = level.peak * from_decibels(-HAIR);
    let mut gain = wanted.min(most);
    let mut before: Option<(f64, f64)> = None;
    let mut tries = 1;
    loop {
        let audio = replay();
        let format = audio.format();
        let limiter = || Limiter::new(format, from_decibels(gain), ceiling);
        let reached = loudness(audio.through(limiter()))?;
        let missing = level.loudness - reached;
        tracing::debug!(gain, reached, "peaks limited");
        if missing.abs() <= NEAR || tries == TRIES || (missing > 0.0 && gain >= most) {
            return Ok((limiter(), reached));
        }
        let slope = match before {
            Some((other, was)) if other != gain => ((reached - was) / (gain - other)).clamp(LEAST_SLOPE, 1.0),
            _ => SLOPE,
        };
        before = Some((gain, reached));
        gain = (gain + missing / slope).min(most);
        tries += 1;
    }
}

/// How loud a sound is, in LUFS.
fn loudness(mut audio: Audio) -> Result<f64> {
    let mut meter = meter(audio.format(), audio.speakers, LOUDNESS)?;
    let mut block = Block::new(audio.format().channels);
    let mut samples = Vec::new();
    loop {
        audio.read(&mut block)?;
        if block.is_empty() {
            return measured(meter.loudness_global());
        }
        samples.clear();
        samples.extend(block.interleaved());
        measured(meter.add_frames_f32(&samples))?;
    }
}

/// Says so where a file does not become as loud as was asked.
fn tell(level: Level, reached: f64) {
    if level.loudness - reached <= MISSED {
        return;
    }
    let Level { loudness, limit, peak } = level;
    tracing::warn!(
        mend = "ask for less `loudness`, or allow a higher `peak` or more `limit`",
        "its loudness is {reached:.1} LUFS and not {loudness}: to be louder, its highest peak would have to be limited by more than {limit} dB to stay below {:.1} dB",
        decibels(peak)
    );
}

impl AudioRead for Levelled {
    fn format(&self) -> Format {
        match self {
            Levelled::Unmeasured { audio, .. } => audio.format(),
            Levelled::Measured { sound, .. } => sound.format(),
            Levelled::Nothing => Format { rate: 0, channels: 0 },
        }
    }

    fn frames(&self) -> Option<u64> {
        match self {
            Levelled::Unmeasured { audio, .. } => audio.frames(),
            Levelled::Measured { sound, .. } => sound.frames(),
            Levelled::Nothing => None,
        }
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        if let Levelled::Unmeasured { .. } = self
            && let Levelled::Unmeasured { audio, level } = std::mem::replace(self, Levelled::Nothing)
        {
            *self = Levelled::measure(audio, level)?;
        }
        block.clear();
        if let Levelled::Measured { sound, gain } = self {
            sound.read(block)?;
            block.planes_mut().iter_mut().flatten().for_each(|v| *v *= *gain);
        }
        Ok(())
    }
}
