//! Two clocks that differ by 200 millionths for an hour: the delay stays what it was, and nothing is lost. Simulated, so it takes seconds.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod live_common;

use audio_common::Dice;
use latentd::media::audio::{Chain, Format};
use live_common::Bench;

/// What a simulated microphone does wrong, in seconds.
#[derive(Clone, Copy, Default)]
struct Faults {
    /// Every 200th buffer comes so late.
    late: f64,
    /// After 20 s it leaves out so much.
    skip: f64,
}

/// A microphone whose clock is off by `ppm`, in buffers of 480, and a speaker in buffers of `gulp` frames, both jittering by 1.5 ms.
/// Returns the fill of the speaker's ring in milliseconds, second by second.
fn simulate(ppm: f64, faults: Faults, gulp: usize, seconds: f64) -> (Vec<f32>, latentd::pipeline::live::LiveStatus) {
    let mut bench = Bench::new(Chain::new(Format { rate: 48_000, channels: 1 }), 48_000, 48_000);
    let mut dice = Dice::new(11);
    let mut jitter = move || f64::from(dice.next()) * 0.0015;
    let block: Vec<f32> = (0..480).map(|n| (n as f32 * 2.0 * std::f32::consts::PI / 48.0).sin() * 0.1).collect();
    let (heard_every, played_every) = (0.01 / (1.0 + ppm * 1e-6), gulp as f64 / 48_000.0);
    let (mut heard, mut played) = (1u64, 1u64);
    let (mut next_heard, mut next_played) = (heard_every, played_every);
    let begin = bench.now;
    let (mut fills, mut sum, mut count) = (Vec::new(), 0.0, 0);
    let mut buffer = vec![0f32; gulp];
    loop {
        if next_heard <= next_played {
            if next_heard > seconds {
                break;
            }
            bench.now = begin + std::time::Duration::from_secs_f64(next_heard);
            bench.hear(&block);
            heard += 1;
            let late = if heard.is_multiple_of(200) { faults.late } else { 0.0 };
            let skipped = if heard > 2000 { faults.skip } else { 0.0 };
            next_heard = (heard as f64 * heard_every + jitter() + late + skipped).max(next_heard);
            sum += bench.control.status().ring_ms[0];
            count += 1;
            if count == 100 {
                fills.push(sum / 100.0);
                (sum, count) = (0.0, 0);
            }
        } else {
            let at = begin + std::time::Duration::from_secs_f64(next_played);
            bench.feed.give(&mut buffer, 1, &latentd::device::Moment { at, latency: std::time::Duration::ZERO });
            played += 1;
            next_played = (played as f64 * played_every + jitter()).max(next_played);
        }
    }
    (fills, bench.control.status())
}

fn check(ppm: f64, gulp: usize, seconds: f64) {
    let (fills, status) = simulate(ppm, Faults::default(), gulp, seconds);
    assert_eq!(
        (status.xruns, status.late_blocks, status.dropped_blocks),
        (0, 0, 0),
        "{ppm} ppm, gulps of {gulp}: {status:?}"
    );
    let settled = &fills[fills.len() / 6..];
    let (least, most) = settled.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    assert!(most - least < 3.0, "the fill wanders from {least:.1} to {most:.1} ms");
    let wanted = status.ring_ms[1];
    assert!(
        (least - wanted).abs() < 3.0 && (most - wanted).abs() < 3.0,
        "{least:.1} to {most:.1} ms, wanted {wanted:.1}"
    );
    // A microphone that is faster makes the speaker's share of frames smaller.
    assert!((f64::from(status.drift_ppm) + ppm).abs() < 60.0, "{ppm} ppm, followed by {:.0}", status.drift_ppm);
}

#[test]
fn two_hundred_millionths_for_an_hour() {
    check(200.0, 480, 3600.0);
}

#[test]
fn slower_clocks_and_other_buffers() {
    check(-200.0, 441, 600.0);
    check(50.0, 1024, 600.0);
}

#[test]
fn a_device_that_is_late_again_and_again_is_waited_for() {
    let (fills, status) = simulate(0.0, Faults { late: 0.009, ..Faults::default() }, 480, 600.0);
    assert!(status.xruns <= 2, "{status:?}");
    assert_eq!((status.late_blocks, status.dropped_blocks), (0, 0), "{status:?}");
    let [fill, wanted] = [fills[fills.len() - 1], status.ring_ms[1]];
    assert!((9.0..14.0).contains(&wanted) && (fill - wanted).abs() < 3.0, "{fill:.1} ms, wanted {wanted:.1}");
}

#[test]
fn a_machine_that_stood_still_leaves_the_delay_as_it_was() {
    let (_, before) = simulate(0.0, Faults::default(), 480, 60.0);
    let (_, after) = simulate(0.0, Faults { late: 0.05, ..Faults::default() }, 480, 59.0);
    assert!(after.xruns > 0 && after.ring_ms[1] < before.ring_ms[1] + 0.1, "{after:?} against {before:?}");
}

/// A sound server leaves out some milliseconds of a sink's monitor when a program begins to play into the sink.
#[test]
fn a_microphone_that_skipped_leaves_the_delay_as_it_was() {
    let (_, before) = simulate(0.0, Faults::default(), 480, 60.0);
    let (fills, after) = simulate(0.0, Faults { skip: 0.010, ..Faults::default() }, 480, 60.0);
    assert!((1..=2).contains(&after.xruns) && after.dropped_blocks == 0, "{after:?}");
    assert!(after.ring_ms[1] < before.ring_ms[1] + 1.0, "{after:?} against {before:?}");
    let [soon, wanted] = [fills[25], after.ring_ms[1]];
    assert!((soon - wanted).abs() < 3.0, "{soon:.1} ms after 5 s, wanted {wanted:.1}");
}
