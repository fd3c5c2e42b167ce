//! Devices of every rate, sample format, number of channels and buffer size, by a host that this test makes for cpal: no sound card, no clock.
#![allow(missing_docs, clippy::unwrap_used)]

// cpal hands buffers to callbacks by raw parts, and a host has to make them.
#[allow(dead_code, unsafe_code)]
#[path = "live_common/host.rs"]
mod host;
mod live_common;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cpal::{Error, ErrorKind, FromSample, I24, Sample, SampleFormat};
use crossbeam::channel::bounded;
use host::{FakeHost, Kindness, NOW, clock};
use latentd::Kind;
use latentd::device::{Direction, Wanted, feed, tap};
use latentd::media::audio::{Chain, Format};
use latentd::pipeline::live::{End, Engine, LiveControl, State, run_on};

/// Plays a tone of 300 Hz, as `spoil` leaves its values at each time, into the microphone for `seconds`, and returns the first channel that the speaker played, as floats.
fn round_trip<T: Sample + FromSample<f32>>(
    input: Kindness,
    output: Kindness,
    buffers: (usize, usize),
    seconds: f64,
    spoil: fn(f64, f32) -> f32,
) -> (Vec<f32>, u64)
where
    f32: FromSample<T>,
{
    assert_eq!(input.format, output.format, "one sample type a run");
    let host = FakeHost::new(input, output);
    let devices = host.devices();
    let wanted = Wanted { device: "default".into(), rate: 48_000, buffer: 480 };
    let (mut heard, mut played) = (None, None);
    let _microphone = devices
        .microphone(&wanted, |opened| {
            let (tap, ring, counters) = tap(1, opened.rate as usize, &Arc::new(OnceLock::new()));
            heard = Some(End { ring, counters, rate: opened.rate });
            tap
        })
        .unwrap();
    let _speaker = devices
        .speaker(&wanted, |opened| {
            let (feed, ring, counters) = feed(1, opened.rate as usize);
            played = Some(End { ring, counters, rate: opened.rate });
            feed
        })
        .unwrap();
    let control = LiveControl::default();
    let chain = Chain::new(Format { rate: 48_000, channels: 1 });
    let mut engine = Engine::new(chain, 1, (heard.unwrap(), played.unwrap()), 0.004, &control).unwrap();
    let mut out = Vec::new();
    let (mut heard, mut asked) = (0usize, 0usize);
    let mut hear = vec![T::EQUILIBRIUM; buffers.0 * usize::from(input.channels)];
    let mut play = vec![T::EQUILIBRIUM; buffers.1 * usize::from(output.channels)];
    let begin = Instant::now();
    NOW.set(Some(begin));
    while (heard as f64) < seconds * f64::from(input.rate) {
        // Whichever comes first in time.
        if (heard + buffers.0) as f64 / f64::from(input.rate) <= (asked + buffers.1) as f64 / f64::from(output.rate) {
            for (index, frame) in hear.chunks_exact_mut(usize::from(input.channels)).enumerate() {
                let time = (heard + index) as f64 / f64::from(input.rate);
                let value = (0.5 * (2.0 * std::f64::consts::PI * 300.0 * time).sin()) as f32;
                frame.fill(T::from_sample_(spoil(time, value)));
            }
            heard += buffers.0;
            NOW.set(Some(begin + Duration::from_secs_f64(heard as f64 / f64::from(input.rate))));
            host.hear(&mut hear, input.format);
            engine.turn(clock());
        } else {
            asked += buffers.1;
            NOW.set(Some(begin + Duration::from_secs_f64(asked as f64 / f64::from(output.rate))));
            host.play(&mut play, output.format);
            out.extend(play.chunks_exact(usize::from(output.channels)).map(|frame| f32::from_sample_(frame[0])));
            for frame in play.chunks_exact(usize::from(output.channels)) {
                let first: f32 = f32::from_sample_(frame[0]);
                assert!(frame.iter().all(|s| f32::from_sample_(*s) == first), "one channel becomes all");
            }
        }
    }
    (out, control.status().xruns)
}

/// How much of the second half is the tone, and how loud it is.
fn tone(out: &[f32], rate: u32) -> (f64, f64) {
    let half = &out[out.len() / 2..];
    let turn = |n: usize| 2.0 * std::f64::consts::PI * 300.0 * n as f64 / f64::from(rate);
    let part = |f: fn(f64) -> f64| half.iter().enumerate().map(|(n, v)| f64::from(*v) * f(turn(n))).sum::<f64>();
    let power = half.iter().map(|v| f64::from(v * v)).sum::<f64>();
    let amplitude = 2.0 * (part(f64::sin).powi(2) + part(f64::cos).powi(2)).sqrt() / half.len() as f64;
    (amplitude * amplitude / 2.0 * half.len() as f64 / power, amplitude)
}

fn check<T: Sample + FromSample<f32>>(
    input: (u32, u16),
    output: (u32, u16),
    buffers: (usize, usize),
    format: SampleFormat,
) where
    f32: FromSample<T>,
{
    let kindness = |(rate, channels)| Kindness { rate, channels, format };
    let (out, xruns) = round_trip::<T>(kindness(input), kindness(output), buffers, 2.0, |_, value| value);
    let (share, amplitude) = tone(&out, output.0);
    let what = format!("{input:?} -> {output:?}, {format}, buffers {buffers:?}");
    assert!(share > 0.98, "{what}: only {share:.4} of it is the tone");
    assert!((amplitude - 0.5).abs() < 0.02, "{what}: {amplitude:.3} instead of 0.5");
    assert_eq!(xruns, 0, "{what}");
}

#[test]
fn every_format_is_converted() {
    check::<f32>((48_000, 2), (48_000, 2), (480, 480), SampleFormat::F32);
    check::<i16>((48_000, 1), (48_000, 2), (480, 480), SampleFormat::I16);
    check::<I24>((48_000, 2), (48_000, 1), (480, 480), SampleFormat::I24);
    check::<i32>((48_000, 2), (48_000, 2), (480, 480), SampleFormat::I32);
    check::<u8>((48_000, 1), (48_000, 1), (480, 480), SampleFormat::U8);
}

#[test]
fn every_rate_and_number_of_channels_goes_through() {
    for (number, rate) in
        [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 96_000, 176_400, 192_000].into_iter().enumerate()
    {
        let channels = (number % 8 + 1) as u16;
        check::<i16>((rate, channels), (48_000, 9 - channels), (rate as usize / 100, 480), SampleFormat::I16);
        check::<f32>((48_000, 1), (rate, channels), (480, rate as usize / 100), SampleFormat::F32);
    }
    check::<i16>((44_100, 2), (96_000, 8), (441, 960), SampleFormat::I16);
}

#[test]
fn odd_buffers_go_through() {
    for buffers in [(1, 480), (480, 1), (17, 333), (480, 4096), (4096, 480), (4096, 4096), (1024, 441), (2048, 64)] {
        check::<f32>((48_000, 1), (48_000, 2), buffers, SampleFormat::F32);
    }
}

/// A network or a resampler that has once seen what is no number gives nothing else for ever.
#[test]
fn a_microphone_that_gives_no_numbers_for_a_while_is_heard_again() {
    for rate in [44_100, 48_000] {
        let kindness = |rate| Kindness { rate, channels: 1, format: SampleFormat::F32 };
        let spoil = |time: f64, value: f32| match (time * 1e4) as u32 {
            2000..2100 => f32::NAN,
            2100..2200 => f32::INFINITY,
            2200..2300 => f32::MAX,
            _ => value,
        };
        let (out, _) = round_trip::<f32>(kindness(rate), kindness(48_000), (rate as usize / 100, 480), 2.0, spoil);
        let (share, amplitude) = tone(&out, 48_000);
        assert!(
            share > 0.98 && (amplitude - 0.5).abs() < 0.02,
            "{rate} Hz: {share:.4} of it is the tone, {amplitude:.3}"
        );
    }
}

fn plain() -> FakeHost {
    let kindness = Kindness { rate: 48_000, channels: 1, format: SampleFormat::F32 };
    FakeHost::new(kindness, kindness)
}

#[test]
fn a_device_that_nobody_knows_is_told_with_a_guess() {
    let devices = plain().devices();
    let find = |device: &str| {
        let wanted = Wanted { device: device.into(), rate: 48_000, buffer: 480 };
        devices.microphone(&wanted, |_| tap(1, 480, &Arc::new(OnceLock::new())).0).map(|s| s.opened)
    };
    let error = find("fake mikrophone").unwrap_err();
    assert_eq!(error.kind(), Kind::Device);
    assert_eq!(error.mend_text(), Some("did you mean `Fake Microphone`?"));
    assert!(find("nothing like it").unwrap_err().mend_text().unwrap().contains("latentd devices"));
    for name in ["default", "Fake Microphone", "fake microphone", "custom:microphone", "microphone"] {
        assert_eq!(find(name).unwrap().id, "custom:microphone", "{name}");
    }
    let list = devices.list(false);
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|d| d.default && d.rate == Some(48_000)));
    assert_eq!((list[0].direction, list[1].direction), (Direction::Microphone, Direction::Speaker));
}

/// What a device says that it can was taken for what it does; another program may hold it.
#[test]
fn a_device_is_tried_and_the_mend_told() {
    let host = plain();
    let devices = host.devices();
    let wanted = Wanted { device: "default".into(), rate: 48_000, buffer: 480 };
    let ways = [(Direction::Microphone, "custom:microphone"), (Direction::Speaker, "custom:speaker")];
    for (direction, id) in ways {
        host.streams.lock().unwrap().refuses = None;
        let opened = devices.tried(direction, &wanted).unwrap();
        assert_eq!((opened.id.as_str(), opened.rate), (id, 48_000));
        for (kind, mend) in [
            (ErrorKind::DeviceBusy, "another program holds it"),
            (ErrorKind::PermissionDenied, "the group `audio`"),
            (ErrorKind::DeviceNotAvailable, "latentd devices"),
        ] {
            host.streams.lock().unwrap().refuses = Some(kind);
            let error = devices.tried(direction, &wanted).unwrap_err();
            assert_eq!(error.kind(), Kind::Device);
            assert!(error.mend_text().unwrap().contains(mend), "{error:?}");
        }
    }
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !until() {
        assert!(begin.elapsed() < Duration::from_secs(120), "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_lost_device_is_found_again() {
    let host = plain();
    let folder = tempfile::tempdir().unwrap();
    let pipeline = live_common::live(folder.path(), "high_pass");
    let control = LiveControl::default();
    let (stop, stopped) = bounded::<()>(0);
    let (finder, watcher) = (host.clone(), control.clone());
    let running = std::thread::spawn(move || run_on(&pipeline, &control, &stopped, move || Ok(finder.devices())));
    let state = || watcher.status().state;
    // Where this test is held up for seconds, the devices are opened more often than it asks for.
    let opened = || host.streams.lock().unwrap().opened;
    let pump = |host: &FakeHost| {
        let mut streams = host.streams.lock().unwrap();
        if streams.input.is_none() || streams.output.is_none() {
            return;
        }
        drop(streams);
        host.hear(&mut [0.1f32; 480], SampleFormat::F32);
        host.play(&mut [0f32; 480], SampleFormat::F32);
        streams = host.streams.lock().unwrap();
        drop(streams);
    };
    wait("the start", || {
        pump(&host);
        state() == State::Running && opened() > 0
    });
    // It is pulled out: the stream says so, and the system has no microphone any more.
    {
        let mut streams = host.streams.lock().unwrap();
        streams.unplugged = true;
        streams.errors.get_mut("input").unwrap()(Error::new(ErrorKind::DeviceNotAvailable));
    }
    wait("the loss", || state() == State::Waiting && watcher.status().reason.is_some());
    let before = opened();
    host.streams.lock().unwrap().unplugged = false;
    wait("the return", || {
        pump(&host);
        state() == State::Running && opened() > before
    });
    let before = opened();
    // A suspend: no callback comes any more, and nobody says why.
    wait("the standstill", || state() != State::Running || opened() > before);
    wait("the return after it", || {
        pump(&host);
        state() == State::Running && opened() > before
    });
    drop(stop);
    running.join().unwrap().unwrap();
    assert_eq!(watcher.status().state, State::Stopped);
}

/// ALSA's mixer, `default` on most cards, has one size of buffers and tells a range: it was never opened.
#[test]
fn a_device_that_has_its_own_size_of_buffers_is_opened_with_that() {
    let kindness = Kindness { rate: 48_000, channels: 2, format: SampleFormat::F32 };
    let host = FakeHost::new(kindness, kindness);
    host.streams.lock().unwrap().own_buffers = true;
    let devices = host.devices();
    let wanted = Wanted { device: "default".into(), rate: 48_000, buffer: 480 };
    let wake = Arc::new(OnceLock::new());
    let microphone = devices.microphone(&wanted, |opened| tap(1, opened.rate as usize, &wake).0).unwrap();
    let speaker = devices.speaker(&wanted, |opened| feed(1, opened.rate as usize).0).unwrap();
    assert_eq!((microphone.opened.channels, speaker.opened.channels), (2, 2));
    assert!(devices.tried(Direction::Speaker, &wanted).is_ok());
    // Where that was not why it refused, it is asked once more and no oftener.
    host.streams.lock().unwrap().refuses = Some(ErrorKind::UnsupportedConfig);
    assert!(devices.speaker(&wanted, |opened| feed(1, opened.rate as usize).0).is_err());
}
