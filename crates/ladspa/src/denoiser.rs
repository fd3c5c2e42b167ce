//! What happens in the host's callback: sound goes to the worker and comes back a constant time later. Where the worker is late the sound as it
//! was takes its place, just as late, so that nothing moves in time. Nothing here allocates, locks or waits, but for hosts that ask to wait.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use latentd::media::audio::{BLOCK, Blend, Block, FADE, Format, Process, RATES, Splice, longest_wait};
use latentd::model::Models;
use latentd::stage::{Site, Stage, named};
use latentd::{Error, Kind, Result};

use crate::controls::{Controls, Mode};
use crate::worker::Worker;

/// The largest block of a host that is still in time, in frames.
pub const MOST_FRAMES: usize = 8192;

/// The least time that the worker is given: small blocks come in quick succession, and a frame of the network takes up to a millisecond.
const LEAST_SECONDS: f64 = 0.005;

const MODEL: &str = "denoise-speech";

/// Seconds that the rings hold.
const RING_SECONDS: usize = 1;

/// One instance of the plugin.
pub struct Denoiser {
    format: Format,
    /// Frames that a process may keep beyond its delay until it has enough for a step.
    kept: usize,
    active: Option<Active>,
}

/// What all instances share.
struct Shared {
    /// With its network made ready.
    stage: Box<dyn Stage>,
    /// The share of the sound as it was that the network leaves in what it gives.
    keeps: f64,
}

impl Shared {
    fn make() -> Result<Shared> {
        let (models, folder) = (Models::default(), Path::new(""));
        let stage = named("denoise", [("model", MODEL.into())], &Site { models: &models, folder })?;
        Ok(Shared { stage, keeps: models.get(MODEL, folder)?.card.keeps() })
    }
}

fn shared() -> Result<&'static Shared> {
    static SHARED: OnceLock<std::result::Result<Shared, String>> = OnceLock::new();
    let made = SHARED.get_or_init(|| Shared::make().map_err(|e| e.to_string()));
    made.as_ref().map_err(|what| Error::new(Kind::Model, what.clone()))
}

fn process(format: Format) -> Result<Box<dyn Process>> {
    shared()?.stage.live(format)?.ok_or_else(|| Error::new(Kind::Bug, "the stage takes whole files only"))
}

impl Denoiser {
    /// An instance for sound of `channels` channels at `rate` frames a second, 1,000 to 768,000; takes some milliseconds, and the first one a
    /// good deal longer.
    ///
    /// # Errors
    /// Kind usage: an impossible rate. Kind model: the model cannot be run here.
    pub fn new(rate: usize, channels: usize) -> Result<Denoiser> {
        let rate = u32::try_from(rate).ok().filter(|rate| RATES.contains(rate));
        let rate = rate.ok_or_else(|| Error::new(Kind::Usage, "rates are 1,000 to 768,000 frames a second"))?;
        let format = Format { rate, channels };
        Ok(Denoiser { format, kept: longest_wait(process(format)?.as_mut())?, active: None })
    }

    /// Begins anew, with silence before.
    ///
    /// # Errors
    /// Kind model or device: what [`run`](Self::run) needs cannot be had; it will give the sound as it was.
    pub fn activate(&mut self) -> Result<()> {
        self.active = None;
        self.active = Some(Active::new(process(self.format)?, self.format, self.kept, shared()?.keeps)?);
        Ok(())
    }

    /// Ends; the worker with it.
    pub fn deactivate(&mut self) {
        self.active = None;
    }

    /// A block of the host begins, `frames` long; [`run`](Self::run) is then called for all of it.
    pub fn begin(&mut self, frames: usize, controls: &Controls) {
        if let Some(active) = &mut self.active {
            // Who waits for the worker need not give it time besides.
            active.begin(if controls.offline { 0 } else { frames });
        }
    }

    /// Up to [`BLOCK`] frames of the host's block; what comes out is as long, and [`latency`](Self::latency) frames late.
    pub fn run(&mut self, block: &mut Block, controls: &Controls) {
        if let Some(active) = &mut self.active {
            active.run(block, controls);
        }
    }

    /// How late the sound is, in frames. It is constant but for a host whose blocks become larger than any before.
    pub fn latency(&self) -> usize {
        self.active.as_ref().map_or(0, Active::latency)
    }

    /// How often since [`activate`](Self::activate) the worker was late.
    pub fn late(&self) -> usize {
        self.active.as_ref().map_or(0, |active| active.late)
    }
}

/// What a stretch of the result is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Silence before the first frame, or before what became later.
    Before,
    /// What the worker did.
    Done,
    /// The sound as it was.
    Late,
}

struct Active {
    worker: Worker,
    channels: usize,
    rate: u32,
    /// The stage's delay.
    delay: usize,
    /// What the process keeps for a while.
    kept: usize,
    /// What the network leaves of the sound as it was.
    keeps: f64,
    /// Frames of the largest block so far, which the worker is given the time of; 0 before the first.
    largest: usize,
    /// The sound as it was, interleaved, as long as the whole latency.
    dry: VecDeque<f32>,
    /// Frames for which nothing comes from the worker yet.
    before: usize,
    /// Frames that the worker owes and that are too late now.
    overdue: usize,
    /// Frames of silence that the worker is to be given in place of sound that found no room.
    owed: usize,
    late: usize,
    /// What the last frame was made of.
    last: Part,
    begun: bool,
    /// Whether anything but the beginning was put together of parts.
    seams: bool,
    /// Begins at the share that the first block asks for.
    blend: Option<Blend>,
    splice: Splice,
    /// 1, or 0 when mute.
    gain: f32,
    part: Block,
    part_dry: Block,
}

impl Active {
    fn new(process: Box<dyn Process>, format: Format, kept: usize, keeps: f64) -> Result<Active> {
        let Format { rate, channels } = format;
        let delay = process.delay();
        let most = delay + kept + MOST_FRAMES.max(least(rate));
        let room = RING_SECONDS * rate as usize + 2 * most;
        let worker = Worker::start(process, channels, room)
            .ok_or_else(|| Error::new(Kind::Device, "the system gives no thread to compute in"))?;
        Ok(Active {
            worker,
            channels,
            rate,
            delay,
            kept,
            keeps,
            largest: 0,
            dry: VecDeque::with_capacity((most + BLOCK) * channels),
            before: 0,
            // What the stage gives before the first frame of what it was given is left out, as it is with files.
            overdue: delay,
            owed: 0,
            late: 0,
            last: Part::Before,
            begun: false,
            seams: false,
            blend: None,
            splice: Splice::new(channels),
            gain: 1.0,
            part: Block::with_room(channels, BLOCK),
            part_dry: Block::with_room(channels, BLOCK),
        })
    }

    /// By how many frames all is late; none before the first block has told how large blocks are.
    fn latency(&self) -> usize {
        if self.largest == 0 { 0 } else { self.delay + self.kept + self.largest }
    }

    /// Makes the latency fit blocks of this size: while the host waits for the next block, the worker does this one.
    fn begin(&mut self, frames: usize) {
        let largest = frames.clamp(least(self.rate), MOST_FRAMES);
        if largest <= self.largest {
            return;
        }
        let before = self.latency();
        self.largest = largest;
        let more = self.latency() - before;
        self.seams |= self.begun;
        // Within what was reserved: the latency is never more than was reckoned with.
        (0..more * self.channels).for_each(|_| self.dry.push_front(0.0));
        self.before += more;
    }

    fn run(&mut self, block: &mut Block, controls: &Controls) {
        block.make_sane();
        let frames = block.frames();
        self.give(block, controls.offline);
        self.dry.extend(block.interleaved());
        self.blend.get_or_insert_with(|| Blend::new(controls.wet(self.keeps)));
        let mut from = 0;
        while from < frames {
            let (part, length) = self.next(frames - from, controls.offline);
            self.part.clear();
            self.part_dry.clear();
            let channels = self.channels;
            self.part_dry.append_interleaved(self.dry.drain(..length * channels));
            self.fetch(part, length);
            self.join(part, controls);
            for (own, plane) in self.part.planes().iter().zip(block.planes_mut()) {
                plane[from..from + length].copy_from_slice(own);
            }
            from += length;
        }
        self.begun = true;
        self.mute(block, controls.mode == Mode::Mute);
    }

    /// Gives the worker a block, or, if there is no room for it, silence as long once there is.
    fn give(&mut self, block: &Block, wait: bool) {
        let channels = self.channels;
        let mut from = 0;
        loop {
            let silence = self.owed.min(self.worker.to.slots() / channels);
            if let Ok(chunk) = self.worker.to.write_chunk_uninit(silence * channels) {
                chunk.fill_from_iter(std::iter::repeat_n(0.0, silence * channels));
                self.owed -= silence;
            }
            let room = if self.owed == 0 { self.worker.to.slots() / channels } else { 0 };
            let given = (block.frames() - from).min(room);
            if let Ok(chunk) = self.worker.to.write_chunk_uninit(given * channels) {
                chunk.fill_from_iter(block.interleaved().skip(from * channels).take(given * channels));
            }
            from += given;
            self.worker.wake();
            // Else the worker would wait for room as well.
            self.discard();
            if from == block.frames() || !wait || self.worker.is_gone() {
                break;
            }
            nap();
        }
        self.owed += block.frames() - from;
    }

    /// Throws away what comes too late.
    fn discard(&mut self) {
        let late = self.overdue.min(self.worker.from.slots() / self.channels);
        if let Ok(chunk) = self.worker.from.read_chunk(late * self.channels) {
            chunk.commit_all();
            self.overdue -= late;
        }
    }

    /// What comes next, and for how many of `frames` frames.
    fn next(&mut self, frames: usize, wait: bool) -> (Part, usize) {
        if self.before > 0 {
            return (Part::Before, self.before.min(frames));
        }
        loop {
            self.discard();
            let ready = (self.worker.from.slots() / self.channels).min(frames);
            if ready > 0 {
                return (Part::Done, ready);
            }
            if !wait || self.worker.is_gone() {
                return (Part::Late, frames);
            }
            nap();
        }
    }

    /// Puts `length` frames of that part into `self.part`.
    fn fetch(&mut self, part: Part, length: usize) {
        match part {
            Part::Before => {
                self.part.append_silence(length);
                self.before -= length;
            }
            Part::Done => {
                if let Ok(chunk) = self.worker.from.read_chunk(length * self.channels) {
                    self.part.append_interleaved(chunk);
                }
            }
            Part::Late => {
                self.part.append(&self.part_dry);
                self.overdue += length;
                self.late += 1;
            }
        }
    }

    /// Joins `self.part` with what was before it.
    fn join(&mut self, part: Part, controls: &Controls) {
        if let Some(blend) = &mut self.blend {
            match part {
                Part::Done => blend.mix(&mut self.part, &self.part_dry, controls.wet(self.keeps)),
                Part::Late => {
                    blend.leave_out(FADE);
                    self.seams = true;
                }
                Part::Before => {}
            }
        }
        // From what is late back to what is done the share grows from 0; all other seams would be heard.
        if part != self.last && self.seams && (self.last, part) != (Part::Late, Part::Done) {
            self.splice.fresh = true;
        }
        self.last = part;
        self.splice.smooth(&mut self.part);
    }

    /// Fades to silence, or back.
    fn mute(&mut self, block: &mut Block, mute: bool) {
        let wanted = if mute { 0.0 } else { 1.0 };
        if self.gain == wanted && !mute {
            return;
        }
        let (before, step) = (self.gain, 1.0 / FADE as f32);
        let gain =
            |index: usize| before + (wanted - before).clamp(-step * (index + 1) as f32, step * (index + 1) as f32);
        for plane in block.planes_mut() {
            plane.iter_mut().enumerate().for_each(|(index, v)| *v *= gain(index));
        }
        if !block.is_empty() {
            self.gain = gain(block.frames() - 1);
        }
    }
}

/// Waits for the worker, for hosts that asked for it.
fn nap() {
    std::thread::sleep(Duration::from_micros(100));
}

/// The least frames that the worker is given time for.
fn least(rate: u32) -> usize {
    (f64::from(rate) * LEAST_SECONDS) as usize
}
