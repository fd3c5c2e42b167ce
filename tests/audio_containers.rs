//! What files say around their sound: where it begins and ends, which bits of it count, and which speaker it is for.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use audio_common::{decoded, fixture, open, read};
use common::Home;
use latentd::Kind;
use latentd::media::Audio;
use latentd::media::audio::{Block, Depth, Memory, encode};

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [name.as_slice(), &(body.len() as u32).to_le_bytes(), body].concat()
}

fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WAVE".to_vec(), chunks.concat()].concat())
}

/// What samples of `bits` bits in `bytes` bytes are, without a channel mask.
fn plain(channels: u16, bytes: u16, bits: u16) -> Vec<u8> {
    let align = channels * bytes;
    let (rate, flow) = (16_000u32.to_le_bytes(), (16_000 * u32::from(align)).to_le_bytes());
    let rest = [align.to_le_bytes(), bits.to_le_bytes()].concat();
    [[1u16.to_le_bytes(), channels.to_le_bytes()].concat(), rate.to_vec(), flow.to_vec(), rest].concat()
}

/// The same with a channel mask.
fn extensible(channels: u16, bytes: u16, valid: u16, mask: u32) -> Vec<u8> {
    let mut body = plain(channels, bytes, bytes * 8);
    body[..2].copy_from_slice(&0xfffeu16.to_le_bytes());
    body.extend([22u16.to_le_bytes(), valid.to_le_bytes()].concat());
    body.extend(mask.to_le_bytes());
    body.extend([1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    body
}

/// A packet of silence as MP3.
fn silent_packet(rate: u8, bytes: usize) -> Vec<u8> {
    let mut packet = vec![0xff, 0xfb, rate << 4, 0xc0];
    packet.resize(bytes, 0);
    packet
}

#[test]
fn sound_behind_the_end_that_was_estimated_for_an_mp3_is_kept() {
    let home = Home::new();
    // Large packets first, so that many fewer are estimated than there are.
    let bytes = [silent_packet(14, 1044).repeat(20), silent_packet(1, 104).repeat(200)].concat();
    assert_eq!(decoded(&home.path("a.mp3"), &bytes).unwrap().frames(), 220 * 1152);
}

#[test]
fn joined_mp3s_are_read_to_the_end() {
    let home = Home::new();
    let one = fixture("tones.mp3");
    assert_eq!(decoded(&home.path("one.mp3"), &one).unwrap().frames(), 22_050);
    // Only the first one's delay is known: 576 and the decoder's 529.
    assert_eq!(decoded(&home.path("two.mp3"), &one.repeat(2)).unwrap().frames(), 2 * 21 * 1152 - 576 - 529);
}

#[test]
fn samples_of_24_bits_in_4_bytes_are_the_upper_ones() {
    let home = Home::new();
    let values = [0, 1, -1, 0x40_0000, -0x80_0000, 0x7f_ffff, 0x12_3456, -0x12_3456];
    let data: Vec<u8> = values.iter().flat_map(|v: &i32| (*v << 8).to_le_bytes()).collect();
    let expected: Vec<f32> = values.iter().map(|v| *v as f32 / 8_388_608.0).collect();
    for (name, format) in [("extensible.wav", extensible(1, 4, 24, 4)), ("plain.wav", plain(1, 4, 24))] {
        let found = decoded(&home.path(name), &wav(&[chunk(b"fmt ", &format), chunk(b"data", &data)])).unwrap();
        assert_eq!(found.plane(0), expected, "{name}");
        assert_eq!(open(&home.path(name)).unwrap().depth, Depth::Integer(24), "{name}");
    }
}

#[test]
fn an_odd_chunk_before_the_sound_is_passed_over() {
    let home = Home::new();
    let (format, data) = (chunk(b"fmt ", &plain(1, 2, 16)), chunk(b"data", &[0, 0x40, 0, 0xc0]));
    let odd = chunk(b"LIST", b"odd");
    let even = [odd.clone(), vec![0]].concat();
    // Some programs forget the byte that makes it even.
    for (name, list) in [("even.wav", even), ("odd.wav", odd)] {
        let found = decoded(&home.path(name), &wav(&[format.clone(), list, data.clone()])).unwrap();
        assert_eq!(found.plane(0), [0.5, -0.5], "{name}");
    }
}

#[test]
fn a_streamed_wav_goes_on_to_the_end_of_the_file() {
    let home = Home::new();
    let mut bytes = wav(&[chunk(b"fmt ", &plain(1, 2, 16)), chunk(b"data", &[0, 0x40, 0, 0xc0])]);
    // What a program writes into a pipe, and half a sample of one that was stopped.
    for at in [4, 40] {
        bytes[at..at + 4].fill(0xff);
    }
    bytes.push(1);
    assert_eq!(decoded(&home.path("a.wav"), &bytes).unwrap().plane(0), [0.5, -0.5]);
    // What SoX and arecord write there.
    for told in [0x7fff_f000_u32, 0x8000_0000] {
        bytes[40..44].copy_from_slice(&told.to_le_bytes());
        assert_eq!(decoded(&home.path("a.wav"), &bytes).unwrap().plane(0), [0.5, -0.5]);
    }
    // A recording that was never ended, by a program that writes lengths when it ends; and a file without sound before its list.
    let zero = |at: usize, bytes: &mut Vec<u8>| bytes[at..at + 4].fill(0);
    zero(40, &mut bytes);
    for riff in [0_u32, 36] {
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        assert_eq!(decoded(&home.path("a.wav"), &bytes).unwrap().plane(0), [0.5, -0.5]);
    }
    let empty = wav(&[chunk(b"fmt ", &plain(1, 2, 16)), chunk(b"data", &[]), chunk(b"LIST", b"even")]);
    assert!(decoded(&home.path("a.wav"), &empty).unwrap_err().to_string().contains("holds no sound"));
}

#[test]
fn half_a_frame_at_the_end_is_no_damage() {
    let home = Home::new();
    let bytes = wav(&[chunk(b"fmt ", &plain(2, 2, 16)), chunk(b"data", &[0, 0x40, 0, 0xc0, 0, 0x40])]);
    let found = decoded(&home.path("a.wav"), &bytes).unwrap();
    assert_eq!([found.plane(0), found.plane(1)], [[0.5], [-0.5]]);
}

/// Symphonia 0.6 makes another sound of Vorbis with more than two channels.
#[test]
fn codecs_of_more_channels_than_are_read_are_told() {
    let home = Home::new();
    for (name, codec) in
        [("three.ogg", "Vorbis of more than two channels"), ("three.m4a", "AAC of more than two channels")]
    {
        let error = decoded(&home.path(name), &fixture(name)).unwrap_err();
        assert!(error.to_string().contains(codec) && error.mend_text().is_some(), "{error}");
    }
}

#[test]
fn depth_is_that_of_the_codec_whatever_it_lies_in() {
    let home = Home::new();
    fs::write(home.path("deep.ogg"), fixture("deep.ogg")).unwrap();
    assert_eq!(open(&home.path("deep.ogg")).unwrap().depth, Depth::Integer(24));
}

/// The last page is not found where damage lies near it, and what is missing was not told.
#[test]
fn sound_that_is_missing_from_an_ogg_file_is_told() {
    let home = Home::new();
    home.pipeline("", "high_pass: { frequency: 60 }", "");
    let whole = fixture("sweep.opus");
    let pages: Vec<usize> = (0..whole.len()).filter(|at| whole[*at..].starts_with(b"OggS")).collect();
    for page in &pages[3..] {
        let mut bytes = whole.clone();
        bytes[page + 60] ^= 0x10;
        fs::write(home.path("a.opus"), bytes).unwrap();
        let (code, _, err) = common::run(&home, "apply pipeline.yaml a.opus --out out");
        assert!(code != Some(0) || err.contains("damaged and left out"), "page at {page}: {err}");
    }
    fs::write(home.path("a.opus"), whole).unwrap();
    let (code, _, err) = common::run(&home, "apply pipeline.yaml a.opus --out out");
    assert!(code == Some(0) && !err.contains("damaged"), "{err}");
}

#[test]
fn a_flac_with_an_id3_tag_is_flac() {
    let home = Home::new();
    let tag = [b"ID3\x04\0\0\0\0\x02\x0a".as_slice(), &[0; 0x10a]].concat();
    let tagged = [tag, fixture("tones.flac")].concat();
    assert_eq!(
        decoded(&home.path("a.flac"), &tagged).unwrap(),
        decoded(&home.path("b.flac"), &fixture("tones.flac")).unwrap()
    );
    let error = decoded(&home.path("a.mp3"), &tagged).unwrap_err();
    assert!(error.to_string().contains("the file is FLAC"), "{error}");
}

#[test]
fn results_are_for_the_speakers_of_their_input() {
    let home = Home::new();
    let mask = |audio: Audio| {
        let mut out = Cursor::new(Vec::new());
        encode::write(audio, &mut out).unwrap();
        let bytes = out.into_inner();
        u32::from_le_bytes(bytes[40..44].try_into().unwrap())
    };
    for told in [0x33, 0x107, 0] {
        let path = home.path("quad.wav");
        fs::write(&path, wav(&[chunk(b"fmt ", &extensible(4, 2, 16, told)), chunk(b"data", &[0; 80])])).unwrap();
        assert_eq!(mask(open(&path).unwrap()), told);
    }
    for (channels, usual) in [(1, 4), (2, 3), (3, 0), (4, 0)] {
        let sound = Memory::new(16_000, Block::from_planes(vec![vec![0.0; 10]; channels]));
        assert_eq!(mask(Audio::new(sound, Depth::Integer(24))), usual, "{channels} channels");
    }
}

/// The checksum of a page of Ogg.
fn checksum(page: &[u8]) -> u32 {
    let shift = |sum: u32| (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
    page.iter().fold(0, |sum, byte| (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| shift(sum)))
}

#[test]
fn mp3_and_ogg_files_that_were_cut_off_are_told_from_whole_ones() {
    let home = Home::new();
    let (mp3, ogg) = (fixture("tones.mp3"), fixture("tones.ogg"));
    let mut lacks_pages = ogg.clone();
    let last = ogg.windows(4).rposition(|w| w == b"OggS").unwrap();
    lacks_pages[last + 5] &= !4;
    lacks_pages[last + 22..last + 26].fill(0);
    let sum = checksum(&lacks_pages[last..]);
    lacks_pages[last + 22..last + 26].copy_from_slice(&sum.to_le_bytes());
    for (name, bytes) in [("cut.mp3", &mp3[..mp3.len() / 2]), ("cut.ogg", &lacks_pages[..])] {
        let error = decoded(&home.path(name), bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Input, "{error}");
        assert!(error.to_string().contains("ends early"), "{error}");
    }
    let tag = [b"TAG".as_slice(), &[0; 125]].concat();
    for (name, bytes) in [("whole.mp3", [mp3, tag].concat()), ("whole.ogg", [ogg, vec![0; 3000]].concat())] {
        assert_eq!(decoded(&home.path(name), &bytes).unwrap().frames(), 22_050, "{name}");
    }
}

/// An M4A begins with the encoder's delay and ends with the rest of its last packet.
#[test]
fn what_the_edit_list_of_an_m4a_leaves_out_is_no_sound() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    let (m4a, flac) = (read(&fixtures.join("tones.m4a")), read(&fixtures.join("tones.flac")));
    assert_eq!(m4a.frames(), flac.frames());
    for channel in [0, 1] {
        // A delay of 1,024 frames is 10.2 turns of one tone and 15.3 of the other.
        let fit = audio_common::si_sdr(&m4a.plane(channel)[6000..16_000], &flac.plane(channel)[6000..16_000]);
        assert!(fit > 6.0, "channel {channel}: {fit:.1} dB like the original");
    }
}
