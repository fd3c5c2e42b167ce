//! What the service promises, measured: `cargo bench --bench service`. Times are wall-clock, so let the machine rest meanwhile.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Home, count, png, wait_for};

const LONG: Duration = Duration::from_secs(600);

fn main() {
    latency();
    backlog();
    idle();
}

/// From the writer's close to the finished result, with a stage that costs next to nothing, at 20 files a second.
fn latency() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let daemon = home.daemon(&pipeline, &[]);
    let bytes = png(16, 16);
    let mut closed = Vec::new();
    let begin = Instant::now();
    for n in 0..400u32 {
        std::thread::sleep((begin + Duration::from_millis(50) * n).saturating_duration_since(Instant::now()));
        fs::write(home.path(&format!("inbox/{n}.png")), &bytes).unwrap();
        closed.push(std::time::SystemTime::now());
    }
    wait_for("all results", LONG, || count(&home.path("outbox")) == 400);
    // The moment at which a result got its name is that of the last change to its inode.
    let mut waited: Vec<f64> = closed
        .iter()
        .enumerate()
        .map(|(n, closed)| {
            use std::os::unix::fs::MetadataExt;
            let metadata = fs::metadata(home.path(&format!("outbox/{n}.png"))).unwrap();
            let named = metadata.ctime() as f64 + metadata.ctime_nsec() as f64 / 1e9;
            (named - closed.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()) * 1e3
        })
        .collect();
    waited.sort_by(f64::total_cmp);
    let at = |share: f64| waited[((waited.len() - 1) as f64 * share) as usize];
    println!("close to result at 20 files/s: p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms", at(0.5), at(0.99), at(1.0));
    daemon.stop();
}

/// 100,000 files that are there already: from the start to the first result.
fn backlog() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let bytes = png(4, 4);
    for n in 0..100_000 {
        fs::write(home.path(&format!("inbox/{n}.png")), &bytes).unwrap();
    }
    // Older than what may still be being written.
    std::thread::sleep(Duration::from_secs(3));
    let begin = Instant::now();
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the first result", LONG, || {
        fs::read_dir(home.path("outbox")).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|e| e.file_name().to_string_lossy().ends_with(".png")))
        })
    });
    println!("100,000 files in the folder: first result after {:.2} s", begin.elapsed().as_secs_f64());
    println!("  resident then: {:.0} MB", resident(daemon.child.id()));
    daemon.stop();
}

/// A daemon with the shipped pipelines' models, one photo done, then left alone.
fn idle() {
    let home = Home::new();
    let stages = "denoise: { model: denoise-photo, sigma: 25 }, upscale: { model: upscale-photo-x2 }";
    let pipeline = home.pipeline("", stages, "");
    let daemon = home.daemon(&pipeline, &[]);
    println!("both photo models loaded: {:.0} MB", resident(daemon.child.id()));
    fs::write(home.path("inbox/a.png"), png(600, 400)).unwrap();
    wait_for("the result", LONG, || home.path("outbox/a.png").is_file());
    println!("after a photo: {:.0} MB", resident(daemon.child.id()));
    std::thread::sleep(Duration::from_secs(70));
    let (before, begin) = (processor_seconds(daemon.child.id()), Instant::now());
    std::thread::sleep(Duration::from_secs(60));
    let share = (processor_seconds(daemon.child.id()) - before) / begin.elapsed().as_secs_f64();
    println!("idle for two minutes: {:.0} MB, {:.2} % of one core", resident(daemon.child.id()), share * 100.0);
    daemon.stop();
}

fn resident(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// By the scheduler's own account of all threads, which knows nanoseconds.
fn processor_seconds(process: u32) -> f64 {
    let threads = fs::read_dir(Path::new(&format!("/proc/{process}/task"))).unwrap().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}
