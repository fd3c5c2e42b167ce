//! What a folder of photos costs from end to end: `cargo bench --bench folder`.
//!
//! Prints how much faster two workers are than one over pictures of mixed sizes; how much processor time `apply` takes beyond decoding, the
//! network and encoding alone; and peak memory against megapixels.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::Home;
use latentd::crew::Crew;
use latentd::media::image::{EncodeOptions, Format, Limits, decode, encode};
use latentd::media::{Media, MediaKind};
use latentd::model::Models;
use latentd::pipeline::Pipeline;

const STAGES: &str = "denoise: { model: denoise-photo-fast, sigma: 15 }";

/// Wall time, processor time and peak memory in MiB of a command.
struct Cost {
    wall: f64,
    processor: f64,
    memory: f64,
}

fn main() {
    mixed_sizes();
    beyond_the_network();
    memory();
}

fn mixed_sizes() {
    let home = Home::new();
    let pipeline = home.pipeline("", STAGES, "");
    for n in 0..12 {
        let (width, height) = [(640, 480), (1024, 768), (1600, 1200), (2400, 1600)][n % 4];
        photo(&home, &format!("{n}.jpg"), width, height);
    }
    let cost = |threads: &str| (0..2).map(|_| apply(&home, &pipeline, threads).wall).fold(f64::INFINITY, f64::min);
    let (one, two) = (cost("1"), cost("2"));
    println!("12 photos of mixed sizes: {one:.2} s on one worker, {two:.2} s on two: {:.2} times as fast", one / two);
}

fn beyond_the_network() {
    let home = Home::new();
    let file = home.pipeline("", STAGES, "");
    for n in 0..50 {
        photo(&home, &format!("{n}.jpg"), 1152, 864);
    }
    let whole = apply(&home, &file, "1").processor;
    // By the kernel that `apply` is told by its environment here.
    let pipeline = Pipeline::load(&file, &Models::default()).map_err(latentd::Error::from).unwrap();
    assert_eq!(pipeline.takes, MediaKind::Image);
    let before = processor(false);
    for n in 0..50 {
        let path = home.path(&format!("inbox/{n}.jpg"));
        let image = decode::read(File::open(&path).unwrap(), &path, &Limits::default()).unwrap();
        let result = pipeline.process(vec![Media::Image(image)], &Crew::alone()).unwrap().remove(0);
        let Media::Image(result) = result else { panic!("a picture") };
        let mut out = std::io::Cursor::new(Vec::new());
        encode::write(&result, Format::Jpeg, &EncodeOptions::default(), &mut out).unwrap();
    }
    let alone = processor(false) - before;
    let more = (whole / alone - 1.0) * 100.0;
    println!(
        "50 JPEGs of 1 megapixel: apply {whole:.2} s of processor time, decode + network + encode {alone:.2} s: {more:+.1} %"
    );
}

fn memory() {
    for (width, height) in [(1152, 864), (3000, 2000), (6000, 4000), (12_000, 8333)] {
        let home = Home::new();
        let pipeline = home.pipeline("", STAGES, "");
        photo(&home, "photo.jpg", width, height);
        let cost = apply(&home, &pipeline, "2");
        let megapixels = f64::from(width * height) / 1e6;
        println!("{megapixels:5.0} megapixels: {:5.0} MiB at most, {:.1} s", cost.memory, cost.wall);
    }
}

fn photo(home: &Home, name: &str, width: u32, height: u32) {
    let bytes = common::encoded(width, height, image::ImageFormat::Jpeg);
    std::fs::write(home.path("inbox").join(name), bytes).unwrap();
}

fn apply(home: &Home, pipeline: &std::path::Path, threads: &str) -> Cost {
    let (start, before) = (Instant::now(), processor(true));
    let mut child = home
        .latentd()
        .arg("apply")
        .arg(pipeline)
        .args(["inbox", "--out", "out", "-j", threads])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0.0f64;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with("VmHWM")).and_then(|l| l.split_whitespace().nth(1));
        memory = memory.max(line.map_or(0.0, |kib| kib.parse::<f64>().unwrap() / 1024.0));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    let cost = Cost { wall: start.elapsed().as_secs_f64(), processor: processor(true) - before, memory };
    std::fs::remove_dir_all(home.path("out")).unwrap();
    cost
}

/// Seconds of processor time of this process, or of its children that have ended (fields 14 to 17 of proc(5)'s stat, in ticks of 10 ms).
fn processor(children: bool) -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    let at = if children { 13 } else { 11 };
    fields[at..at + 2].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
