//! Whatever a stranger calls a recording ends in a clear error that names the file and the mend: never a panic, never memory without bound.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::fs;
use std::path::Path;

use audio_common::{fixture, noise, open, pipeline, write_wav};
use common::Home;
use latentd::media::audio::Block;
use latentd::{Kind, Result};
use proptest::prelude::*;

/// Reads to the end but no further than a minute of sound; what is found wrong, wherever it stands.
fn drain(path: &Path) -> Result<usize> {
    let mut audio = open(path)?;
    let mut block = Block::new(audio.format().channels);
    let mut frames = 0;
    while frames < 48_000 * 60 {
        audio.read(&mut block)?;
        if block.is_empty() {
            break;
        }
        frames += block.frames();
    }
    Ok(frames)
}

/// A WAV file with any header.
fn wav(format: u16, channels: u16, rate: u32, bits: u16, claimed: u32, data: &[u8]) -> Vec<u8> {
    let align = channels.wrapping_mul(bits.div_ceil(8));
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36u32.wrapping_add(claimed)).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(format.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend(rate.wrapping_mul(u32::from(align)).to_le_bytes());
    bytes.extend(align.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(claimed.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn each_kind_of_damage_is_told_with_its_mend() {
    let home = Home::new();
    let whole = wav(1, 1, 16_000, 16, 3200, &[0; 3200]);
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty.wav", vec![], "empty"),
        ("text.wav", b"this is no sound, though it is long enough to be one".to_vec(), "not a sound"),
        ("header-only.wav", whole[..44].to_vec(), "ends early"),
        ("no-sound.wav", wav(1, 1, 16_000, 16, 0, &[]), "no sound"),
        ("cut.wav", whole[..1000].to_vec(), "ends early"),
        ("promises.wav", wav(1, 2, 48_000, 16, 0x7fff_fff0, &[0; 64]), "ends early"),
        ("rate-0.wav", wav(1, 1, 0, 16, 64, &[0; 64]), "0 Hz"),
        ("rate-absurd.wav", wav(1, 1, 4_000_000_000, 16, 64, &[0; 64]), "damaged"),
        ("channels-0.wav", wav(1, 0, 16_000, 16, 64, &[0; 64]), ""),
        ("channels-999.wav", wav(1, 999, 16_000, 16, 1998, &[0; 1998]), "channels"),
        ("bits-64.wav", wav(3, 1, 16_000, 64, 64, &[0; 64]), ""),
        ("compressed.wav", wav(85, 1, 16_000, 16, 64, &[0; 64]), ""),
        ("nan.wav", wav(3, 1, 16_000, 32, 12, &floats(&[0.0, f32::NAN, 0.0])), "no numbers"),
        ("infinite.wav", wav(3, 1, 16_000, 32, 8, &floats(&[0.0, f32::INFINITY])), "no numbers"),
        ("huge.wav", wav(3, 1, 16_000, 32, 8, &floats(&[0.0, 1e30])), "full scale"),
        ("really-wav.flac", whole.clone(), "WAV"),
        ("picture.mp3", common::png(4, 4), "not a sound"),
        ("rf64.wav", [b"RF64".as_slice(), &[0xff; 60]].concat(), "RF64"),
        ("flac-head.flac", b"fLaC\0\0\0\x22garbage that goes on for a while and means nothing".to_vec(), "FLAC"),
        ("ogg-head.ogg", b"OggS\0\x02garbage that goes on for a while and means nothing at all".to_vec(), "Ogg"),
        ("id3-only.mp3", b"ID3\x04\0\0\0\0\0\x0a0123456789".to_vec(), ""),
        ("box.m4a", b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\0\0\0\x08moov".to_vec(), ""),
    ];
    for (name, bytes, words) in cases {
        let path = home.path(name);
        fs::write(&path, bytes).unwrap();
        let error = match drain(&path) {
            Err(error) => error,
            Ok(frames) => panic!("{name} was read as {frames} frames"),
        };
        let text = error.to_string();
        assert_eq!(error.kind(), Kind::Input, "{name}: {text}");
        assert!(text.contains(name), "{name} is not named: {text}");
        assert!(text.contains(words), "{name}: `{text}` does not tell of `{words}`");
        assert!(error.mend_text().is_some_and(|m| m.len() > 5), "{name} has no mend");
    }
}

#[test]
fn a_bad_recording_goes_to_quarantine_and_leaves_no_result() {
    let home = Home::new();
    drop(pipeline(&home.path(""), "high_pass"));
    fs::create_dir_all(home.path("in")).unwrap();
    // Damage far behind the beginning is only met while the result is being written.
    let mut values = noise(40_000, 0.1, 2);
    values[35_000] = f32::NAN;
    write_wav(&home.path("in/late.wav"), 16_000, &[values], 32, true);
    write_wav(&home.path("in/good.wav"), 16_000, &[noise(4_000, 0.1, 2)], 16, false);
    let daemon = home.daemon(&home.path("pipeline.yaml"), &[]);
    common::wait_for("both", std::time::Duration::from_secs(60), || {
        home.path("out/good.wav").is_file() && home.path("quarantine/late.wav.error.txt").is_file()
    });
    let note = fs::read_to_string(home.path("quarantine/late.wav.error.txt")).unwrap();
    assert!(note.contains("no numbers") && note.contains("2.2 s") && note.contains("mend:"), "{note}");
    assert_eq!(common::files(&home.path("out")).len(), 1, "a half result was left");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn truncated_files_never_panic_and_flac_tells() {
    let home = Home::new();
    for name in ["tones.flac", "tones.mp3", "tones.ogg", "tones.m4a"] {
        let bytes = fixture(name);
        for part in 0..40 {
            let path = home.path(&format!("{part}-{name}"));
            fs::write(&path, &bytes[..bytes.len() * part / 40]).unwrap();
            match drain(&path) {
                Err(error) => assert_eq!(error.kind(), Kind::Input, "{error}"),
                Ok(_) => assert_ne!(name, "tones.flac", "a part of a FLAC file passed for the whole"),
            }
        }
    }
}

/// A box of an MP4 file that claims `more` bytes behind what it holds.
fn mp4_box(kind: &[u8; 4], holds: &[u8], more: u32) -> Vec<u8> {
    let length = 8 + holds.len() as u32 + more;
    [length.to_be_bytes().as_slice(), kind, holds].concat()
}

/// The file `tones.flac` with `count` pictures of `size` bytes each, which are holes. Where it lies depends on `home`.
fn flac_with_pictures(home: &Home, name: &str, count: u64, size: u32) -> std::path::PathBuf {
    use std::io::{Seek, SeekFrom, Write};
    let tones = fixture("tones.flac");
    // The first block tells of the sound: 34 bytes behind a header of 4.
    let (mut first, rest) = (tones[..42].to_vec(), &tones[42..]);
    let last = first[4] & 0x80;
    first[4] &= 0x7f;
    let path = home.path(name);
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&first).unwrap();
    for index in 1..=count {
        let ends = if index == count { last } else { 0 };
        let length = (size + 32).to_be_bytes();
        file.write_all(&[6 | ends, length[1], length[2], length[3]]).unwrap();
        for number in [3, 0, 0, 1, 1, 24, 0, size] {
            file.write_all(&number.to_be_bytes()).unwrap();
        }
        file.seek(SeekFrom::Current(i64::from(size))).unwrap();
    }
    file.write_all(rest).unwrap();
    path
}

/// All 4 TB of a file with nothing in it were read before anybody looked at its first byte, and no pipeline did anything meanwhile.
#[test]
fn a_file_of_nothing_is_not_read_to_its_end() {
    let home = Home::new();
    drop(pipeline(&home.path(""), "high_pass"));
    fs::create_dir_all(home.path("in")).unwrap();
    let daemon = home.daemon(&home.path("pipeline.yaml"), &[]);
    let headed = wav(1, 2, 48_000, 16, u32::MAX, &[0; 64]);
    for (name, bytes, size, why) in
        [("zeros.wav", &[][..], 1 << 33, "not a sound"), ("headed.wav", headed.as_slice(), 1 << 42, "max_size")]
    {
        fs::write(home.path(name), bytes).unwrap();
        fs::File::options().write(true).open(home.path(name)).unwrap().set_len(size).unwrap();
        fs::rename(home.path(name), home.path(&format!("in/{name}"))).unwrap();
        let note = home.path(&format!("quarantine/{name}.error.txt"));
        common::wait_for("its reason", std::time::Duration::from_secs(60), || note.is_file());
        let text = fs::read_to_string(note).unwrap();
        assert!(text.contains(why) && text.contains("mend:"), "{text}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// Symphonia kept them all, and a file with holes that took 4 kB on the disk took whatever memory there was.
#[test]
fn metadata_without_end_is_refused_and_covers_are_passed_over() {
    let home = Home::new();
    let good = drain(&flac_with_pictures(&home, "covers.flac", 3, 8_000_000)).unwrap();
    fs::write(home.path("plain.flac"), fixture("tones.flac")).unwrap();
    assert_eq!(good, drain(&home.path("plain.flac")).unwrap());
    let pictures = flac_with_pictures(&home, "pictures.flac", 40, 16_000_000);

    let cover = home.path("cover.m4a");
    let hole = 1 << 30;
    let data = mp4_box(b"data", &[0, 0, 0, 13, 0, 0, 0, 0], hole);
    let list = mp4_box(b"ilst", &mp4_box(b"covr", &data, hole), hole);
    let told = [[0u8; 8].as_slice(), b"mdirappl", &[0; 9]].concat();
    let meta = [[0u8; 4].as_slice(), &mp4_box(b"hdlr", &told, 0), &list].concat();
    let movie = mp4_box(b"moov", &mp4_box(b"udta", &mp4_box(b"meta", &meta, hole), hole), hole);
    fs::write(&cover, [mp4_box(b"ftyp", b"M4A \0\0\0\0M4A mp42", 0), movie].concat()).unwrap();
    let file = fs::File::options().write(true).open(&cover).unwrap();
    file.set_len(file.metadata().unwrap().len() + u64::from(hole)).unwrap();

    // The first block is the last, and then nothing comes that could be sound.
    let silent = home.path("nothing.flac");
    let mut first = fixture("tones.flac")[..42].to_vec();
    first[4] |= 0x80;
    fs::write(&silent, first).unwrap();
    fs::File::options().write(true).open(&silent).unwrap().set_len(1 << 40).unwrap();

    for path in [pictures, cover, silent] {
        let error = drain(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Input, "{error}");
        assert!(error.to_string().contains("64 MiB") && error.mend_text().is_some(), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_never_panic(which in 0..5usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let home = Home::new();
        let (name, mut bytes) = match which {
            0 => ("a.wav", wav(1, 2, 44_100, 16, 4000, &[7; 4000])),
            1 => ("a.flac", fixture("tones.flac")),
            2 => ("a.mp3", fixture("tones.mp3")),
            3 => ("a.ogg", fixture("tones.ogg")),
            _ => ("a.m4a", fixture("tones.m4a")),
        };
        for (place, value) in changes {
            // Headers matter most.
            let at = place.index(bytes.len().min(if value.is_multiple_of(2) { 256 } else { bytes.len() }));
            bytes[at] = value;
        }
        let path = home.path(name);
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = drain(&path) {
            prop_assert!(matches!(error.kind(), Kind::Input), "{error}");
        }
    }
}
