//! A microphone of a PulseAudio server, or of PipeWire, which speaks the same. cpal 0.18 makes the server's queue for it as long as one fragment,
//! and a server throws away what comes while a fragment is incomplete: three quarters of the sound, once the device works in pieces of its own.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use pulseaudio::protocol::{self, ChannelMap, ChannelPosition, RecordStreamParams, SampleFormat, SampleSpec};
use pulseaudio::{Client, ClientError, RecordStream};

use super::system::PULSE;
use super::{Counters, Moment, Opened, Tap};

/// Fragments that the server keeps for a program that is late.
const QUEUE: u32 = 16;

/// How often the server is asked for the device's latency, which also tells that it is alive.
const ASK: Duration = Duration::from_millis(200);

/// Questions whose least answer is the latency: an answer also counts what the device has gathered for its next piece.
const ANSWERS: usize = 8;

/// Whether the server answers within `patience`, if only to refuse. While it does not, it is asked no second time: each question to a server that
/// hangs costs a thread.
pub fn answers(patience: Duration) -> bool {
    static ASKED: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = asked.take().unwrap_or_else(|| {
        let (tell, answer) = mpsc::channel();
        std::thread::spawn(move || {
            drop(Client::from_env(c"latentd"));
            let _ = tell.send(());
        });
        answer
    });
    let hangs = answer.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout);
    *asked = hangs.then_some(answer);
    !hangs
}

/// A microphone at work. It stops when this is dropped.
pub struct Recording {
    _stream: RecordStream,
    ended: Arc<AtomicBool>,
}

impl Drop for Recording {
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
) -> Result<Recording, ClientError> {
    let counters = Arc::clone(tap.counters());
    let source = CString::new(opened.id.trim_start_matches(PULSE)).map_err(|_| ClientError::ServerUnavailable)?;
    let (channels, rate) = (opened.channels, opened.rate);
    let fragment = buffer.saturating_mul(channels as u32).saturating_mul(size_of::<f32>() as u32);
    let params = RecordStreamParams {
        sample_spec: SampleSpec { format: SampleFormat::Float32Le, channels: channels as u8, sample_rate: rate },
        // Channels go by their number, whatever they are called.
        channel_map: ChannelMap::new(std::iter::repeat_n(ChannelPosition::Mono, channels)),
        source_name: Some(source),
        buffer_attr: protocol::stream::BufferAttr {
            max_length: fragment.saturating_mul(QUEUE),
            fragment_size: fragment,
            ..Default::default()
        },
        // A device that goes away ends the stream, and is waited for: the server must not move us to another microphone.
        flags: protocol::stream::StreamFlags {
            no_remap_channels: true,
            no_move: true,
            adjust_latency: true,
            ..Default::default()
        },
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
    // A server that hangs must not hang us.
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        let opened = Client::from_env(c"latentd")
            .and_then(|client| Ok((block_on(client.create_record_stream(params, callback))?, client)));
        let _ = done.send(opened);
    });
    let (stream, client) = result.recv_timeout(patience).map_err(|_| ClientError::Disconnected)??;
    let ended = Arc::new(AtomicBool::new(false));
    let (asked, over) = (stream.clone(), Arc::clone(&ended));
    std::thread::Builder::new().name("microphone".into()).spawn(move || {
        let _client = client;
        ask(&asked, &latency, &counters, &over);
    })?;
    Ok(Recording { _stream: stream, ended })
}

/// Keeps `latency` true until the recording is `over` or the server is gone.
fn ask(stream: &RecordStream, latency: &AtomicU64, counters: &Counters, over: &AtomicBool) {
    let mut answers = [u64::MAX; ANSWERS];
    for number in (0..ANSWERS).cycle() {
        if over.load(Relaxed) {
            return;
        }
        match block_on(stream.timing_info()) {
            Ok(timing) => answers[number] = timing.source_usec,
            Err(_) => {
                counters.gone.store(true, Relaxed);
                return;
            }
        }
        latency.store(answers.iter().copied().min().unwrap_or(0), Relaxed);
        std::thread::sleep(ASK);
    }
}
