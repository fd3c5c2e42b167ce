//! FLAC comes out as FLAC, and so does anything whose name asks for it: the samples that WAV has, at the same depth, rate and length.
//!
//! What is written is read by Symphonia, checked by its own checksum, and decoded by ffmpeg. Where ffmpeg is missing, that is said and passed over, unless
//! LATENTD_REQUIRE_HOSTS is set, as in .ci/run.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use audio_common::{HALF, decoded, fixture, noise, open, read, tiny_model, write_wav};
use common::{Home, files};
use flac_codec::decode::{Verified, verify_reader};
use latentd::media::Audio;
use latentd::media::audio::encode::{self, Container};
use latentd::media::audio::{Block, Depth, Memory};
use latentd::{Kind, Result};

/// A file's blocks before its sound: the kind of each, and what it holds.
fn blocks(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    assert_eq!(&bytes[..4], b"fLaC");
    let (mut blocks, mut at) = (Vec::new(), 4);
    loop {
        let length = u32::from_be_bytes([0, bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
        blocks.push((bytes[at] & 0x7f, &bytes[at + 4..at + 4 + length]));
        if bytes[at] & 0x80 != 0 {
            return blocks;
        }
        at += 4 + length;
    }
}

/// What the first block tells.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    rate: u32,
    channels: u8,
    bits: u8,
    frames: u64,
}

fn told(bytes: &[u8]) -> Told {
    let (kind, first) = blocks(bytes)[0];
    assert_eq!(kind, 0);
    let packed = u64::from_be_bytes(first[10..18].try_into().unwrap());
    Told {
        rate: (packed >> 44) as u32,
        channels: ((packed >> 41) & 7) as u8 + 1,
        bits: ((packed >> 36) & 31) as u8 + 1,
        frames: packed & ((1 << 36) - 1),
    }
}

fn sound(rate: u32, planes: Vec<Vec<f32>>, depth: Depth) -> Audio {
    Audio::new(Memory::new(rate, Block::from_planes(planes)), depth)
}

fn flac(audio: Audio) -> Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    encode::write_as(audio, Container::Flac, &mut out)?;
    Ok(out.into_inner())
}

/// The sound of a file, which has the checksum that the file tells.
fn heard(home: &Home, bytes: &[u8]) -> Block {
    assert_eq!(verify_reader(bytes).unwrap(), Verified::MD5Match);
    let block = decoded(&home.path("heard.flac"), bytes).unwrap();
    assert_eq!(told(bytes).frames, block.frames() as u64);
    block
}

/// Sees that ffmpeg decodes a file to samples of the checksum that the file tells.
fn ffmpeg_agrees(path: &Path, bits: u8) {
    if !Command::new("which").arg("ffmpeg").output().is_ok_and(|found| found.status.success()) {
        assert!(std::env::var_os("LATENTD_REQUIRE_HOSTS").is_none(), "ffmpeg is missing");
        eprintln!("passed over: ffmpeg is missing");
        return;
    }
    let codec = format!("pcm_s{bits}le");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-err_detect", "explode", "-i"])
        .arg(path)
        .args(["-c:a", &codec, "-f", "md5", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = fs::read(path).unwrap();
    let own: String = blocks(&bytes)[0].1[18..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("MD5={own}"), "{}", path.display());
}

/// Applies stages to all that lies in the folder `in`; `sink` are more settings of where it goes.
fn apply(home: &Home, stages: &str, sink: &str) -> Output {
    let text = format!(
        "name: test\nsource: {{folder: {{path: ./in}}}}\nstages: [{stages}]\nsink: {{folder: {{path: ./out{sink}}}}}\n"
    );
    fs::write(home.path("pipeline.yaml"), text).unwrap();
    home.run(&["apply", "pipeline.yaml", "in", "--out", "out"])
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn flac_comes_back_as_flac() {
    let home = Home::new();
    let model = tiny_model(&home.path("tiny"), HALF);
    let inbox = home.folder("in");
    fs::write(inbox.join("tones.flac"), fixture("tones.flac")).unwrap();
    fs::write(inbox.join("LOUD.FLAC"), fixture("tones.flac")).unwrap();
    fs::write(inbox.join("lossy.mp3"), fixture("tones.mp3")).unwrap();
    let plain = sound(48_000, vec![noise(5003, 0.2, 5), noise(5003, 0.1, 6)], Depth::Integer(16));
    fs::write(inbox.join("plain.flac"), flac(plain).unwrap()).unwrap();
    succeeded(&apply(&home, &format!("denoise: {{model: {}, strength: 0}}", model.display()), ""));
    let names = ["LOUD.FLAC", "lossy.wav", "plain.flac", "tones.flac"].map(PathBuf::from);
    assert_eq!(files(&home.path("out")), names);
    for (name, rate, bits, frames) in
        [("tones.flac", 44_100, 24, 22_050), ("LOUD.FLAC", 44_100, 24, 22_050), ("plain.flac", 48_000, 16, 5003)]
    {
        let path = home.path("out").join(name);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(told(&bytes), Told { rate, channels: 2, bits, frames }, "{name}");
        assert_eq!(open(&path).unwrap().depth, Depth::Integer(u16::from(bits)), "{name}");
        assert_eq!(heard(&home, &bytes), read(&inbox.join(name)), "{name} changed though nothing was to be done");
        ffmpeg_agrees(&path, bits);
    }
}

#[test]
fn a_name_makes_flac_of_anything_and_the_samples_are_those_of_wav() {
    let home = Home::new();
    let inbox = home.folder("in");
    // Somewhat too loud in places.
    let planes = [noise(9001, 0.4, 5), noise(9001, 0.2, 6), noise(9001, 0.1, 7)];
    for bits in [8, 16, 24, 32] {
        write_wav(&inbox.join(format!("{bits}.wav")), 44_100, &planes[..2], bits, false);
    }
    write_wav(&inbox.join("three.wav"), 22_050, &planes, 16, false);
    fs::write(inbox.join("tones.flac"), fixture("tones.flac")).unwrap();
    fs::write(inbox.join("lossy.mp3"), fixture("tones.mp3")).unwrap();
    for ending in ["wav", "flac"] {
        let output = apply(&home, "high_pass: {frequency: 80}", &format!(", name: \"{{stem}}.{ending}\""));
        succeeded(&output);
    }
    for (name, bits) in [("8", 8), ("16", 16), ("24", 24), ("32", 32), ("three", 16), ("tones", 24), ("lossy", 16)] {
        let (wav, flac) = (home.path(&format!("out/{name}.wav")), home.path(&format!("out/{name}.flac")));
        let bytes = fs::read(&flac).unwrap();
        assert_eq!(told(&bytes).bits, bits, "{name}");
        assert_eq!(open(&wav).unwrap().depth, open(&flac).unwrap().depth, "{name}");
        assert_eq!(open(&wav).unwrap().format(), open(&flac).unwrap().format(), "{name}");
        assert_eq!(read(&wav), heard(&home, &bytes), "{name}");
        if [16, 24].contains(&bits) {
            ffmpeg_agrees(&flac, bits);
        }
    }
}

#[test]
fn floats_become_24_bits() {
    let home = Home::new();
    let mut plane = noise(6000, 0.2, 3);
    (plane[10], plane[11], plane[12], plane[13]) = (1.5, -7.0, 1.0, f32::NAN);
    let bytes = flac(sound(48_000, vec![plane.clone()], Depth::Float)).unwrap();
    assert_eq!(told(&bytes), Told { rate: 48_000, channels: 1, bits: 24, frames: 6000 });
    let heard = heard(&home, &bytes);
    let step = 1.0 / 8_388_608.0;
    for (n, (value, found)) in plane.iter().zip(heard.plane(0)).enumerate() {
        let wanted = if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) };
        assert!((found - wanted).abs() <= step, "sample {n}: {found}, not {value}");
    }
    ffmpeg_agrees(&home.path("heard.flac"), 24);
}

#[test]
fn silence_is_sound_and_nothing_is_none() {
    let home = Home::new();
    let silence = vec![vec![0.0; 100_000]; 2];
    let bytes = flac(sound(44_100, silence.clone(), Depth::Integer(16))).unwrap();
    assert!(bytes.len() < 10_000, "{} bytes of silence", bytes.len());
    assert_eq!(heard(&home, &bytes), Block::from_planes(silence));
    ffmpeg_agrees(&home.path("heard.flac"), 16);
    let error = flac(sound(44_100, vec![vec![]], Depth::Integer(16))).unwrap_err();
    assert_eq!(error.kind(), Kind::Input, "{error}");
    assert!(error.mend_text().is_some());
}

/// The encoder divides a last block of 8 frames into parts that no decoder understands, where it is as smooth as this and may be divided into four.
#[test]
fn every_length_can_be_decoded() {
    let home = Home::new();
    let lengths = (1..=40).chain(2040..=2080).chain([4096, 4104, 6160, 10_000]);
    for frames in lengths {
        let smooth = |n: usize| (n as f32 % 16.0).powi(3) + if n + 1 == frames { 5.0 } else { 0.0 };
        let plane: Vec<f32> = (0..frames).map(|n| smooth(n) / 32_768.0).collect();
        let other: Vec<f32> = plane.iter().map(|value| 0.25 - value).collect();
        for planes in [vec![plane.clone()], vec![plane.clone(), other]] {
            let bytes = flac(sound(48_000, planes.clone(), Depth::Integer(16))).unwrap();
            assert_eq!(told(&bytes).frames, frames as u64);
            assert_eq!(heard(&home, &bytes), Block::from_planes(planes), "{frames} frames");
        }
        if frames < 20 {
            ffmpeg_agrees(&home.path("heard.flac"), 16);
        }
    }
}

#[test]
fn what_flac_does_not_hold_is_refused_with_the_mend() {
    let home = Home::new();
    for (rate, channels) in [(1_000, 1), (44_101, 8), (88_201, 2), (655_350, 1), (192_000, 6)] {
        let planes: Vec<Vec<f32>> = (0..channels).map(|seed| noise(5000, 0.1, seed)).collect();
        let bytes = flac(sound(rate, planes, Depth::Integer(24))).unwrap();
        assert_eq!(told(&bytes), Told { rate, channels: channels as u8, bits: 24, frames: 5000 });
        assert_eq!(heard(&home, &bytes).channels(), channels as usize);
        ffmpeg_agrees(&home.path("heard.flac"), 24);
    }
    for (rate, channels) in [(48_000, 9), (48_000, 32), (655_351, 1), (768_000, 2)] {
        let error = flac(sound(rate, vec![vec![0.0; 10]; channels], Depth::Integer(16))).unwrap_err();
        assert_eq!((error.kind(), error.mend_text()), (Kind::Input, Some("name the result .wav")), "{error}");
    }
    let error = flac(sound(48_000, vec![vec![0.0; 10]], Depth::Integer(12))).unwrap_err();
    assert_eq!(error.kind(), Kind::Bug, "{error}");
}

#[test]
fn a_slip_in_the_ending_is_mended() {
    let home = Home::new();
    assert_eq!(Container::from_extension(Path::new("a.FLAC")).unwrap(), Container::Flac);
    for (name, mend) in [
        ("a.flca", "did you mean .flac?"),
        ("a.wave", "did you mean .wav?"),
        ("a.mp3", "end the name in .wav or .flac"),
        ("a", "end the name in .wav or .flac"),
    ] {
        let error = Container::from_extension(Path::new(name)).unwrap_err();
        assert_eq!((error.kind(), error.mend_text()), (Kind::Config, Some(mend)), "{name}");
    }
    home.folder("in");
    let output = apply(&home, "high_pass", ", name: \"{stem}.flca\"");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean .flac?"));
}

#[test]
fn what_a_header_lies_of_is_not_written_on() {
    let home = Home::new();
    let lying = |frames: u64| {
        let mut bytes = fixture("tones.flac");
        let packed = u64::from_be_bytes(bytes[18..26].try_into().unwrap());
        bytes[18..26].copy_from_slice(&((packed >> 36 << 36) | frames).to_be_bytes());
        // The checksum of other sound.
        bytes[26..42].fill(7);
        bytes
    };
    for frames in [0, 10_000, 22_050] {
        let path = home.path("lying.flac");
        let sound = decoded(&path, &lying(frames)).unwrap();
        let bytes = flac(open(&path).unwrap()).unwrap();
        assert_eq!(heard(&home, &bytes), sound, "{frames}");
        assert!(frames == 10_000 || told(&bytes).frames == 22_050, "{frames}");
    }
    fs::write(home.folder("in").join("long.flac"), lying(22_051)).unwrap();
    let output = apply(&home, "high_pass", "");
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files(&home.path("out")).is_empty(), "a half result was left");
}

/// The fixture with these blocks before its own comments, of which it has none.
fn with_blocks(extra: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let tones = fixture("tones.flac");
    let mut bytes = tones[..42].to_vec();
    for (kind, block) in extra {
        let length = (block.len() as u32).to_be_bytes();
        bytes.extend([*kind, length[1], length[2], length[3]]);
        bytes.extend_from_slice(block);
    }
    bytes.extend_from_slice(&tones[42..]);
    bytes
}

fn comments(texts: &[&str]) -> Vec<u8> {
    let mut bytes = [4u32.to_le_bytes().as_slice(), b"made", &(texts.len() as u32).to_le_bytes()].concat();
    for text in texts {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// A front cover of so many bytes.
fn cover(size: usize) -> Vec<u8> {
    let numbers = [3, 9].iter().flat_map(|number: &u32| number.to_be_bytes());
    let mut bytes: Vec<u8> = numbers.chain(*b"image/png").collect();
    bytes.extend([0, 1, 1, 24, 0, size as u32].iter().flat_map(|number| number.to_be_bytes()));
    bytes.extend(std::iter::repeat_n(0x5a, size));
    bytes
}

fn holds(bytes: &[u8], what: &str) -> bool {
    let mut comments = blocks(bytes).into_iter().filter(|(kind, _)| *kind == 4);
    comments.any(|(_, block)| block.windows(what.len()).any(|part| part == what.as_bytes()))
}

fn pictures(bytes: &[u8]) -> Vec<&[u8]> {
    blocks(bytes).into_iter().filter(|(kind, _)| *kind == 6).map(|(_, block)| block).collect()
}

#[test]
fn titles_and_covers_stay_with_the_sound() {
    let home = Home::new();
    let told = comments(&["TITLE=Käfer = beetle", "ARTIST=x", "REPLAYGAIN_TRACK_GAIN=-3 dB", "no name"]);
    let song = with_blocks(&[(6, cover(1000)), (4, told), (2, b"made by a program".to_vec()), (6, cover(100))]);
    fs::write(home.folder("in").join("song.flac"), &song).unwrap();
    let stages = "high_pass, level, resample: {rate: 48000}";
    succeeded(&apply(&home, stages, ""));
    let result = fs::read(home.path("out/song.flac")).unwrap();
    assert_eq!(heard(&home, &result).frames(), 24_000);
    assert!(holds(&result, "TITLE=Käfer = beetle") && holds(&result, "ARTIST=x"));
    assert!(!holds(&result, "REPLAYGAIN") && !holds(&result, "no name"), "it is no longer true");
    assert_eq!(pictures(&result), [cover(1000), cover(100)]);

    succeeded(&apply(&home, stages, ", name: \"bare.flac\", metadata: drop"));
    let bare = fs::read(home.path("out/bare.flac")).unwrap();
    assert!(!holds(&bare, "TITLE") && pictures(&bare).is_empty());
}

/// They are in memory while the result is written.
#[test]
fn covers_have_bounds() {
    let home = Home::new();
    let path = home.path("covers.flac");
    let covers = with_blocks(&[(6, cover(7_000_000)), (6, cover(9_000_000)), (6, cover(8_000_000)), (6, cover(50))]);
    fs::write(&path, covers).unwrap();
    let bytes = flac(open(&path).unwrap()).unwrap();
    assert_eq!(pictures(&bytes).iter().map(|block| block.len()).collect::<Vec<_>>(), [7_000_041, 8_000_041, 91]);
    assert_eq!(heard(&home, &bytes).frames(), 22_050);
}

#[test]
fn speakers_are_named_where_they_are_not_the_usual_ones() {
    let home = Home::new();
    let mask = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0107";
    for (speakers, named) in
        [(Some(0x107), true), (Some(0x33), false), (Some(0x3), false), (Some(0), false), (None, false)]
    {
        let planes = (0..4).map(|seed| noise(3000, 0.1, seed)).collect();
        let mut audio = sound(48_000, planes, Depth::Integer(16));
        audio.speakers = speakers;
        let bytes = flac(audio).unwrap();
        assert_eq!(holds(&bytes, mask), named, "{speakers:?}");
        assert_eq!(holds(&bytes, "CHANNEL_MASK"), named, "{speakers:?}");
        assert_eq!(heard(&home, &bytes).channels(), 4);
        let again = open(&home.path("heard.flac")).unwrap();
        assert_eq!(again.speakers, Some(if named { 0x107 } else { 0x33 }));
        // And from FLAC to FLAC.
        assert_eq!(holds(&flac(again).unwrap(), mask), named, "{speakers:?}");
    }
}
