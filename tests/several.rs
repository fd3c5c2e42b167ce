//! Several pipelines in one daemon: they share the machine fairly, and those that would feed on one another are refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::time::Duration;

use common::{Home, count, png, wait_for};

const LONG: Duration = Duration::from_secs(120);

fn write(home: &Home, name: &str, source: &str, sink: &str, originals: &str) {
    let text = format!(
        "name: {name}\nsource:\n  folder: {{ path: ../{source}, quiet: 200ms }}\nstages: [resize: {{ long_side: 4 }}]\nsink:\n  folder: {{ path: ../{sink}, quarantine: ../bad, originals: {originals} }}\n"
    );
    let count = fs::read_dir(home.folder("pipelines")).unwrap().count();
    fs::write(home.path(&format!("pipelines/{count}.yaml")), text).unwrap();
}

/// What `latentd run` says; `latentd check` says the same.
fn refused(home: &Home) -> String {
    let output = home.run(&["run", "pipelines"]);
    assert_eq!(output.status.code(), Some(78));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stderr);
    let output = home.run(&["check", "pipelines"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.code() == Some(78) && out.contains("0.yaml: ok"), "{out}{err}");
    for mistake in err.lines().map(|line| line.trim_start_matches("error: ")) {
        assert!(said.contains(mistake), "{mistake}\n{said}");
    }
    let output = home.run(&["check", "--json", "pipelines"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(78), "{out}");
    let mut told = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(told.all(|one| said.contains(one["message"].as_str().unwrap()) && one["line"].is_null()), "{out}");
    assert_eq!(out.lines().count(), err.lines().count());
    said
}

#[test]
fn a_backlog_of_one_does_not_make_another_wait() {
    let home = Home::new();
    write(&home, "many", "many-in", "many-out", "keep");
    write(&home, "few", "few-in", "few-out", "keep");
    home.folder("few-in");
    let inbox = home.folder("many-in");
    let large = png(700, 700);
    for n in 0..400 {
        fs::write(inbox.join(format!("{n}.png")), &large).unwrap();
    }
    let daemon = home.daemon(&home.path("pipelines"), &["-j", "1"]);
    wait_for("the backlog to be worked on", LONG, || count(&home.path("many-out")) > 3);
    fs::write(home.path("few-in/urgent.png"), png(6, 6)).unwrap();
    wait_for("the urgent one", LONG, || home.path("few-out/urgent.png").is_file());
    assert!(count(&home.path("many-out")) < 300, "it waited for {} others", count(&home.path("many-out")));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn results_that_would_go_in_circles_are_refused() {
    let home = Home::new();
    write(&home, "there", "a", "b", "keep");
    write(&home, "onwards", "b", "c", "keep");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::write(home.path("a/x.png"), png(6, 6)).unwrap();
    wait_for("the result of the result", LONG, || home.path("c/x.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
    write(&home, "back", "c", "a/deep", "keep");
    let text = refused(&home);
    assert!(text.contains("files would go in circles"), "{text}");
}

/// By the folders in the names of results, which nobody looked at.
#[test]
fn names_that_lead_into_the_source_are_refused() {
    let home = Home::new();
    let write = |name: &str, source: &str, sink: &str| {
        let text = format!(
            "name: from-{name}\nsource:\n  folder: {{ path: ../{source} }}\nstages: [resize: {{ long_side: 4 }}]\nsink:\n  folder: {{ {sink}, quarantine: ../bad }}\n"
        );
        fs::write(home.folder("pipelines").join(format!("{name}.yaml")), text).unwrap();
    };
    for (name, fine) in [
        ("in/{stem}.{ext}", false),
        ("in/deep/{stem}.{ext}", false),
        ("{parent}/{stem}.{ext}", false),
        ("other-{index}/{stem}.{ext}", false),
        ("done/{stem}.{ext}", true),
        ("in-{stem}.{ext}", true),
    ] {
        write("loop", "out/in", &format!("path: ../out, name: \"{name}\""));
        let output = home.run(&["check", "pipelines"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if fine { 0 } else { 78 }), "{name}: {text}");
        assert!(fine || (text.contains("loop.yaml:6:") && text.contains("`name` writes into")), "{name}: {text}");
    }
    // Nor by way of another.
    fs::remove_file(home.path("pipelines/loop.yaml")).unwrap();
    write("0", "a", "path: ../out, name: \"in/{stem}.{ext}\"");
    write("1", "out/in", "path: ../a");
    assert!(refused(&home).contains("files would go in circles"));
    write("0", "a", "path: ../out, name: \"done/{stem}.{ext}\"");
    assert!(home.run(&["check", "pipelines"]).status.success());
}

#[test]
fn one_name_is_one_pipeline() {
    let home = Home::new();
    write(&home, "same", "a", "b", "keep");
    write(&home, "same", "c", "d", "keep");
    assert!(refused(&home).contains("two pipelines are called `same`"));
}

#[test]
fn nobody_takes_away_what_another_still_needs() {
    let home = Home::new();
    write(&home, "first", "a", "b", "keep");
    write(&home, "second", "a", "c", "keep");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::write(home.path("a/x.png"), png(6, 6)).unwrap();
    wait_for("both results", LONG, || home.path("b/x.png").is_file() && home.path("c/x.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
    write(&home, "third", "a", "d", "delete");
    assert!(refused(&home).contains("take files from the same folder"));
}

#[test]
fn nobody_replaces_what_another_has_made() {
    let home = Home::new();
    write(&home, "first", "a", "out", "keep");
    write(&home, "second", "b", "out", "keep, overwrite: true");
    assert!(refused(&home).contains("write results of the same names into the same folder"));
    for number in [0, 1] {
        let path = home.path(&format!("pipelines/{number}.yaml"));
        let text =
            fs::read_to_string(&path).unwrap().replace("quarantine:", "name: \"{stem}-{pipeline}.png\", quarantine:");
        fs::write(&path, text).unwrap();
    }
    assert!(home.run(&["check", "pipelines"]).status.success());
}

/// Any two of one name and folder were refused, also where one makes pictures and the other sound; and of two names that come to the same none was.
#[test]
fn what_cannot_have_one_name_is_not_refused() {
    let home = Home::new();
    write(&home, "pictures", "a", "out", "keep, overwrite: true");
    write(&home, "sound", "b", "out", "keep, overwrite: true");
    let sound = home.path("pipelines/1.yaml");
    let text = fs::read_to_string(&sound).unwrap();
    fs::write(&sound, text.replace("resize: { long_side: 4 }", "high_pass")).unwrap();
    let output = home.run(&["check", "pipelines"]);
    assert!(output.status.success(), "{output:?}");
    fs::write(&sound, text.replace("quarantine:", "name: \"{stem}.png\", quarantine:")).unwrap();
    assert!(refused(&home).contains("write results of the same names into the same folder"));
}

#[test]
fn a_quarantine_is_nobodys_inbox() {
    let home = Home::new();
    write(&home, "first", "a", "b", "keep");
    write(&home, "second", "bad", "c", "keep");
    let second = home.path("pipelines/1.yaml");
    let text = fs::read_to_string(&second).unwrap().replace("quarantine: ../bad", "quarantine: ../worse");
    fs::write(&second, text).unwrap();
    assert!(refused(&home).contains("which would take bad files as inputs"));
}

/// What one could not read it took into its quarantine, and the other, which could, never saw it.
#[test]
fn what_one_cannot_read_stays_for_another() {
    let home = Home::new();
    write(&home, "pictures", "a", "pictures-out", "keep");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    // One that comes later, and so is not known to the other at its start.
    write(&home, "sound", "a", "sound-out", "keep");
    let sound = home.path("pipelines/1.yaml");
    let text = fs::read_to_string(&sound).unwrap().replace("resize: { long_side: 4 }", "high_pass");
    fs::write(&sound, text.replace("../bad", "../sound-bad")).unwrap();
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "added: sound\n");
    let tone =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(home.path("tone.wav"), tone).unwrap();
    (0..800).for_each(|n| wav.write_sample(if n % 20 < 10 { 3000i16 } else { -3000 }).unwrap());
    wav.finalize().unwrap();
    fs::write(home.path("a/x.png"), png(6, 6)).unwrap();
    fs::rename(home.path("tone.wav"), home.path("a/tone.wav")).unwrap();
    fs::write(home.path("a/neither.txt"), "words").unwrap();
    let notes = ["bad/tone.wav", "bad/neither.txt", "sound-bad/x.png", "sound-bad/neither.txt"];
    let is_told = |name: &&str| home.path(&format!("{name}.error.txt")).is_file();
    wait_for("both results", LONG, || {
        home.path("pictures-out/x.png").is_file() && home.path("sound-out/tone.wav").is_file()
    });
    wait_for("the reasons", LONG, || notes.iter().all(is_told));
    assert!(count(&home.path("a")) == 3 && notes.iter().all(|name| !home.path(name).exists()));
    let retry = home.run(&["quarantine", "retry", "neither.txt", "-p", "pipelines/0.yaml"]);
    let text = String::from_utf8_lossy(&retry.stderr).into_owned();
    assert!(!retry.status.success() && text.contains("a/neither.txt where it lies, or `touch` it"), "{text}");
    // Told once: the next start leaves them alone, too.
    assert_eq!(daemon.stop(), Some(0));
    let times = home.daemon(&home.path("pipelines"), &[]);
    fs::write(home.path("a/y.png"), png(6, 6)).unwrap();
    wait_for("the next one", LONG, || {
        home.path("pictures-out/y.png").is_file() && home.path("sound-bad/y.png.error.txt").is_file()
    });
    assert_eq!(count(&home.path("bad")), 2);
    // Alone again, it puts aside what it cannot read.
    fs::remove_file(&sound).unwrap();
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "removed: sound\n");
    fs::write(home.path("a/words.txt"), "words").unwrap();
    wait_for("it to be put aside", LONG, || home.path("bad/words.txt").is_file());
    assert_eq!(times.stop(), Some(0));
}

/// By a folder that is mirrored into the other's sink.
#[test]
fn nobody_replaces_what_another_has_made_in_a_folder_below() {
    let home = Home::new();
    write(&home, "first", "a", "out", "keep, overwrite: true");
    write(&home, "second", "b", "out/deep", "keep");
    assert!(refused(&home).contains("write results of the same names into the same folder"));
    let first = home.path("pipelines/0.yaml");
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, text.replace("quiet:", "recursive: false, quiet:")).unwrap();
    assert!(home.run(&["check", "pipelines"]).status.success());
}
