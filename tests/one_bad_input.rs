//! One input, however bad, stops nobody: a stage that hangs or panics over it, or memory that it would take, costs that input alone.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Home, count, png, wait_for};
use crossbeam::channel::unbounded;
use latentd::durable::Stamp;
use latentd::media::{Media, MediaKind};
use latentd::pipeline::{Forgetful, Input, Job, Outcome, Pipeline, Pool};
use latentd::sink::FolderSink;
use latentd::source::FolderSource;
use latentd::stage::{Context, Stage};

const LONG: Duration = Duration::from_secs(120);

/// Hangs over pictures of width 7 until it is let go.
#[derive(Debug)]
struct Hangs(Arc<AtomicBool>);

impl Stage for Hangs {
    fn name(&self) -> &'static str {
        "hangs"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> latentd::Result<Vec<Media>> {
        while media.iter().any(|media| media.size().0 == 7) && !self.0.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(media)
    }
}

#[test]
fn a_stage_that_hangs_is_given_up_and_its_late_result_is_not_published() {
    let home = Home::new();
    let inbox = home.folder("inbox");
    let mut source = FolderSource::everything(&inbox);
    // Also for the three that are well, which a disk that is busy with something else may hold up for seconds.
    source.max_time = Duration::from_secs(10);
    let release = Arc::new(AtomicBool::new(false));
    let sink = FolderSink::new(&home.path("outbox"), MediaKind::Image);
    let pipeline = Arc::new(Pipeline::new("test", source, vec![Box::new(Hangs(Arc::clone(&release)))], sink));
    // With one worker alone, a hanging one would be the end.
    let pool = Pool::new(1).unwrap();
    let lane = pool.lane(1.0);
    let (sender, tickets) = unbounded();
    for (name, width) in [("a", 5), ("hangs", 7), ("b", 5), ("hangs too", 7), ("c", 5)] {
        let path = inbox.join(name).with_extension("png");
        fs::write(&path, png(width, 3)).unwrap();
        let stamp = Stamp::of(&path).unwrap();
        let relative = Path::new(name).with_extension("png");
        let inputs = vec![Input { path, relative, stamp }];
        lane.push(Job { pipeline: Arc::clone(&pipeline), inputs, ledger: Arc::new(Forgetful), home: sender.clone() });
    }
    drop(sender);
    let mut told = Vec::new();
    for ticket in (0..5).map(|_| tickets.recv_timeout(LONG).unwrap()) {
        let name = ticket.inputs[0].relative.display().to_string();
        match ticket.outcome {
            Outcome::Done(_) => told.push(name),
            Outcome::Failed { error, .. } => told.push(format!("{name}: {}", error.mend_text().unwrap())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told.len(), 5);
    assert_eq!(told.iter().filter(|told| told.contains("max_time")).count(), 2, "{told:?}");
    release.store(true, Ordering::Relaxed);
    pool.finish();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(count(&home.path("outbox")), 3);
    let left: Vec<_> = fs::read_dir(home.path("outbox")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing half-written is left either: {left:?}");
}

#[test]
fn what_would_take_too_much_memory_is_refused_by_its_header() {
    let home = Home::new();
    // 1000 x 1000 pixels take 3 MB, and 51 MB to enlarge fourfold.
    let pipeline = home.pipeline(", max_memory: 40MB", "upscale: { model: upscale-photo-x4 }", "");
    let daemon = home.daemon(&pipeline, &[]);
    let begin = Instant::now();
    fs::write(home.path("inbox/large.png"), png(1000, 1000)).unwrap();
    wait_for("it to be refused", LONG, || home.path("quarantine/large.png.error.txt").is_file());
    let note = fs::read_to_string(home.path("quarantine/large.png.error.txt")).unwrap();
    assert!(note.contains("takes 48 MiB of memory to work on; the limit is 38 MiB"), "{note}");
    assert!(begin.elapsed() < LONG);
    // A file that is too long is not even read for its digest.
    let file = fs::File::create(home.path("inbox/endless.png")).unwrap();
    file.set_len(1 << 40).unwrap();
    drop(file);
    wait_for("that one too", LONG, || home.path("quarantine/endless.png.error.txt").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

/// Only eight bits of three colors were counted, and enlarging by `resize` not at all.
#[test]
fn depth_opacity_and_resizing_count_as_memory() {
    let home = Home::new();
    let apply = |source: &str, stages: &str, picture: image::DynamicImage| {
        let pipeline = home.pipeline(source, stages, "");
        picture.save(home.path("inbox/a.png")).unwrap();
        let output = home.run(&["apply", pipeline.to_str().unwrap(), "inbox", "--out", "out"]);
        let _ = fs::remove_dir_all(home.path("out"));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let flat = || image::DynamicImage::ImageRgb8(image::RgbImage::new(500, 500));
    let deep = || image::DynamicImage::ImageRgba16(image::ImageBuffer::new(500, 500));
    // 500 x 500 pixels of 3 bytes and 4 times as many of 3; of 8 bytes with 16 bits and opacity: 3.75 MB, and 10 MB.
    let smaller = "resize: { long_side: 400 }";
    let larger = "resize: { long_side: 1000, enlarge: true }";
    assert!(!apply(", max_memory: 5MB", larger, flat()).contains("memory"));
    assert!(apply(", max_memory: 5MB", larger, deep()).contains("MiB of memory to work on"));
    assert!(apply(", max_memory: 3MB", larger, flat()).contains("MiB of memory to work on"));
    assert!(!apply(", max_memory: 3MB", smaller, flat()).contains("memory"));
}

/// A file is swapped for a link to a secret, again and again, while the daemon looks.
#[test]
fn a_race_between_check_and_use_reaches_no_secret() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 50ms, settle: 0", "resize: { long_side: 4 }", "");
    fs::write(home.path("secret.png"), png(5, 40)).unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    let inbox = home.path("inbox");
    for n in 0..300 {
        let name = inbox.join(format!("{}.png", n % 5));
        fs::write(inbox.join(".new"), png(40, 5)).unwrap();
        fs::rename(inbox.join(".new"), &name).unwrap();
        std::thread::sleep(Duration::from_millis(n % 13));
        std::os::unix::fs::symlink("../secret.png", inbox.join(".link")).unwrap();
        fs::rename(inbox.join(".link"), &name).unwrap();
        std::thread::sleep(Duration::from_millis(n % 7));
    }
    fs::write(inbox.join("last.png"), png(40, 5)).unwrap();
    wait_for("the last one", LONG, || home.path("outbox/last.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
    for name in common::files(&home.path("outbox")) {
        let (width, height) = image::image_dimensions(home.path("outbox").join(&name)).unwrap();
        assert!(width > height, "{} was made of the secret", name.display());
    }
    assert!(home.path("secret.png").is_file());
}

/// A folder of hostile files, none of which can have its result, let each of the others wait for a minute.
#[test]
fn a_result_that_cannot_be_written_costs_its_own_input_alone() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.path("inbox/a.png"), png(6, 6)).unwrap();
    wait_for("a result", LONG, || home.path("outbox/a.png").is_file());
    fs::remove_file(home.path("inbox/a.png")).unwrap();
    // Its results would lie in a folder of that name.
    let hostile = home.folder("stage/a.png");
    for n in 0..20 {
        fs::write(hostile.join(format!("{n}.png")), png(6, 6)).unwrap();
    }
    fs::rename(&hostile, home.path("inbox/a.png")).unwrap();
    wait_for("all of them to be put aside", LONG, || {
        (0..20).all(|n| home.path(&format!("quarantine/a.png/{n}.png.error.txt")).is_file())
    });
    fs::write(home.path("inbox/good.png"), png(6, 6)).unwrap();
    wait_for("the others' result", LONG, || home.path("outbox/good.png").is_file());
    let note = fs::read_to_string(home.path("quarantine/a.png/7.png.error.txt")).unwrap();
    assert!(note.contains("its result cannot be written") && note.contains("mend:   move away"), "{note}");
    assert_eq!(daemon.times("waiting, and trying again"), 0, "{}", daemon.log());
    assert_eq!((count(&home.path("outbox")), daemon.stop()), (2, Some(0)));
}

/// The system's signal ended the program, and half a result stayed.
#[test]
fn a_limit_of_file_sizes_is_told_like_a_full_disk() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 200 }", "");
    fs::write(home.path("small.png"), png(6, 6)).unwrap();
    fs::write(home.path("large.png"), png(300, 300)).unwrap();
    let mut command = home.latentd_by("sh", &["-c", "ulimit -f 16 && exec \"$0\" \"$@\""]);
    let output = command.args(["apply", "pipeline.yaml", "large.png", "small.png"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(73) && text.contains("File too large"), "{:?} {text}", output.status);
    assert!(text.contains("help: raise the limit"), "{text}");
    let left: Vec<_> = fs::read_dir(home.path("outbox")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(home.path("outbox/small.png").is_file() && left.len() == 1, "{left:?}");
}

/// Each of its names was looked into twice, and nothing was handed over nor heard meanwhile.
#[test]
fn a_folder_that_is_renamed_all_the_time_keeps_nobody_waiting() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    for n in 0..300 {
        fs::write(home.folder("inbox/deep").join(format!("{n}.tmp")), "").unwrap();
    }
    let daemon = home.daemon(&pipeline, &[]);
    let (over, names) = (AtomicBool::new(false), ["inbox/deep", "inbox/other"].map(|name| home.path(name)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::rename(&names[0], &names[1]).unwrap();
                fs::rename(&names[1], &names[0]).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let worked = catch_unwind(AssertUnwindSafe(|| {
            fs::write(home.path("inbox/a.png"), png(6, 6)).unwrap();
            wait_for("the result", LONG, || home.path("outbox/a.png").is_file());
            assert_eq!(daemon.stop(), Some(0));
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
    });
}
