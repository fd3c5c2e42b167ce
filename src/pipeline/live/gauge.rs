//! How much sound lies between the two devices, told in spite of their buffers: a microphone brings many frames at once, a speaker takes many,
//! and the engine takes whole blocks. Each device is thought to work frame by frame between its callbacks, so what is told neither rises nor
//! falls with them: it is the delay between the two, and what the delay has to be is known from the sizes of the buffers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::jitter::Jitter;
use crate::device::{Counters, RATE};

/// Blocks a second.
const BLOCKS: u32 = RATE / super::FRAMES as u32;

/// Devices bring and take far more at once while they start than later: what they do in this time is not heard of.
const SETTLE: Duration = Duration::from_millis(250);

/// Seconds that the level to be had may lie above the reserve.
const LEARNED: f64 = 0.010;

/// Seconds that shall be left of the level when both devices are as late as they have been.
const GUARD: f64 = 0.0005;

/// A device: what its callback counts, and its frames a second.
type Side = (Arc<Counters>, u32);

/// See the module. All results are frames at the speaker's rate.
pub struct Gauge {
    microphone: Side,
    speaker: Side,
    reserve: f64,
    jitter: Jitter,
    /// Frames that the speaker did without, when last looked at.
    lost: u64,
    brought: Extreme,
    taken: Extreme,
    /// Frames that the engine left with the microphone since they made no block; negated, as the least is looked for.
    rest: Extreme,
    /// Frames that the stages, and what follows them, hold since they work in blocks of their own; negated.
    held: Extreme,
    lowest: Extreme,
    began: Option<Instant>,
}

/// The least of the last half to whole second.
#[derive(Debug)]
struct Extreme {
    since: Option<Instant>,
    before: f64,
    now: f64,
}

impl Default for Extreme {
    fn default() -> Extreme {
        Extreme { since: None, before: f64::INFINITY, now: f64::INFINITY }
    }
}

impl Extreme {
    const SPAN: Duration = Duration::from_millis(500);

    fn look(&mut self, value: f64, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= Extreme::SPAN {
            (self.since, self.before, self.now) = (Some(now), self.now, f64::INFINITY);
        }
        self.now = self.now.min(value);
    }

    fn least(&self) -> f64 {
        self.before.min(self.now)
    }

    /// Of negated values, as frames.
    fn most(&self) -> usize {
        (-self.least()).max(0.0) as usize
    }
}

impl Gauge {
    /// Between these two, with `reserve` seconds of sound to be kept ready beside what the buffers need.
    pub fn new(microphone: Side, speaker: Side, reserve: f64) -> Gauge {
        let reserve = reserve * f64::from(speaker.1);
        Gauge {
            microphone,
            speaker,
            reserve,
            jitter: Jitter::default(),
            lost: 0,
            brought: Extreme::default(),
            taken: Extreme::default(),
            rest: Extreme::default(),
            held: Extreme::default(),
            lowest: Extreme::default(),
            began: None,
        }
    }

    /// Looks at what the callbacks counted since the last time.
    pub fn look(&mut self, now: Instant) {
        let [brought, taken] =
            [&self.microphone, &self.speaker].map(|(counters, _)| f64::from(counters.largest.swap(0, Relaxed)));
        let both = [&self.microphone, &self.speaker].iter().all(|(counters, _)| counters.frames.load(Relaxed) > 0);
        if self.began.is_none() && both {
            self.began = Some(now);
        }
        if self.began.is_some_and(|began| now.saturating_duration_since(began) >= SETTLE / 2) {
            self.brought.look(-brought, now);
            self.taken.look(-taken, now);
        }
        let lost = self.speaker.0.lost.load(Relaxed);
        // A machine that stood still tells nothing of how punctual its devices are.
        if (lost - self.lost) as f64 > LEARNED * f64::from(self.speaker.1) {
            self.jitter.spoil();
        }
        self.lost = lost;
    }

    /// Whether both devices work as they will go on to.
    pub fn is_settled(&self, now: Instant) -> bool {
        let long = self.began.is_some_and(|began| now.saturating_duration_since(began) >= SETTLE);
        long && self.brought.most() > 0 && self.taken.most() > 0
    }

    /// After a turn: so many frames are left in the microphone's ring, fewer than a block, and so many with the stages.
    pub fn rest(&mut self, heard: usize, held: usize, now: Instant) {
        self.rest.look(-(heard as f64), now);
        self.held.look(-(held as f64), now);
    }

    /// Frames that the microphone brings at once.
    pub fn brought(&self) -> usize {
        self.brought.most()
    }

    /// Frames that the speaker takes at once.
    pub fn taken(&self) -> usize {
        self.taken.most()
    }

    /// Frames that a block becomes.
    pub fn block(&self) -> f64 {
        f64::from(self.speaker.1) / f64::from(BLOCKS)
    }

    /// Frames of the speaker for one of the microphone.
    fn ratio(&self) -> f64 {
        f64::from(self.speaker.1) / f64::from(self.microphone.1)
    }

    /// The most that waits with the microphone since it makes no block yet.
    fn most_rest(&self) -> usize {
        let block = (self.microphone.1 / BLOCKS).max(1) as usize;
        // Buffers and blocks meet in steps of their common divisor, unless blocks are not all of one size.
        let even = self.microphone.1.is_multiple_of(BLOCKS);
        let known = if even { block - common(block, self.brought().max(1)) } else { block };
        known.max(self.rest.most())
    }

    /// By how much both devices may be late before the speaker has nothing, with so many frames in the microphone's ring, with the stages, and
    /// in the speaker's ring.
    pub fn level(&self, heard: usize, held: usize, ready: usize, now: Instant) -> f64 {
        // One that is late has not done more than it usually does at once.
        let since = |(counters, rate): &Side, most: usize| {
            (counters.since(now).as_secs_f64() * f64::from(*rate)).min(most as f64)
        };
        let coming = since(&self.microphone, self.brought());
        let gone = since(&self.speaker, self.taken());
        let needed = (self.brought() + self.most_rest()) as f64;
        let inside = held as f64 - self.held.most() as f64;
        ready as f64 - gone
            + inside * f64::from(self.speaker.1) / f64::from(RATE)
            + (heard as f64 + coming - needed) * self.ratio()
    }

    /// The level to be had.
    pub fn target(&self) -> f64 {
        let [guard, most] = [GUARD, LEARNED].map(|seconds| seconds * f64::from(self.speaker.1));
        (self.jitter.usual() + guard).clamp(self.reserve, self.reserve + most)
    }

    /// Takes note of a level; whether the delay has grown for good, because the speaker had to play silence for a while.
    pub fn is_too_much(&mut self, level: f64, now: Instant) -> bool {
        self.lowest.look(level, now);
        self.jitter.look(level, now);
        let bound = self.target() + 1.25 * self.block();
        // A callback that comes late makes the level high for a moment only.
        self.lowest.before.is_finite() && self.lowest.least() > bound || level > bound + 16.0 * self.block()
    }

    /// A block has been left out.
    pub fn left_out(&mut self) {
        self.jitter.spoil();
        let block = self.block();
        self.lowest.before -= block;
        self.lowest.now -= block;
    }

    /// Seconds that a frame waits between the callbacks at this level, beside what the devices tell of themselves.
    pub fn delay(&self, level: f64) -> f64 {
        let held = self.held.most() as f64 / f64::from(RATE);
        level.max(0.0) / f64::from(self.speaker.1) + self.most_rest() as f64 / f64::from(self.microphone.1) + held
    }
}

fn common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common(b, a % b) }
}
