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

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Home, count, files, png, wait_for};

const LONG: Duration = Duration::from_secs(60);
const CALLS: &str = "trace=openat,creat,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,writev,pwritev,pwritev2,copy_file_range,sendfile,fallocate";
/// How many states are tried if not all are.
const SOME: usize = 24;

/// What a file is to the recording.
type Node = usize;

/// One step, as far as it matters after a crash.
#[derive(Debug, Clone)]
enum Step {
    /// A name in a folder stands for this from now on, or for nothing. `None` within is a folder.
    Name(PathBuf, Option<Option<Node>>),
    /// A file gets another name. Within a folder that happens at once; between two, each folder has its half.
    Rename(PathBuf, PathBuf, Node),
    Write(Node, usize, Vec<u8>),
    Truncate(Node, usize),
    /// What was done before the step of this number is safe: a file's contents, or a folder's names.
    SyncFile(Node, usize),
    SyncFolder(PathBuf, usize),
}

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

/// What the program did.
struct Record {
    steps: Vec<Step>,
    /// Contents of files that were there before: inputs, which lie in `masters` too.
    inputs: BTreeMap<Node, PathBuf>,
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
        let trace = self.home.path("trace");
        let program = self.home.latentd();
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-xx", "-s", "10000000", "-e", CALLS, "-o"]).arg(&trace);
        command.arg(program.get_program()).args(["run", "pipeline.yaml", "--threads", "2"]);
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.home.path("")).stdin(Stdio::null()).stderr(log(&self.home));
        let mut child = command.spawn().unwrap();
        wait_for("all results", LONG, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(self.home.path("log.txt")).unwrap());
            self.is_finished()
        });
        assert_eq!(self.home.run(&["drain"]).status.code(), Some(0));
        child.wait().unwrap();
        Recorder::new(self.home.path("").canonicalize().unwrap()).read(&fs::read_to_string(trace).unwrap())
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
            let same = fs::read(kept.join(name)).unwrap() == fs::read(self.home.path("masters").join(name)).unwrap();
            assert!(same, "{what}: the original {}", name.display());
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

/// Reads what strace has written.
struct Recorder {
    root: PathBuf,
    names: BTreeMap<PathBuf, Option<Node>>,
    positions: BTreeMap<Node, usize>,
    next: Node,
    record: Record,
}

impl Recorder {
    fn new(root: PathBuf) -> Recorder {
        let record = Record { steps: Vec::new(), inputs: BTreeMap::new() };
        let mut recorder = Recorder { root, names: BTreeMap::new(), positions: BTreeMap::new(), next: 0, record };
        // What was there before, and is safe.
        for name in files(&recorder.root.join("masters")) {
            let path = Path::new("inbox").join(&name);
            for folder in path.parent().unwrap().ancestors().collect::<Vec<_>>().into_iter().rev() {
                recorder.name(folder.to_path_buf(), Some(None));
            }
            let node = recorder.new_node();
            recorder.record.inputs.insert(node, name);
            recorder.name(path, Some(Some(node)));
        }
        let folders: BTreeSet<PathBuf> =
            recorder.names.keys().filter_map(|path| path.parent()).map(Path::to_path_buf).collect();
        let before = recorder.record.steps.len();
        recorder.record.steps.extend(folders.into_iter().map(|path| Step::SyncFolder(path, before)));
        recorder
    }

    fn new_node(&mut self) -> Node {
        self.next += 1;
        self.next
    }

    fn name(&mut self, path: PathBuf, node: Option<Option<Node>>) {
        if path.as_os_str().is_empty() {
            return;
        }
        match node {
            Some(node) => drop(self.names.insert(path.clone(), node)),
            None => drop(self.names.remove(&path)),
        }
        self.record.steps.push(Step::Name(path, node));
    }

    fn read(mut self, trace: &str) -> Record {
        // Calls that had begun when another thread's came in between, and how many steps were done then.
        let mut begun: BTreeMap<&str, (String, usize)> = BTreeMap::new();
        for line in trace.lines() {
            let (thread, line) = line.split_once(' ').unwrap();
            let line = line.trim_start();
            let steps = self.record.steps.len();
            if let Some(begin) = line.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, (begin.to_owned(), steps));
            } else if line.starts_with("<... ") {
                let rest = line.split_once(" resumed>").unwrap().1;
                if let Some((begin, before)) = begun.remove(thread) {
                    self.call(&(begin + rest), before);
                }
            } else {
                self.call(line, steps);
            }
        }
        self.record
    }

    /// A call that is over; `before` steps were done when it began.
    fn call(&mut self, line: &str, before: usize) {
        let Some((name, _)) = line.split_once('(') else { return };
        let Some((arguments, result)) = line.rsplit_once(" = ") else { return };
        let arguments = arguments.trim_end().trim_end_matches(')');
        if result.starts_with('-') {
            return;
        }
        let texts = quoted(arguments, '"', '"');
        let path = |index: usize| texts.get(index).and_then(|text| self.inside(text));
        let opened = quoted(arguments, '<', '>').first().and_then(|text| self.inside(text));
        let file = opened.as_ref().and_then(|path| self.names.get(path).copied().flatten());
        let number = |from_end: usize| -> usize {
            let words: Vec<&str> = arguments.rsplit(", ").collect();
            words[from_end].parse().unwrap()
        };
        match name {
            "openat" if arguments.contains("O_CREAT") => {
                let Some(path) = path(0) else { return };
                match self.names.get(&path).copied().flatten() {
                    None => {
                        let node = self.new_node();
                        self.name(path, Some(Some(node)));
                    }
                    Some(node) if arguments.contains("O_TRUNC") => {
                        self.record.steps.push(Step::Truncate(node, 0));
                    }
                    Some(_) => {}
                }
            }
            "write" | "pwrite64" => {
                let Some(node) = file else { return };
                let bytes = texts[0].clone();
                let at = if name == "write" { self.positions.get(&node).copied().unwrap_or(0) } else { number(0) };
                assert_eq!(result.parse::<usize>().unwrap(), bytes.len(), "strace shows all that was written");
                if name == "write" {
                    self.positions.insert(node, at + bytes.len());
                }
                self.record.steps.push(Step::Write(node, at, bytes));
            }
            // A bad input is copied to quarantine.
            "copy_file_range" => {
                let ends: Vec<_> = quoted(arguments, '<', '>').iter().filter_map(|text| self.inside(text)).collect();
                let nodes: Vec<Node> = ends.iter().filter_map(|path| self.names.get(path).copied().flatten()).collect();
                let [from, to] = nodes[..] else { panic!("a copy between {ends:?}") };
                let master = self.root.join("masters").join(&self.record.inputs[&from]);
                let (at, length) = (self.positions.get(&to).copied().unwrap_or(0), result.parse::<usize>().unwrap());
                let bytes = fs::read(master).unwrap()[at..at + length].to_vec();
                self.positions.insert(to, at + length);
                self.record.steps.push(Step::Write(to, at, bytes));
            }
            "lseek" => drop(file.map(|node| self.positions.insert(node, result.parse().unwrap()))),
            "ftruncate" => {
                let length = number(0);
                self.record.steps.extend(file.map(|node| Step::Truncate(node, length)));
            }
            "fsync" | "fdatasync" => match (file, opened) {
                (Some(node), _) => self.record.steps.push(Step::SyncFile(node, before)),
                (None, Some(path)) => self.record.steps.push(Step::SyncFolder(path, before)),
                _ => {}
            },
            "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
                let (Some(from), Some(to)) = (path(0), path(1)) else { return };
                // The control socket, which nothing has to survive.
                if from.starts_with("XDG_RUNTIME_DIR") {
                    return;
                }
                let node = self.names.get(&from).copied().flatten();
                let Some(node) = node else { panic!("only files are moved: {}", from.display()) };
                if name.starts_with("link") {
                    return self.name(to, Some(Some(node)));
                }
                self.names.remove(&from);
                self.names.insert(to.clone(), Some(node));
                self.record.steps.push(Step::Rename(from, to, node));
            }
            "unlink" | "unlinkat" | "rmdir" => drop(path(0).map(|path| self.name(path, None))),
            "mkdir" | "mkdirat" => drop(path(0).map(|path| self.name(path, Some(None)))),
            "openat" => {}
            other => assert!(opened.is_none() || file.is_none(), "{other} is a call that the test does not know"),
        }
    }

    /// A path below the test's folder, relative to it.
    fn inside(&self, text: &[u8]) -> Option<PathBuf> {
        let path = self.root.join(PathBuf::from(std::ffi::OsString::from_vec(text.to_vec())));
        path.strip_prefix(&self.root).ok().map(Path::to_path_buf)
    }
}

/// All that stands between these two signs, with its `\x41` made bytes.
fn quoted(text: &str, open: char, close: char) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((inner, after)) = after.split_once(close) else { break };
        let mut bytes = Vec::with_capacity(inner.len() / 4);
        let mut parts = inner.split("\\x");
        bytes.extend(parts.next().unwrap_or_default().bytes());
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend(part[2..].bytes());
        }
        found.push(bytes);
        rest = after;
    }
    found
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
    assert!(states.len() > 100, "the recording is empty");
    for (count, loss, state) in states.iter().step_by(every) {
        world.restore(&record, state);
        world.go_on(&format!("after step {count} ({:?}), loss {loss:?}", record.steps[count - 1].brief()), &results);
    }
}

impl Step {
    fn brief(&self) -> String {
        match self {
            Step::Write(node, at, bytes) => format!("write {} at {at} of {node}", bytes.len()),
            other => format!("{other:?}"),
        }
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
