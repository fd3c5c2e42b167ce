//! The thread that computes, without the thread: takes blocks from the microphone's ring, runs the stages, fills the speaker's ring. It holds the
//! delay, and it never waits, locks or allocates; what a network does within its stage is its own affair.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use rtrb::{Consumer, Producer};

use super::control::{Meters, Shared, Swap};
use super::drift::{Convert, Drift};
use super::gauge::Gauge;
use super::{FRAMES, LiveControl};
use crate::device::{Counters, RATE};
use crate::error::Result;
use crate::media::audio::{Blend, Block, Chain, FADE, Process, Splice};

/// One end of the engine: a ring, what its callback counts, and the device's rate.
pub struct End<R> {
    /// The ring, of interleaved samples.
    pub ring: R,
    /// What the callback counts.
    pub counters: Arc<Counters>,
    /// The device's frames a second.
    pub rate: u32,
}

/// Frames of the sound as it came that are remembered: what is repeated when stages with a longer delay take over.
const PAST: usize = RATE as usize / 10;

/// Blocks that new stages hear before they take over. Networks know nothing of the sound at first, and let noise pass for a part of a second.
const HEARING: usize = 50;

/// Stages that are to take over.
struct Coming {
    chain: Chain,
    /// Blocks until they do.
    left: usize,
    /// Frames that they were given, and those of them that they have not given back.
    heard: usize,
    held: usize,
}

/// See the module.
pub struct Engine {
    chain: Chain,
    coming: Option<Coming>,
    channels: usize,
    shared: Arc<Shared>,
    microphone: End<Consumer<f32>>,
    incoming: Option<Convert>,
    speaker: End<Producer<f32>>,
    outgoing: Convert,
    drift: Drift,
    gauge: Gauge,
    /// The sound as it came, in time with what the stages give.
    dry: Block,
    /// What of it was dropped last, being played.
    past: Block,
    /// The stages' share; 0 when they are late.
    blend: Blend,
    /// Where blocks were left out of what came, and where what the stages give is joined with what they do not.
    joint: Splice,
    played: Splice,
    raw: Block,
    block: Block,
    out: Block,
    /// What coming stages give, which nobody hears.
    unheard: Block,
    converted: Block,
    /// xruns of the callbacks that are told already.
    xruns: u64,
}

impl Engine {
    /// An engine between two rings of `channels` channels.
    ///
    /// # Errors
    /// Kind bug: there is no resampler for these rates.
    pub fn new(
        chain: Chain,
        channels: usize,
        ends: (End<Consumer<f32>>, End<Producer<f32>>),
        reserve: f64,
        control: &LiveControl,
    ) -> Result<Engine> {
        let (microphone, speaker) = ends;
        let gauge = Gauge::new(
            (Arc::clone(&microphone.counters), microphone.rate),
            (Arc::clone(&speaker.counters), speaker.rate),
            reserve,
        );
        let incoming = match microphone.rate {
            RATE => None,
            rate => Some(Convert::new(rate, RATE, channels, FRAMES, true)?),
        };
        let room = || Block::with_room(channels, 8 * FRAMES);
        let (raw, converted) = (room_at(channels, microphone.rate), room_at(channels, speaker.rate));
        let mut dry = Block::with_room(channels, chain.delay() + RATE as usize / 2);
        dry.append_silence(chain.delay());
        Ok(Engine {
            outgoing: Convert::new(RATE, speaker.rate, channels, FRAMES, false)?,
            channels,
            shared: Arc::clone(&control.shared),
            microphone,
            incoming,
            drift: Drift::default(),
            gauge,
            dry,
            past: Block::with_room(channels, PAST + 8 * FRAMES),
            blend: Blend::new(control.shared.wet()),
            joint: Splice::new(channels),
            played: Splice::new(channels),
            raw,
            block: room(),
            out: room(),
            unheard: room(),
            converted,
            speaker,
            chain,
            coming: None,
            xruns: 0,
        })
    }

    /// Gives the stages back, to be used again with other devices, unless they failed or have taken what they have not given yet, which would come
    /// too late from then on.
    pub fn into_chain(self) -> Option<Chain> {
        let (failed, held) = (self.has_failed(), self.held());
        let (chain, held) = self.coming.map_or((self.chain, held), |coming| (coming.chain, coming.held));
        (!failed && held == 0).then_some(chain)
    }

    /// Works on every whole block that is there when it begins; how many. `now` is the time, which a test may make. What comes meanwhile is for
    /// the next turn: stages that cannot keep up must not keep whoever wants to stop them waiting, nor let `now` grow old.
    pub fn turn(&mut self, now: Instant) -> usize {
        let mut blocks = 0;
        self.gauge.look(now);
        for _ in 0..self.waiting() {
            // A resampler may want more for this block than for the last.
            if self.waiting() == 0 {
                break;
            }
            let level = self.gauge.level(self.heard(), self.inside(), self.fill(), now);
            if self.is_playing() && self.gauge.is_too_much(level, now) {
                self.leave_out();
                continue;
            }
            let begin = Instant::now();
            let late = self.is_late();
            // Only a bug of latentd comes here; the sound passes as it is from then on.
            if self.step(late, level, now).is_err() {
                self.fail();
            }
            let share = begin.elapsed().as_secs_f32() * RATE as f32 / FRAMES as f32;
            let load = f32::from_bits(self.shared.meters.load.load(Relaxed));
            Meters::set(&self.shared.meters.load, load + (share - load) * 0.05);
            blocks += 1;
        }
        self.gauge.rest(self.heard(), self.inside(), now);
        blocks
    }

    /// Whether a stage failed, and the sound passes as it is since.
    pub fn has_failed(&self) -> bool {
        self.shared.meters.failed.load(Relaxed)
    }

    fn wanted(&self) -> usize {
        self.incoming.as_ref().map_or(FRAMES, Convert::wants)
    }

    /// Frames in the microphone's ring.
    fn heard(&self) -> usize {
        self.microphone.ring.slots() / self.channels
    }

    /// Whole blocks of them.
    fn waiting(&self) -> usize {
        self.heard() / self.wanted().max(1)
    }

    /// Frames that the stages have taken and not given, beside those of their delay.
    pub(super) fn held(&self) -> usize {
        self.dry.frames().saturating_sub(self.chain.delay())
    }

    /// Those, and what the resampler behind them waits with for a whole block.
    fn inside(&self) -> usize {
        self.held() + self.outgoing.waiting()
    }

    /// Frames in the speaker's ring.
    fn fill(&self) -> usize {
        let ring = &self.speaker.ring;
        (ring.buffer().capacity() - ring.slots()) / self.channels
    }

    /// Whether the speaker takes from its ring yet.
    fn is_playing(&self) -> bool {
        self.speaker.counters.playing.load(Relaxed)
    }

    /// Throws a block away that waits in the microphone's ring.
    fn leave_out(&mut self) {
        if let Ok(chunk) = self.microphone.ring.read_chunk(self.wanted() * self.channels) {
            chunk.commit_all();
        }
        self.shared.meters.dropped.fetch_add(1, Relaxed);
        self.joint.fresh = true;
        self.gauge.left_out();
    }

    /// More blocks wait than the microphone brings in two pieces, which may come together, and the speaker has not enough for its next one.
    fn is_late(&self) -> bool {
        let usual = self.gauge.brought().div_ceil(self.wanted().max(1)).max(1) + 1;
        self.is_playing() && self.waiting() > usual && self.fill() < self.gauge.taken()
    }

    fn step(&mut self, late: bool, level: f64, now: Instant) -> Result<()> {
        self.take()?;
        self.joint.smooth(&mut self.block);
        if let Some(Swap(chain)) = self.shared.next.pop() {
            let before = self.coming.replace(Coming { chain, left: HEARING, heard: 0, held: 0 });
            before.into_iter().for_each(|coming| self.let_go(coming.chain));
        }
        // Stages that are late or fail are not to be kept for others to learn.
        let at_once = late || self.has_failed() || !self.is_playing();
        if let Some(coming) = self.coming.take_if(|coming| at_once || coming.left == 0) {
            self.swap(coming);
        }
        self.meter(&self.shared.meters.input, &self.block);
        self.dry.append(&self.block);
        if late {
            self.shared.meters.late.fetch_add(1, Relaxed);
            self.blend.leave_out(self.chain.delay() + FADE);
            self.played.fresh = true;
        }
        // A network that gives no numbers fails; its block passes as it came, as all do from then on.
        if !late && !self.has_failed() && self.chain.process(&self.block, &mut self.out).is_err() {
            self.fail();
        }
        if let Some(coming) = &mut self.coming {
            match coming.chain.process(&self.block, &mut self.unheard) {
                Ok(()) => {
                    coming.heard += self.block.frames();
                    coming.held = (coming.held + self.block.frames()).saturating_sub(self.unheard.frames());
                    coming.left -= 1;
                }
                // It is seen at work.
                Err(_) => coming.left = 0,
            }
        }
        if late || self.has_failed() {
            self.out.clear();
            self.out.append_part(&self.dry, 0, self.block.frames().min(self.dry.frames()));
        } else {
            self.blend.mix(&mut self.out, &self.dry, self.shared.wet());
        }
        self.past.append_part(&self.dry, 0, self.out.frames().min(self.dry.frames()));
        self.past.drop_front(self.past.frames().saturating_sub(PAST));
        self.dry.drop_front(self.out.frames());
        self.give(level, now)
    }

    fn fail(&mut self) {
        self.played.fresh = true;
        self.shared.meters.failed.store(true, Relaxed);
    }

    fn swap(&mut self, Coming { chain, heard, held, .. }: Coming) {
        // What the old stages hold will not come out of the new ones, but for what those have heard as well.
        let missing = (chain.delay() + held) as isize - self.dry.frames() as isize;
        if missing > 0 {
            // The whole stream becomes later by this much: the last of the sound as it came is heard again, which is less of a hole than silence.
            let missing = missing as usize;
            let again = missing.min(self.past.frames());
            self.raw.clear();
            self.raw.append(&self.dry);
            self.dry.clear();
            self.dry.append_silence(missing - again);
            self.dry.append_part(&self.past, self.past.frames() - again, again);
            self.dry.append(&self.raw);
        } else {
            self.dry.drop_front(missing.unsigned_abs());
        }
        let old = std::mem::replace(&mut self.chain, chain);
        match (self.chain.delay() + FADE).saturating_sub(heard) {
            0 => {}
            silent => self.blend.leave_out(silent),
        }
        self.played.fresh = true;
        // What failed were the stages that go.
        self.shared.meters.failed.store(false, Relaxed);
        self.let_go(old);
    }

    /// Leaves stages to whoever may take the time to drop them.
    fn let_go(&self, chain: Chain) {
        // Full only if nobody sweeps any more, and then the program is about to end.
        let _ = self.shared.done.push(Swap(chain));
    }

    /// One block from the microphone's ring into `block`, at the rate of the stages.
    fn take(&mut self) -> Result<()> {
        let frames = self.wanted();
        self.raw.clear();
        if let Ok(chunk) = self.microphone.ring.read_chunk(frames * self.channels) {
            self.raw.append_interleaved(chunk);
        }
        // Before the resampler, which would carry what is no number along for ever.
        self.raw.make_sane();
        self.block.clear();
        match &mut self.incoming {
            Some(convert) => convert.convert(&self.raw, &mut self.block),
            None => {
                self.block.append(&self.raw);
                Ok(())
            }
        }
    }

    /// `out` into the speaker's ring; `level` is what was there before.
    fn give(&mut self, level: f64, now: Instant) -> Result<()> {
        let rate = f64::from(self.speaker.rate);
        let target = self.gauge.target();
        self.converted.clear();
        if self.is_playing() {
            let change = self.drift.correct((target - level) / rate, self.out.frames() as f64 / f64::from(RATE));
            Meters::set(&self.shared.meters.ppm, (change * 1e6) as f32);
            self.outgoing.change(change);
        } else {
            if !self.gauge.is_settled(now) {
                return Ok(());
            }
            // The first block: what shall be ready before it is silence.
            let missing = self.gauge.block() - self.outgoing.gives() as f64;
            self.converted.append_silence((target - level + missing).max(0.0) as usize);
            self.played.begin();
            // What was lost while the other device was still being opened, nobody was to hear.
            self.xruns = self.counted();
        }
        self.tell(level);
        self.played.smooth(&mut self.out);
        self.meter(&self.shared.meters.output, &self.out);
        self.outgoing.convert(&self.out, &mut self.converted)?;
        let frames = self.converted.frames().min(self.speaker.ring.slots() / self.channels);
        if let Ok(chunk) = self.speaker.ring.write_chunk_uninit(frames * self.channels) {
            chunk.fill_from_iter(self.converted.interleaved().take(frames * self.channels));
        }
        self.speaker.counters.playing.store(true, Relaxed);
        Ok(())
    }

    fn tell(&mut self, level: f64) {
        let meters = &self.shared.meters;
        let microseconds = |seconds: f64| (seconds.max(0.0) * 1e6) as u32;
        let rate = f64::from(self.speaker.rate);
        meters.fill_us.store(microseconds(level / rate), Relaxed);
        meters.target_us.store(microseconds(self.gauge.target() / rate), Relaxed);
        let incoming = self.incoming.as_ref().map_or(0.0, |_| Convert::delay(self.microphone.rate));
        let converting = incoming + Convert::delay(RATE);
        let own = self.chain.delay() as f64 / f64::from(RATE) + self.gauge.delay(level) + converting;
        let devices = self.microphone.counters.latency.load(Relaxed) + self.speaker.counters.latency.load(Relaxed);
        let now = microseconds(own) + devices;
        let before = meters.latency_us.load(Relaxed);
        meters.latency_us.store(if before == 0 { now } else { (before * 15 + now) / 16 }, Relaxed);
        let total = self.counted();
        meters.xruns.fetch_add(total.saturating_sub(self.xruns), Relaxed);
        self.xruns = total;
    }

    /// xruns that the callbacks have counted.
    fn counted(&self) -> u64 {
        [&self.microphone.counters, &self.speaker.counters].map(|c| u64::from(c.xruns.load(Relaxed))).iter().sum()
    }

    /// Mean square, over a third of a second.
    fn meter(&self, place: &std::sync::atomic::AtomicU32, block: &Block) {
        if block.is_empty() {
            return;
        }
        let share = (0.03 * block.frames() as f32 / FRAMES as f32).min(1.0);
        let count = (block.frames() * self.channels).max(1) as f32;
        let power = block.planes().iter().flatten().map(|v| v * v).sum::<f32>() / count;
        let before = f32::from_bits(place.load(Relaxed));
        Meters::set(place, before + (power - before) * share);
    }
}

/// Room for what a block of 10 ms becomes at any rate, and what is made ready before the first.
fn room_at(channels: usize, rate: u32) -> Block {
    Block::with_room(channels, (rate as usize).max(RATE as usize) / 2)
}
