//! Devices of a PulseAudio server, or of PipeWire, which speaks the same. cpal 0.18 makes the server's queue for a microphone as long as one fragment,
//! and a server throws away what comes while a fragment is incomplete: three quarters of the sound, once the device works in pieces of its own. And it
//! lets the server move what plays to another speaker when one goes away: a call's voice would come out of the loudspeakers.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{ChannelMap, ChannelPosition, SampleFormat, SampleSpec};
use pulseaudio::protocol::{PlaybackStreamParams, RecordStreamParams};
use pulseaudio::{AsPlaybackSource, Client, ClientError};

use super::server::{Connection, PULSE};
use super::{Counters, Feed, Moment, Opened, Tap};

/// Fragments that the server keeps for a program that is late.
const QUEUE: u32 = 16;

/// How often the server is asked for the device's latency, which also tells that it is alive.
const ASK: Duration = Duration::from_millis(200);

/// Questions whose least answer is the latency: an answer also counts what the device has gathered for its next piece.
const ANSWERS: usize = 8;

/// A device at work. It stops when this is dropped: its connection ends, and nobody waits for an answer.
pub struct Working {
    _connection: Connection,
    ended: Arc<AtomicBool>,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
    }
}

/// Opens the device and gives `tap` fragments of `buffer` frames.
///
/// # Errors
/// When the server refuses, or does not answer within `patience`.
pub fn record(
    opened: &Opened,
    buffer: u32,
    mut tap: Tap,
    clock: fn() -> Instant,
    patience: Duration,
) -> Result<Working, ClientError> {
    let counters = Arc::clone(tap.counters());
    let (channels, rate) = (opened.channels, opened.rate);
    let fragment = bytes(buffer, channels);
    let params = RecordStreamParams {
        sample_spec: spec(opened),
        channel_map: by_number(channels),
        source_name: Some(name(opened)?),
        buffer_attr: BufferAttr {
            max_length: fragment.saturating_mul(QUEUE),
            fragment_size: fragment,
            ..Default::default()
        },
        // A device that goes away ends the stream, and is waited for: the server must not move us to another microphone.
        flags: StreamFlags { no_remap_channels: true, no_move: true, adjust_latency: true, ..Default::default() },
        ..Default::default()
    };
    let latency = Arc::new(AtomicU64::new(0));
    let known = Arc::clone(&latency);
    let mut samples: Vec<f32> = Vec::with_capacity((buffer * QUEUE) as usize * channels);
    let callback = move |bytes: &[u8]| {
        samples.clear();
        let values = bytes.chunks_exact(size_of::<f32>()).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        // Never more than there is room for, so that nothing is allocated here; a server sends a fragment or less.
        samples.extend(values.take(samples.capacity()));
        let own = Duration::from_secs_f64((samples.len() / channels.max(1)) as f64 / f64::from(rate));
        tap.take(
            &samples,
            channels,
            &Moment { at: clock(), latency: own + Duration::from_micros(known.load(Relaxed)) },
        );
    };
    let (stream, connection) =
        connected(patience, move |client| block_on(client.create_record_stream(params, callback)))?;
    let question = move || Ok(block_on(stream.timing_info())?.source_usec);
    watched("microphone", connection, (latency, counters), question)
}

/// Opens the device and asks `feed` for pieces of `buffer` frames.
///
/// # Errors
/// As for [`record`].
pub fn play(
    opened: &Opened,
    buffer: u32,
    mut feed: Feed,
    clock: fn() -> Instant,
    patience: Duration,
) -> Result<Working, ClientError> {
    let counters = Arc::clone(feed.counters());
    let (channels, rate) = (opened.channels, opened.rate);
    let piece = bytes(buffer, channels);
    let pair = [ChannelPosition::FrontLeft, ChannelPosition::FrontRight];
    let params = PlaybackStreamParams {
        sample_spec: spec(opened),
        channel_map: if channels == 2 { ChannelMap::new(pair) } else { by_number(channels) },
        sink_name: Some(name(opened)?),
        // One piece plays while the next is asked for.
        buffer_attr: BufferAttr {
            max_length: piece.saturating_mul(2),
            target_length: piece.saturating_mul(2),
            minimum_request_length: piece,
            ..Default::default()
        },
        // The server ends what plays on a speaker that goes away.
        flags: StreamFlags {
            no_remap_channels: channels > 2,
            no_move: true,
            adjust_latency: true,
            ..Default::default()
        },
        ..Default::default()
    };
    let latency = Arc::new(AtomicU64::new(0));
    let known = Arc::clone(&latency);
    let mut samples = vec![0f32; (buffer * QUEUE) as usize * channels];
    let callback = move |bytes: &mut [u8]| {
        // Never more than there is room for, so that nothing is allocated here; a server asks for two pieces at most.
        for bytes in bytes.chunks_mut(samples.len().max(1) * size_of::<f32>()) {
            let samples = &mut samples[..bytes.len() / size_of::<f32>()];
            feed.give(samples, channels, &Moment { at: clock(), latency: Duration::from_micros(known.load(Relaxed)) });
            bytes
                .chunks_exact_mut(size_of::<f32>())
                .zip(samples)
                .for_each(|(b, s)| b.copy_from_slice(&s.to_le_bytes()));
        }
        bytes.len()
    };
    let (stream, connection) = connected(patience, move |client| {
        block_on(client.create_playback_stream(params, callback.as_playback_source()))
    })?;
    let second = f64::from(rate) * bytes(1, channels) as f64;
    let (mut unbroken, counted) = (Unbroken::default(), Arc::clone(&counters));
    let question = move || {
        let timing = block_on(stream.timing_info())?;
        if unbroken.broke(timing.playing_for, counted.playing.load(Relaxed)) {
            counted.xruns.fetch_add(1, Relaxed);
            tracing::debug!("an xrun: the sound server had nothing to play");
        }
        let waiting = (timing.write_offset - timing.read_offset).max(0) as f64 / second;
        Ok(timing.sink_usec + (waiting * 1e6) as u64)
    };
    watched("speaker", connection, (latency, counters), question)
}

fn bytes(frames: u32, channels: usize) -> u32 {
    frames.saturating_mul(channels as u32).saturating_mul(size_of::<f32>() as u32)
}

fn spec(opened: &Opened) -> SampleSpec {
    SampleSpec { format: SampleFormat::Float32Le, channels: opened.channels as u8, sample_rate: opened.rate }
}

/// Channels go by their number, whatever they are called.
fn by_number(channels: usize) -> ChannelMap {
    ChannelMap::new(std::iter::repeat_n(ChannelPosition::Mono, channels))
}

/// What the server calls the device.
fn name(opened: &Opened) -> Result<CString, ClientError> {
    CString::new(opened.id.trim_start_matches(PULSE)).map_err(|_| ClientError::ServerUnavailable)
}

/// Whether a server had nothing to play, which it does not tell as it comes: told by how much it has played since it last had nothing. What it
/// plays while latentd's own sound has not begun counts for nothing.
#[derive(Default)]
struct Unbroken(Option<u64>);

impl Unbroken {
    /// It has played so many bytes without a break, of sound that is `ours` or not: fewer than when it was last asked if there was one since.
    fn broke(&mut self, bytes: u64, ours: bool) -> bool {
        let before = std::mem::replace(&mut self.0, ours.then_some(bytes));
        before.is_some_and(|before| bytes < before)
    }
}

/// What `open` makes with a connection of its own, if the server answers: one that hangs must not hang us.
fn connected<S: Send + 'static>(
    patience: Duration,
    open: impl FnOnce(&Client) -> Result<S, ClientError> + Send + 'static,
) -> Result<(S, Connection), ClientError> {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        // The connection's thread, which calls back, is started by this one and so is preferred as well. The thread that computes tells where
        // that is not allowed.
        crate::realtime::prefer_this_thread();
        let opened = Connection::new().and_then(|connection| Ok((open(&connection.client)?, connection)));
        let _ = done.send(opened);
    });
    result.recv_timeout(patience).map_err(|_| ClientError::Disconnected)?
}

/// The device with a thread that keeps its latency true by the answers to `question`, in microseconds.
fn watched(
    name: &str,
    connection: Connection,
    (latency, counters): (Arc<AtomicU64>, Arc<Counters>),
    question: impl FnMut() -> Result<u64, ClientError> + Send + 'static,
) -> Result<Working, ClientError> {
    let ended = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&ended);
    std::thread::Builder::new().name(name.into()).spawn(move || ask(question, &latency, &counters, &over))?;
    Ok(Working { _connection: connection, ended })
}

/// Keeps `latency` true until the work is `over` or the server, or the device, is gone.
fn ask(
    mut question: impl FnMut() -> Result<u64, ClientError>,
    latency: &AtomicU64,
    counters: &Counters,
    over: &AtomicBool,
) {
    let mut answers = [u64::MAX; ANSWERS];
    for number in (0..ANSWERS).cycle() {
        if over.load(Relaxed) {
            return;
        }
        match question() {
            Ok(answer) => answers[number] = answer,
            Err(e) => {
                // A server that refuses has lost the device. Where nothing answers, the server is gone, or the client has given up: it does so
                // when a call is interrupted, as happens when the machine was asleep.
                counters.cut.store(!matches!(e, ClientError::ServerError(_)), Relaxed);
                counters.gone.store(true, Relaxed);
                return;
            }
        }
        latency.store(answers.iter().copied().min().unwrap_or(0), Relaxed);
        std::thread::sleep(ASK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_had_nothing_to_play_is_noticed_once_for_each_look() {
        let mut unbroken = Unbroken::default();
        let looks = [(900, false), (100, false), (300, true), (500, true), (500, true), (20, true), (0, true)];
        let broke = looks.map(|(bytes, ours)| unbroken.broke(bytes, ours));
        // What is less than what was played before latentd's own sound began is no break of it.
        assert_eq!(broke, [false, false, false, false, false, true, true]);
    }
}
