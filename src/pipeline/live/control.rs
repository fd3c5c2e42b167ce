//! What others may ask of a live pipeline and see of it, while it runs.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::queue::ArrayQueue;

use super::LivePipeline;
use crate::error::Result;
use crate::media::audio::Chain;

/// The handle of a live pipeline: cheap to clone, for any thread.
#[derive(Debug, Clone, Default)]
pub struct LiveControl {
    pub(super) shared: Arc<Shared>,
}

/// What the thread that computes shares with the rest. It only ever touches what takes no lock.
#[derive(Debug)]
pub(super) struct Shared {
    bypass: AtomicBool,
    paused: AtomicBool,
    /// Bits of an f32.
    strength: AtomicU32,
    /// Stages that shall take over.
    pub next: ArrayQueue<Swap>,
    /// Stages that have done their work, to be dropped elsewhere.
    pub done: ArrayQueue<Swap>,
    pub meters: Meters,
    /// For the threads that wait and watch alone.
    state: Mutex<(State, Option<String>)>,
    /// The pipeline that has taken the first one's place; for those threads too.
    successor: Mutex<Option<Arc<LivePipeline>>>,
}

/// What is told of stages that gave no numbers, until others take their place.
pub(super) const FAILED: &str = "a stage has failed; the sound passes as it is";

/// A chain on its way to the thread that computes, or back.
pub(super) struct Swap(pub Chain);

impl std::fmt::Debug for Swap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Swap")
    }
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            bypass: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            strength: AtomicU32::new(1f32.to_bits()),
            next: ArrayQueue::new(1),
            done: ArrayQueue::new(4),
            meters: Meters::default(),
            state: Mutex::new((State::Starting, None)),
            successor: Mutex::default(),
        }
    }
}

/// Numbers that the thread that computes writes.
#[derive(Debug, Default)]
pub(super) struct Meters {
    pub late: AtomicU64,
    pub dropped: AtomicU64,
    pub xruns: AtomicU64,
    pub fill_us: AtomicU32,
    pub target_us: AtomicU32,
    pub latency_us: AtomicU32,
    pub ppm: AtomicU32,
    pub load: AtomicU32,
    pub input: AtomicU32,
    pub output: AtomicU32,
    pub failed: AtomicBool,
}

impl Meters {
    /// No stream runs any more: what was measured of it is not so now. What was counted stays.
    pub fn rest(&self) {
        for place in
            [&self.fill_us, &self.target_us, &self.latency_us, &self.ppm, &self.load, &self.input, &self.output]
        {
            place.store(0, Relaxed);
        }
        self.failed.store(false, Relaxed);
    }

    pub fn set(place: &AtomicU32, value: f32) {
        place.store(value.to_bits(), Relaxed);
    }

    fn get(place: &AtomicU32) -> f32 {
        f32::from_bits(place.load(Relaxed))
    }
}

/// What a live pipeline is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It opens its devices, and no sound goes through yet.
    Starting,
    /// Sound goes through.
    Running,
    /// A device is missing, or open and brings nothing; it is tried again and again.
    Waiting,
    /// Somebody has paused it: its devices are closed.
    Paused,
    /// It has been told to stop.
    Stopped,
}

/// A look at a live pipeline.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LiveStatus {
    /// What it is doing.
    pub state: State,
    /// Why it waits; or that a stage has failed while it runs, and the sound passes as it is.
    pub reason: Option<String>,
    /// Whether a stage has failed, so that the sound passes as it is until the stages, which are made anew from time to time, do their work again.
    pub failed: bool,
    /// Whether the sound passes as it is.
    pub bypass: bool,
    /// The stages' share of the result, 0..1.
    pub strength: f32,
    /// How often a device lost sound because latentd was not there in time, since the start.
    pub xruns: u64,
    /// Blocks of 10 ms that went through as they were because the stages were late.
    pub late_blocks: u64,
    /// Blocks left out so that a delay that had grown became what it should be.
    pub dropped_blocks: u64,
    /// By how much microphone and speaker may be late before there is silence, in milliseconds; and by how much it should be.
    pub ring_ms: [f32; 2],
    /// From the microphone to the speaker, in milliseconds, buffers of the devices included as far as they tell the truth.
    pub latency_ms: f32,
    /// What share of its time the computing thread computes; at 1 it cannot keep up.
    pub load: f32,
    /// By how much the speaker's clock is followed, in millionths.
    pub drift_ppm: f32,
    /// Level of input and output, in dB below full scale (root mean square of the last third of a second).
    pub level_db: [f32; 2],
}

impl LiveControl {
    /// Lets the sound pass as it is, or not; with a cross-fade, and without a change of delay.
    pub fn set_bypass(&self, bypass: bool) {
        self.shared.bypass.store(bypass, Relaxed);
    }

    /// The stages' share of the result, 0..1; with a cross-fade. What is no number changes nothing: it would stay in the sound for ever.
    pub fn set_strength(&self, strength: f32) {
        if strength.is_nan() {
            return;
        }
        self.shared.strength.store(strength.clamp(0.0, 1.0).to_bits(), Relaxed);
    }

    /// Closes the devices until it is called again with `false`: nothing is heard, nothing is played.
    pub fn set_paused(&self, paused: bool) {
        self.shared.paused.store(paused, Relaxed);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.shared.paused.load(Relaxed)
    }

    /// Puts the stages of `pipeline` in place of those at work, without a gap, now and whenever they are made anew. Its devices must be those of
    /// the pipeline that runs.
    ///
    /// # Errors
    /// Kind model: a stage's model cannot run. The old stages stay.
    pub fn change(&self, pipeline: Arc<LivePipeline>) -> Result<()> {
        let chain = pipeline.chain()?;
        *self.successor() = Some(pipeline);
        self.replace(chain);
        Ok(())
    }

    /// New stages of the pipeline that runs: of `first`, or what has taken its place.
    pub(super) fn chain(&self, first: &LivePipeline) -> Result<Chain> {
        let successor = self.successor().clone();
        successor.as_deref().unwrap_or(first).chain()
    }

    /// Puts new stages of the pipeline that runs in place of those at work, which have failed.
    ///
    /// # Errors
    /// As for [`change`](Self::change).
    pub(super) fn renew(&self, first: &LivePipeline) -> Result<()> {
        let before = self.successor().clone();
        let chain = before.as_deref().unwrap_or(first).chain()?;
        // Held until they are given over: whoever changes the pipeline meanwhile has the last word.
        let now = self.successor();
        if now.as_ref().map(Arc::as_ptr) == before.as_ref().map(Arc::as_ptr) {
            self.replace(chain);
        }
        Ok(())
    }

    /// Whether a stage has failed, and none has taken its place.
    pub(super) fn has_failed(&self) -> bool {
        self.shared.meters.failed.load(Relaxed)
    }

    /// Puts other stages in place of those at work, without a gap. The last word counts where two are given at once.
    pub fn replace(&self, chain: Chain) {
        drop(self.shared.next.force_push(Swap(chain)));
        self.sweep();
    }

    /// A look at it.
    pub fn status(&self) -> LiveStatus {
        let meters = &self.shared.meters;
        let milliseconds = |place: &AtomicU32| place.load(Relaxed) as f32 / 1000.0;
        let (state, reason) = self.lock().clone();
        let failed = state == State::Running && self.has_failed();
        LiveStatus {
            state,
            reason: if failed { Some(FAILED.into()) } else { reason },
            failed,
            bypass: self.shared.bypass.load(Relaxed),
            strength: f32::from_bits(self.shared.strength.load(Relaxed)),
            xruns: meters.xruns.load(Relaxed),
            late_blocks: meters.late.load(Relaxed),
            dropped_blocks: meters.dropped.load(Relaxed),
            ring_ms: [milliseconds(&meters.fill_us), milliseconds(&meters.target_us)],
            latency_ms: milliseconds(&meters.latency_us),
            load: Meters::get(&meters.load),
            drift_ppm: Meters::get(&meters.ppm),
            level_db: [&meters.input, &meters.output].map(|power| (10.0 * Meters::get(power).log10()).max(-120.0)),
        }
    }

    /// Drops the stages that are done with; never on the thread that computes.
    pub(super) fn sweep(&self) {
        while self.shared.done.pop().is_some() {}
    }

    pub(super) fn set_state(&self, state: State, reason: Option<String>) {
        *self.lock() = (state, reason);
    }

    fn lock(&self) -> MutexGuard<'_, (State, Option<String>)> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn successor(&self) -> MutexGuard<'_, Option<Arc<LivePipeline>>> {
        self.shared.successor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The stages' share that is wanted now.
    pub fn wet(&self) -> f32 {
        if self.bypass.load(Relaxed) { 0.0 } else { f32::from_bits(self.strength.load(Relaxed)) }
    }
}
