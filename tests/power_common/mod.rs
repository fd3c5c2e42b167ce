//! What a program does to its files, as strace tells it, in steps that can be replayed.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::common::files;

/// What a file is to the recording.
pub type Node = usize;

/// One step, as far as it matters after a crash.
#[derive(Debug, Clone)]
pub enum Step {
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

impl Step {
    pub fn brief(&self) -> String {
        match self {
            Step::Write(node, at, bytes) => format!("write {} at {at} of {node}", bytes.len()),
            other => format!("{other:?}"),
        }
    }
}

/// What the program did.
pub struct Record {
    pub steps: Vec<Step>,
    /// Contents of files that were there before: inputs, which lie in `masters` too.
    pub inputs: BTreeMap<Node, PathBuf>,
}

/// Reads what strace has written.
pub struct Recorder {
    root: PathBuf,
    names: BTreeMap<PathBuf, Option<Node>>,
    positions: BTreeMap<Node, usize>,
    next: Node,
    record: Record,
}

impl Recorder {
    pub fn new(root: PathBuf) -> Recorder {
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

    pub fn read(mut self, trace: &str) -> Record {
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
        let path = |index: usize| {
            // In hexadecimal there are no commas within.
            let words: Vec<&str> = arguments.split_once('(')?.1.split(", ").collect();
            let at = (0..words.len()).filter(|&at| words[at].starts_with('"')).nth(index)?;
            // A name in a folder that is held stands after that folder.
            let folder = at.checked_sub(1).and_then(|before| quoted(words[before], '<', '>').into_iter().next());
            let as_path = |bytes: Vec<u8>| PathBuf::from(std::ffi::OsString::from_vec(bytes));
            let path = as_path(folder.unwrap_or_default()).join(as_path(texts[index].clone()));
            self.inside(path.as_os_str().as_bytes())
        };
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
