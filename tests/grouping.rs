//! `group: N` makes one job of N files, in an order that does not change, and none is lost or done twice by it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use common::{Home, count, files, png, wait_for};

const LONG: Duration = Duration::from_secs(120);
const SMALL: &str = "resize: { long_side: 4 }";
const NAMED: &str = ", name: \"{stem}-{index}.{ext}\"";

fn names(home: &Home) -> Vec<String> {
    files(&home.path("outbox")).iter().map(|p| p.to_string_lossy().into_owned()).collect()
}

#[test]
fn files_that_are_there_at_the_start_are_grouped_by_name_and_a_lone_one_waits() {
    let home = Home::new();
    let pipeline = home.pipeline(", group: 2", SMALL, NAMED);
    for name in ["d", "a", "c", "b", "e"] {
        let path = home.path(&format!("inbox/{name}.png"));
        fs::write(&path, png(6, 6)).unwrap();
        // Long at rest: what was written a moment ago becomes ready one by one.
        let hour = std::time::SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().write(true).open(&path).unwrap().set_modified(hour).unwrap();
    }
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("two groups", LONG, || count(&home.path("outbox")) == 4);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(names(&home), ["a+b-1.png", "a+b-2.png", "c+d-1.png", "c+d-2.png"]);
    fs::write(home.path("inbox/late.png"), png(6, 6)).unwrap();
    wait_for("the lone one and its partner", LONG, || home.path("outbox/e+late-2.png").is_file());
    assert_eq!(count(&home.path("inbox")), 6);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_bad_file_is_put_aside_and_its_partners_wait_for_another() {
    let home = Home::new();
    let pipeline = home.pipeline(", group: 3", SMALL, NAMED);
    for (name, bytes) in [("a", png(6, 6)), ("b", b"no picture".to_vec()), ("c", png(6, 6))] {
        fs::write(home.path(&format!("inbox/{name}.png")), bytes).unwrap();
    }
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the bad one in quarantine", LONG, || home.path("quarantine/b.png.error.txt").is_file());
    fs::write(home.path("inbox/d.png"), png(6, 6)).unwrap();
    wait_for("the group", LONG, || count(&home.path("outbox")) == 3);
    assert_eq!(names(&home), ["a+c+d-1.png", "a+c+d-2.png", "a+c+d-3.png"]);
    assert_eq!(daemon.stop(), Some(0));
}

/// All of its group went to quarantine with it.
#[test]
fn a_file_whose_result_fits_no_format_is_put_aside_alone() {
    let home = Home::new();
    let name = ", name: \"{stem}-{index}.webp\"";
    let pipeline = home.pipeline(", group: 2", "resize: { long_side: 20000 }", name);
    for (name, width) in [("a", 6), ("b", 17_000)] {
        fs::write(home.path(&format!("inbox/{name}.png")), png(width, 1)).unwrap();
    }
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the one that is too wide in quarantine", LONG, || home.path("quarantine/b.png.error.txt").is_file());
    let note = fs::read_to_string(home.path("quarantine/b.png.error.txt")).unwrap();
    assert!(note.contains("WebP holds at most"), "{note}");
    fs::write(home.path("inbox/c.png"), png(6, 1)).unwrap();
    wait_for("the group", LONG, || count(&home.path("outbox")) == 2);
    assert!(!home.path("quarantine/a.png").exists());
    assert_eq!(names(&home), ["a+c-1.webp", "a+c-2.webp"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn apply_groups_in_the_order_given_and_refuses_a_remainder() {
    let home = Home::new();
    let pipeline = home.pipeline(", group: 2", SMALL, NAMED);
    let pipeline = pipeline.to_str().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(home.path(&format!("{name}.png")), png(6, 6)).unwrap();
    }
    let output = home.run(&["apply", pipeline, "c.png", "a.png", "b.png"]);
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("in groups of 2, and there are 3") && text.contains("leave out 1, or add 1"), "{text}");
    assert_eq!(count(&home.path("outbox")), 0);
    let output = home.run(&["apply", pipeline, "c.png", "a.png", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["inputs"], serde_json::json!(["c.png", "a.png"]));
    let expected: Vec<PathBuf> = ["c+a-1.png", "c+a-2.png"].iter().map(PathBuf::from).collect();
    assert_eq!(files(&home.path("outbox")), expected);
}
