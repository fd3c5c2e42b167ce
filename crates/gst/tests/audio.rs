//! `latentdaudiodenoise` gives the samples that the library gives of a file, each at its time, whatever the buffers.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{
    Dice, ROUNDING, assert_same, complaint, element, largest_difference, listen, noisy_speech, refusal, stage,
    stages_of, through, write,
};
use gst::ClockTime;
use gst::prelude::*;
use gst_check::Harness;

const NAME: &str = "latentdaudiodenoise";

fn caps(rate: u32, channels: usize) -> gst::Caps {
    let mut caps = gst_audio::AudioCapsBuilder::new_interleaved()
        .format(gst_audio::AudioFormat::F32le)
        .rate(rate as i32)
        .channels(channels as i32);
    if channels > 2 {
        caps = caps.fallback_channel_mask();
    }
    caps.build()
}

fn harness(element: &gst::Element, rate: u32, channels: usize) -> Harness {
    let mut harness = Harness::with_element(element, Some("sink"), Some("src"));
    harness.set_src_caps(caps(rate, channels));
    harness
}

fn time(frames: usize, rate: u32) -> ClockTime {
    ClockTime::from_nseconds((frames as u128 * 1_000_000_000 / u128::from(rate)) as u64)
}

/// Frames `from..to` of the planes as a buffer.
fn cut(planes: &[Vec<f32>], from: usize, to: usize, pts: ClockTime) -> gst::Buffer {
    let bytes: Vec<u8> = (from..to).flat_map(|n| planes.iter().flat_map(move |p| p[n].to_le_bytes())).collect();
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    buffer.get_mut().unwrap().set_pts(pts);
    buffer
}

/// Pushes a sound that begins at `begin`, in pieces of random sizes.
fn push(harness: &mut Harness, rate: u32, planes: &[Vec<f32>], begin: ClockTime, first_flags: gst::BufferFlags) {
    let mut dice = Dice(planes[0].len() as u64);
    let (mut at, total) = (0, planes[0].len());
    while at < total {
        let to = total.min(at + 1 + (dice.next().abs() * 1500.0) as usize);
        let mut buffer = cut(planes, at, to, begin + time(at, rate));
        if at == 0 {
            buffer.get_mut().unwrap().set_flags(first_flags);
        }
        harness.push(buffer).unwrap();
        at = to;
    }
}

/// A stretch of sound that came out without a break.
#[derive(Debug)]
struct Stretch {
    begin: ClockTime,
    end: ClockTime,
    planes: Vec<Vec<f32>>,
}

/// All that came out, cut where timestamps jump.
fn pull(harness: &mut Harness, channels: usize) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    while let Some(buffer) = harness.try_pull() {
        let (pts, duration) = (buffer.pts().unwrap(), buffer.duration().unwrap());
        let off = |last: &Stretch| last.end.nseconds().abs_diff(pts.nseconds());
        if found.last().is_none_or(|last| off(last) > 2) {
            found.push(Stretch { begin: pts, end: pts, planes: vec![Vec::new(); channels] });
        }
        let last = found.last_mut().unwrap();
        last.end = pts + duration;
        let map = buffer.map_readable().unwrap();
        for (index, bytes) in map.as_slice().chunks_exact(4).enumerate() {
            last.planes[index % channels].push(f32::from_le_bytes(bytes.try_into().unwrap()));
        }
    }
    found
}

#[test]
fn the_samples_of_the_library_at_their_time_at_any_rate() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    for (rate, channels) in [(8000, 1), (16_000, 2), (44_100, 1), (48_000, 2), (48_000, 1)] {
        let frames = rate as usize * 13 / 10 + 7;
        let planes: Vec<Vec<f32>> = (0..channels).map(|c| noisy_speech(rate, frames, 3 + c as u64)).collect();
        let mut harness = harness(&element(NAME), rate, channels);
        let begin = ClockTime::from_mseconds(1234);
        push(&mut harness, rate, &planes, begin, gst::BufferFlags::DISCONT);
        assert!(harness.push_event(gst::event::Eos::new()));
        let out = pull(&mut harness, channels);
        let [out] = &out[..] else { panic!("{} stretches at {rate} Hz", out.len()) };
        assert_eq!(out.begin, begin);
        assert!(out.end.nseconds().abs_diff((begin + time(frames, rate)).nseconds()) <= 2, "{:?}", out.end);
        assert_same(&out.planes, &through(&stages, rate, &planes), &format!("{rate} Hz, {channels} channels"));
    }
}

#[test]
fn many_channels_and_a_constant() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    let planes: Vec<Vec<f32>> = (0..8).map(|c| vec![0.05 * c as f32; 6000]).collect();
    let mut harness = harness(&element(NAME), 48_000, 8);
    push(&mut harness, 48_000, &planes, ClockTime::ZERO, gst::BufferFlags::empty());
    harness.push_event(gst::event::Eos::new());
    let out = pull(&mut harness, 8);
    assert_eq!(out.len(), 1);
    assert_same(&out[0].planes, &through(&stages, 48_000, &planes), "constants");
}

#[test]
fn settings_are_those_of_the_stage() {
    let planes = vec![noisy_speech(48_000, 20_000, 5)];
    for (strength, limit) in [(0.5, 100.0), (1.0, 12.0), (0.8, 0.0), (0.0, 100.0)] {
        let mut told = vec![("model", "denoise-speech".into()), ("strength", strength.into())];
        if limit < 100.0 {
            told.push(("attenuation_limit_db", limit.into()));
        }
        let element = element(NAME);
        element.set_property("strength", strength);
        element.set_property("attenuation-limit", limit);
        let mut harness = harness(&element, 48_000, 1);
        push(&mut harness, 48_000, &planes, ClockTime::ZERO, gst::BufferFlags::empty());
        harness.push_event(gst::event::Eos::new());
        let out = pull(&mut harness, 1);
        let expected = through(&stage("denoise", told), 48_000, &planes);
        assert_same(&out[0].planes, &expected, &format!("strength {strength}, limit {limit}"));
        if strength == 0.0 {
            assert_eq!(out[0].planes, planes, "nothing is taken away");
        }
    }
}

#[test]
fn a_pipeline_runs_instead_of_the_model() {
    let home = tempfile::tempdir().unwrap();
    let file = write(
        home.path(),
        "clean.yaml",
        "stages:\n  - high_pass: { frequency: 100 }\n  - denoise: { model: denoise-speech, attenuation_limit_db: 20 }\n",
    );
    let planes = vec![noisy_speech(44_100, 30_000, 6)];
    let element = element(NAME);
    element.set_property("pipeline", file.to_str().unwrap());
    let mut harness = harness(&element, 44_100, 1);
    push(&mut harness, 44_100, &planes, ClockTime::ZERO, gst::BufferFlags::empty());
    harness.push_event(gst::event::Eos::new());
    let out = pull(&mut harness, 1);
    assert_same(&out[0].planes, &through(&stages_of(&file), 44_100, &planes), "a pipeline");
}

#[test]
fn the_latency_is_told_and_kept() {
    for rate in [8000u32, 16_000, 22_050, 44_100, 48_000] {
        let element = element(NAME);
        let bus = listen(&element);
        let mut harness = harness(&element, rate, 1);
        harness.set_upstream_latency(ClockTime::from_mseconds(30));
        let planes = vec![noisy_speech(rate, rate as usize, 7)];
        let (mut at, mut dice, mut worst, mut next) = (0, Dice(9), 0u64, ClockTime::ZERO);
        let mut latency = ClockTime::ZERO;
        while at < planes[0].len() {
            let to = planes[0].len().min(at + 1 + (dice.next().abs() * 60.0) as usize);
            harness.push(cut(&planes, at, to, time(at, rate))).unwrap();
            if at == 0 {
                assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_some(), "no message at {rate} Hz");
                latency = harness.query_latency().unwrap() - ClockTime::from_mseconds(30);
            }
            // A buffer comes when its last frame has been recorded, which its source told as latency; the rest is the element's.
            let buffers: Vec<gst::Buffer> = std::iter::from_fn(|| harness.try_pull()).collect();
            for buffer in buffers {
                assert!(buffer.pts().unwrap().nseconds().abs_diff(next.nseconds()) <= 2);
                worst = worst.max(time(at, rate).nseconds().saturating_sub(next.nseconds()));
                next = buffer.pts().unwrap() + buffer.duration().unwrap();
            }
            at = to;
        }
        let told = latency.nseconds();
        // Timestamps are whole nanoseconds, two of which are compared.
        assert!(worst <= told + 2, "{rate} Hz: {worst} ns late, and {told} were told");
        assert!(worst + 4_000_000 > told, "{rate} Hz: {told} ns were told, and {worst} would do");
        assert_eq!(harness.query_latency().unwrap().nseconds(), told + 30_000_000, "it holds from the beginning");
        assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_none(), "nothing changed at {rate} Hz");
        if rate == 48_000 {
            // 10 ms of overlap, and a hop of 10 ms but for its last frame.
            let expected = time(480 + 479, rate).nseconds();
            assert!(told.abs_diff(expected) <= 2, "{told} {expected}");
        }
    }
}

#[test]
fn a_flush_forgets_what_was_inside() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    let mut harness = harness(&element(NAME), 48_000, 1);
    push(&mut harness, 48_000, &[noisy_speech(48_000, 5000, 1)], ClockTime::ZERO, gst::BufferFlags::empty());
    pull(&mut harness, 1);
    harness.push_event(gst::event::FlushStart::new());
    harness.push_event(gst::event::FlushStop::builder(true).build());
    harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<ClockTime>::new()));
    let after = vec![noisy_speech(48_000, 7000, 2)];
    let begin = ClockTime::from_seconds(40);
    push(&mut harness, 48_000, &after, begin, gst::BufferFlags::DISCONT);
    harness.push_event(gst::event::Eos::new());
    let out = pull(&mut harness, 1);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].begin, begin);
    assert_same(&out[0].planes, &through(&stages, 48_000, &after), "after the flush");
}

#[test]
fn a_segment_told_again_breaks_nothing() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    let whole = vec![noisy_speech(48_000, 9600, 4)];
    let half = |from: usize| vec![whole[0][from..from + 4800].to_vec()];
    let mut harness = harness(&element(NAME), 48_000, 1);
    push(&mut harness, 48_000, &half(0), ClockTime::ZERO, gst::BufferFlags::empty());
    harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<ClockTime>::new()));
    push(&mut harness, 48_000, &half(4800), time(4800, 48_000), gst::BufferFlags::empty());
    harness.push_event(gst::event::Eos::new());
    let out = pull(&mut harness, 1);
    assert_eq!(out.len(), 1);
    assert_same(&out[0].planes, &through(&stages, 48_000, &whole), "both halves");
}

#[test]
fn each_side_of_a_break_is_whole() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    let (first, second) = (vec![noisy_speech(48_000, 5000, 1)], vec![noisy_speech(48_000, 6000, 2)]);
    let later = ClockTime::from_seconds(3);
    let segment = |start: ClockTime| {
        let mut segment = gst::FormattedSegment::<ClockTime>::new();
        segment.set_start(start);
        gst::event::Segment::new(&segment)
    };
    // A flag, a jump of the timestamps, an event that tells of a gap, another segment.
    for (what, flags, event) in [
        ("flag", gst::BufferFlags::DISCONT, None),
        ("jump", gst::BufferFlags::empty(), None),
        ("gap", gst::BufferFlags::empty(), Some(gst::event::Gap::builder(time(5000, 48_000)).duration(later).build())),
        ("segment", gst::BufferFlags::empty(), Some(segment(later))),
    ] {
        let mut harness = harness(&element(NAME), 48_000, 1);
        push(&mut harness, 48_000, &first, ClockTime::ZERO, gst::BufferFlags::empty());
        if let Some(event) = event {
            harness.push_event(event);
        }
        push(&mut harness, 48_000, &second, later, flags);
        harness.push_event(gst::event::Eos::new());
        let out = pull(&mut harness, 1);
        assert_eq!(out.iter().map(|s| s.begin).collect::<Vec<_>>(), [ClockTime::ZERO, later], "{what}");
        assert_same(&out[0].planes, &through(&stages, 48_000, &first), what);
        assert_same(&out[1].planes, &through(&stages, 48_000, &second), what);
    }
}

#[test]
fn a_clock_that_is_not_quite_exact_breaks_nothing() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    let planes = vec![noisy_speech(48_000, 48_000, 4)];
    let mut harness = harness(&element(NAME), 48_000, 1);
    for n in 0..100 {
        // One part in a thousand too slow: 1 ms after a second.
        harness.push(cut(&planes, n * 480, (n + 1) * 480, ClockTime::from_useconds(10_010 * n as u64))).unwrap();
    }
    harness.push_event(gst::event::Eos::new());
    let (mut samples, mut last) = (Vec::new(), ClockTime::ZERO);
    while let Some(buffer) = harness.try_pull() {
        last = buffer.pts().unwrap() + buffer.duration().unwrap();
        let map = buffer.map_readable().unwrap();
        samples.extend(map.as_slice().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())));
    }
    assert_same(&[samples], &through(&stages, 48_000, &planes), "no break");
    assert!(last > ClockTime::from_useconds(1_000_900), "the clock is followed: {last}");
}

#[test]
fn another_rate_midway_loses_nothing() {
    let stages = stage("denoise", vec![("model", "denoise-speech".into())]);
    let (first, second) = (vec![noisy_speech(48_000, 5003, 1)], vec![noisy_speech(16_000, 6000, 2); 2]);
    let element = element(NAME);
    let bus = listen(&element);
    let mut harness = harness(&element, 48_000, 1);
    push(&mut harness, 48_000, &first, ClockTime::ZERO, gst::BufferFlags::empty());
    assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_some());
    harness.set_src_caps(caps(16_000, 2));
    let before = pull(&mut harness, 1);
    assert_same(&before[0].planes, &through(&stages, 48_000, &first), "before");
    push(&mut harness, 16_000, &second, time(5003, 48_000), gst::BufferFlags::empty());
    assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_some(), "the latency is another now");
    harness.push_event(gst::event::Eos::new());
    assert_same(&pull(&mut harness, 2)[0].planes, &through(&stages, 16_000, &second), "after");
}

#[test]
fn strength_changes_while_it_plays_without_a_jump() {
    let planes = vec![noisy_speech(48_000, 48_000, 8)];
    let full = through(&stage("denoise", vec![("model", "denoise-speech".into())]), 48_000, &planes);
    let element = element(NAME);
    let mut harness = harness(&element, 48_000, 1);
    for n in 0..100 {
        if n == 50 {
            element.set_property("strength", 0.0);
        }
        harness.push(cut(&planes, n * 480, (n + 1) * 480, time(n * 480, 48_000))).unwrap();
    }
    harness.push_event(gst::event::Eos::new());
    let out = pull(&mut harness, 1).remove(0).planes.remove(0);
    assert_eq!(out.len(), 48_000);
    // What was set goes for what comes out then, which lags behind by 10 ms.
    let (before, after) = (49 * 480, 50 * 480 + 480);
    assert!(largest_difference(&out[..before], &full[0][..before]) <= ROUNDING);
    assert!(largest_difference(&out[after..], &planes[0][after..]) == 0.0, "from here on as it was");
    let between = before..after;
    for n in between {
        let (low, high) = (full[0][n].min(planes[0][n]), full[0][n].max(planes[0][n]));
        assert!((low - 1e-6..=high + 1e-6).contains(&out[n]), "frame {n}");
    }
}

#[test]
fn what_is_no_number_spoils_nothing_after_it() {
    let mut planes = vec![noisy_speech(48_000, 48_000, 8)];
    planes[0][1000] = f32::NAN;
    planes[0][2000] = f32::INFINITY;
    planes[0][3000] = -1e30;
    let mut harness = harness(&element(NAME), 48_000, 1);
    push(&mut harness, 48_000, &planes, ClockTime::ZERO, gst::BufferFlags::empty());
    harness.push_event(gst::event::Eos::new());
    let out = pull(&mut harness, 1).remove(0).planes.remove(0);
    assert_eq!(out.len(), 48_000);
    assert!(out.iter().all(|v| v.is_finite()));
}

#[test]
fn what_is_wrong_is_told_with_the_mend() {
    let unknown = refusal(NAME, &[("model", "denoise-speach")]);
    assert_eq!(unknown, "there is no model named `denoise-speach` (did you mean `denoise-speech`?)");
    let picture = refusal(NAME, &[("model", "denoise-photo")]);
    assert!(
        picture.starts_with("`denoise-photo` is a model for an image, and this element works on sound (choose"),
        "{picture}"
    );
    let other = refusal(NAME, &[("model", "upscale-photo-x2")]);
    assert!(other.starts_with("`upscale-photo-x2` is a model for `upscale`, and this stage is `denoise` ("), "{other}");
    let missing = refusal(NAME, &[("pipeline", "/nowhere/at-all.yaml")]);
    assert!(missing.starts_with("cannot read /nowhere/at-all.yaml"), "{missing}");

    let home = tempfile::tempdir().unwrap();
    let file = |text| write(home.path(), "bad.yaml", text).to_str().unwrap().to_owned();
    let two = refusal(
        NAME,
        &[("pipeline", &file("stages:\n  - denoise: { model: denoise-speech, strenght: 1 }\n  - upscale\n"))],
    );
    assert!(two.contains("bad.yaml:2:39: error: unknown key `strenght` (did you mean `strength`?)"), "{two}");
    let pictures = refusal(NAME, &[("pipeline", &file("stages:\n  - upscale\n"))]);
    assert!(
        pictures.contains("bad.yaml:2:5: error: `upscale` is for an image, and this element works on sound"),
        "{pictures}"
    );

    // A model that is damaged: its card tells another digest.
    let model = home.path().join("mine");
    std::fs::create_dir(&model).unwrap();
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/denoise-speech");
    std::fs::copy(format!("{built_in}/card.yaml"), model.join("card.yaml")).unwrap();
    std::fs::write(model.join("model.onnx"), b"nothing of the kind").unwrap();
    let damaged = refusal(NAME, &[("model", model.to_str().unwrap())]);
    assert!(damaged.contains("mine") && damaged.contains('('), "{damaged}");
}

#[test]
fn a_pipeline_that_changes_the_rate_is_refused_with_the_caps() {
    let home = tempfile::tempdir().unwrap();
    let file = write(home.path(), "rate.yaml", "stages:\n  - resample: { rate: 16000 }\n");
    let element = element(NAME);
    element.set_property("pipeline", file.to_str().unwrap());
    let bus = listen(&element);
    let mut harness = harness(&element, 48_000, 1);
    let refused = harness.push(cut(&[vec![0.0; 480]], 0, 480, ClockTime::ZERO));
    assert_eq!(refused, Err(gst::FlowError::NotNegotiated));
    let said = complaint(&bus);
    assert!(
        said.starts_with("the stages make 16000 Hz and 1 channels of 48000 Hz and 1 (leave `resample` out"),
        "{said}"
    );
}
