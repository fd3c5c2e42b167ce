//! Devices that are looked for again and again, or are open and bring nothing, and stages that fail: what is told of them, and what they leave behind.
//!
//! Needs `pulseaudio`, `pulseaudio-utils` and `espeak-ng`, as live_server.rs does.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
// cpal hands buffers to callbacks by raw parts, and a host has to make them.
#[allow(dead_code, unsafe_code)]
#[path = "live_common/host.rs"]
mod host;
mod live_common;
#[path = "live_common/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use audio_common::{HALF, Tiny, tiny_model};
use common::{Daemon, Home, wait_for};
use cpal::SampleFormat;
use crossbeam::channel::bounded;
use host::{FakeHost, Kindness};
use latentd::media::audio::{Block, Format, Process};
use latentd::media::{Media, MediaKind};
use latentd::pipeline::live::{LiveControl, State, run_on};
use latentd::stage::{Context, Stage};
use latentd::{Error, Kind, Result};
use server::{Server, available};

const LONG: Duration = Duration::from_secs(180);

/// Runs the program with these arguments in the session of the server; what it prints.
fn run(home: &Home, server: &Server, args: &[&str]) -> String {
    let output =
        home.latentd().args(args).env("XDG_RUNTIME_DIR", &server.runtime).env("HOME", &server.runtime).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The only pipeline as `latentd status` shows it, and whether all is as it should be.
fn status(home: &Home, server: &Server) -> (serde_json::Value, bool) {
    let status: serde_json::Value = serde_json::from_str(&run(home, server, &["status", "--json"])).unwrap_or_default();
    (status["pipelines"][0].clone(), status["ready"] == true)
}

/// What the daemon answers to this request.
fn get(server: &Server, path: &str) -> String {
    let mut stream = std::os::unix::net::UnixStream::connect(server.runtime.join("latentd/control.sock")).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// What happens at a server, as it tells of it.
struct Events {
    child: Child,
    file: PathBuf,
}

impl Events {
    fn of(home: &Home, server: &Server) -> Events {
        let file = home.path("events.txt");
        let mut command = server.command("pactl");
        command.arg("subscribe").env("LC_ALL", "C").stdout(fs::File::create(&file).unwrap());
        let events = Events { child: command.spawn().unwrap(), file };
        wait_for("the server to tell what happens", LONG, || {
            server.pactl("info");
            events.count("client") > 0
        });
        events
    }

    /// How many of these have come.
    fn count(&self, what: &str) -> usize {
        fs::read_to_string(&self.file).unwrap().matches(&format!("'new' on {what} #")).count()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn names_in(folder: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The threads of the daemon, each by its folder. The allocator starts its own when it likes.
fn threads(daemon: &Daemon) -> Vec<PathBuf> {
    let tasks = Path::new("/proc").join(daemon.child.id().to_string()).join("task");
    let all = names_in(tasks.clone()).into_iter().map(|name| tasks.join(name));
    all.filter(|task| !fs::read_to_string(task.join("comm")).unwrap_or_default().starts_with("jemalloc")).collect()
}

/// How many threads and open files the daemon has, and how many connections the server, that which asks included.
fn counted(daemon: &Daemon, server: &Server) -> [usize; 3] {
    let files = Path::new("/proc").join(daemon.child.id().to_string()).join("fd");
    [threads(daemon).len(), names_in(files).len(), server.pactl("list short clients").lines().count()]
}

/// What was begun may take a moment to end. What is left behind for good never ends.
fn wait_for_no_more_than(before: [usize; 3], daemon: &Daemon, server: &Server) {
    let mut now = before;
    let begin = std::time::Instant::now();
    while begin.elapsed() < LONG {
        now = counted(daemon, server);
        if now.iter().zip(before).all(|(now, before)| *now <= before) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("threads, files and connections were {before:?} and are {now:?}\n{}", daemon.log());
}

/// Each look for devices left a connection, a thread and three files behind. After 64 of them no program of the session had sound any more.
#[test]
fn looks_for_a_device_that_is_missing_leave_nothing_behind() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let events = Events::of(&home, &server);
    let daemon = server.run(&home, "mic.monitor", "high_pass", "headset");
    wait_for("the trouble to be told", LONG, || daemon.log().contains("there is no speaker `headset`"));
    wait_for("the daemon to be up", LONG, || status(&home, &server).0["state"] == "waiting");
    let before = counted(&daemon, &server);
    let clients = events.count("client");
    // A look is two of them, since the microphone is there. This test is none meanwhile.
    wait_for("more looks", LONG, || events.count("client") >= clients + 10);
    wait_for_no_more_than(before, &daemon, &server);
    assert_eq!(daemon.times("there is no speaker"), 1, "the same trouble is told once\n{}", daemon.log());
    server.pactl("load-module module-null-sink sink_name=headset");
    wait_for("it to be found", LONG, || daemon.log().contains("listening to"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn pauses_leave_nothing_behind() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    server.pactl("set-default-sink out");
    // The default is followed, so that there is a connection for that as well.
    let daemon = server.listen(&home, "mic.monitor", "high_pass", "default");
    let mut before = None;
    for _ in 0..6 {
        let (paused, heard) = (daemon.times("paused; the devices are closed"), daemon.times("listening to"));
        run(&home, &server, &["pause", "live"]);
        wait_for("the pause", LONG, || daemon.times("paused; the devices are closed") > paused);
        run(&home, &server, &["resume", "live"]);
        wait_for("the sound", LONG, || daemon.times("listening to") > heard);
        before.get_or_insert_with(|| counted(&daemon, &server));
    }
    wait_for_no_more_than(before.unwrap(), &daemon, &server);
    assert_eq!(daemon.stop(), Some(0));
}

/// It was told to be running and ready, five seconds at a time, and each time filled the log.
#[test]
fn a_microphone_that_is_open_and_brings_nothing_does_not_run() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    server.pactl("suspend-sink mic 1");
    let events = Events::of(&home, &server);
    let daemon = server.run(&home, "mic.monitor", "high_pass", "out");
    let (mut states, mut ready) = (BTreeSet::new(), false);
    wait_for("it to be opened again and again", LONG, || {
        let (pipeline, is_ready) = status(&home, &server);
        states.extend(pipeline["state"].as_str().map(str::to_owned));
        ready |= is_ready;
        events.count("source-output") >= 3
    });
    assert!(!ready && !states.contains("running") && states.contains("waiting"), "{ready} {states:?}");
    assert_eq!((daemon.times("brings no sound"), daemon.times("listening to")), (1, 0), "{}", daemon.log());
    server.pactl("suspend-sink mic 0");
    wait_for("the sound", LONG, || status(&home, &server).0["state"] == "running");
    assert_eq!(daemon.times("brings no sound"), 1, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// The client gives up when a call of it is interrupted, as happens when the machine was asleep.
#[test]
fn calls_that_are_interrupted_are_survived_and_the_default_is_followed_on() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    server.pactl("load-module module-null-sink sink_name=headset sink_properties=device.description=headset");
    server.pactl("set-default-sink out");
    let daemon = server.listen(&home, "mic.monitor", "high_pass", "default");
    daemon.signal("-STOP");
    std::thread::sleep(Duration::from_millis(100));
    daemon.signal("-CONT");
    server.pactl("set-default-sink headset");
    wait_for("the new default", LONG, || daemon.log().contains("playing on headset"));
    assert!(!daemon.log().contains("there is no"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

fn computes(task: &Path) -> bool {
    fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "sound")
}

/// Whether the thread is a real-time one: its policy is the 41st of what the system tells, and the second, its name, stands in brackets.
fn is_preferred(task: &Path) -> bool {
    let text = fs::read_to_string(task.join("stat")).unwrap_or_default();
    text.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(38)) == Some("1")
}

/// The threads that call back had the priority of any other, so that sound was lost which the one that computes had made in time.
#[test]
fn what_calls_back_is_preferred_as_what_computes_is() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let daemon = server.listen(&home, "mic.monitor", "high_pass", "out");
    wait_for("the thread that computes", LONG, || threads(&daemon).iter().any(|task| computes(task)));
    if !threads(&daemon).iter().any(|task| computes(task) && is_preferred(task)) {
        eprintln!("skipped: no right to a real-time thread");
        return;
    }
    let preferred = || threads(&daemon).iter().filter(|task| is_preferred(task)).count();
    wait_for("both connections to be preferred", LONG, || preferred() >= 3);
    assert_eq!(daemon.stop(), Some(0));
}

/// The noise came through, and whoever asked was told that all is as it should be.
#[test]
fn a_model_that_gives_no_numbers_makes_it_not_ready_and_is_tried_again() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let model = tiny_model(&home.path("endless"), Tiny { gain: f32::INFINITY, ..HALF });
    let stages = format!("denoise: {{ model: {} }}", model.display());
    let daemon = server.listen(&home, "mic.monitor", &stages, "out");
    wait_for("the daemon to be up", LONG, || status(&home, &server).0["state"] == "running");
    let ready = || get(&server, "/readyz");
    wait_for("the failure", LONG, || ready().contains("live is running: a stage has failed"));
    assert!(ready().starts_with("HTTP/1.1 503"), "{}", ready());
    let metrics = get(&server, "/metrics");
    let has = |what: &str| metrics.lines().any(|line| line.starts_with(what));
    assert!(has("latentd_live{pipeline=\"live\",what=\"failed\"} 1") && has("latentd_ready 0"), "{metrics}");
    assert_eq!(status(&home, &server).0["live"]["failed"], true);
    wait_for("it to be tried again", LONG, || daemon.times("the stages are tried again") >= 2);
    // The devices stay open, unless a machine that is too busy loses them.
    assert!(daemon.times("listening to") <= 1 + daemon.times("to come back"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// A stage that fails the first time it is made, and does its work from then on.
#[derive(Debug)]
struct Moody(Arc<AtomicUsize>);

impl Stage for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        Ok(media)
    }

    fn live(&self, format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(Some(Box::new(Mood { format, bad: self.0.fetch_add(1, Relaxed) == 0 })))
    }
}

struct Mood {
    format: Format,
    bad: bool,
}

impl Process for Mood {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        0
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        if self.bad {
            return Err(Error::new(Kind::Model, "no numbers"));
        }
        output.clear();
        output.append(input);
        Ok(())
    }
}

#[test]
fn a_stage_that_is_well_again_when_it_is_made_anew_does_its_work_again() {
    let kindness = Kindness { rate: 48_000, channels: 1, format: SampleFormat::F32 };
    let host = FakeHost::new(kindness, kindness);
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = live_common::live(folder.path(), "high_pass");
    let made = Arc::new(AtomicUsize::new(0));
    pipeline.stages = vec![Box::new(Moody(Arc::clone(&made)))];
    let control = LiveControl::default();
    let (stop, stopped) = bounded::<()>(0);
    let (finder, watcher) = (host.clone(), control.clone());
    let running = std::thread::spawn(move || run_on(&pipeline, &control, &stopped, move || Ok(finder.devices())));
    let mut failed = false;
    wait_for("the stage to be well again", LONG, || {
        let there = {
            let streams = host.streams.lock().unwrap();
            streams.input.is_some() && streams.output.is_some()
        };
        if there {
            host.hear(&mut [0.1f32; 480], SampleFormat::F32);
            host.play(&mut [0f32; 480], SampleFormat::F32);
        }
        let status = watcher.status();
        failed |= status.failed && status.reason.is_some();
        status.state == State::Running && !status.failed && made.load(Relaxed) > 1
    });
    assert!(failed, "it was not told");
    assert_eq!(watcher.status().reason, None);
    drop(stop);
    running.join().unwrap().unwrap();
}
