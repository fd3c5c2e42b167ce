//! Callbacks, and latentd's own part of the way between them, allocate nothing.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod live_common;

use std::time::Duration;

use assert_no_alloc::{AllocDisabler, assert_no_alloc, violation_count};
use audio_common::noise;
use latentd::device::Moment;
use latentd::media::audio::{Overlap, Spectrum, Taper};
use live_common::{Bench, live};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn nothing_is_allocated_between_microphone_and_speaker() {
    let folder = tempfile::tempdir().unwrap();
    for (heard, played) in [(48_000, 48_000), (44_100, 48_000), (16_000, 96_000)] {
        let chain = live(folder.path(), "high_pass, level: {loudness: -20}").chain().unwrap();
        let mut bench = Bench::new(chain, heard, played);
        let sound = noise(heard as usize / 100, 0.1, 1);
        let mut buffer = vec![0i16; played as usize / 100];
        let mut round = |bench: &mut Bench| {
            let moment = Moment { at: bench.now, latency: Duration::ZERO };
            bench.tap.take(&sound, 1, &moment);
            bench.engine.turn(bench.now);
            bench.feed.give(&mut buffer, 1, &moment);
            bench.now += Duration::from_millis(10);
        };
        // The first rounds find the sizes of buffers.
        (0..20).for_each(|_| round(&mut bench));
        assert_no_alloc(|| (0..500).for_each(|_| round(&mut bench)));
        // Late blocks, bypass and change of strength go the same way.
        assert_no_alloc(|| {
            bench.control.set_bypass(true);
            let moment = Moment { at: bench.now, latency: Duration::ZERO };
            (0..6).for_each(|_| bench.tap.take(&sound, 1, &moment));
            (0..50).for_each(|_| round(&mut bench));
            bench.control.set_bypass(false);
            bench.control.set_strength(0.5);
            (0..50).for_each(|_| round(&mut bench));
        });
        assert_eq!(violation_count(), 0, "{heard} -> {played} Hz");
    }
}

/// The same for what surrounds a network.
#[test]
fn frames_of_spectrum_are_made_without_allocating() {
    let mut spectrum = Spectrum::new(960, 480, (Taper::Sine, Taper::Sine), Overlap::Average).unwrap();
    let sound = noise(480, 0.1, 1);
    let mut out = Vec::with_capacity(480);
    let before = violation_count();
    assert_no_alloc(|| {
        for _ in 0..100 {
            spectrum.push(&sound);
            spectrum.transform().unwrap();
            spectrum.transform_back().unwrap();
            out.clear();
            spectrum.pop(&mut out);
        }
    });
    assert_eq!(violation_count(), before);
}
