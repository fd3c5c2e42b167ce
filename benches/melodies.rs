//! What a walk of nine steps between two tunes of 16 bars costs, start of the program included: `cargo bench --bench melodies`.
#![allow(missing_docs)]

#[path = "../tests/melody_common/mod.rs"]
mod melody_common;

use std::process::{Command, Stdio};
use std::time::Instant;

use melody_common::{JACQUES, MAMAN, repeated, save, tune};

/// Processor time of all child processes that have ended, in seconds.
fn children() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = text.rsplit(')').next().unwrap_or_default();
    // Fields 16 and 17 of proc(5), of which the first two lie before the name's end: in hundredths of a second.
    after_name.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = [("a.mid", MAMAN), ("b.mid", JACQUES)].map(|(name, text)| {
        let path = folder.path().join(name);
        save(&repeated(&tune(text), 2), &path);
        path
    });
    for (model, options) in [
        ("melody-2bar", vec!["--no-wav", "--no-png"]),
        ("melody-16bar", vec!["--no-wav", "--no-png"]),
        ("melody-2bar", vec!["--no-wav"]),
        ("melody-2bar", vec![]),
    ] {
        let (mut cpu, mut wall) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..5 {
            let (before, begun) = (children(), Instant::now());
            let status = Command::new(env!("CARGO_BIN_EXE_latentd"))
                .arg("interpolate")
                .args([&a, &b])
                .args(["--model", model, "--steps", "9", "--out"])
                .arg(folder.path().join("morph"))
                .args(&options)
                .stdout(Stdio::null())
                .status()
                .expect("the program runs");
            assert!(status.success(), "{model}");
            cpu = cpu.min(children() - before);
            wall = wall.min(begun.elapsed().as_secs_f64());
        }
        println!("{model:14} 9 steps between 2 x 16 bars {:18} {cpu:5.2} s CPU, {wall:5.2} s", options.join(" "));
    }
}
