//! The power fails: what was not synced is lost, in whole or in part. Whenever that happens, everything that was dropped is in the outbox exactly
//! once or in quarantine with its reason, and the originals are intact.
//!
//! strace records what the program itself does to its files. From each prefix of that the test makes what a disk may hold after a power loss
//! at that moment, puts it in place, and lets the program go on. A file system may keep more than it was told to sync, or less of one thing than of
//! another, so there are several such states of each moment (`Loss`).
//!
//! Needs `strace`; without it the test says so and passes, unless LATENTD_REQUIRE_STRACE is set, as in .ci/run.
//! `POWER_LOSS_ALL=1 cargo test --release --test power_loss` tries every state rather than some.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod power_common;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Home, count, files, png, wait_for};
use power_common::{Node, Record, Recorder, Step};
use rustix::process::{Pid, Signal, kill_process_group};

const LONG: Duration = Duration::from_secs(240);
const CALLS: &str = "trace=openat,creat,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,writev,pwritev,pwritev2,copy_file_range,sendfile,fallocate";
/// How many states are tried if not all are.
const SOME: usize = 24;

/// What the disk keeps of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Nothing: neither names nor contents.
    All,
    /// All names, and of contents nothing, as a file system does that writes its own books first.
    Contents,
    /// All names, and every second write of those to files: a disk that puts them in an order of its own.
    Halves,
    /// Everything, as after a kill.
    Nothing,
}

/// The folder of a test, and the names that its files have.
struct World {
    home: Home,
    originals: &'static str,
    good: BTreeSet<PathBuf>,
}

const BAD: &str = "bad.png";

impl World {
    fn new(originals: &'static str) -> World {
        let home = Home::new();
        home.pipeline(", recursive: true", "resize: { long_side: 4 }", &format!(", originals: {originals}"));
        let names = ["a.png", "b.png", "deep/er/c.png", "deep/d.png", "same.png"];
        for (n, name) in names.iter().enumerate() {
            let file = home.path("masters").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            // The last two have the same contents.
            fs::write(file, png(6 + (n as u32).min(3), 7)).unwrap();
        }
        fs::write(home.path("masters").join(BAD), "no picture").unwrap();
        World { home, originals, good: names.iter().map(PathBuf::from).collect() }
    }

    /// Inputs are links to the masters, so that they are the same files, with the same times, in each state.
    fn link_inputs(&self) {
        for name in files(&self.home.path("masters")) {
            let path = self.home.path("inbox").join(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::hard_link(self.home.path("masters").join(&name), path).unwrap();
        }
    }

    fn is_finished(&self) -> bool {
        let taken = self.originals == "keep" || count(&self.home.path("inbox")) == 0;
        let noted = self.home.path("quarantine").join(format!("{BAD}.error.txt")).exists();
        taken && noted && count(&self.home.path("outbox")) >= self.good.len()
    }

    /// Lets the program work from the beginning to the end, and notes what it does.
    fn record(&self) -> Record {
        self.link_inputs();
        let options = ["-f", "-y", "-xx", "-s", "10000000", "-e", CALLS, "-o", "trace"];
        let mut command = self.home.latentd_by("strace", &options);
        command.args(["run", "pipeline.yaml", "--threads", "2"]).stderr(log(&self.home)).process_group(0);
        let mut traced = Traced(command.spawn().unwrap());
        wait_for("all results", LONG, || {
            let ended = traced.0.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(self.home.path("log.txt")).unwrap());
            self.is_finished()
        });
        assert_eq!(self.home.run(&["drain"]).status.code(), Some(0));
        wait_for("the end", LONG, || traced.0.try_wait().unwrap().is_some());
        let trace = fs::read_to_string(self.home.path("trace")).unwrap();
        Recorder::new(self.home.path("").canonicalize().unwrap()).read(&trace)
    }

    /// Puts a state in place of what is there.
    fn restore(&self, record: &Record, state: &State) {
        for folder in ["inbox", "outbox", "quarantine", "originals", "XDG_STATE_HOME"] {
            let _ = fs::remove_dir_all(self.home.path(folder));
        }
        let home = self.home.path("");
        for (path, node) in &state.names {
            let to = home.join(path);
            match node {
                None => fs::create_dir_all(&to).unwrap(),
                // A name in a folder that was lost is lost with it.
                Some(_) if !to.parent().unwrap().is_dir() => {}
                Some(node) => match record.inputs.get(node) {
                    Some(master) => fs::hard_link(home.join("masters").join(master), &to).unwrap(),
                    None => fs::write(&to, &state.contents[node]).unwrap(),
                },
            }
        }
    }

    /// Goes on, and looks whether everything is as it must be.
    fn go_on(&self, what: &str, results: &BTreeMap<PathBuf, Vec<u8>>) {
        let _ = fs::remove_file(self.home.path("log.txt"));
        let daemon = self.home.daemon(&self.home.path("pipeline.yaml"), &[]);
        let begin = std::time::Instant::now();
        while !self.is_finished() {
            let lost = || format!("{what}: {:?}\n{}", files(&self.home.path("")), daemon.log());
            assert!(begin.elapsed() < LONG, "{}", lost());
            std::thread::sleep(Duration::from_millis(20));
        }
        // For what would be done twice.
        std::thread::sleep(Duration::from_millis(200));
        let told = daemon.log();
        assert_eq!(daemon.stop(), Some(0), "{what}");
        let outbox = self.home.path("outbox");
        let now: BTreeMap<PathBuf, Vec<u8>> =
            files(&outbox).into_iter().map(|name| (name.clone(), fs::read(outbox.join(name)).unwrap())).collect();
        assert!(now == *results, "{what}: {:?}\n{told}", now.keys());
        assert_eq!(fs::read(self.home.path("quarantine").join(BAD)).unwrap(), b"no picture", "{what}");
        let kept = match self.originals {
            "keep" => self.home.path("inbox"),
            _ => self.home.path("originals"),
        };
        for name in self.good.iter().filter(|_| self.originals != "delete") {
            let kept = fs::read(kept.join(name)).ok();
            let same = kept == fs::read(self.home.path("masters").join(name)).ok();
            let there = || files(&self.home.path(""));
            assert!(same, "{what}: the original {} is not as it was: {:?}\n{told}", name.display(), there());
        }
    }
}

/// strace and the program under it, which would live on without it: a process group, killed if the test ends early.
struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

/// What a disk holds.
#[derive(Hash)]
struct State {
    /// Folders before what is in them, by their order.
    names: BTreeMap<PathBuf, Option<Node>>,
    contents: BTreeMap<Node, Vec<u8>>,
}

impl Record {
    /// After the power has failed when `count` steps were done.
    fn state(&self, count: usize, loss: Loss) -> State {
        let done = &self.steps[..count];
        let mut synced_files: BTreeMap<Node, usize> = BTreeMap::new();
        let mut synced_folders: BTreeMap<&Path, usize> = BTreeMap::new();
        for step in done {
            match step {
                Step::SyncFile(node, before) => drop(synced_files.insert(*node, *before)),
                Step::SyncFolder(path, before) => drop(synced_folders.insert(path, *before)),
                _ => {}
            }
        }
        let mut names: BTreeMap<PathBuf, Option<Node>> = BTreeMap::new();
        let mut contents: BTreeMap<Node, Vec<u8>> = BTreeMap::new();
        for (number, step) in done.iter().enumerate() {
            let stays = |path: &Path| {
                let safe = synced_folders.get(path.parent().unwrap()).is_some_and(|before| number < *before);
                safe || loss != Loss::All
            };
            match step {
                Step::Name(path, Some(node)) if stays(path) => drop(names.insert(path.clone(), *node)),
                Step::Name(path, None) if stays(path) => drop(names.remove(path)),
                Step::Rename(from, to, node) => {
                    if stays(to) {
                        names.insert(to.clone(), Some(*node));
                    }
                    if stays(from) {
                        names.remove(from);
                    }
                }
                Step::Write(node, ..) | Step::Truncate(node, _) => {
                    let safe = synced_files.get(node).is_some_and(|before| number < *before);
                    let kept = safe || loss == Loss::Nothing || (loss == Loss::Halves && number % 2 == 0);
                    let bytes = contents.entry(*node).or_default();
                    match step {
                        _ if !kept => {}
                        Step::Truncate(_, length) => bytes.resize(*length, 0),
                        Step::Write(_, at, new) => {
                            bytes.resize(bytes.len().max(at + new.len()), 0);
                            bytes[*at..at + new.len()].copy_from_slice(new);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        let used: HashSet<Node> = names.values().filter_map(|node| *node).collect();
        for node in &used {
            contents.entry(*node).or_default();
        }
        contents.retain(|node, _| used.contains(node));
        State { names, contents }
    }
}

fn log(home: &Home) -> fs::File {
    fs::File::options().create(true).append(true).open(home.path("log.txt")).unwrap()
}

fn lose_power(originals: &'static str) {
    let there = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("LATENTD_REQUIRE_STRACE").is_none(), "install it: apt-get install strace");
        eprintln!("skipped: strace is not installed, or may not trace");
        return;
    }
    let world = World::new(originals);
    let record = world.record();
    let outbox = world.home.path("outbox");
    let results: BTreeMap<PathBuf, Vec<u8>> =
        files(&outbox).into_iter().map(|name| (name.clone(), fs::read(outbox.join(name)).unwrap())).collect();
    assert_eq!(results.keys().cloned().collect::<BTreeSet<_>>(), world.good);
    let begin = record.steps.iter().position(|step| matches!(step, Step::SyncFolder(..))).unwrap();
    let mut seen = HashSet::new();
    let mut states = Vec::new();
    for count in begin + 4..=record.steps.len() {
        for loss in [Loss::All, Loss::Contents, Loss::Halves, Loss::Nothing] {
            let state = record.state(count, loss);
            let mut hasher = DefaultHasher::new();
            state.hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                states.push((count, loss, state));
            }
        }
    }
    let all = std::env::var_os("POWER_LOSS_ALL").is_some();
    let every = if all { 1 } else { states.len().div_ceil(SOME) };
    println!("originals: {originals}: {} steps, {} states, every {every}th", record.steps.len(), states.len());
    // Two hundred, more or less, by what the journal puts into one write.
    assert!(states.len() > 40, "the recording is empty");
    for (count, loss, state) in states.iter().step_by(every) {
        world.restore(&record, state);
        world.go_on(&format!("after step {count} ({:?}), loss {loss:?}", record.steps[count - 1].brief()), &results);
    }
}

#[test]
fn a_power_loss_with_originals_that_stay_loses_nothing_and_repeats_nothing() {
    lose_power("keep");
}

#[test]
fn nor_does_one_with_originals_that_are_deleted() {
    lose_power("delete");
}

#[test]
fn nor_one_with_originals_that_are_moved_away() {
    lose_power("{ move: ./originals }");
}
