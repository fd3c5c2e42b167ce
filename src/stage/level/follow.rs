//! A live stream at a loudness. What is heard of it decides on a gain, as R 128 gates it: the momentary loudness (400 ms), where it lies above -50
//! LUFS and no more than 10 LU below what was heard before. The rest is pauses.
//!
//! That gate alone would take a voice for a pause for ever, once a cough was heard that is louder by more. So the gate never lies higher than what is
//! usual has it, and what was heard comes back to what is usual when the cough is over.

use ebur128::{EbuR128, Mode};

use super::{Level, from_decibels, measured, meter};
use crate::error::Result;
use crate::media::audio::{BLOCK, Block, Format, Process};

/// Quieter sound is a pause, and is not made louder; so is what is quieter by [`QUIETER`] than what was heard before.
const PAUSE: f64 = -50.0;
/// The relative gate of R 128, in LU.
const QUIETER: f64 = 10.0;
/// Seconds over which the loudness of what is heard is averaged.
const AVERAGE: f64 = 3.0;
/// How fast that gate falls in a pause, in dB a second: somebody who goes on more quietly is heard at last.
const FALL: f64 = 0.5;
/// How far it falls at most, in dB. Without an end, the noise of a room would be taken for a voice while others talk for a while, and be made as
/// loud as one. With this the gate lies 13 LU below what was heard, for the most even voice that goes on 12 dB softer. Where syllables stand out,
/// they take the gate along, down to a voice 16 dB softer; if it fell twice as far, none of these would be heard sooner, only more noise.
const MOST_FALL: f64 = 3.0;

/// Seconds between the moments of which the loudness is kept, the step of R 128's gating blocks.
const STEP: f64 = 0.1;
/// Seconds that a moment is long: before, the meter is not full.
const MOMENT: f64 = 0.4;
/// How many are kept: the last 12 s that were heard.
const KEPT: usize = 120;
/// Of those, one in so many may be of events: what is usual is what the others reach. So 4 s of coughs make no difference, each counted as 0.4 s longer
/// than it is, since the loudness of the moment has it for so long; and somebody louder is usual after 4 s. Of a voice, too, a third of the moments is
/// louder than its loudness.
const EVENTS: usize = 3;
/// So many moments must be known before: 3 s.
const KNOWN: usize = 30;
/// By how many LU the softest of them must lie below what is usual, since what does not move is no voice. Otherwise a word would be an event amid the
/// noise of a fan that was there first, which was made louder again after each. Voices have 7 to 11 (with noise 6 dB softer 5.4 and more), rain and
/// machines 1 to 3.
const LIVELY: f64 = 5.0;

/// How much louder or quieter a live stream is made at most, in dB.
const MOST_GAIN: f64 = 20.0;
/// How fast, in dB a second.
const SPEED: f64 = 3.0;
/// By how many LU the moment may come out above what is wanted before the gain falls by [`FAST`]: only the loudest words of a lively speaker do. And
/// by how many what is heard may come out below before the gain rises by [`BACK`].
const TOO_FAR: f64 = 6.0;
/// How fast the gain falls then, in dB a second: all there may be of it is gone in a third of a second, so that the first words after a soft spell
/// are not shouted, and in a block of 10 ms it glides by 0.6 dB, which is no click.
const FAST: f64 = 60.0;
/// How fast it rises then, in dB a second: a bang takes 30 dB, and so a voice is back 5 s after it. Nothing but an event leaves it that far below.
const BACK: f64 = 10.0;
/// How fast it comes back to 0 dB in a pause, in dB a second. This makes nothing louder than it came, and whoever speaks 13 LU below something that
/// went on for longer than an event is no quieter for ever than without this stage. In a pause of 3 s it is 1.5 dB, and the gain does not pump.
const BACK_IN_PAUSE: f64 = 0.5;
/// How fast the limiter lets go again, in dB a second.
const RELEASE: f64 = 60.0;

/// What is heard, pauses left out.
struct Ear {
    /// Its loudness, in LUFS; nothing has been heard yet where it is the least there is.
    heard: f64,
    /// What is usual, in LUFS. The least there is until it is known: there is no gate yet, so that a voice is heard after a cough. The most there is
    /// where it is no voice: then the gate goes by what was heard alone.
    usual: f64,
    /// The loudness of the last moments that were heard, and the oldest one's place; the least there is where none was yet.
    kept: [f64; KEPT],
    oldest: usize,
    /// Seconds heard since the last of them.
    since: f64,
    /// By how much the gate has fallen in this pause, in dB.
    fallen: f64,
}

impl Ear {
    fn new() -> Ear {
        let nothing = f64::NEG_INFINITY;
        Ear { heard: nothing, usual: nothing, kept: [nothing; KEPT], oldest: 0, since: -MOMENT, fallen: 0.0 }
    }

    /// Takes note of the loudness of the moment, in LUFS; whether it is no pause.
    fn hear(&mut self, loudness: f64, seconds: f64) -> bool {
        if loudness <= PAUSE {
            return false;
        }
        let gate = self.heard.min(self.usual) - QUIETER;
        if loudness <= gate - self.fallen {
            self.fallen = (self.fallen + FALL * seconds).min(MOST_FALL);
            return false;
        }
        if loudness > gate {
            self.fallen = 0.0;
        }
        self.since += seconds;
        while self.since >= STEP {
            self.since -= STEP;
            self.keep(loudness);
        }
        if self.heard == f64::NEG_INFINITY {
            self.heard = loudness;
        }
        // An event is over: the average would take 7 s for each 10 dB.
        if loudness <= self.heard - QUIETER && self.usual.is_finite() {
            self.heard = self.heard.min(self.usual);
        }
        let power = |decibels: f64| 10f64.powf(decibels / 10.0);
        let share = (seconds / AVERAGE).min(1.0);
        self.heard = 10.0 * (power(self.heard) + share * (power(loudness) - power(self.heard))).log10();
        true
    }

    fn keep(&mut self, loudness: f64) {
        self.kept[self.oldest] = loudness;
        self.oldest = (self.oldest + 1) % KEPT;
        let mut sorted = self.kept;
        sorted.sort_unstable_by(f64::total_cmp);
        let known = &sorted[sorted.partition_point(|kept| *kept == f64::NEG_INFINITY)..];
        if known.len() >= KNOWN {
            let usual = known[known.len() - 1 - known.len() / EVENTS];
            self.usual = if usual - known[0] >= LIVELY { usual } else { f64::INFINITY };
        }
    }
}

/// A live stream: a gain that follows the loudness of what is heard, pauses left out, quickly only down from what is far too loud and back from
/// there, and a limiter behind it.
pub(super) struct Follow {
    level: Level,
    format: Format,
    meter: EbuR128,
    interleaved: Vec<f32>,
    ear: Ear,
    /// In dB.
    gain: f64,
    /// What the limiter takes away, as a factor up to 1.
    limit: f64,
    release: f64,
}

impl Follow {
    pub(super) fn new(level: Level, format: Format) -> Result<Follow> {
        let meter = meter(format, None, Mode::M)?;
        let release = from_decibels(RELEASE / f64::from(format.rate));
        let interleaved = Vec::with_capacity(4 * BLOCK * format.channels);
        Ok(Follow { level, format, meter, interleaved, ear: Ear::new(), gain: 0.0, limit: 1.0, release })
    }

    /// Moves the gain by what the loudness of the moment tells, in LUFS.
    fn follow(&mut self, loudness: f64, seconds: f64) {
        if !self.ear.hear(loudness, seconds) {
            if self.gain < 0.0 {
                self.gain = (self.gain + BACK_IN_PAUSE * seconds).min(0.0);
            }
            return;
        }
        let (mut rise, mut fall) = (SPEED, SPEED);
        if loudness + self.gain > self.level.loudness + TOO_FAR {
            fall = FAST;
            // By itself the average takes a second to get there, and would have the gain rise again meanwhile.
            self.ear.heard = self.ear.heard.max(loudness - TOO_FAR);
        }
        let wanted = (self.level.loudness - self.ear.heard).clamp(-MOST_GAIN, MOST_GAIN);
        // Before what is usual is known, the first moments, softer than the voice that begins with them, would have the gain shoot up.
        if wanted > self.gain + TOO_FAR && self.ear.usual.is_finite() {
            rise = BACK;
        }
        self.gain += (wanted - self.gain).clamp(-fall * seconds, rise * seconds);
    }
}

impl Process for Follow {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        0
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        output.append(input);
        if input.is_empty() {
            return Ok(());
        }
        self.interleaved.clear();
        self.interleaved.extend(input.interleaved());
        measured(self.meter.add_frames_f32(&self.interleaved))?;
        let loudness = measured(self.meter.loudness_momentary())?;
        let before = self.gain;
        self.follow(loudness, input.frames() as f64 / f64::from(self.format.rate));
        let (from, to) = (from_decibels(before), from_decibels(self.gain));
        let frames = output.frames();
        for index in 0..frames {
            let gain = from + (to - from) * index as f64 / frames as f64;
            let peak = output.planes().iter().fold(0f32, |peak, plane| peak.max(plane[index].abs()));
            self.limit = (self.limit * self.release).min(1.0);
            let loudest = f64::from(peak) * gain;
            if loudest * self.limit > self.level.peak {
                self.limit = self.level.peak / loudest;
            }
            let factor = (gain * self.limit) as f32;
            output.planes_mut().iter_mut().for_each(|plane| plane[index] *= factor);
        }
        Ok(())
    }
}
