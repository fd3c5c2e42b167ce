//! Ogg Opus: voice messages and the like, read to the sample, for the right speakers, and never by panic where they are damaged.
//!
//! The fixtures are from ffmpeg 5.1 with libopus 1.3, and hold what the formulas below say. `sweep.opus` was made by
//! `-f lavfi -i "aevalsrc=0.4*sin(2*PI*(200*t+300*t*t)):s=48000:d=2" -af atrim=end_sample=50001 -c:a libopus -b:a 24k -page_duration 200000`,
//! `surround.opus` by `aevalsrc=0.2*sin(2*PI*300*t)|...:c=5.1:s=48000:d=2`, `end_sample=12001` and `-b:a 192k`.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::f64::consts::PI;
use std::ops::Range;

use audio_common::{Dice, decoded, fixture, open, rms, si_sdr};
use common::Home;
use latentd::media::audio::{Depth, Format};
use latentd::{Error, Kind};

/// Frames of `sweep.opus`.
const FRAMES: usize = 50_001;

/// What is wrong with a file of these bytes, which must be the file's own fault and have a mend.
fn refused(home: &Home, bytes: &[u8]) -> Error {
    let error = decoded(&home.path("a.opus"), bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Input, "{error}");
    assert!(error.mend_text().is_some(), "{error}");
    error
}

/// Where the pages of an Ogg file lie: the header of the sound, its tags, and then the sound.
fn pages(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut pages, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let body = body(bytes, at);
        let length: usize = bytes[at + 27..body].iter().map(|length| usize::from(*length)).sum();
        pages.push(at..body + length);
        at = body + length;
    }
    pages
}

/// Where the packets of a page begin.
fn body(bytes: &[u8], page: usize) -> usize {
    page + 27 + usize::from(bytes[page + 26])
}

/// The checksum of a page of Ogg.
fn checksum(page: &[u8]) -> u32 {
    let shift = |sum: u32| (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
    page.iter().fold(0, |sum, byte| (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| shift(sum)))
}

/// Makes the checksums of all pages right, so that a change reaches what is behind them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    for page in pages(&bytes) {
        let place = page.start + 22..page.start + 26;
        bytes[place.clone()].fill(0);
        let sum = checksum(&bytes[page]);
        bytes[place].copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

/// Moves the granule positions of these pages, which tell where their sound ends.
fn moved(mut bytes: Vec<u8>, which: Range<usize>, by: i64) -> Vec<u8> {
    for page in pages(&bytes).drain(which) {
        let place = page.start + 6..page.start + 14;
        let position = i64::from_le_bytes(bytes[place.clone()].try_into().unwrap());
        bytes[place].copy_from_slice(&(position + by).to_le_bytes());
    }
    sealed(bytes)
}

/// Changes bytes of the header of Opus.
fn headed(mut bytes: Vec<u8>, at: usize, values: &[u8]) -> Vec<u8> {
    let start = body(&bytes, 0) + at;
    bytes[start..start + values.len()].copy_from_slice(values);
    sealed(bytes)
}

#[test]
fn opus_is_read_to_the_sample_under_any_of_its_names() {
    let home = Home::new();
    let sweep = |n: usize| {
        let t = n as f64 / 48_000.0;
        (0.4 * (2.0 * PI * (200.0 * t + 300.0 * t * t)).sin()) as f32
    };
    let expected: Vec<f32> = (0..FRAMES).map(sweep).collect();
    for name in ["a.opus", "a.ogg", "A.OGA", "without-an-ending"] {
        let found = decoded(&home.path(name), &fixture("sweep.opus")).unwrap();
        assert_eq!(found.frames(), FRAMES, "{name}");
        // One frame early or late is 18 dB.
        let fit = si_sdr(found.plane(0), &expected);
        assert!(fit > 21.0, "{name}: {fit:.1} dB");
        let level = rms(found.plane(0)) / rms(&expected);
        assert!((level - 1.0).abs() < 0.02, "{name}: {level} times as loud");
        let audio = open(&home.path(name)).unwrap();
        assert_eq!(audio.format(), Format { rate: 48_000, channels: 1 });
        assert_eq!((audio.depth, audio.speakers), (Depth::Integer(16), None));
    }
    let error = decoded(&home.path("a.mp3"), &fixture("sweep.opus")).unwrap_err();
    assert!(error.to_string().contains("the file is Ogg"), "{error}");
}

#[test]
fn only_the_last_page_tells_where_the_sound_ends() {
    let home = Home::new();
    let (bytes, whole) = (fixture("sweep.opus"), decoded(&home.path("a.opus"), &fixture("sweep.opus")).unwrap());
    let last = pages(&bytes).len() - 1;
    // Less than a packet, and more than one.
    for less in [300i64, 2000] {
        let found = decoded(&home.path("a.opus"), &moved(bytes.clone(), last..last + 1, -less)).unwrap();
        assert_eq!(found.frames(), FRAMES - less as usize);
        assert_eq!(found.plane(0), &whole.plane(0)[..found.frames()]);
    }
    // A recording that was joined while it went on; a page that is mistaken about its end.
    for (which, by) in [(2..last + 1, 1_000_000i64), (3..4, -3000)] {
        assert_eq!(decoded(&home.path("a.opus"), &moved(bytes.clone(), which, by)).unwrap(), whole);
    }
}

#[test]
fn the_gain_of_the_header_is_applied() {
    let home = Home::new();
    let bytes = fixture("sweep.opus");
    let whole = decoded(&home.path("a.opus"), &bytes).unwrap();
    // Minus and plus 6.02 dB.
    for (gain, factor) in [(-1541i16, 0.5f32), (1541, 2.0)] {
        let found = decoded(&home.path("a.opus"), &headed(bytes.clone(), 16, &gain.to_le_bytes())).unwrap();
        let wrong = found.plane(0).iter().zip(whole.plane(0)).find(|(v, w)| (**v - factor * **w).abs() > 1e-3);
        assert_eq!(wrong, None, "{gain}");
    }
}

#[test]
fn several_streams_become_channels_in_the_order_of_wav() {
    let home = Home::new();
    let found = decoded(&home.path("a.opus"), &fixture("surround.opus")).unwrap();
    assert_eq!((found.frames(), found.channels()), (12_001, 6));
    assert_eq!(open(&home.path("a.opus")).unwrap().speakers, Some(0x3f));
    // Front left and right, centre, the one for low tones, rear left and right.
    for (channel, hz) in [300.0, 500.0, 700.0, 50.0, 1100.0, 1300.0].into_iter().enumerate() {
        let middle = &found.plane(channel)[2000..10_000];
        let turn = |n: usize| 2.0 * PI * hz * n as f64 / 48_000.0;
        let part = |f: fn(f64) -> f64| middle.iter().enumerate().map(|(n, v)| f64::from(*v) * f(turn(n))).sum::<f64>();
        let tone = (part(f64::sin).powi(2) + part(f64::cos).powi(2)).sqrt() * 2.0f64.sqrt() / middle.len() as f64;
        let share = tone / f64::from(rms(middle));
        assert!(share > 0.95, "channel {channel}: {share:.3}");
    }
}

#[test]
fn headers_that_are_damaged_or_of_another_kind_are_refused() {
    let home = Home::new();
    let (one, six) = (fixture("sweep.opus"), fixture("surround.opus"));
    for family in [2, 255] {
        let error = refused(&home, &headed(one.clone(), 18, &[family]));
        assert!(error.to_string().contains(&format!("mapping family {family}")), "{error}");
    }
    let damaged = [
        headed(one.clone(), 8, &[0x10]),
        headed(one.clone(), 9, &[0]),
        headed(one.clone(), 9, &[3]),
        headed(one, 18, &[1]),
        headed(six.clone(), 9, &[9]),
        headed(six.clone(), 19, &[0]),
        headed(six.clone(), 19, &[7]),
        headed(six.clone(), 20, &[5]),
        headed(six, 22, &[6]),
    ];
    for bytes in damaged {
        let error = refused(&home, &bytes);
        assert!(error.to_string().contains("the header of Opus"), "{error}");
    }
}

#[test]
fn what_was_cut_off_or_chained_is_refused() {
    let home = Home::new();
    let bytes = fixture("sweep.opus");
    let last = pages(&bytes).pop().unwrap().start;
    let mut unmarked = bytes.clone();
    unmarked[last + 5] &= !4;
    for cut in [&bytes[..bytes.len() * 2 / 3], &bytes[..bytes.len() - 1], &bytes[..last], &sealed(unmarked)[..]] {
        let error = refused(&home, cut);
        assert!(error.to_string().contains("ends early"), "{error}");
    }
    let error = refused(&home, &bytes.repeat(2));
    assert!(error.to_string().contains("chained"), "{error}");
    // What other programs leave behind the end does no harm.
    assert_eq!(decoded(&home.path("a.opus"), &[bytes, vec![0; 3000]].concat()).unwrap().frames(), FRAMES);
}

#[test]
fn packets_that_are_no_opus_are_refused() {
    let home = Home::new();
    let bytes = fixture("sweep.opus");
    let last = pages(&bytes).pop().unwrap().start;
    // As many frames as the second byte says: none.
    let mut none = bytes.clone();
    let packet = body(&none, last);
    none[packet..packet + 2].copy_from_slice(&[0xff, 0]);
    // A page with one packet without a byte.
    let empty = [&bytes[..last + 26], &[1, 0]].concat();
    for bytes in [none, empty] {
        let error = refused(&home, &sealed(bytes));
        assert!(error.to_string().contains("no Opus, about 1.0 s"), "{error}");
    }
}

#[test]
fn packets_of_a_stranger_never_panic() {
    let home = Home::new();
    let mut dice = Dice::new(5);
    let mut byte = move || ((dice.next() * 0.5 + 0.5) * 255.999) as u8;
    for round in 0..200 {
        let mut bytes = fixture(if round % 2 == 0 { "sweep.opus" } else { "surround.opus" });
        for page in pages(&bytes).into_iter().skip(2) {
            let sound = body(&bytes, page.start)..page.end;
            for value in &mut bytes[sound] {
                // Some have nothing but mistakes, others a few.
                if round < 40 || byte() < round / 16 {
                    *value = byte();
                }
            }
        }
        if let Err(error) = decoded(&home.path("a.opus"), &sealed(bytes)) {
            assert_eq!(error.kind(), Kind::Input, "{error}");
            assert!(!error.to_string().contains("stumbles"), "{round}: {error}");
        }
    }
}
