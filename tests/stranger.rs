//! Whatever a stranger drops ends in a clear error that names the file and the mend; the original is kept, and the daemon lives.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Home, count, files, png, wait_for};
use latentd::durable::{self, Stamp};
use latentd::error::{Error, Kind};
use latentd::media::MediaKind;
use latentd::sink::{FolderSink, Originals, Quarantine};
use latentd::source::has_writer;

const LONG: Duration = Duration::from_secs(120);

#[test]
fn bad_files_go_to_quarantine_with_their_reason() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 300ms", "resize: { long_side: 4 }", "");
    let mut daemon = home.daemon(&pipeline, &[]);
    let whole = png(50, 50);
    let inbox = home.path("inbox");
    fs::write(inbox.join("truncated.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(inbox.join("text.jpg"), "not a picture at all").unwrap();
    fs::write(inbox.join("photo.jpg"), &whole).unwrap();
    fs::write(inbox.join("notes.txt"), "hello").unwrap();
    fs::write(inbox.join("line\nbreak.png"), "x").unwrap();
    fs::write(inbox.join(OsStr::from_bytes(b"not-utf8-\xff.png")), "x").unwrap();
    fs::write(inbox.join(format!("{}.png", "n".repeat(251))), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", inbox.join("link.png")).unwrap();
    assert!(Command::new("mkfifo").arg(inbox.join("pipe.png")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(inbox.join("socket.png")).unwrap();
    wait_for("10 in quarantine", LONG, || count(&home.path("quarantine")) >= 20);
    fs::write(inbox.join("good.png"), &whole).unwrap();
    wait_for("the good one", LONG, || home.path("outbox/good.png").is_file());
    assert!(daemon.alive());

    let quarantine = home.path("quarantine");
    let note = |name: &str| fs::read_to_string(quarantine.join(format!("{name}.error.txt"))).unwrap();
    assert_eq!(
        fs::read(quarantine.join("truncated.png")).unwrap(),
        &whole[..whole.len() / 2],
        "the original is unchanged"
    );
    for name in ["truncated.png", "text.jpg", "photo.jpg", "notes.txt", "pipe.png", "link.png", "socket.png"] {
        let text = note(name);
        assert!(text.contains(name) && text.contains("reason:") && text.contains("mend:"), "{name}: {text}");
    }
    assert!(note("photo.jpg").contains("PNG"), "{}", note("photo.jpg"));
    assert!(note("link.png").contains("a link"));
    assert!(
        !fs::metadata(quarantine.join("link.png")).unwrap().is_file()
            || fs::symlink_metadata(quarantine.join("link.png")).unwrap().is_symlink()
    );
    assert_eq!(files(&home.path("outbox")).len(), 1);
    let log = daemon.log();
    assert!(!log.contains("line\nbreak"), "control characters reached the log");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_file_that_nobody_may_read_is_told() {
    // Root may read everything.
    if rustix::process::geteuid().is_root() {
        let home = Home::new();
        let pipeline = home.pipeline("", "", "");
        let secret = home.path("inbox/secret.png");
        fs::write(&secret, png(6, 6)).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(home.path("inbox"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(home.folder("out"), fs::Permissions::from_mode(0o777)).unwrap();
        let program = home.path("latentd");
        // By another process: a program that is open for writing here, if only in a child that a test beside this one starts, cannot be run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_latentd")).arg(&program).status().unwrap();
        assert!(copied.success());
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .arg("apply")
            .arg(pipeline)
            .arg(&secret)
            .arg("--out")
            .arg(home.path("out"))
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(66), "{text}");
        assert!(text.contains("secret.png") && text.contains("help:"), "{text}");
        return;
    }
    let home = Home::new();
    let pipeline = home.pipeline("", "", "");
    let secret = home.path("inbox/secret.png");
    fs::write(&secret, png(6, 6)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let output = home.latentd().arg("apply").arg(pipeline).arg(&secret).output().unwrap();
    assert_eq!(output.status.code(), Some(66));
}

#[test]
fn a_sink_that_cannot_be_written_keeps_the_input_and_is_tried_again() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let mut daemon = home.daemon(&pipeline, &[]);
    // A file where the folder should be: as hopeless as a read-only disk, and root cannot write through it either.
    fs::remove_dir(home.path("outbox")).unwrap();
    fs::write(home.path("outbox"), "in the way").unwrap();
    fs::write(home.path("inbox/a.png"), png(6, 6)).unwrap();
    wait_for("the first failure", LONG, || daemon.log().contains("trying again"));
    assert!(daemon.alive() && home.path("inbox/a.png").is_file());
    fs::remove_file(home.path("outbox")).unwrap();
    wait_for("the result", LONG, || home.path("outbox/a.png").is_file());
    assert_eq!(count(&home.path("quarantine")), 0);
    assert_eq!(daemon.stop(), Some(0));
}

/// A link to a folder must not lead the daemon out of its own.
#[test]
fn linked_folders_are_not_entered() {
    let home = Home::new();
    let secret = home.folder("secret/deep");
    fs::write(secret.join("private.png"), png(6, 6)).unwrap();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", ", originals: delete");
    std::os::unix::fs::symlink(home.path("secret"), home.path("inbox/before")).unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    std::os::unix::fs::symlink(home.path("secret"), home.path("inbox/after")).unwrap();
    std::os::unix::fs::symlink(home.path("secret"), home.path("moved")).unwrap();
    fs::rename(home.path("moved"), home.path("inbox/moved")).unwrap();
    fs::write(home.path("secret/deep/later.png"), png(6, 6)).unwrap();
    fs::write(home.path("inbox/mine.png"), png(6, 6)).unwrap();
    wait_for("my own", LONG, || home.path("outbox/mine.png").is_file());
    wait_for("three links in quarantine", LONG, || {
        ["before", "after", "moved"].iter().all(|n| home.path(&format!("quarantine/{n}.error.txt")).is_file())
    });
    assert_eq!(count(&home.path("outbox")), 1);
    assert_eq!(files(&home.path("secret")).len(), 2, "nothing outside is deleted");
    // Nor by `apply`.
    std::os::unix::fs::symlink(home.path("secret"), home.folder("album").join("sneaky")).unwrap();
    let output = home.run(&["apply", pipeline.to_str().unwrap(), "album", "--out", "out"]);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(count(&home.path("out")), 0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Where quarantine was on another file system a link, which cannot be copied there, was tried again for ever.
#[test]
fn a_link_is_told_across_file_systems_too() {
    let home = Home::new();
    let far = tempfile::tempdir_in("/dev/shm");
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    let Some(far) = far.ok().filter(|far| device(far.path()) != device(&home.path(""))) else {
        return eprintln!("there is only one file system here");
    };
    let quarantine = format!(", quarantine: {}", far.path().display());
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", &quarantine);
    let inbox = home.path("inbox");
    for (target, name) in [("own.png", "own.png"), ("/etc/passwd", "other.png")] {
        std::os::unix::fs::symlink(target, inbox.join(name)).unwrap();
    }
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(inbox.join("good.png"), png(6, 6)).unwrap();
    wait_for("the good one", LONG, || home.path("outbox/good.png").is_file());
    let note = |name: &str| fs::read_to_string(far.path().join(format!("{name}.error.txt"))).unwrap_or_default();
    let both = ["own.png", "other.png"];
    wait_for("both to be told", LONG, || both.iter().all(|name| note(name).contains("a link, not a file")));
    assert!(!daemon.log().contains("trying again"), "{}", daemon.log());
    assert!(both.iter().all(|name| inbox.join(name).is_symlink()), "they stay where they are");
    assert_eq!(daemon.stop(), Some(0));
}

/// Results went wherever a link led that stood below the folder named by `--out`, in the place of one that mirrors a folder of inputs.
#[test]
fn apply_leaves_the_folder_for_results_by_no_link() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    for name in ["a.png", "d/a.png"] {
        fs::write(home.folder("album/d").parent().unwrap().join(name), png(6, 6)).unwrap();
    }
    let (out, victim) = (home.folder("out"), home.folder("victim"));
    std::os::unix::fs::symlink(&victim, out.join("d")).unwrap();
    // The folder itself may be one.
    std::os::unix::fs::symlink(&out, home.path("door")).unwrap();
    for named in ["out", "door", out.to_str().unwrap()] {
        let output = home.run(&["apply", pipeline.to_str().unwrap(), "album", "--out", named]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(73) && told.contains("a link stands on the way"), "{named}: {told}");
        assert!(fs::remove_file(out.join("a.png")).is_ok(), "{named}: {told}");
    }
    assert_eq!(count(&victim), 0);
    fs::remove_file(out.join("d")).unwrap();
    let output = home.run(&["apply", pipeline.to_str().unwrap(), "album", "--out", "door"]);
    assert!(output.status.success() && out.join("d/a.png").is_file());
}

/// A stranger had anybody's file moved away or deleted, by a link in place of the folder that an input had come in.
#[test]
fn a_link_in_a_folders_place_leads_to_no_file_of_others() {
    let home = Home::new();
    let [inbox, victim] = ["inbox", "victim"].map(|name| home.folder(name));
    let (input, relative) = (home.folder("inbox/d").join("diary.png"), Path::new("d/diary.png"));
    fs::write(&input, "x").unwrap();
    fs::write(victim.join("diary.png"), "dear diary").unwrap();
    durable::guard(&inbox);
    let found = Stamp::of(&input).unwrap();
    fs::rename(inbox.join("d"), inbox.join(".gone")).unwrap();
    std::os::unix::fs::symlink(&victim, inbox.join("d")).unwrap();
    assert!(Stamp::of(&input).is_err() && has_writer(&input).is_none());
    let error = Error::new(Kind::Input, "this is no picture");
    let folders = ["quarantine", "archive"].map(|name| home.folder(name));
    // In the state that it was found in, and in the one that a look through the link would tell.
    for state in [found, Stamp::of(&victim.join("diary.png")).unwrap()] {
        assert!(Quarantine(&folders[0]).put(&input, relative, state, &error).is_err());
        for originals in [Originals::Move(folders[1].clone()), Originals::Delete] {
            let mut sink = FolderSink::new(&home.path("outbox"), MediaKind::Image);
            sink.originals = originals;
            assert!(sink.dispose(&input, relative, state).is_err());
        }
    }
    assert_eq!(fs::read_to_string(victim.join("diary.png")).unwrap(), "dear diary");
    assert!(folders.iter().all(|folder| count(folder) == 0), "{folders:?}");
}

/// The same while a daemon runs: whatever it sees of it, what lies elsewhere stays.
#[test]
fn a_folder_that_becomes_a_link_is_left() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 4 }", "");
    let mut daemon = home.daemon(&pipeline, &[]);
    let (inside, victim) = (home.folder("inbox/d.tmp"), home.folder("victim"));
    fs::write(victim.join("diary.png"), "dear diary").unwrap();
    fs::write(home.path("inbox/first.png"), png(6, 6)).unwrap();
    wait_for("the folder to be seen", LONG, || home.path("outbox/first.png").is_file());
    let mut writer = fs::File::create(inside.join("diary.png")).unwrap();
    fs::rename(&inside, home.path("inbox/.gone")).unwrap();
    std::os::unix::fs::symlink(&victim, &inside).unwrap();
    writer.write_all(b"x").unwrap();
    drop(writer);
    fs::write(home.path("inbox/bad.png"), "no picture").unwrap();
    wait_for("the bad one", LONG, || home.path("quarantine/bad.png").is_file());
    assert!(daemon.alive());
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(fs::read_to_string(victim.join("diary.png")).unwrap(), "dear diary");
    assert!(!home.path("quarantine/d.tmp").exists());
}

/// Where a sink lies within the source's folder, results went wherever a stranger's link led that stood in its place.
#[test]
fn a_sink_within_the_source_is_not_left_by_a_link() {
    let home = Home::new();
    let pipeline = home.path("pipeline.yaml");
    let text = "name: test\nsource: {folder: {path: inbox, recursive: false}}\nstages: [resize: {long_side: 4}]\nsink: {folder: {path: inbox/out, quarantine: bad, overwrite: true}}\n";
    fs::write(&pipeline, text).unwrap();
    let (inbox, victim) = (home.folder("inbox"), home.folder("victim"));
    fs::write(victim.join("b.png"), "a letter").unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(inbox.join("a.png"), png(6, 6)).unwrap();
    wait_for("a result", LONG, || inbox.join("out/a.png").is_file());
    fs::rename(inbox.join("out"), inbox.join(".o")).unwrap();
    std::os::unix::fs::symlink(&victim, inbox.join("out")).unwrap();
    fs::write(inbox.join("b.png"), png(6, 6)).unwrap();
    wait_for("it to wait", LONG, || daemon.log().contains("trying again"));
    assert_eq!(fs::read_to_string(victim.join("b.png")).unwrap(), "a letter");
    assert_eq!(count(&victim), 1);
    fs::remove_file(inbox.join("out")).unwrap();
    wait_for("the result", LONG, || inbox.join("out/b.png").is_file());
    assert_eq!(daemon.stop(), Some(0));

    // Nor is such a link taken for the user's own at the next start; one that lies elsewhere is.
    fs::rename(inbox.join("out"), inbox.join(".p")).unwrap();
    std::os::unix::fs::symlink(&victim, inbox.join("out")).unwrap();
    let output = home.run(&["check", "pipeline.yaml"]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(78) && told.contains("a link that lies in the folder"), "{told}");
    std::os::unix::fs::symlink(&victim, home.path("out")).unwrap();
    fs::write(&pipeline, text.replace("inbox/out", "out")).unwrap();
    assert_eq!(home.run(&["check", "pipeline.yaml"]).status.code(), Some(0));
}
