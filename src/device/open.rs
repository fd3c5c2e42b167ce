//! A device at work: what it is opened as, and what its callbacks call.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, Data, ErrorKind, SampleFormat, StreamConfig, SupportedBufferSize};

use super::formats::best;
use super::host::{Found, How};
use super::{Counters, Direction, Feed, Moment, Opened, Tap, Wanted};
use crate::error::{Error, Kind, Result};

/// How long a device may take to open.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to do where sound is not for this user.
pub(super) const GROUP: &str = "give the user that runs latentd the right to use sound (on Linux, the group `audio`)";

/// A device at work. It stops when this is dropped.
pub struct Stream {
    _running: Running,
    /// What it was opened as.
    pub opened: Opened,
}

/// What makes it run.
enum Running {
    /// A stream of cpal.
    Cpal(#[expect(dead_code, reason = "held until it is dropped")] cpal::Stream),
    /// A device of a PulseAudio server.
    #[cfg(target_os = "linux")]
    Pulse(#[expect(dead_code, reason = "held until it is dropped")] super::pulse::Working),
}

/// Opens a microphone, whose callbacks ask `clock` for the time. `tap` makes their end once rate and channels are known.
pub fn microphone(
    found: Found,
    wanted: &Wanted,
    mut tap: impl FnMut(&Opened) -> Tap,
    clock: fn() -> Instant,
) -> Result<Stream> {
    let (device, (config, format, opened)) = match found.how {
        How::Cpal(device) => {
            let chosen = choose(Direction::Microphone, wanted, &device, (found.id, found.name))?;
            (device, chosen)
        }
        #[cfg(target_os = "linux")]
        How::Pulse { channels, .. } => {
            let opened = converted((found.id, found.name), channels, wanted);
            let tap = tap(&opened);
            let recording = super::pulse::record(&opened, wanted.buffer.max(1), tap, clock, PATIENCE)
                .map_err(|e| refused(Direction::Microphone, called(&opened), ErrorKind::DeviceNotAvailable, e))?;
            return Ok(Stream { _running: Running::Pulse(recording), opened });
        }
    };
    let channels = opened.channels;
    let stream = built(config, |config| {
        let mut tap = tap(&opened);
        let counters = Arc::clone(tap.counters());
        let callback = move |data: &Data, info: &cpal::InputCallbackInfo| {
            let time = info.timestamp();
            let latency = time.callback.saturating_duration_since(time.capture);
            let moment = Moment { at: clock(), latency };
            macro_rules! take {
                ($($format:ident => $type:ty),*) => {
                    match data.sample_format() {
                        $(SampleFormat::$format => if let Some(s) = data.as_slice::<$type>() { tap.take(s, channels, &moment) },)*
                        _ => {}
                    }
                };
            }
            take!(F32 => f32, I16 => i16, I24 => cpal::I24, I32 => i32, U8 => u8, U16 => u16, U32 => u32, I8 => i8, F64 => f64);
        };
        device.build_input_stream_raw(config, format, callback, move |e| note(&counters, &e), Some(PATIENCE))
    })
    .map_err(|e| refused(Direction::Microphone, called(&opened), e.kind(), told(&e)))?;
    stream.play().map_err(|e| refused(Direction::Microphone, called(&opened), e.kind(), told(&e)))?;
    Ok(Stream { _running: Running::Cpal(stream), opened })
}

/// Opens a speaker in the same way.
pub fn speaker(
    found: Found,
    wanted: &Wanted,
    mut feed: impl FnMut(&Opened) -> Feed,
    clock: fn() -> Instant,
) -> Result<Stream> {
    let (device, (config, format, opened)) = match found.how {
        How::Cpal(device) => {
            let chosen = choose(Direction::Speaker, wanted, &device, (found.id, found.name))?;
            (device, chosen)
        }
        #[cfg(target_os = "linux")]
        How::Pulse { channels, .. } => {
            let opened = converted((found.id, found.name), channels, wanted);
            let feed = feed(&opened);
            let playing = super::pulse::play(&opened, wanted.buffer.max(1), feed, clock, PATIENCE)
                .map_err(|e| refused(Direction::Speaker, called(&opened), ErrorKind::DeviceNotAvailable, e))?;
            return Ok(Stream { _running: Running::Pulse(playing), opened });
        }
    };
    let channels = opened.channels;
    let stream = built(config, |config| {
        let mut feed = feed(&opened);
        let counters = Arc::clone(feed.counters());
        let callback = move |data: &mut Data, info: &cpal::OutputCallbackInfo| {
            let time = info.timestamp();
            let latency = time.playback.saturating_duration_since(time.callback);
            let moment = Moment { at: clock(), latency };
            macro_rules! give {
                ($($format:ident => $type:ty),*) => {
                    match data.sample_format() {
                        $(SampleFormat::$format => if let Some(s) = data.as_slice_mut::<$type>() { feed.give(s, channels, &moment) },)*
                        _ => {}
                    }
                };
            }
            give!(F32 => f32, I16 => i16, I24 => cpal::I24, I32 => i32, U8 => u8, U16 => u16, U32 => u32, I8 => i8, F64 => f64);
        };
        device.build_output_stream_raw(config, format, callback, move |e| note(&counters, &e), Some(PATIENCE))
    })
    .map_err(|e| refused(Direction::Speaker, called(&opened), e.kind(), told(&e)))?;
    stream.play().map_err(|e| refused(Direction::Speaker, called(&opened), e.kind(), told(&e)))?;
    Ok(Stream { _running: Running::Cpal(stream), opened })
}

/// What the device is opened as. One of cpal is opened for that, and closed before sound goes through it: what it says that it can may still be
/// refused, also since another program holds it.
///
/// # Errors
/// As for opening it.
pub fn tried(found: Found, direction: Direction, wanted: &Wanted) -> Result<Opened> {
    let device = match found.how {
        How::Cpal(device) => device,
        #[cfg(target_os = "linux")]
        How::Pulse { channels, .. } => return Ok(converted((found.id, found.name), channels, wanted)),
    };
    let (config, format, opened) = choose(direction, wanted, &device, (found.id, found.name))?;
    let built = built(config, |config| match direction {
        Direction::Microphone => {
            let callback = |_: &Data, _: &cpal::InputCallbackInfo| {};
            device.build_input_stream_raw(config, format, callback, |_| {}, Some(PATIENCE))
        }
        Direction::Speaker => {
            let callback = |_: &mut Data, _: &cpal::OutputCallbackInfo| {};
            device.build_output_stream_raw(config, format, callback, |_| {}, Some(PATIENCE))
        }
    });
    drop(built.map_err(|e| refused(direction, called(&opened), e.kind(), told(&e)))?);
    Ok(opened)
}

/// Builds a stream, with buffers of the device's own size if it refuses those that were asked for. ALSA tells which sizes there are before a rate is
/// chosen, and its mixer (dmix, dsnoop), which is `default` on most cards, has a single one at its own rate.
fn built<S>(
    config: StreamConfig,
    mut build: impl FnMut(StreamConfig) -> std::result::Result<S, cpal::Error>,
) -> std::result::Result<S, cpal::Error> {
    match build(config) {
        Err(e) if e.kind() == ErrorKind::UnsupportedConfig && config.buffer_size != BufferSize::Default => {
            build(StreamConfig { buffer_size: BufferSize::Default, ..config })
        }
        built => built,
    }
}

/// What a device of a server is opened as: the server converts rate and format, and a device keeps its channels.
#[cfg(target_os = "linux")]
fn converted((id, name): (String, String), channels: u16, wanted: &Wanted) -> Opened {
    let most = u16::from(pulseaudio::protocol::sample_spec::MAX_CHANNELS);
    Opened { id, name, rate: wanted.rate, channels: usize::from(channels.clamp(1, most)) }
}

/// The configuration that a device of cpal is opened with.
fn choose(
    direction: Direction,
    wanted: &Wanted,
    device: &cpal::Device,
    (id, name): (String, String),
) -> Result<(StreamConfig, SampleFormat, Opened)> {
    let (own, ranges) = match direction {
        Direction::Microphone => (device.default_input_config(), device.supported_input_configs().map(Vec::from_iter)),
        Direction::Speaker => (device.default_output_config(), device.supported_output_configs().map(Vec::from_iter)),
    };
    let ranges = ranges.map_err(|e| refused(direction, (&id, &name), e.kind(), told(&e)))?;
    let own = own.ok().map(|c| (c.channels(), c.sample_rate()));
    let (range, rate) = best(&ranges, own, wanted.rate).ok_or_else(|| {
        let what = format!("the {} `{name}` offers no format that latentd knows", direction.name());
        Error::new(Kind::Device, what).mend("choose another device; `latentd devices` shows them")
    })?;
    let buffer_size = match *range.buffer_size() {
        // Buffers are told at the rate that was wanted.
        SupportedBufferSize::Range { min, max } if min <= max && max > 0 => {
            let frames = u64::from(wanted.buffer) * u64::from(rate) / u64::from(wanted.rate.max(1));
            BufferSize::Fixed((frames as u32).clamp(min.max(1), max.max(1)))
        }
        _ => BufferSize::Default,
    };
    let config = StreamConfig { channels: range.channels(), sample_rate: rate, buffer_size };
    let opened = Opened { id, name, rate, channels: usize::from(range.channels()) };
    Ok((config, range.sample_format(), opened))
}

/// What a device tells while it works. It is told in a callback, so it is only noted.
fn note(counters: &Counters, error: &cpal::Error) {
    match error.kind() {
        ErrorKind::Xrun => {
            counters.xruns.fetch_add(1, Relaxed);
        }
        // Sound goes on.
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
        _ => counters.gone.store(true, Relaxed),
    }
}

/// What cpal says, to be followed by more.
pub(super) fn told(error: &cpal::Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// Id and name.
fn called(opened: &Opened) -> (&str, &str) {
    (&opened.id, &opened.name)
}

fn refused(
    direction: Direction,
    (id, name): (&str, &str),
    kind: ErrorKind,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    const ELSE: &str = "see whether other programs can use it; `latentd devices` shows what there is";
    let mend = match kind {
        ErrorKind::PermissionDenied => GROUP,
        ErrorKind::DeviceBusy => {
            "another program holds it; stop that, or use PipeWire or PulseAudio, which share devices"
        }
        ErrorKind::HostUnavailable => "start PipeWire or PulseAudio",
        ErrorKind::DeviceNotAvailable => without_cards(id).unwrap_or(ELSE),
        _ => ELSE,
    };
    Error::new(Kind::Device, format!("the {} `{name}` cannot be opened", direction.name())).because(error).mend(mend)
}

/// Why there is no card for a device of ALSA, as a mend, if there is none.
pub(super) fn without_cards(id: &str) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    if id.starts_with(super::alsa::ALSA) {
        return super::alsa::without_cards();
    }
    let _ = id;
    None
}
