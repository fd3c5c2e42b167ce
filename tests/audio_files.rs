//! Recordings of every rate, depth and number of channels come out as long as they went in, in time to the sample, and in their own depth.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::fs;
use std::path::Path;

use audio_common::{HALF, Tiny, noise, open, pipeline, read, rms, si_sdr, speech, through, tiny_model, write_wav};
use common::{Home, peak_memory};
use latentd::media::audio::{Block, Depth, Memory};
use latentd::media::{Audio, audio};

fn memory(rate: u32, planes: Vec<Vec<f32>>) -> Audio {
    Audio::new(Memory::new(rate, Block::from_planes(planes)), Depth::Float)
}

/// Low-passed, so that no resampler has to lose anything of it.
fn smooth(frames: usize) -> Vec<f32> {
    let mut sound = noise(frames + 32, 0.3, 3);
    for _ in 0..4 {
        sound = sound.windows(9).map(|w| w.iter().sum::<f32>() / 9.0).collect();
    }
    sound
}

#[test]
fn every_depth_comes_out_as_it_went_in() {
    let home = Home::new();
    let model = tiny_model(&home.path("tiny"), HALF);
    let inbox = home.folder("in");
    let planes = vec![smooth(5003), noise(5003, 0.2, 5)];
    for (bits, float) in [(8, false), (16, false), (24, false), (32, false), (32, true)] {
        write_wav(&inbox.join(format!("{bits}{float}.wav")), 44_100, &planes, bits, float);
    }
    let stages = format!("denoise: {{model: {}, strength: 0}}", model.display());
    drop(pipeline(&home.path(""), &stages));
    let output = home.run(&["apply", "pipeline.yaml", "in", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["8false", "16false", "24false", "32true"] {
        let (before, after) = (inbox.join(format!("{name}.wav")), home.path(&format!("out/{name}.wav")));
        assert_eq!(fs::read(before).unwrap(), fs::read(after).unwrap(), "{name} changed though nothing was to be done");
    }
    // Floats hold 24 bits.
    let (a, b) = (read(&inbox.join("32false.wav")), read(&home.path("out/32false.wav")));
    assert_eq!(a, b);
}

#[test]
fn any_rate_and_length_is_kept_and_nothing_is_shifted() {
    let home = Home::new();
    let model = tiny_model(&home.path("tiny"), HALF);
    let pipeline = pipeline(&home.path(""), &format!("denoise: {{model: {}}}", model.display()));
    for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000, 44_101] {
        let input = smooth(rate as usize / 2 + 7);
        let output = through(&pipeline, memory(rate, vec![input.clone()])).unwrap().read_all().unwrap();
        assert_eq!(output.frames(), input.len(), "{rate}");
        let middle = 2000.min(input.len() / 4)..input.len() - 2000.min(input.len() / 4);
        let fit = si_sdr(&output.plane(0)[middle.clone()], &input[middle.clone()]);
        assert!(fit > 40.0, "{rate}: only {fit:.1} dB like the input");
        let gain = rms(&output.plane(0)[middle.clone()]) / rms(&input[middle]);
        assert!((gain - 0.5).abs() < 0.01, "{rate}: {gain}");
    }
    for frames in [1, 2, 479, 480, 481, 1023, 1024, 1025] {
        let output = through(&pipeline, memory(48_000, vec![smooth(frames); 3])).unwrap().read_all().unwrap();
        assert_eq!((output.frames(), output.channels()), (frames, 3));
    }
}

#[test]
fn models_of_other_rates_and_layouts_fit_as_well() {
    let home = Home::new();
    let input = speech(48_000, 1.0);
    for (name, tiny) in [
        ("pairs", Tiny { rate: 16_000, window: 512, hop: 256, pairs: true, ..HALF }),
        ("whole", Tiny { rate: 22_050, window: 441, hop: 147, ..HALF }),
    ] {
        let model = tiny_model(&home.path(name), tiny);
        let pipeline = pipeline(&home.path(""), &format!("denoise: {{model: {}}}", model.display()));
        let output = through(&pipeline, memory(48_000, vec![input.clone()])).unwrap().read_all().unwrap();
        assert_eq!(output.frames(), input.len());
        // What lies above the model's band is lost; a voice has little there.
        let fit = si_sdr(output.plane(0), &input);
        assert!(fit > 20.0, "{name}: {fit:.1} dB");
    }
}

/// A state carried wrongly would give every frame the same gain.
#[test]
fn states_are_carried_from_frame_to_frame_and_channels_have_their_own() {
    let home = Home::new();
    let model = tiny_model(&home.path("tiny"), Tiny { gain: 1.0, fades: true, ..HALF });
    let pipeline = pipeline(&home.path(""), &format!("denoise: {{model: {}}}", model.display()));
    let ones = vec![vec![0.5f32; 480 * 400]; 2];
    let output = through(&pipeline, memory(48_000, ones)).unwrap().read_all().unwrap();
    assert_eq!(output.plane(0), output.plane(1));
    for frame in [0usize, 100, 399] {
        // Sample 0 of frame t is made by frames t and t + 1 of the network.
        let expected = 0.5 * (1.0 - 0.001 * (frame as f32 + 0.5));
        let found = output.plane(0)[frame * 480 + 240];
        assert!((found - expected).abs() < 0.001, "frame {frame}: {found}, not {expected}");
    }
}

#[test]
fn strength_and_attenuation_limit_keep_their_share_of_the_noise() {
    let home = Home::new();
    let model = tiny_model(&home.path("silence"), Tiny { gain: 0.0, ..HALF });
    let input = noise(48_000, 0.1, 9);
    for (setting, decibels) in [
        ("", -200.0),
        (", strength: 0.5", -6.02),
        (", attenuation_limit_db: 20", -20.0),
        (", attenuation_limit_db: 0", 0.0),
    ] {
        let pipeline = pipeline(&home.path(""), &format!("denoise: {{model: {}{setting}}}", model.display()));
        let output = through(&pipeline, memory(48_000, vec![input.clone()])).unwrap().read_all().unwrap();
        let found = 20.0 * (rms(output.plane(0)) / rms(&input)).max(1e-10).log10();
        assert!((found - decibels).abs() < 0.05, "{setting}: {found} dB");
    }
}

#[test]
fn level_reaches_the_loudness_without_passing_the_peak() {
    let home = Home::new();
    let quiet = speech(48_000, 4.0).iter().map(|v| v * 0.05).collect::<Vec<_>>();
    let loudness = |block: &Block, rate| {
        let mut meter = ebur128::EbuR128::new(1, rate, ebur128::Mode::I).unwrap();
        meter.add_frames_f32(block.plane(0)).unwrap();
        meter.loudness_global().unwrap()
    };
    let file = home.path("quiet.wav");
    write_wav(&file, 48_000, &[quiet], 16, false);
    let level = pipeline(&home.path(""), "level: {loudness: -30}");
    let output = through(&level, open(&file).unwrap()).unwrap().read_all().unwrap();
    assert!((loudness(&output, 48_000) + 30.0).abs() < 0.1, "{}", loudness(&output, 48_000));
    let loud = pipeline(&home.path(""), "level: {loudness: -5, peak: -3}");
    let output = through(&loud, open(&file).unwrap()).unwrap().read_all().unwrap();
    assert!(output.peak() <= 0.709, "{}", output.peak());
    let silence = through(&level, memory(16_000, vec![vec![0.0; 16_000]])).unwrap().read_all().unwrap();
    assert_eq!(silence.peak(), 0.0);
}

#[test]
fn compressed_files_are_read_and_lossy_ones_become_wav() {
    let home = Home::new();
    let inbox = home.folder("in");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    for name in ["tones.flac", "tones.mp3", "tones.ogg", "tones.m4a"] {
        fs::copy(fixtures.join(name), inbox.join(name)).unwrap();
    }
    drop(pipeline(&home.path(""), "high_pass: {frequency: 20}"));
    let output = home.run(&["apply", "pipeline.yaml", "in", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(common::files(&home.path("out")).len(), 4);
    let exact = read(&fixtures.join("tones.flac"));
    assert_eq!((exact.frames(), exact.channels()), (22_050, 2));
    let spec = hound::WavReader::open(home.path("out/tones.wav")).unwrap().spec();
    assert_eq!((spec.sample_rate, spec.channels), (44_100, 2));
    for name in ["tones.mp3", "tones.ogg", "tones.m4a"] {
        let decoded = read(&fixtures.join(name));
        assert_eq!(decoded.frames(), exact.frames(), "{name}");
        // 440 Hz left, 660 Hz right.
        for (channel, hz) in [(0, 440.0f64), (1, 660.0)] {
            let middle = &decoded.plane(channel)[6000..16_000];
            let turn = |n: usize| 2.0 * std::f64::consts::PI * hz * n as f64 / 44_100.0;
            let part =
                |f: fn(f64) -> f64| middle.iter().enumerate().map(|(n, v)| f64::from(*v) * f(turn(n))).sum::<f64>();
            let tone = (part(f64::sin).powi(2) + part(f64::cos).powi(2)).sqrt() * (2.0f64).sqrt() / middle.len() as f64;
            let share = tone / f64::from(rms(middle));
            assert!(share > 0.9, "{name} channel {channel}: {share:.4}");
        }
    }
}

#[test]
fn results_are_named_and_mirrored_like_pictures() {
    let home = Home::new();
    fs::create_dir_all(home.path("in/deep")).unwrap();
    write_wav(&home.path("in/deep/a.wav"), 16_000, &[speech(16_000, 0.3)], 16, false);
    drop(pipeline(&home.path(""), "resample: {rate: 48000}"));
    let output = home.run(&["apply", "pipeline.yaml", "in", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result = read(&home.path("out/deep/a.wav"));
    assert_eq!(result.frames(), 4800 * 3);
    let wrong = "name: x\nsource: {folder: {path: ./in}}\nstages: [resample: {rate: 8000}]\nsink: {folder: {path: ./out, name: \"{stem}.mp3\"}}\n";
    fs::write(home.path("wrong.yaml"), wrong).unwrap();
    let output = home.run(&["check", "wrong.yaml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("WAV only")
            || String::from_utf8_lossy(&output.stderr).contains(".wav")
    );
}

/// An hour costs no more memory than a minute: read, denoised, measured and written block by block.
#[test]
fn memory_does_not_grow_with_the_length() {
    let home = Home::new();
    let model = tiny_model(&home.path("tiny"), Tiny { rate: 8_000, window: 160, hop: 80, ..HALF });
    drop(pipeline(&home.path(""), &format!("denoise: {{model: {}}}, level", model.display())));
    let peak = |minutes: usize| {
        let file = home.path(&format!("{minutes}.wav"));
        let minute = noise(8_000 * 60, 0.1, 1);
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&file, spec).unwrap();
        for _ in 0..minutes {
            minute.iter().for_each(|v| writer.write_sample((v * 32_767.0) as i16).unwrap());
        }
        writer.finalize().unwrap();
        let peak = peak_memory(home.latentd().args(["apply", "pipeline.yaml"]).arg(&file).args(["--out", "out"]));
        assert_eq!(audio_frames(&home.path(&format!("out/{minutes}.wav"))), minutes as u32 * 480_000);
        peak
    };
    let (short, long) = (peak(1), peak(60));
    println!("a minute: {short:.0} MiB, an hour: {long:.0} MiB");
    assert!(long < short + 16.0, "{short:.0} MiB for a minute, {long:.0} MiB for an hour");
}

fn audio_frames(path: &Path) -> u32 {
    hound::WavReader::open(path).unwrap().duration()
}

#[test]
fn only_wav_and_flac_are_written() {
    assert!(audio::encode::check_extension(Path::new("a.WAV")).is_ok());
    assert!(audio::encode::check_extension(Path::new("a.flac")).is_ok());
    assert!(audio::encode::check_extension(Path::new("a.ogg")).is_err());
}
