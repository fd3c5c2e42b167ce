//! What could not be worked on can be listed, looked into, tried again and thrown away.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use common::{Daemon, Home, count, png, wait_for};

const LONG: Duration = Duration::from_secs(120);

fn text(home: &Home, args: &[&str], code: i32) -> String {
    let output = home.run(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
    format!("{out}{err}")
}

#[test]
fn list_show_retry_and_purge() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    let of = ["--pipeline", "pipeline.yaml"];
    let daemon = home.daemon(&pipeline, &[]);
    let whole = png(20, 20);
    let long = format!("{}.png", "n".repeat(250));
    fs::write(home.folder("inbox/deep").join("cut.png"), &whole[..whole.len() / 2]).unwrap();
    for name in ["b.png", "c.png", long.as_str()] {
        fs::write(home.path("inbox").join(name), "no picture").unwrap();
    }
    wait_for("four in quarantine", LONG, || count(&home.path("quarantine")) == 8);

    let list = text(&home, &[&["quarantine", "list"], &of[..]].concat(), 0);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 4, "{list}");
    assert!(lines[0].starts_with("test: b.png: "), "{list}");
    for name in ["b.png", "cut.png", long.as_str()] {
        assert_eq!(list.matches(name).count(), 1, "told once: {list}");
    }
    assert!(list.contains("test: deep/cut.png: ") && list.contains(&long) && !list.contains("not here"), "{list}");
    assert_eq!(text(&home, &["quarantine", "list"], 0), list, "the daemon tells which pipelines it has");
    let json = text(&home, &[&["quarantine", "list", "--json"], &of[..]].concat(), 0);
    let mut paths = Vec::new();
    for line in json.lines() {
        let kept: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(kept["reason"].is_string() && kept["file"].is_string(), "{line}");
        paths.push(kept["file"].as_str().unwrap().to_owned());
    }
    // A program knows them by these.
    for path in &paths {
        let shown = text(&home, &[&["quarantine", "show", path.as_str()], &of[..]].concat(), 0);
        assert_eq!(shown.matches("reason:").count(), 1, "{path}: {shown}");
    }
    let shown = text(&home, &[&["quarantine", "show", "deep/cut.png"], &of[..]].concat(), 0);
    assert!(shown.contains("reason:") && shown.contains("deep/cut.png"), "{shown}");
    assert!(text(&home, &[&["quarantine", "show", "none.png"], &of[..]].concat(), 66).contains("quarantine list"));

    // Mended where it lies, and tried again.
    fs::write(home.path("quarantine/deep/cut.png"), &whole).unwrap();
    text(&home, &[&["quarantine", "retry", "deep/cut.png"], &of[..]].concat(), 0);
    wait_for("its result", LONG, || home.path("outbox/deep/cut.png").is_file());
    assert!(!home.path("quarantine/deep/cut.png.error.txt").exists());
    // Not mended: it comes back with its reason.
    text(&home, &[&["quarantine", "retry", "b.png"], &of[..]].concat(), 0);
    // The reason comes first.
    wait_for("it to come back", LONG, || {
        ["b.png", "b.png.error.txt"].iter().all(|name| home.path("quarantine").join(name).is_file())
    });

    let path = paths.iter().find(|path| path.ends_with("/c.png")).unwrap();
    text(&home, &[&["quarantine", "purge", path.as_str()], &of[..]].concat(), 0);
    assert!(!home.path("quarantine/c.png").exists());
    assert_eq!(count(&home.path("quarantine")), 4);
    text(&home, &[&["quarantine", "purge", "--all"], &of[..]].concat(), 0);
    assert_eq!(count(&home.path("quarantine")), 0);
    assert_eq!(text(&home, &[&["quarantine", "list"], &of[..]].concat(), 0), "");
    text(&home, &[&["quarantine", "purge"], &of[..]].concat(), 64);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn names_that_meet_in_quarantine_are_kept_apart_each_with_its_reason() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    let daemon = home.daemon(&pipeline, &[]);
    for round in 1..=3 {
        fs::write(home.path("inbox/a.png"), format!("no picture {round}")).unwrap();
        wait_for("it to go", LONG, || count(&home.path("quarantine")) == 2 * round);
    }
    for (round, name) in ["a.png", "a-1.png", "a-2.png"].iter().enumerate() {
        let kept = fs::read_to_string(home.path("quarantine").join(name)).unwrap();
        assert_eq!(kept, format!("no picture {}", round + 1));
        let note = fs::read_to_string(home.path("quarantine").join(format!("{name}.error.txt"))).unwrap();
        assert!(note.contains(&format!("quarantine/{name}")), "{note}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// `retry --all` put recordings into a folder of photos, and `purge --all` deleted what was another pipeline's.
#[test]
fn each_pipeline_has_its_own_in_a_quarantine_that_several_share() {
    let home = Home::new();
    for name in ["one", "two"] {
        let text = format!(
            "name: {name}\nsource: {{folder: {{path: ../{name}-in, quiet: 200ms}}}}\nstages: [resize: {{long_side: 4}}]\nsink: {{folder: {{path: ../{name}-out, quarantine: ../bad}}}}\n"
        );
        fs::write(home.folder("pipelines").join(format!("{name}.yaml")), text).unwrap();
        fs::write(home.folder(&format!("{name}-in")).join(format!("{name}.png")), "no picture").unwrap();
    }
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    wait_for("both in quarantine", LONG, || count(&home.path("bad")) == 4);
    assert_eq!(daemon.stop(), Some(0));
    let list = text(&home, &["quarantine", "list", "-p", "pipelines"], 0);
    assert!(list.starts_with("one: one.png: ") && list.contains("\ntwo: two.png: "), "{list}");
    text(&home, &["quarantine", "purge", "--all", "-p", "pipelines/one.yaml"], 0);
    assert!(!home.path("bad/one.png").exists() && home.path("bad/two.png").exists());
    text(&home, &["quarantine", "retry", "--all", "-p", "pipelines"], 0);
    assert!(home.path("two-in/two.png").exists() && !home.path("one-in/two.png").exists());
}

/// The reason of one file was written over another file, or over the reason of another.
#[test]
fn a_reason_is_never_written_over_anything_else() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.path("inbox/a.png.error.txt"), "a letter").unwrap();
    wait_for("the letter to go", LONG, || count(&home.path("quarantine")) == 2);
    fs::write(home.path("inbox/a.png"), "no picture").unwrap();
    let long = ["1", "2"].map(|end| format!("{}{end}.png", "n".repeat(245)));
    long.iter().for_each(|name| fs::write(home.path("inbox").join(name), name).unwrap());
    wait_for("three more", LONG, || count(&home.path("quarantine")) == 8);
    assert_eq!(fs::read_to_string(home.path("quarantine/a.png.error.txt")).unwrap(), "a letter");
    assert!(home.path("quarantine/a-1.png").is_file() && home.path("quarantine/a-1.png.error.txt").is_file());
    let list = text(&home, &["quarantine", "list", "-p", "pipeline.yaml"], 0);
    assert!(list.lines().count() == 4 && long.iter().all(|name| list.contains(name)), "{list}");
    assert_eq!(daemon.stop(), Some(0));
}

/// A reason that asks for another ending was told beside a file that could then be found under no name.
#[test]
fn a_file_that_was_renamed_in_quarantine_is_tried_again() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    let of = ["--pipeline", "pipeline.yaml"];
    let daemon = home.daemon(&pipeline, &[]);
    for name in ["one.jpg", "two.jpg"] {
        fs::write(home.path("inbox").join(name), png(6, 6)).unwrap();
    }
    wait_for("both in quarantine", LONG, || count(&home.path("quarantine")) == 4);
    fs::rename(home.path("quarantine/one.jpg"), home.path("quarantine/one.png")).unwrap();
    // Which of these the note is about, nobody knows.
    fs::remove_file(home.path("quarantine/two.jpg")).unwrap();
    for name in ["two.png", "two.txt"] {
        fs::write(home.path("quarantine").join(name), png(6, 6)).unwrap();
    }
    let list = text(&home, &[&["quarantine", "list"], &of[..]].concat(), 0);
    assert!(list.contains("test: one.png: ") && list.contains("test: two.jpg (not here): "), "{list}");
    text(&home, &[&["quarantine", "retry", "one.png"], &of[..]].concat(), 0);
    wait_for("its result", LONG, || home.path("outbox/one.png").is_file());
    assert_eq!(count(&home.path("quarantine")), 3, "its reason is gone, what is not known is left");
    text(&home, &[&["quarantine", "retry", "two.png"], &of[..]].concat(), 66);
    assert_eq!(daemon.stop(), Some(0));
}

/// They begin as temporary files, which are their owner's alone.
#[test]
fn results_and_reasons_are_as_readable_as_other_files() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    fs::write(home.path("inbox/good.png"), png(6, 6)).unwrap();
    fs::write(home.path("inbox/bad.png"), "no picture").unwrap();
    let log = home.path("log.txt");
    let mut command = home.latentd_by("sh", &["-c", "umask 022 && exec \"$0\" \"$@\""]);
    command.arg("run").arg(&pipeline).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let daemon = Daemon::of(command.spawn().unwrap(), log);
    let (result, reason) = (home.path("outbox/good.png"), home.path("quarantine/bad.png.error.txt"));
    wait_for("both", LONG, || result.is_file() && reason.is_file());
    for file in [result, reason] {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{}", file.display());
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// A note lies where strangers' files come to, and an older version wrote into it what they held.
#[test]
fn what_a_note_tells_drives_no_terminal() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let folder = home.folder("quarantine");
    let from = fs::canonicalize(home.path("")).unwrap().join("inbox/x.png");
    let note = format!("file:   {}\nreason: it \u{1b}[2J is {}\n", from.display(), "long ".repeat(10_000));
    fs::write(folder.join("x.png"), "no picture").unwrap();
    fs::write(folder.join("x.png.error.txt"), note).unwrap();
    let of = ["--pipeline", "pipeline.yaml"];
    for verb in [&["quarantine", "list"][..], &["quarantine", "show", "x.png"][..]] {
        let told = text(&home, &[verb, &of[..]].concat(), 0);
        assert!(told.contains("it \\u{1b}[2J is long") && !told.contains('\u{1b}'), "{told}");
    }
    assert!(text(&home, &[&["quarantine", "list"], &of[..]].concat(), 0).len() < 2_000);
}

/// It asked for names alone, and did not tell of the other way.
#[test]
fn purging_nothing_tells_of_all() {
    let home = Home::new();
    for verb in ["purge", "retry"] {
        let output = home.run(&["quarantine", verb]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(64) && text.contains("--all"), "{text}");
        assert_eq!(home.run(&["quarantine", verb, "a.png", "--all"]).status.code(), Some(64));
    }
}
