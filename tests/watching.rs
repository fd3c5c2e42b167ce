//! Nothing dropped into the folder is missed, taken too early, or done twice.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::time::Duration;

use common::{Daemon, Home, count, files, png, wait_for, wait_for_count};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(240);
const SMALL: &str = "resize: { long_side: 4 }";

#[test]
fn eight_thousand_files_at_once_are_all_done_once() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    let bytes = png(6, 6);
    for n in 0..8000 {
        fs::write(home.path(&format!("inbox/{n}.png")), &bytes).unwrap();
    }
    let outbox = home.path("outbox");
    wait_for_count("results", 8000, LONG, || count(&outbox));
    assert_eq!(daemon.stop(), Some(0));
    let expected: std::collections::BTreeSet<_> = (0..8000).map(|n| format!("{n}.png").into()).collect();
    assert_eq!(files(&outbox).into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
    assert_eq!(count(&home.path("inbox")), 8000, "originals are kept");
}

#[test]
fn nested_folders_made_at_once_are_mirrored() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    let bytes = png(6, 6);
    for a in 0..5 {
        let deep = home.folder(&format!("inbox/{a}/b/c/d"));
        for n in 0..10 {
            fs::write(deep.join(format!("{n}.png")), &bytes).unwrap();
        }
    }
    // A whole tree moved in sends one message, for its top.
    let tree = home.folder("made elsewhere/x/y");
    fs::write(tree.join("moved.png"), &bytes).unwrap();
    fs::rename(home.path("made elsewhere"), home.path("inbox/arrived")).unwrap();
    let outbox = home.path("outbox");
    wait_for("51 results", LONG, || count(&outbox) >= 51);
    assert!(outbox.join("3/b/c/d/7.png").is_file() && outbox.join("arrived/x/y/moved.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_slow_writer_is_waited_for() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", SMALL, "");
    let mut daemon = home.daemon(&pipeline, &[]);
    let bytes = png(40, 40);
    let mut file = fs::File::create(home.path("inbox/slow.png")).unwrap();
    for piece in bytes.chunks(bytes.len() / 6 + 1) {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(count(&home.path("outbox")), 0, "taken before its writer was done");
    }
    drop(file);
    wait_for("the result", LONG, || count(&home.path("outbox")) == 1);
    assert!(daemon.alive());
    assert_eq!(count(&home.path("quarantine")), 0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Its writer was there before the daemon, so no message will tell of it, and it rests for as long as it likes.
#[test]
fn a_file_that_somebody_has_open_is_waited_for_however_old_it_is() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 100ms", SMALL, "");
    let bytes = png(40, 40);
    let path = home.path("inbox/open.png");
    fs::write(&path, &bytes[..50]).unwrap();
    if latentd::source::has_writer(&path).is_none() {
        eprintln!("skipped: this file system has no leases");
        return;
    }
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    fs::write(home.path("inbox/other.png"), &bytes).unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the other one", LONG, || count(&home.path("outbox")) == 1);
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(queue(&home)["settling"], 1, "{}", daemon.log());
    }
    file.write_all(&bytes[50..]).unwrap();
    drop(file);
    wait_for("the result", LONG, || count(&home.path("outbox")) == 2);
    assert_eq!(count(&home.path("quarantine")), 0);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn renamed_copied_and_linked_files_are_taken() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 300ms", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    let bytes = png(6, 6);
    fs::write(home.path("elsewhere.png"), &bytes).unwrap();
    fs::hard_link(home.path("elsewhere.png"), home.path("inbox/linked.png")).unwrap();
    fs::copy(home.path("elsewhere.png"), home.path("inbox/copied.png")).unwrap();
    // The way of careful programs: a hidden or unfinished name first, then the true one.
    for (before, after) in [(".hidden.png", "a.png"), ("b.png.part", "b.png"), ("c.tmp", "c.png")] {
        fs::write(home.path("inbox").join(before), &bytes).unwrap();
        std::thread::sleep(Duration::from_millis(400));
        fs::rename(home.path("inbox").join(before), home.path("inbox").join(after)).unwrap();
    }
    fs::rename(home.path("elsewhere.png"), home.path("inbox/moved.png")).unwrap();
    wait_for("6 results", LONG, || count(&home.path("outbox")) >= 6);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(count(&home.path("outbox")), 6);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn files_present_at_the_start_are_done_and_not_again_after_a_restart() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    for n in 0..20 {
        fs::write(home.path(&format!("inbox/{n}.png")), png(6, 6)).unwrap();
    }
    let outbox = home.path("outbox");
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("20 results", LONG, || count(&outbox) == 20);
    // The last line of the journal is written after the last result.
    wait_for("the journal", LONG, || daemon.log().matches(" -> ").count() >= 20);
    assert_eq!(daemon.stop(), Some(0));

    fs::write(home.path("inbox/3.png"), png(8, 8)).unwrap();
    fs::write(home.path("inbox/new.png"), png(6, 6)).unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the new and the changed one", LONG, || count(&outbox) == 22);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(count(&outbox), 22);
    assert!(outbox.join("3-1.png").is_file(), "a result never replaces another");

    let daemon = home.daemon(&pipeline, &["--again"]);
    wait_for("all once more", LONG, || count(&outbox) == 22 + 21);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_polled_folder_needs_no_messages() {
    let home = Home::new();
    let pipeline = home.pipeline(", poll: 200ms, quiet: 300ms", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.folder("inbox/deep/er").join("a.png"), png(6, 6)).unwrap();
    let mut file = fs::File::create(home.path("inbox/grows.png")).unwrap();
    let bytes = png(30, 30);
    for piece in bytes.chunks(bytes.len() / 8 + 1) {
        file.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(120));
    }
    drop(file);
    wait_for("2 results", LONG, || count(&home.path("outbox")) == 2);
    assert_eq!(count(&home.path("quarantine")), 0);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn own_results_are_not_taken_as_input() {
    let home = Home::new();
    // Allowed, since only the top of the folder is watched.
    let text = "name: inside\nsource:\n  folder: { path: ./inbox, recursive: false }\nstages: [resize: { long_side: 4 }]\nsink:\n  folder: { path: ./inbox/done }\n";
    fs::write(home.path("pipeline.yaml"), text).unwrap();
    home.folder("inbox");
    let daemon = home.daemon(&home.path("pipeline.yaml"), &[]);
    fs::write(home.path("inbox/a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("inbox/done/a.png").is_file());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count(&home.path("inbox")), 2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn originals_go_where_the_pipeline_says() {
    for (setting, left, moved) in [("keep", 1, 0), ("delete", 0, 0), ("{ move: ./originals }", 0, 1)] {
        let home = Home::new();
        let pipeline = home.pipeline("", SMALL, &format!(", originals: {setting}"));
        let daemon = home.daemon(&pipeline, &[]);
        fs::write(home.folder("inbox/deep").join("a.png"), png(6, 6)).unwrap();
        wait_for("the result", LONG, || daemon.log().contains(" -> "));
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(count(&home.path("inbox")), left, "{setting}");
        assert_eq!(files(&home.path("originals")).len(), moved, "{setting}");
        assert!(home.path("outbox/deep/a.png").is_file());
    }
}

/// A daemon whose one original cannot be moved, since a file is in the way.
fn stuck(home: &Home, source: &str) -> Daemon {
    let pipeline = home.pipeline(source, SMALL, ", originals: { move: ./originals }");
    fs::write(home.folder("originals").join("deep"), "in the way").unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.folder("inbox/deep").join("a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("outbox/deep/a.png").is_file());
    wait_for("the status", LONG, || asked(home).contains("1 whose originals stay"));
    daemon
}

/// How many files of the only pipeline are where.
fn queue(home: &Home) -> Value {
    let status: Value = serde_json::from_slice(&home.run(&["status", "--json"]).stdout).unwrap();
    status["pipelines"][0]["queue"].clone()
}

fn asked(home: &Home) -> String {
    String::from_utf8(home.run(&["status"]).stdout).unwrap()
}

/// They were left until the next start, and the status was that of a pipeline that does what it should.
#[test]
fn originals_that_cannot_be_moved_are_told_and_tried_again() {
    let home = Home::new();
    let daemon = stuck(&home, "");
    let asked = || asked(&home);
    assert!(asked().contains("test: running (originals stay: "), "{}", asked());
    fs::remove_file(home.path("originals/deep")).unwrap();
    wait_for("the original to go", LONG, || home.path("originals/deep/a.png").is_file());
    wait_for("the status", LONG, || asked().contains("test: running\n") && !asked().contains("originals stay"));
    assert_eq!((count(&home.path("inbox")), count(&home.path("outbox"))), (0, 1));
    assert_eq!(daemon.stop(), Some(0));
}

/// Of a folder that was away it was taken for granted that the originals in it had gone, and they stayed for good.
#[test]
fn originals_in_a_folder_that_is_away_are_not_forgotten() {
    let home = Home::new();
    let daemon = stuck(&home, ", poll: 200ms");
    let asked = || asked(&home);
    fs::rename(home.path("inbox"), home.path("away")).unwrap();
    wait_for("the folder to be missed", LONG, || asked().contains("the folder is gone"));
    // Longer than they wait at first until they are tried again.
    std::thread::sleep(Duration::from_secs(4));
    assert!(asked().contains("1 whose originals stay"), "{}", asked());
    fs::remove_file(home.path("originals/deep")).unwrap();
    fs::rename(home.path("away"), home.path("inbox")).unwrap();
    wait_for("the original to go", LONG, || home.path("originals/deep/a.png").is_file());
    wait_for("the status", LONG, || !asked().contains("originals stay"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn status_tells_by_its_exit_code_whether_something_waits() {
    let home = Home::new();
    let pipeline = home.pipeline(", poll: 100ms", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    let code = || home.run(&["status"]).status.code();
    wait_for("all to be well", LONG, || code() == Some(0));
    fs::rename(home.path("inbox"), home.path("away")).unwrap();
    wait_for("the folder to be missed", LONG, || code() == Some(75));
    assert!(String::from_utf8_lossy(&home.run(&["status"]).stdout).contains("test: waiting (the folder is gone)"));
    fs::rename(home.path("away"), home.path("inbox")).unwrap();
    wait_for("all to be well again", LONG, || code() == Some(0));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_first_signal_finishes_what_is_begun() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    for n in 0..300 {
        fs::write(home.path(&format!("inbox/{n}.png")), png(300, 300)).unwrap();
    }
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("some results", LONG, || count(&home.path("outbox")) > 3);
    assert_eq!(daemon.stop(), Some(0));
    let leftovers = fs::read_dir(home.path("outbox")).unwrap().flatten();
    assert!(leftovers.map(|e| e.file_name()).all(|n| !n.to_string_lossy().ends_with(".partial")));
    for result in files(&home.path("outbox")) {
        image::open(home.path("outbox").join(result)).unwrap();
    }
}

#[test]
fn the_second_signal_ends_at_once() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 10ms", "upscale: { model: upscale-photo-x4 }", "");
    fs::write(home.path("inbox/large.png"), png(3000, 2000)).unwrap();
    // As a service manager ends it, and as Ctrl-C does.
    for (signal, code) in [("-TERM", 128 + 15), ("-INT", 128 + 2)] {
        let mut daemon = home.daemon(&pipeline, &["-j", "1"]);
        wait_for("the work to begin", LONG, || queue(&home)["working"] == 1);
        // It is handed over by then; the only worker has nothing else to do than to take it.
        std::thread::sleep(Duration::from_millis(700));
        daemon.signal(signal);
        std::thread::sleep(Duration::from_millis(300));
        assert!(daemon.alive(), "the first signal lets it finish what is begun");
        daemon.signal(signal);
        assert_eq!(daemon.end(), Some(code));
        assert_eq!(count(&home.path("outbox")), 0, "nothing half-written under a true name");
        assert!(home.path("inbox/large.png").is_file());
    }
}

/// Two daemons on one pipeline would do every file twice.
#[test]
fn a_second_daemon_on_the_same_pipeline_is_refused() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    let output = home.run(&["run", pipeline.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(daemon.stop(), Some(0));
}

/// A sink around the source made the source blind.
#[test]
fn a_sink_around_the_source_is_no_hindrance() {
    let home = Home::new();
    home.folder("photos/inbox");
    let text = "name: around\nsource:\n  folder: { path: ./photos/inbox }\nstages: [resize: { long_side: 4 }]\nsink:\n  folder: { path: ./photos }\n";
    fs::write(home.path("pipeline.yaml"), text).unwrap();
    let daemon = home.daemon(&home.path("pipeline.yaml"), &[]);
    fs::write(home.path("photos/inbox/a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("photos/a.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

/// A folder that is taken away and made anew was watched no longer.
#[test]
fn a_folder_that_is_replaced_is_watched_again() {
    let home = Home::new();
    let pipeline = home.pipeline(", poll: 300ms, quiet: 100ms", SMALL, "");
    let mut daemon = home.daemon(&pipeline, &[]);
    fs::rename(home.path("inbox"), home.path("away")).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert!(daemon.alive());
    fs::write(home.folder("inbox").join("a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("outbox/a.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

/// It often has the same inode then, by which it was taken for the one before: every file waited for the next look, and nothing was said.
#[test]
fn a_folder_that_is_made_anew_at_once_is_watched_again() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 100ms", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    let inbox = home.path("inbox");
    for n in 1..=3 {
        fs::remove_dir(&inbox).unwrap();
        fs::create_dir(&inbox).unwrap();
        wait_for("it to be watched again", LONG, || daemon.times("is back") >= n);
    }
    fs::write(inbox.join("a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("outbox/a.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

/// What came in a folder called as the inbox was mirrored into the inbox, and its result taken as the next input.
#[test]
fn a_result_that_would_be_the_next_input_is_refused() {
    let home = Home::new();
    home.folder("photos/inbox/inbox");
    let text = "name: around\nsource:\n  folder: { path: ./photos/inbox }\nstages: [resize: { long_side: 4 }]\nsink:\n  folder: { path: ./photos }\n";
    fs::write(home.path("pipeline.yaml"), text).unwrap();
    let daemon = home.daemon(&home.path("pipeline.yaml"), &[]);
    fs::write(home.path("photos/inbox/inbox/a.png"), png(6, 6)).unwrap();
    fs::write(home.path("photos/inbox/b.png"), png(6, 6)).unwrap();
    let note = home.path("quarantine/inbox/a.png.error.txt");
    wait_for("it to be put aside", LONG, || note.is_file() && home.path("photos/b.png").is_file());
    assert!(fs::read_to_string(note).unwrap().contains("taken as an input"));
    assert!(!home.path("photos/inbox/a.png").exists());
    assert_eq!(daemon.stop(), Some(0));
}

/// A file that was never closed kept it from ending.
#[test]
fn draining_waits_for_nobody_who_still_writes() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let mut daemon = home.daemon(&pipeline, &[]);
    let bytes = png(60, 60);
    let mut open = fs::File::create(home.path("inbox/open.png")).unwrap();
    std::io::Write::write_all(&mut open, &bytes[..100]).unwrap();
    fs::write(home.path("inbox/whole.png"), &bytes).unwrap();
    assert_eq!(home.run(&["drain"]).status.code(), Some(0));
    assert_eq!(daemon.end(), Some(0));
    assert!(home.path("outbox/whole.png").is_file() && home.path("inbox/open.png").is_file());
    assert_eq!(count(&home.path("outbox")) + count(&home.path("quarantine")), 1);
    drop(open);
}
