//! Microphone, stages, speaker: the real-time path. Two callbacks copy into and out of rings (`device`), one thread computes between them
//! (`engine.rs`), and the thread that called [`run`] watches: a device that goes away is looked for until it is back.

mod ask;
mod control;
mod drift;
mod engine;
mod gauge;
mod jitter;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ask::{Asking, Find, Open, Opening};
use crossbeam::channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::{Fingerprint, Parts};
use crate::config::Problem;
use crate::device::{self, Counters, Devices, Direction, RATE};
use crate::error::{Error, Kind, Result};
use crate::media::MediaKind;
use crate::media::audio::{Chain, Format};
use crate::sink::Speaker;
use crate::source::Microphone;
use crate::stage::{self, Site, Stage};

pub use control::{LiveControl, LiveStatus, State};
pub use drift::{Convert, Drift};
pub use engine::{End, Engine};

/// Frames of a block: 10 ms.
pub const FRAMES: usize = 480;

/// First and longest wait before another try with devices that are not there.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How often the devices are looked after.
const WATCH: Duration = Duration::from_millis(100);
/// A device whose callbacks stand still for so long is gone; so it is after a suspend.
const STALL: Duration = Duration::from_millis(1500);
/// At the start a sound server may first play what it has prepared, two seconds of silence.
const START: Duration = Duration::from_secs(5);

/// A pipeline from a microphone to a speaker, ready to run.
#[derive(Debug)]
pub struct LivePipeline {
    /// Its name.
    pub name: String,
    /// Tells pipelines apart.
    pub fingerprint: Fingerprint,
    /// Where its sound comes from.
    pub microphone: Microphone,
    /// What is done to it, in this order.
    pub stages: Vec<Box<dyn Stage>>,
    /// Where it goes.
    pub speaker: Speaker,
}

impl LivePipeline {
    /// Puts the parts together; all problems at once.
    pub(super) fn assemble(
        name: &str,
        parts: &Parts,
        site: &Site,
        fingerprint: impl FnOnce() -> Fingerprint,
    ) -> std::result::Result<LivePipeline, Vec<Problem>> {
        let mut problems = Vec::new();
        let source = parts.source.filter(|c| c.description.name == crate::source::MICROPHONE);
        let sink = parts.sink.filter(|c| c.description.name == crate::sink::SPEAKER);
        if let (None, Some(other)) = (source, parts.source) {
            let text =
                format!("a speaker plays what a microphone hears, and the source is `{}`", other.description.name);
            problems.push(Problem::new(other.span, text).mend("write `microphone` here, or `folder` as the sink"));
        }
        if let (None, Some(other)) = (sink, parts.sink) {
            let text =
                format!("what a microphone hears goes to a speaker, and the sink is `{}`", other.description.name);
            problems.push(Problem::new(other.span, text).mend("write `speaker` here, or `folder` as the source"));
        }
        let microphone = source.map(Microphone::build);
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        let format = Format { rate: RATE, channels: microphone.as_ref().map_or(1, |m| m.channels) };
        for component in parts.stages {
            match stage::build(component, site) {
                Err(more) => problems.extend(more),
                Ok(stage) if stage.takes() != MediaKind::Audio => {
                    let (name, takes) = (component.description.name, stage.takes().with_article());
                    let text = format!("`{name}` takes {takes} here, and a microphone gives sound");
                    let mend = "choose a model of sound, such as `denoise-speech`, or leave the stage out";
                    problems.push(Problem::new(component.span, text).mend(mend));
                }
                Ok(stage) => match stage.live(format) {
                    Ok(Some(process)) if process.output() != format => {
                        let text =
                            format!("it makes {} Hz of the {RATE} Hz that a speaker is given", process.output().rate);
                        problems.push(Problem::new(component.span, text).mend("leave it out of a live pipeline"));
                    }
                    Ok(Some(_)) => stages.push(stage),
                    Ok(None) => {
                        let text = stage::endless(component.description.name);
                        problems.push(Problem::new(component.span, text).mend("leave it out of a live pipeline"));
                    }
                    Err(e) => problems.push(Problem::new(component.span, e.to_string())),
                },
            }
        }
        match (microphone, sink.map(Speaker::build)) {
            (Some(microphone), Some(speaker)) if problems.is_empty() => {
                Ok(LivePipeline { name: name.to_owned(), fingerprint: fingerprint(), microphone, stages, speaker })
            }
            _ => Err(problems),
        }
    }

    /// Whether it listens to and plays on the same devices in the same way as another, so that only the stages may differ.
    pub fn has_devices_of(&self, other: &LivePipeline) -> bool {
        let devices = |p: &LivePipeline| {
            let wanted = [&p.microphone.wanted, &p.speaker.wanted];
            (wanted.map(|w| (w.device.clone(), w.rate, w.buffer)), p.microphone.channels, p.speaker.reserve)
        };
        devices(self) == devices(other)
    }

    /// The stages as one process, with states of their own.
    ///
    /// # Errors
    /// Kind model: a stage's model cannot run.
    pub fn chain(&self) -> Result<Chain> {
        stage::live_chain(&self.stages, Format { rate: RATE, channels: self.microphone.channels })
    }
}

/// Runs a live pipeline on the system's devices until `stop` gives a message or its sender is dropped.
///
/// # Errors
/// Kind model: a stage's model cannot run. Devices that are missing or go away are no error: it waits for them.
pub fn run(pipeline: &LivePipeline, control: &LiveControl, stop: &Receiver<()>) -> Result<()> {
    run_on(pipeline, control, stop, Devices::system)
}

/// [`run`] on devices that `find` finds, each time anew.
///
/// # Errors
/// As for [`run`].
pub fn run_on(
    pipeline: &LivePipeline,
    control: &LiveControl,
    stop: &Receiver<()>,
    find: impl Fn() -> Result<Devices> + Send + Sync + 'static,
) -> Result<()> {
    let find: Find = Arc::new(find);
    let mut opening = Opening::default();
    let mut chain = Some(control.chain(pipeline)?);
    let mut wait = BACKOFF.0;
    let mut told = String::new();
    // What was measured while it ran, for the end.
    let mut last = control.status();
    loop {
        if control.is_paused() {
            control.set_state(State::Paused, None);
            opening.close();
            // What the stages remember is of another time when it goes on.
            chain = None;
            match stop.recv_timeout(WATCH) {
                Err(RecvTimeoutError::Timeout) => continue,
                _ => return stopped(pipeline, control, &last),
            }
        }
        let ready = match chain.take() {
            Some(chain) => chain,
            None => control.chain(pipeline)?,
        };
        if control.status().state != State::Waiting {
            control.set_state(State::Starting, None);
        }
        let mut stopping = false;
        let opened = opening.wait(&find, pipeline, || {
            stopping = !matches!(stop.try_recv(), Err(TryRecvError::Empty));
            stopping || control.is_paused()
        });
        if stopping {
            return stopped(pipeline, control, &last);
        }
        let Some(opened) = opened else { continue };
        let ended = match opened.and_then(|open| Session::begin(pipeline, ready, control, (open, Arc::clone(&find)))) {
            Ok(session) => {
                let begun = Instant::now();
                let end = session.watch(control, stop);
                chain = session.close();
                last = control.status();
                control.shared.meters.rest();
                // A device that opens and is gone at once is as good as missing.
                if begun.elapsed() > BACKOFF.1 {
                    (wait, told) = (BACKOFF.0, String::new());
                }
                end
            }
            Err(e) => {
                let text = e.to_string();
                control.set_state(State::Waiting, Some(text.clone()));
                // The same trouble every few seconds is told once.
                if text != told {
                    tracing::warn!(pipeline = pipeline.name, mend = e.mend_text(), "{text}; waiting for it");
                }
                told = text;
                Ended::Lost
            }
        };
        match ended {
            Ended::Stopped => return stopped(pipeline, control, &last),
            Ended::Paused => tracing::info!(pipeline = pipeline.name, "paused; the devices are closed"),
            Ended::Lost | Ended::Moved => {
                let until = Instant::now() + wait;
                while Instant::now() < until && !control.is_paused() {
                    if !matches!(stop.recv_timeout(WATCH), Err(RecvTimeoutError::Timeout)) {
                        return stopped(pipeline, control, &last);
                    }
                }
                if matches!(ended, Ended::Lost) {
                    wait = (wait * 2).min(BACKOFF.1);
                }
            }
        }
    }
}

/// Says how it went, for the log.
fn stopped(pipeline: &LivePipeline, control: &LiveControl, last: &LiveStatus) -> Result<()> {
    control.set_state(State::Stopped, None);
    let LiveStatus { xruns, late_blocks, dropped_blocks, latency_ms, load, drift_ppm, .. } = last;
    tracing::info!(
        pipeline = pipeline.name,
        xruns,
        late_blocks,
        dropped_blocks,
        "ended; last delay {latency_ms:.1} ms, load {load:.2}, drift {drift_ppm:.0} ppm"
    );
    Ok(())
}

/// Why a session ended.
enum Ended {
    /// It was told to stop.
    Stopped,
    /// Somebody has paused it.
    Paused,
    /// A device is gone, or stands still.
    Lost,
    /// The system has another default device now.
    Moved,
}

/// Both devices open, and the thread that computes at work.
struct Session {
    asking: Asking,
    counters: [Arc<Counters>; 2],
    streams: [device::Stream; 2],
    halt: Arc<AtomicBool>,
    thread: JoinHandle<Engine>,
}

impl Session {
    fn begin(
        pipeline: &LivePipeline,
        chain: Chain,
        control: &LiveControl,
        (open, find): (Open, Find),
    ) -> Result<Session> {
        let (microphone, speaker) = (&pipeline.microphone, &pipeline.speaker);
        let Open { devices, streams, ends, wake } = open;
        let counters = [Arc::clone(&ends.0.counters), Arc::clone(&ends.1.counters)];
        let engine = Engine::new(chain, microphone.channels, ends, speaker.reserve.as_secs_f64(), control)?;
        let halt = Arc::new(AtomicBool::new(false));
        let halted = Arc::clone(&halt);
        let thread = std::thread::Builder::new()
            .name("sound".into())
            .spawn(move || compute(engine, &halted))
            .map_err(|e| Error::new(Kind::Transient, "no thread for sound").because(e))?;
        let _ = wake.set(thread.thread().clone());
        let named = [(Direction::Microphone, &microphone.wanted.device), (Direction::Speaker, &speaker.wanted.device)];
        let follows = named.into_iter().zip(&streams).filter(|((_, device), _)| *device == "default");
        let follows = follows.map(|((direction, _), stream)| (direction, stream.opened.id.clone())).collect();
        let asking = Asking::begin(find, devices, follows);
        let [from, to] = [&streams[0].opened, &streams[1].opened];
        tracing::info!(
            pipeline = pipeline.name,
            "listening to {} ({} Hz), playing on {} ({} Hz)",
            from.name,
            from.rate,
            to.name,
            to.rate
        );
        control.set_state(State::Running, None);
        Ok(Session { asking, counters, streams, halt, thread })
    }

    /// Looks after the devices until there is a reason not to.
    fn watch(&self, control: &LiveControl, stop: &Receiver<()>) -> Ended {
        let mut seen = [(0, Instant::now()); 2];
        let mut lost = [0; 2];
        let begun = Instant::now();
        loop {
            if !matches!(stop.recv_timeout(WATCH), Err(RecvTimeoutError::Timeout)) {
                return Ended::Stopped;
            }
            if control.is_paused() {
                return Ended::Paused;
            }
            control.sweep();
            let patience = if begun.elapsed() < START { START } else { STALL };
            for (number, counters) in self.counters.iter().enumerate() {
                let frames = counters.frames.load(Relaxed);
                if frames != seen[number].0 {
                    seen[number] = (frames, Instant::now());
                }
                let missing = counters.lost.load(Relaxed) - lost[number];
                if missing > 0 {
                    lost[number] += missing;
                    let opened = &self.streams[number].opened;
                    let long = missing as f64 * 1e3 / f64::from(opened.rate);
                    tracing::debug!("an xrun: {long:.1} ms of sound are missing at {}", opened.name);
                }
                if counters.gone.load(Relaxed) || seen[number].1.elapsed() > patience {
                    return self.gone(number, control);
                }
            }
            if self.thread.is_finished() {
                let what = "the thread of sound has ended by a bug of latentd; it begins anew";
                tracing::error!("{what}");
                control.set_state(State::Waiting, Some(what.into()));
                return Ended::Lost;
            }
            if let Ok(direction) = self.asking.moved.try_recv() {
                tracing::info!("the system's {} is another one now", direction.name());
                return Ended::Moved;
            }
        }
    }

    /// Tells that a device is gone: 0 the microphone, 1 the speaker.
    fn gone(&self, number: usize, control: &LiveControl) -> Ended {
        let what = format!("{} is gone", self.streams[number].opened.name);
        tracing::warn!("{what}; waiting for it to come back");
        control.set_state(State::Waiting, Some(what));
        Ended::Lost
    }

    /// Stops, and gives the stages back unless they fell with their thread.
    fn close(self) -> Option<Chain> {
        self.halt.store(true, Relaxed);
        self.thread.thread().unpark();
        let engine = self.thread.join().ok()?;
        // A stage that failed is made anew; so is one that has taken what it has not given yet, which would come too late from now on.
        let chain = (!engine.has_failed() && engine.held() == 0).then(|| engine.into_chain());
        // Closing a stream of a server that hangs may take for ever; nobody waits for that.
        let streams = self.streams;
        let _ = std::thread::Builder::new().name("closing".into()).spawn(move || drop(streams));
        chain
    }
}

/// The thread that computes.
fn compute(mut engine: Engine, halted: &AtomicBool) -> Engine {
    if !crate::realtime::prefer_this_thread() {
        tracing::info!(
            "no right to a real-time thread; give the user one by `rtprio` in /etc/security/limits.conf if sound stutters"
        );
    }
    let mut told = false;
    while !halted.load(Relaxed) {
        engine.turn(Instant::now());
        if engine.has_failed() && !told {
            tracing::error!("{}", control::FAILED);
        }
        // Stages that have taken the place of those that failed may fail as well.
        told = engine.has_failed();
        // A callback wakes it; the limit only serves devices that stand still.
        std::thread::park_timeout(Duration::from_millis(20));
    }
    engine
}
