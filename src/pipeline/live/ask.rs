//! What is asked of a sound server, on threads of its own: a server may hang, and whoever wants to stop or to pause does not wait for it.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use rtrb::{Consumer, Producer};

use super::{End, FRAMES, LivePipeline, WATCH};
use crate::device::{self, Devices, Direction};
use crate::error::{Error, Kind, Result};
use crate::sink::Speaker;
use crate::source::Microphone;

/// Finds the devices that there are, each time anew.
pub type Find = Arc<dyn Fn() -> Result<Devices> + Send + Sync>;

/// How long a server may take to open both devices until it is said to hang.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often the system is asked which device is its default.
const ASK: Duration = Duration::from_secs(2);

/// Both devices at work, and the rings between them and the engine.
pub struct Open {
    pub devices: Devices,
    pub streams: [device::Stream; 2],
    pub ends: (End<Consumer<f32>>, End<Producer<f32>>),
    /// For the thread that the microphone shall wake.
    pub wake: Arc<OnceLock<Thread>>,
}

/// Opens devices, one after the other even if a server does not answer for hours.
#[derive(Default)]
pub struct Opening(Option<Receiver<Result<Open>>>);

impl Opening {
    /// Opens the devices of `pipeline`; nothing once `halted` says so, see [`close`](Self::close).
    pub fn wait(
        &mut self,
        find: &Find,
        pipeline: &LivePipeline,
        mut halted: impl FnMut() -> bool,
    ) -> Option<Result<Open>> {
        let begun = Instant::now();
        // What was asked before and is not answered yet is not asked twice.
        let answer = self.0.take().unwrap_or_else(|| begin(find, pipeline));
        loop {
            match answer.recv_timeout(WATCH) {
                Ok(opened) => return Some(opened),
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(Err(Error::new(Kind::Device, "the devices could not be opened")));
                }
                Err(RecvTimeoutError::Timeout) if halted() => {
                    self.0 = Some(answer);
                    return None;
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > PATIENCE => {
                    self.0 = Some(answer);
                    return Some(Err(device::hangs()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Closes what was opened since nobody waits for it any more.
    pub fn close(&mut self) {
        if self.0.as_ref().is_some_and(|answer| !matches!(answer.try_recv(), Err(TryRecvError::Empty))) {
            self.0 = None;
        }
    }
}

fn begin(find: &Find, pipeline: &LivePipeline) -> Receiver<Result<Open>> {
    let (tell, answer) = bounded(1);
    let (find, microphone, speaker) = (Arc::clone(find), pipeline.microphone.clone(), pipeline.speaker.clone());
    // Where there is no thread, the sender is dropped, and that is told.
    let _ = std::thread::Builder::new().name("opening".into()).spawn(move || {
        let _ = tell.send(find().and_then(|devices| open(devices, &microphone, &speaker)));
    });
    answer
}

fn open(devices: Devices, microphone: &Microphone, speaker: &Speaker) -> Result<Open> {
    let channels = microphone.channels;
    let wake = Arc::new(OnceLock::new());
    // Half a second at the device's rate, beside what is to be kept ready and what devices bring and take at once: more than is ever used,
    // and no delay, since fill is what counts.
    let kept = speaker.reserve.as_secs_f64()
        + f64::from(microphone.wanted.buffer + speaker.wanted.buffer) / f64::from(device::RATE);
    let room = |rate: u32| ((0.5 + kept) * f64::from(rate)) as usize + FRAMES;
    let mut heard = None;
    let input = devices.microphone(&microphone.wanted, |opened| {
        let (tap, ring, counters) = device::tap(channels, room(opened.rate), &wake);
        heard = Some(End { ring, counters, rate: opened.rate });
        tap
    })?;
    let mut played = None;
    let output = devices.speaker(&speaker.wanted, |opened| {
        let (feed, ring, counters) = device::feed(channels, room(opened.rate));
        played = Some(End { ring, counters, rate: opened.rate });
        feed
    })?;
    let (Some(heard), Some(played)) = (heard, played) else {
        return Err(Error::new(Kind::Bug, "a device was opened without its ring"));
    };
    Ok(Open { devices, streams: [input, output], ends: (heard, played), wake })
}

/// Asks from time to time, until it is dropped or a default has moved.
pub struct Asking {
    /// Of which way the default is another device now.
    pub moved: Receiver<Direction>,
    _halt: Sender<()>,
}

impl Asking {
    /// Asks `devices` whether what `follows` the default still is it.
    pub fn begin(find: Find, mut devices: Devices, follows: Vec<(Direction, String)>) -> Asking {
        let (halt, halted) = bounded::<()>(0);
        let (tell, moved) = bounded(1);
        let is_empty = follows.is_empty();
        let ask = move || {
            while matches!(halted.recv_timeout(ASK), Err(RecvTimeoutError::Timeout)) {
                device::hush();
                let tells =
                    |devices: &Devices| follows.iter().all(|(way, id)| devices.default_has_moved(*way, id).is_some());
                // Where no server answered when the devices were opened, or none does any more, one may by now.
                if !(devices.has_server() && tells(&devices))
                    && let Ok(found) = find()
                {
                    devices = found;
                }
                let moved = |(way, id): &&(Direction, String)| devices.default_has_moved(*way, id) == Some(true);
                if let Some((direction, _)) = follows.iter().find(moved) {
                    let _ = tell.send(*direction);
                    return;
                }
            }
        };
        // Without a thread nothing is asked. Where nothing follows, there is nothing to ask.
        if !is_empty {
            let _ = std::thread::Builder::new().name("asking".into()).spawn(ask);
        }
        Asking { moved, _halt: halt }
    }
}
