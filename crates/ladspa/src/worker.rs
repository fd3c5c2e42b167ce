//! The thread that computes, between two rings. Everything that may take long or allocate happens here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use latentd::media::audio::{BLOCK, Block, Process};
use rtrb::{Consumer, Producer, RingBuffer};

/// Blocks, of 21 ms of sound at 48 kHz, after which the thread rests at least for a moment.
const REST_AFTER: usize = 4;

/// The callback's ends of the rings, of interleaved samples, and the thread between them.
pub struct Worker {
    /// What is to be worked on.
    pub to: Producer<f32>,
    /// What is done.
    pub from: Consumer<f32>,
    shared: Arc<Shared>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    halt: AtomicBool,
    gone: AtomicBool,
}

/// Tells of the thread's end, however it ends.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.gone.store(true, Relaxed);
    }
}

impl Worker {
    /// A thread that puts what comes through `process`, with room for `frames` frames before and behind it; none if the system gives no thread.
    pub fn start(process: Box<dyn Process>, channels: usize, frames: usize) -> Option<Worker> {
        let (to, todo) = RingBuffer::new(frames * channels);
        let (done, from) = RingBuffer::new(frames * channels);
        let shared = Arc::new(Shared::default());
        let farewell = Farewell(Arc::clone(&shared));
        let work = move || work(process, channels, todo, done, &farewell.0);
        let handle = std::thread::Builder::new().name("latentd".into()).spawn(work).ok()?;
        Some(Worker { to, from, shared, thread: handle.thread().clone(), handle: Some(handle) })
    }

    /// Tells the thread that there is something to do.
    pub fn wake(&self) {
        self.thread.unpark();
    }

    /// Whether the thread has ended, which it does before its time only if the stage fails.
    pub fn is_gone(&self) -> bool {
        self.shared.gone.load(Relaxed)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.halt.store(true, Relaxed);
        self.wake();
        // A panic has been told on standard error; the host goes on without the stage.
        let _ = self.handle.take().map(JoinHandle::join);
    }
}

fn work(
    mut process: Box<dyn Process>,
    channels: usize,
    mut todo: Consumer<f32>,
    mut done: Producer<f32>,
    shared: &Shared,
) {
    latentd::realtime::prefer_this_thread();
    let mut input = Block::with_room(channels, BLOCK);
    let mut output = Block::with_room(channels, 4 * BLOCK);
    let mut without_rest = 0;
    while !shared.halt.load(Relaxed) {
        // Sound servers have real-time threads killed, and themselves with them, that compute for 200 ms without a rest (RLIMIT_RTTIME).
        without_rest += 1;
        if without_rest == REST_AFTER {
            without_rest = 0;
            std::thread::sleep(Duration::from_micros(50));
        }
        let frames = (todo.slots() / channels).min(BLOCK);
        let Some(chunk) = (frames > 0).then(|| todo.read_chunk(frames * channels).ok()).flatten() else {
            // The callback wakes it; the limit only serves hosts that stand still.
            std::thread::park_timeout(Duration::from_millis(100));
            without_rest = 0;
            continue;
        };
        input.clear();
        input.append_interleaved(chunk);
        if process.process(&input, &mut output).is_err() {
            return;
        }
        let samples = output.frames() * channels;
        while done.slots() < samples && !shared.halt.load(Relaxed) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if let Ok(chunk) = done.write_chunk_uninit(samples) {
            chunk.fill_from_iter(output.interleaved());
        }
    }
}
