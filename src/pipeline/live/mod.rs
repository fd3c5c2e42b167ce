//! Microphone, stages, speaker: the real-time path. Two callbacks copy into and out of rings (`device`), one thread computes between them
//! (`engine.rs`), and the thread that called [`run`] watches (`session.rs`): a device that goes away is looked for until it is back.

mod again;
mod ask;
mod control;
mod drift;
mod engine;
mod gauge;
mod jitter;
mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ask::{Find, Opening};
use crossbeam::channel::{Receiver, RecvTimeoutError, TryRecvError};
use session::{Ended, Ending, Session};

use super::{Fingerprint, Parts};
use crate::config::Problem;
use crate::device::{Devices, RATE};
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
        let end = match opened.and_then(|open| Session::begin(pipeline, ready, control, (open, Arc::clone(&find)))) {
            Ok(session) => {
                let end = session.run(pipeline, control, stop);
                last = control.status();
                control.shared.meters.rest();
                end
            }
            Err(e) => Ending::before_it_began(e),
        };
        chain = end.chain;
        if end.played.is_some() {
            told.clear();
        }
        // A device that brings sound and is gone at once is as good as missing, and so is one that brings none.
        if end.played.is_some_and(|long| long > BACKOFF.1) {
            wait = BACKOFF.0;
        }
        let pause = match end.why {
            Ended::Stopped => return stopped(pipeline, control, &last),
            Ended::Paused => {
                tracing::info!(pipeline = pipeline.name, "paused; the devices are closed");
                continue;
            }
            Ended::Moved => {
                control.set_state(State::Starting, None);
                BACKOFF.0
            }
            Ended::Lost(e) => {
                tell(pipeline, control, &e, end.played.is_some(), &mut told);
                // Most often the device is still there, as after a call that was interrupted; if not, the next try will tell.
                if end.cut && end.played.is_some() {
                    continue;
                }
                let pause = wait;
                wait = (wait * 2).min(BACKOFF.1);
                pause
            }
        };
        let until = Instant::now() + pause;
        while Instant::now() < until && !control.is_paused() {
            if !matches!(stop.recv_timeout(WATCH), Err(RecvTimeoutError::Timeout)) {
                return stopped(pipeline, control, &last);
            }
        }
    }
}

/// Tells why there is no sound now. The same trouble every few seconds is told once.
fn tell(pipeline: &LivePipeline, control: &LiveControl, error: &Error, played: bool, told: &mut String) {
    let text = error.to_string();
    control.set_state(State::Waiting, Some(text.clone()));
    if text == *told {
        return;
    }
    if error.kind() == Kind::Bug {
        tracing::error!(pipeline = pipeline.name, "{text}; it begins anew");
    } else {
        let back = if played { " to come back" } else { "" };
        tracing::warn!(pipeline = pipeline.name, mend = error.mend_text(), "{text}; waiting for it{back}");
    }
    *told = text;
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
