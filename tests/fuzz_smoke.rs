//! The fuzz targets of fuzz/, on a stable compiler and for a moment: 10,000 arbitrary inputs each. A mutation is a real file with some bytes
//! changed, cut, doubled or put in from elsewhere, which comes further than noise does. `FUZZ_MINUTES=10` goes on for that long instead, with
//! other inputs each time.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../fuzz/bodies.rs"]
mod bodies;
mod common;

use common::{encoded, png, quietly};
use image::ImageFormat;

const INPUTS: u64 = 10_000;

/// Reproducible: the number of an input is all that it depends on.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn mutate(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random(number);
    if random.below(10) == 0 {
        return (0..random.below(300)).map(|_| random.next() as u8).collect();
    }
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes[at] = [0, 0xFF, 0x7F, 0x80, b'\n', b':'][random.below(6)],
            3 => bytes.truncate(at),
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let end = (from + random.below(64)).min(other.len());
                bytes.splice(at..at, other[from..end].to_vec());
            }
        }
    }
    bytes
}

/// Runs a body on all inputs, and says which one if it panics.
fn smoke(seeds: &[Vec<u8>], body: fn(&[u8])) {
    let minutes = std::env::var("FUZZ_MINUTES").ok().and_then(|text| text.parse::<f64>().ok());
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let (first, begin) = (if minutes.is_some() { clock } else { 0 }, std::time::Instant::now());
    let enough = |count: u64| match minutes {
        Some(minutes) => begin.elapsed().as_secs_f64() > minutes * 60.0,
        None => count >= INPUTS,
    };
    let mut count = 0;
    for number in (first..).take_while(|number| !enough(number - first)) {
        let bytes = mutate(seeds, number);
        let caught = quietly(|| body(&bytes));
        assert!(caught.is_ok(), "input {number} panics: {:?}", String::from_utf8_lossy(&bytes));
        count = number - first + 1;
    }
    println!("{count} inputs");
}

#[test]
fn no_pipeline_file_panics() {
    let mut paths: Vec<_> = std::fs::read_dir("pipelines").unwrap().map(|entry| entry.unwrap().path()).collect();
    // As the system lists them, an input's number would mean another one in another checkout.
    paths.sort();
    let files = paths.iter().map(|path| std::fs::read(path).unwrap());
    smoke(&files.filter(|bytes| bytes.len() < 4096).collect::<Vec<_>>(), bodies::config);
}

#[test]
fn no_picture_panics() {
    let mut seeds = vec![png(9, 7)];
    for format in [ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::Bmp, ImageFormat::WebP] {
        seeds.push(encoded(9, 7, format));
    }
    smoke(&seeds, bodies::image);
}

#[test]
fn no_recording_panics() {
    let spec =
        hound::WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
    (0..200).for_each(|n| writer.write_sample((n * 321 % 9999) as i16).unwrap());
    writer.finalize().unwrap();
    let mut seeds = vec![wav.into_inner()];
    for name in ["tones.flac", "tones.m4a", "tones.mp3", "tones.ogg", "sweep.opus"] {
        let mut bytes = std::fs::read(format!("tests/fixtures/audio/{name}")).unwrap();
        bytes.truncate(4096);
        seeds.push(bytes);
    }
    smoke(&seeds, bodies::sound);
}

#[test]
fn no_tune_panics() {
    let head = b"MThd\0\0\0\x06\0\x01\0\x02\0\x60";
    let tempo = b"MTrk\0\0\0\x13\0\xff\x51\x03\x07\xa1\x20\0\xff\x58\x04\x04\x02\x18\x08\0\xff\x2f\0";
    let notes = b"MTrk\0\0\0\x15\0\xff\x03\x01a\0\xc0\x05\0\x90\x3c\x64\x60\x40\x50\x60\x3c\0\0\x40\0\0\xff\x2f\0";
    smoke(&[[&head[..], tempo, notes].concat()], bodies::tune);
}

#[test]
fn no_model_panics() {
    let card = std::fs::read("models/upscale-photo-x2/card.yaml").unwrap();
    let onnx = tiny_onnx();
    let true_card = latentd::model::Card::from_yaml(std::str::from_utf8(&card).unwrap()).unwrap();
    let whole = latentd::model::Card { sha256: latentd::model::sha256_hex(&onnx), ..true_card };
    let model = latentd::model::Model::new(whole, &onnx, latentd::model::Place::Memory).unwrap();
    model.plan(16, 16, latentd::model::Kernel::Tract).expect("the seed itself must work, or nothing is tested");
    smoke(&[[&card[..], &[0], &onnx].concat(), [&[0], &onnx[..]].concat()], bodies::model);
}

/// A network in few bytes, for mutations to reach all of it: a convolution to 12 channels, put together to a picture twice as large. Written by
/// hand in the format of protocol buffers, by the numbers of onnx.proto.
fn tiny_onnx() -> Vec<u8> {
    fn varint(mut n: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while n >= 128 {
            bytes.push(n as u8 | 128);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    }
    let int = |field: u64, n: u64| [varint(field << 3), varint(n)].concat();
    let block = |field: u64, b: &[u8]| [varint(field << 3 | 2), varint(b.len() as u64), b.to_vec()].concat();
    let text = |field: u64, t: &str| block(field, t.as_bytes());
    let ints = |name: &str, list: &[u64]| {
        let list: Vec<u8> = list.iter().flat_map(|&n| int(8, n)).collect();
        block(5, &[text(1, name), list, int(20, 7)].concat())
    };
    let port = |field: u64, name: &str, dims: [&str; 2]| {
        let fixed = [1, 3].iter().flat_map(|&n| block(1, &int(1, n))).collect::<Vec<u8>>();
        let free = dims.iter().flat_map(|d| block(1, &text(2, d))).collect::<Vec<u8>>();
        let tensor = [int(1, 1), block(2, &[fixed, free].concat())].concat();
        block(field, &[text(1, name), block(2, &block(1, &tensor))].concat())
    };
    let attributes = [ints("pads", &[1, 1, 1, 1]), ints("kernel_shape", &[3, 3])].concat();
    let convolution = [text(1, "image"), text(1, "weights"), text(2, "wide"), text(4, "Conv"), attributes].concat();
    let block_size = block(5, &[text(1, "blocksize"), int(3, 2), int(20, 2)].concat());
    let shuffle = [text(1, "wide"), text(2, "output"), text(4, "DepthToSpace"), block_size].concat();
    let dims: Vec<u8> = [12, 3, 3, 3].iter().flat_map(|&n| int(1, n)).collect();
    let weights = [dims, int(2, 1), text(8, "weights"), block(9, &[0; 12 * 3 * 3 * 3 * 4])].concat();
    let ports = [port(11, "image", ["H", "W"]), port(12, "output", ["H2", "W2"])].concat();
    let graph = [block(1, &convolution), block(1, &shuffle), text(2, "tiny"), block(5, &weights), ports].concat();
    [int(1, 8), block(8, &int(2, 17)), block(7, &graph)].concat()
}
