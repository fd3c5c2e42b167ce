//! Stages that fail or cannot keep up: the sound goes on, nobody who wants to stop them waits, and the status tells.
#![allow(missing_docs, clippy::unwrap_used)]

mod live_common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use latentd::device::{Moment, Tap};
use latentd::media::audio::{Block, Chain, Format, Process};
use latentd::model::Models;
use latentd::pipeline::Loaded;
use latentd::{Error, Kind, Result};
use live_common::Bench;

const FORMAT: Format = Format { rate: 48_000, channels: 1 };

/// Stages that pass the sound on and do `work` at each block.
fn chain(work: impl FnMut() -> Result<()> + Send + 'static) -> Chain {
    let mut chain = Chain::new(FORMAT);
    chain.push(Box::new(Step(work)));
    chain
}

struct Step<F>(F);

impl<F: FnMut() -> Result<()> + Send> Process for Step<F> {
    fn output(&self) -> Format {
        FORMAT
    }

    fn delay(&self) -> usize {
        0
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        output.append(input);
        (self.0)()
    }
}

/// Stages that fail after so many good blocks.
fn failing(mut good: usize) -> Chain {
    chain(move || {
        good = good.checked_sub(1).ok_or_else(|| Error::new(Kind::Model, "no numbers"))?;
        Ok(())
    })
}

/// A rising count, so that a block that is missing shows; and what the speaker played of it.
fn count_through(bench: &mut Bench, blocks: usize, from: usize) -> Vec<f32> {
    let mut played = Vec::new();
    for block in from..from + blocks {
        let samples: Vec<f32> = (0..480).map(|n| (block * 480 + n) as f32 * 1e-5).collect();
        bench.hear(&samples);
        played.extend(bench.play(480));
    }
    played
}

#[test]
fn the_block_a_stage_fails_at_is_not_missing() {
    let mut bench = Bench::new(failing(60), 48_000, 48_000);
    let played = count_through(&mut bench, 100, 0);
    assert!(bench.engine.has_failed());
    // The clocks are the same: what is played rises by the same step throughout once it has begun.
    let late = &played[40 * 480..];
    let steps: Vec<f32> = late.windows(2).map(|two| two[1] - two[0]).collect();
    let largest = steps.iter().fold(0f32, |most, step| most.max(step.abs()));
    assert!(largest < 1e-4, "a jump of {largest}, {:.0} samples", largest / 1e-5);
}

#[test]
fn a_failed_stage_is_told_until_another_takes_its_place() {
    let mut bench = Bench::new(failing(5), 48_000, 48_000);
    bench.control.replace(failing(40));
    count_through(&mut bench, 60, 0);
    assert!(bench.engine.has_failed(), "the second chain fails as well");
    bench.control.replace(Chain::new(FORMAT));
    count_through(&mut bench, 2, 60);
    assert!(!bench.engine.has_failed());
}

#[test]
fn stages_slower_than_the_sound_do_not_keep_a_turn_for_ever() {
    let place = Arc::new(Mutex::new(None));
    let microphone: Arc<Mutex<Option<Tap>>> = Arc::clone(&place);
    // While they work on one block, another comes.
    let slow = chain(move || {
        if let Some(tap) = microphone.lock().unwrap().as_mut() {
            tap.take(&[0.1; 480], 1, &Moment { at: std::time::Instant::now(), latency: Duration::from_millis(10) });
        }
        Ok(())
    });
    let mut bench = Bench::new(slow, 48_000, 48_000);
    bench.only_hear(&[0.1; 960]);
    let (other, ..) = latentd::device::tap(1, 480, &Arc::default());
    *place.lock().unwrap() = Some(std::mem::replace(&mut bench.tap, other));
    let (done, turned) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let blocks = bench.engine.turn(bench.now);
        let _ = done.send(blocks);
    });
    assert_eq!(turned.recv_timeout(Duration::from_secs(30)), Ok(2), "what was there when the turn began, and no more");
}

#[test]
fn buffers_and_reserves_beyond_what_they_can_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("live.yaml");
    let check = |buffer: &str, reserve: &str| {
        let text = format!(
            "name: live\nsource: {{ microphone: {{ buffer: {buffer} }} }}\nstages: [high_pass]\nsink: {{ speaker: {{ reserve: {reserve} }} }}\n"
        );
        std::fs::write(&file, text).unwrap();
        Loaded::load(&file, &Models::default().with_projects()).map(|_| ()).map_err(|e| {
            let error = Error::from(e);
            format!("{error} {error:?}")
        })
    };
    assert_eq!(check("20ms", "500ms"), Ok(()));
    let buffer = check("1s", "4ms").unwrap_err();
    assert!(buffer.contains("a length of time from `1ms` up to `200ms`"), "{buffer}");
    let reserve = check("10ms", "2s").unwrap_err();
    assert!(reserve.contains("a length of time up to `500ms`"), "{reserve}");
}

#[test]
fn a_strength_that_is_no_number_changes_nothing() {
    let mut bench = Bench::new(Chain::new(FORMAT), 48_000, 48_000);
    bench.control.set_strength(0.5);
    bench.control.set_strength(f32::NAN);
    assert_eq!(bench.control.status().strength, 0.5);
    let played = count_through(&mut bench, 60, 0);
    assert!(played.iter().all(|v| v.is_finite()) && played.iter().any(|v| *v > 0.0));
}
