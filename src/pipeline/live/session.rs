//! Both devices open and the thread that computes between them, from when they are opened until one is gone or somebody wants an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::again::Again;
use super::ask::{Asking, Find, Open};
use super::{Engine, LiveControl, LivePipeline, State, WATCH, control};
use crate::device::{self, Counters, Direction};
use crate::error::{Error, Kind, Result};
use crate::media::audio::Chain;

/// A device whose callbacks stand still for so long is gone; so it is after a suspend.
const STALL: Duration = Duration::from_millis(1500);
/// At the start a sound server may first play what it has prepared, two seconds of silence.
const START: Duration = Duration::from_secs(5);

/// Why a session ended.
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// Somebody has paused it.
    Paused,
    /// A device is gone, or stands still.
    Lost(Error),
    /// The system has another default device now.
    Moved,
}

/// How a session ended.
pub struct Ending {
    /// Why.
    pub why: Ended,
    /// For how long sound went through, if it did at all.
    pub played: Option<Duration>,
    /// Whether all that is known of a loss is that nothing answers any more: the device may still be there.
    pub cut: bool,
    /// The stages, if they can be used again.
    pub chain: Option<Chain>,
}

impl Ending {
    /// Of a session that could not begin.
    pub fn before_it_began(error: Error) -> Ending {
        Ending { why: Ended::Lost(error), played: None, cut: false, chain: None }
    }
}

/// See the module.
pub struct Session {
    asking: Asking,
    counters: [Arc<Counters>; 2],
    streams: [device::Stream; 2],
    halt: Arc<AtomicBool>,
    thread: JoinHandle<Engine>,
    /// Since when sound goes through.
    playing: Option<Instant>,
}

impl Session {
    /// Starts the thread that computes, with these stages between these devices.
    ///
    /// # Errors
    /// Kind bug: there is no resampler for these devices. Kind transient: there is no thread.
    pub fn begin(
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
        Ok(Session { asking, counters, streams, halt, thread, playing: None })
    }

    /// Looks after the devices until there is a reason not to, and closes them.
    pub fn run(mut self, pipeline: &LivePipeline, control: &LiveControl, stop: &Receiver<()>) -> Ending {
        let why = self.watch(pipeline, control, stop);
        let played = self.playing.map(|since| since.elapsed());
        let cut = self.counters.iter().any(|counters| counters.cut.load(Relaxed));
        Ending { why, played, cut, chain: self.close() }
    }

    fn watch(&mut self, pipeline: &LivePipeline, control: &LiveControl, stop: &Receiver<()>) -> Ended {
        let mut seen = [(0, Instant::now()); 2];
        let mut lost = [0; 2];
        let mut again = Again::default();
        let begun = Instant::now();
        loop {
            if !matches!(stop.recv_timeout(WATCH), Err(RecvTimeoutError::Timeout)) {
                return Ended::Stopped;
            }
            if control.is_paused() {
                return Ended::Paused;
            }
            control.sweep();
            // A device that is open may still bring nothing: it runs once both have, and the speaker plays what the microphone heard.
            if self.playing.is_none() && self.counters[1].playing.load(Relaxed) {
                self.playing = Some(Instant::now());
                self.tell(pipeline);
                control.set_state(State::Running, None);
            }
            if again.is_due(control.has_failed(), Instant::now()) {
                tracing::info!(pipeline = pipeline.name, "the stages are tried again");
                if let Err(e) = control.renew(pipeline) {
                    tracing::warn!(pipeline = pipeline.name, mend = e.mend_text(), "{e}");
                }
            }
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
                    return Ended::Lost(self.loss(number));
                }
            }
            if self.thread.is_finished() {
                return Ended::Lost(Error::new(Kind::Bug, "the thread of sound has ended by a bug of latentd"));
            }
            if let Ok(direction) = self.asking.moved.try_recv() {
                tracing::info!("the system's {} is another one now", direction.name());
                return Ended::Moved;
            }
        }
    }

    /// Tells that sound goes through.
    fn tell(&self, pipeline: &LivePipeline) {
        let [from, to] = [&self.streams[0].opened, &self.streams[1].opened];
        tracing::info!(
            pipeline = pipeline.name,
            "listening to {} ({} Hz), playing on {} ({} Hz)",
            from.name,
            from.rate,
            to.name,
            to.rate
        );
    }

    /// What is to be told of a device that is gone: 0 the microphone, 1 the speaker.
    fn loss(&self, number: usize) -> Error {
        let (name, counters) = (&self.streams[number].opened.name, &self.counters[number]);
        if counters.cut.load(Relaxed) {
            return Error::new(Kind::Device, format!("the connection to {name} has broken"));
        }
        if counters.gone.load(Relaxed) || counters.frames.load(Relaxed) > 0 {
            return Error::new(Kind::Device, format!("{name} is gone"));
        }
        let does = if number == 0 { "brings" } else { "takes" };
        Error::new(Kind::Device, format!("{name} is open and {does} no sound"))
            .mend("see whether it is suspended or switched off: `pactl list short sources`, `pactl list short sinks`")
    }

    /// Stops, and gives the stages back if they can be used again.
    fn close(self) -> Option<Chain> {
        self.halt.store(true, Relaxed);
        self.thread.thread().unpark();
        let engine = self.thread.join();
        // Closing a stream of a server that hangs may take for ever; nobody waits for that.
        let streams = self.streams;
        let _ = std::thread::Builder::new().name("closing".into()).spawn(move || drop(streams));
        engine.ok().and_then(Engine::into_chain)
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
