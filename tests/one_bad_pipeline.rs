//! A pipeline that cannot be read is told, and keeps nobody from hearing of the others.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Daemon, Home, png, run, wait_for};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(120);

/// A pipeline with a file in quarantine, and beside it one with a mistake.
fn home() -> Home {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let wrong = "name: wrong\nsource: {folder: {pth: ./in}}\nstages: []\nsink: {folder: {path: ./out}}\n";
    fs::write(home.path("a-wrong.yaml"), wrong).unwrap();
    let from = home.path("inbox").canonicalize().unwrap();
    let note = format!("latentd could not work on this file.\n\nfile:   {}/x\nreason: no picture\n", from.display());
    let quarantine = home.folder("quarantine");
    fs::write(quarantine.join("a\nb.png"), "no picture").unwrap();
    fs::write(quarantine.join("a\nb.png.error.txt"), note).unwrap();
    home
}

#[test]
fn the_doctor_looks_at_the_others() {
    let home = home();
    let (code, out, err) = run(&home, "doctor a-wrong.yaml pipeline.yaml");
    assert_eq!(code, Some(78), "{out}{err}");
    assert!(out.contains("in a-wrong.yaml") && out.contains("test: source"), "{out}");
    assert!(err.contains("`pth`"), "{err}");
    let (code, out, _) = run(&home, "doctor --json gone.yaml pipeline.yaml");
    assert_eq!(code, Some(66), "{out}");
    let checks: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad = checks.iter().find(|check| check["what"] == "pipeline").unwrap();
    assert!(bad["verdict"] == "bad" && bad["found"].as_str().unwrap().contains("gone.yaml"), "{bad}");
    assert!(checks.iter().any(|check| check["what"] == "test: the sink"), "{out}");
}

#[test]
fn what_others_have_in_quarantine_is_listed_and_nothing_more() {
    let home = home();
    let of = "-p a-wrong.yaml -p pipeline.yaml";
    let (code, out, err) = run(&home, &format!("quarantine list --json {of}"));
    assert!(code == Some(78) && err.contains("`pth`"), "{code:?} {err}");
    // A path for programs is the path itself.
    let kept: Value = serde_json::from_str(&out).unwrap();
    assert!(kept["name"] == "a\nb.png" && kept["file"].as_str().unwrap().ends_with("/a\nb.png"), "{out}");
    // Whose a file is in a folder that several share is not known while one of them cannot be read.
    let (code, ..) = run(&home, &format!("quarantine purge --all {of}"));
    assert_eq!(code, Some(78));
    assert!(home.path("quarantine/a\nb.png").is_file());
}

/// Writes a pipeline from `source` to `NAME-out`.
fn write(home: &Home, name: &str, source: &str) {
    let text = format!(
        "name: {name}\nsource:\n  folder: {{ path: ../{source}, quiet: 200ms }}\nstages: [resize: {{ long_side: 4 }}]\nsink:\n  folder: {{ path: ../{name}-out, quarantine: ../{name}-bad }}\n"
    );
    fs::write(home.folder("pipelines").join(format!("{name}.yaml")), text).unwrap();
}

/// State and reason of a pipeline; nothing while there is no such, or no daemon.
fn state(home: &Home, name: &str) -> (String, String) {
    let status: Value = serde_json::from_slice(&home.run(&["status", "--json"]).stdout).unwrap_or_default();
    let mut all = status["pipelines"].as_array().into_iter().flatten();
    let found = all.find(|p| p["name"] == name).cloned().unwrap_or_default();
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

/// One folder that could not be made kept all pipelines from starting, and from being changed.
#[test]
fn one_whose_folder_cannot_be_made_waits_alone() {
    let home = Home::new();
    fs::write(home.path("file"), "in the way").unwrap();
    write(&home, "good", "good-in");
    write(&home, "stuck", "file/in");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::write(home.folder("good-in").join("a.png"), png(6, 6)).unwrap();
    wait_for("the others' result", LONG, || home.path("good-out/a.png").is_file());
    let (now, reason) = state(&home, "stuck");
    assert!(now == "waiting" && reason.contains("cannot make the folder"), "{now}: {reason}");
    assert!(daemon.log().contains("`stuck` cannot be started"), "{}", daemon.log());
    write(&home, "late", "late-in");
    write(&home, "stuck-too", "file/deep/in");
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "added: late, stuck-too\n");
    assert_eq!(state(&home, "stuck-too").0, "waiting");
    fs::write(home.folder("late-in").join("b.png"), png(6, 6)).unwrap();
    wait_for("the new one's result", LONG, || home.path("late-out/b.png").is_file());
    // It is tried again by itself.
    fs::remove_file(home.path("file")).unwrap();
    wait_for("both to run", LONG, || ["stuck", "stuck-too"].iter().all(|name| state(&home, name).0 == "running"));
    fs::write(home.path("file/in/c.png"), png(6, 6)).unwrap();
    wait_for("its result", LONG, || home.path("stuck-out/c.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_only_one_waits_as_well() {
    let home = Home::new();
    fs::write(home.path("file"), "in the way").unwrap();
    write(&home, "stuck", "file/in");
    let log = home.path("log.txt");
    let mut command = home.latentd();
    command.args(["run", "pipelines"]).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let daemon = Daemon::of(command.spawn().unwrap(), log);
    wait_for("it to wait", LONG, || state(&home, "stuck").0 == "waiting");
    assert_eq!(daemon.stop(), Some(0));
    // A file where the source should be is a mistake, and does not pass.
    write(&home, "stuck", "file");
    let (code, _, err) = run(&home, "run pipelines");
    assert!(code == Some(78) && err.contains("the source is not a folder"), "{code:?} {err}");
}

/// The others were not checked, and programs were told nothing.
#[test]
fn check_passes_by_a_folder_without_pipelines() {
    let home = home();
    home.folder("none");
    let (code, out, err) = run(&home, "check none pipeline.yaml");
    assert!(code == Some(66) && err.contains("there is no .yaml file"), "{code:?} {err}");
    assert!(out.contains("pipeline.yaml: ok"), "{out}");
    let (code, out, _) = run(&home, "check --json none a-wrong.yaml");
    let told: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(code == Some(78) && told.len() > 1, "{code:?} {out}");
    assert!(told[0]["file"] == "none" && told[0]["line"].is_null() && told[1]["line"] == 2, "{out}");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&told[0]), keys(&told[1]));
}

/// Whoever read it waited for somebody to write into it: `reload` was never answered, and the daemon could not be stopped.
#[test]
fn a_pipe_among_the_pipelines_hangs_nobody() {
    let home = Home::new();
    write(&home, "good", "good-in");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    let made = Command::new("mkfifo").arg(home.path("pipelines/evil.yaml")).status().unwrap();
    assert!(made.success());
    for line in ["reload", "check pipelines"] {
        let (code, _, err) = run(&home, line);
        assert!(code == Some(78) && err.contains("evil.yaml: a pipeline is a file"), "{line}: {code:?} {err}");
    }
    fs::write(home.path("good-in/a.png"), png(6, 6)).unwrap();
    wait_for("the others' result", LONG, || home.path("good-out/a.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
}

/// One folder with too many others in it kept all pipelines from starting.
#[cfg(target_os = "linux")]
#[test]
fn more_folders_than_can_be_watched_keep_nobody_from_starting() {
    const FEW: &str = "echo 20 > /proc/sys/user/max_inotify_watches";
    let home = Home::new();
    if !Command::new("unshare").args(["-Ur", "sh", "-c", FEW]).output().is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: the limit cannot be set for one program here");
    }
    write(&home, "good", "good-in");
    write(&home, "many", "many-in");
    for n in 0..60 {
        home.folder(&format!("many-in/{n}"));
    }
    let log = home.path("log.txt");
    let mut command = home.latentd_by("unshare", &["-Ur", "sh", "-c", &format!("{FEW} && exec \"$0\" \"$@\"")]);
    command.args(["run", "pipelines"]).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let daemon = Daemon::of(command.spawn().unwrap(), log);
    wait_for("both to run", LONG, || ["good", "many"].iter().all(|name| state(&home, name).0 == "running"));
    for n in 0..60 {
        fs::write(home.path(&format!("many-in/{n}/a.png")), png(6, 6)).unwrap();
    }
    fs::write(home.path("good-in/a.png"), png(6, 6)).unwrap();
    wait_for("all results", LONG, || {
        home.path("good-out/a.png").is_file() && (0..60).all(|n| home.path(&format!("many-out/{n}/a.png")).is_file())
    });
    assert!(daemon.log().contains("more folders in it than the system lets be watched"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// One journal that cannot be opened kept all pipelines from starting.
#[test]
fn one_whose_journal_cannot_be_opened_waits_alone() {
    let home = Home::new();
    write(&home, "good", "good-in");
    write(&home, "stuck", "stuck-in");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    assert_eq!(daemon.stop(), Some(0));
    let state_folder = home.path("XDG_STATE_HOME/latentd");
    let mut journals = fs::read_dir(&state_folder).unwrap().map(|entry| entry.unwrap().path());
    let journal = journals.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("stuck-")).unwrap();
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::write(home.path("good-in/a.png"), png(6, 6)).unwrap();
    wait_for("the others' result", LONG, || home.path("good-out/a.png").is_file());
    wait_for("the other one to wait", LONG, || state(&home, "stuck").0 == "waiting");
    assert!(daemon.log().contains("`stuck` cannot be started"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// Its journal was by the link's name until the next start, which then knew of nothing that was done and did all of it again.
#[test]
fn one_behind_a_link_to_a_share_that_is_away_is_the_same_when_it_is_back() {
    let home = Home::new();
    write(&home, "share", "link/in");
    fs::create_dir_all(home.path("mount/in")).unwrap();
    std::os::unix::fs::symlink(home.path("mount"), home.path("link")).unwrap();
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::write(home.path("mount/in/a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("share-out/a.png").is_file());
    assert_eq!(daemon.stop(), Some(0));
    fs::rename(home.path("mount"), home.path("away")).unwrap();
    let log = home.path("second.txt");
    let mut command = home.latentd();
    command.args(["run", "pipelines"]).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let daemon = Daemon::of(command.spawn().unwrap(), log);
    wait_for("it to wait", LONG, || state(&home, "share").0 == "waiting");
    fs::rename(home.path("away"), home.path("mount")).unwrap();
    wait_for("it to run", LONG, || state(&home, "share").0 == "running");
    fs::write(home.path("mount/in/b.png"), png(6, 6)).unwrap();
    wait_for("the new one", LONG, || home.path("share-out/b.png").is_file());
    assert_eq!(common::files(&home.path("share-out")).len(), 2, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}
