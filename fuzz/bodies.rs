//! What is fuzzed: one function for each kind of bytes that may come from a stranger. Each must return, whatever the bytes are; what it
//! returns is of no interest. `cargo fuzz run NAME` runs one for as long as you like, tests/fuzz_smoke.rs all of them for a moment.
#![allow(dead_code)]

use std::io::{Cursor, Seek, Write};
use std::path::Path;

use latentd::config;
use latentd::media::audio::{self, Block};
use latentd::media::image::{Limits, decode};
use latentd::media::melody::{Choice, choose, midi};
use latentd::model::{Card, Kernel, Model, Place, sha256_hex};
use latentd::pipeline::CATALOG;

/// A pipeline's file.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parsed = config::Parsed::new(Path::new("fuzz.yaml"), text.as_ref(), &CATALOG);
    let report = config::Report::new(Path::new("fuzz.yaml"), parsed.text, parsed.problems);
    // The carets and colours too: they count characters in a stranger's text.
    let _ = (report.render(true), report.to_json(), report.to_string());
}

/// A picture, under a name that does not contradict it.
pub fn image(bytes: &[u8]) {
    let limits = Limits { max_pixels: 1 << 20, max_bytes: 1 << 24, max_alloc: 64 << 20, ..Limits::default() };
    let _ = decode::read(Cursor::new(bytes), Path::new("fuzz"), &limits);
}

/// A recording, of whatever container its first bytes tell, but no further than ten seconds of it: a header may promise any length, and silence
/// packs well.
pub fn sound(bytes: &[u8]) {
    let file = tempfile::tempfile().and_then(|mut file| {
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file)
    });
    // Without an ending a name contradicts nothing.
    let opened = file.ok().and_then(|file| audio::decode::read(file, Path::new("fuzz"), 1 << 24).ok());
    let Some(mut audio) = opened else { return };
    let mut block = Block::new(audio.format().channels);
    let mut frames = 0;
    while frames < 480_000 && audio.read(&mut block).is_ok() && !block.is_empty() {
        frames += block.frames();
    }
}

/// A tune, and its way out again.
pub fn tune(bytes: &[u8]) {
    if let Ok(melody) = midi::read(bytes) {
        let _ = (choose(&melody, Choice::Auto), midi::write(&melody, std::io::sink()));
    }
}

/// A model: its card up to a zero byte, then its network. The digest in the card is made to fit, or nothing behind it would be reached.
pub fn model(bytes: &[u8]) {
    let (card, onnx) = bytes.split_at(bytes.iter().position(|&byte| byte == 0).unwrap_or(0));
    let text = String::from_utf8_lossy(card);
    let _ = Card::from_yaml(&text);
    let card = include_str!("../models/upscale-photo-x2/card.yaml");
    if let Ok(mut card) = Card::from_yaml(card) {
        card.sha256 = sha256_hex(onnx);
        // What can be read is made ready for a size too: that is where most of tract's code is.
        let _ = Model::new(card, onnx, Place::Memory).and_then(|model| model.plan(16, 16, Kernel::Tract));
    }
}
