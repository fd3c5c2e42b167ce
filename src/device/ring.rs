//! The two ends of the wait-free rings between a device's callbacks and the thread that computes. What runs in a callback copies and counts, and
//! nothing else: no allocation, no lock, no log.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use cpal::{FromSample, Sample};
use rtrb::{Consumer, Producer, RingBuffer};

/// What a callback tells of itself. Every number only means itself, so no order among them is kept.
#[derive(Debug)]
pub struct Counters {
    /// What times are counted from.
    epoch: Instant,
    /// Microseconds from the epoch to the last callback.
    last: AtomicU64,
    /// Frames that went through the callback; while it stands still, the device does.
    pub frames: AtomicU64,
    /// The largest number of frames that one callback brought or asked for since somebody last put 0 here.
    pub largest: AtomicU32,
    /// How often frames were lost: no room for a microphone's, or none there for a speaker.
    pub xruns: AtomicU32,
    /// Frames lost so.
    pub lost: AtomicU64,
    /// Microseconds from when the first frame of a callback was heard, or until it will be.
    pub latency: AtomicU32,
    /// Whether a speaker takes from its ring yet.
    pub playing: AtomicBool,
    /// Whether the device is gone.
    pub gone: AtomicBool,
    /// Whether it seems so since nothing answers any more, though the device may still be there.
    pub cut: AtomicBool,
}

impl Counters {
    fn new() -> Counters {
        Counters {
            epoch: Instant::now(),
            last: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            largest: AtomicU32::new(0),
            xruns: AtomicU32::new(0),
            lost: AtomicU64::new(0),
            latency: AtomicU32::new(0),
            playing: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            cut: AtomicBool::new(false),
        }
    }

    /// How long ago the last callback was.
    pub fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch).saturating_sub(Duration::from_micros(self.last.load(Relaxed)))
    }

    fn count(&self, frames: usize, lost: usize, moment: &Moment) {
        self.last.store(moment.at.saturating_duration_since(self.epoch).as_micros() as u64, Relaxed);
        let latency = moment.latency;
        self.frames.fetch_add(frames as u64, Relaxed);
        self.largest.fetch_max(frames as u32, Relaxed);
        self.latency.store(latency.as_micros().min(10_000_000) as u32, Relaxed);
        if lost > 0 {
            self.xruns.fetch_add(1, Relaxed);
            self.lost.fetch_add(lost as u64, Relaxed);
        }
    }
}

/// When a callback came, and how far the sound in it is from the air.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub at: Instant,
    /// Since the first frame of a microphone's callback was heard; until the first of a speaker's will be.
    pub latency: Duration,
}

/// A microphone's end: takes what the device brings.
#[derive(Debug)]
pub struct Tap {
    ring: Producer<f32>,
    counters: Arc<Counters>,
    channels: usize,
    wake: Arc<OnceLock<Thread>>,
}

/// A speaker's end: gives what the device asks for.
#[derive(Debug)]
pub struct Feed {
    ring: Consumer<f32>,
    counters: Arc<Counters>,
    channels: usize,
}

/// A ring of `frames` frames of `channels` channels for a microphone; `wake` names the thread that waits for it, once there is one.
pub fn tap(channels: usize, frames: usize, wake: &Arc<OnceLock<Thread>>) -> (Tap, Consumer<f32>, Arc<Counters>) {
    let (ring, end) = RingBuffer::new(channels * frames);
    let counters = Arc::new(Counters::new());
    (Tap { ring, counters: Arc::clone(&counters), channels, wake: Arc::clone(wake) }, end, counters)
}

/// A ring of `frames` frames of `channels` channels for a speaker.
pub fn feed(channels: usize, frames: usize) -> (Feed, Producer<f32>, Arc<Counters>) {
    let (end, ring) = RingBuffer::new(channels * frames);
    let counters = Arc::new(Counters::new());
    (Feed { ring, counters: Arc::clone(&counters), channels }, end, counters)
}

impl Tap {
    /// Takes interleaved samples of `channels` channels. To a stream of one channel they are mixed; else channels meet by number.
    pub fn take<T: Sample>(&mut self, samples: &[T], channels: usize, moment: &Moment)
    where
        f32: FromSample<T>,
    {
        let frames = samples.len() / channels.max(1);
        let fits = frames.min(self.ring.slots() / self.channels);
        if let Ok(chunk) = self.ring.write_chunk_uninit(fits * self.channels) {
            let own = self.channels;
            let frames = samples.chunks_exact(channels.max(1)).take(fits);
            chunk.fill_from_iter(frames.flat_map(|frame| {
                (0..own).map(move |channel| match own {
                    1 => frame.iter().map(|&s| f32::from_sample_(s)).sum::<f32>() / frame.len() as f32,
                    _ => frame.get(channel).or(frame.last()).map_or(0.0, |&s| f32::from_sample_(s)),
                })
            }));
        }
        self.counters.count(frames, frames - fits, moment);
        if let Some(thread) = self.wake.get() {
            thread.unpark();
        }
    }

    /// Where the callback counts.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

impl Feed {
    /// Fills interleaved samples of `channels` channels, with silence where there is nothing.
    pub fn give<T: Sample + FromSample<f32>>(&mut self, samples: &mut [T], channels: usize, moment: &Moment) {
        let channels = channels.max(1);
        let frames = samples.len() / channels;
        let playing = self.counters.playing.load(Relaxed);
        let there = if playing { frames.min(self.ring.slots() / self.channels) } else { 0 };
        let (sounding, silent) = samples.split_at_mut(there * channels);
        if let Ok(chunk) = self.ring.read_chunk(there * self.channels) {
            let (first, second) = chunk.as_slices();
            let value = |at: usize| if at < first.len() { first[at] } else { second[at - first.len()] };
            for (index, frame) in sounding.chunks_exact_mut(channels).enumerate() {
                let at = index * self.channels;
                for (channel, sample) in frame.iter_mut().enumerate() {
                    let v = match (channels, self.channels) {
                        (1, own) => (0..own).map(|c| value(at + c)).sum::<f32>() / own as f32,
                        (_, 1) => value(at),
                        (_, own) if channel < own => value(at + channel),
                        _ => 0.0,
                    };
                    *sample = T::from_sample_(v.clamp(-1.0, 1.0));
                }
            }
            chunk.commit_all();
        }
        silent.fill(T::EQUILIBRIUM);
        self.counters.count(frames, if playing { frames - there } else { 0 }, moment);
    }

    /// Where the callback counts.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}
