//! A live pipeline without devices and without time: the test is the microphone, the speaker and the clock.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use latentd::device::{Feed, Moment, Tap, feed, tap};
use latentd::media::audio::Chain;
use latentd::model::Models;
use latentd::pipeline::Loaded;
use latentd::pipeline::live::{End, Engine, LiveControl, LivePipeline};

/// A live pipeline with these stages.
pub fn live(folder: &Path, stages: &str) -> LivePipeline {
    let file = folder.join("live.yaml");
    let text = format!("name: live\nsource: microphone\nstages: [{stages}]\nsink: speaker\n");
    std::fs::write(&file, text).unwrap();
    match Loaded::load(&file, &Models::default().with_projects()) {
        Ok(Loaded::Live(pipeline)) => pipeline,
        Ok(other) => panic!("{other:?}"),
        Err(e) => panic!("{}", latentd::Error::from(e)),
    }
}

/// The engine between two rings.
pub struct Bench {
    pub tap: Tap,
    pub engine: Engine,
    pub feed: Feed,
    pub control: LiveControl,
    /// The time.
    pub now: Instant,
    rates: (u32, u32),
}

impl Bench {
    /// Devices of one channel at these rates.
    pub fn new(chain: Chain, heard: u32, played: u32) -> Bench {
        let (tap, ring, counters) = tap(1, heard as usize, &Arc::new(OnceLock::new()));
        let microphone = End { ring, counters, rate: heard };
        let (feed, ring, counters) = feed(1, played as usize);
        let speaker = End { ring, counters, rate: played };
        let control = LiveControl::default();
        let engine = Engine::new(chain, 1, (microphone, speaker), 0.004, &control).unwrap();
        Bench { tap, engine, feed, control, now: Instant::now(), rates: (heard, played) }
    }

    /// The microphone brings this, and the engine works.
    pub fn hear(&mut self, samples: &[f32]) {
        self.only_hear(samples);
        self.engine.turn(self.now);
    }

    /// The microphone brings this, and the engine is kept away.
    pub fn only_hear(&mut self, samples: &[f32]) {
        let latency = Duration::from_secs_f64(samples.len() as f64 / f64::from(self.rates.0));
        self.tap.take(samples, 1, &Moment { at: self.now, latency });
    }

    /// What the speaker plays next; then as much time has gone by.
    pub fn play(&mut self, frames: usize) -> Vec<f32> {
        let mut samples = vec![0f32; frames];
        self.feed.give(&mut samples, 1, &Moment { at: self.now, latency: Duration::ZERO });
        self.now += Duration::from_secs_f64(frames as f64 / f64::from(self.rates.1));
        samples
    }
}
