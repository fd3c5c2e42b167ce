//! What became of every input, remembered over restarts and crashes. One thread owns the file; workers send it what they want noted, and all
//! that arrives while it writes becomes durable together with the next write.
//!
//! Why redb: one file, no server, every commit durable, tested by its authors with crash images and failing disks; a file of lines, which
//! this was before, cannot take back a claim.

mod offline;
mod record;
mod recover;
mod store;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};

use crate::durable::{self, Publication, Stamp};
use crate::error::{Error, Kind, Result};
use crate::model::sha256_hex;
use crate::pipeline::{Claim, Input, Key, Ledger, Pipeline, Verdict};
use record::{Record, State, now};
use store::{Change, Page, Store, search};

pub use offline::history;
pub use record::Event;
pub use store::ago;

/// An input that the program has ended with this often is not tried again.
const DEADLY: u32 = 3;
/// How often what is old is forgotten.
const PRUNE: Duration = Duration::from_secs(86_400);
/// How much is written in one go at most.
const BATCH: usize = 64;

/// What the start found.
#[derive(Debug, Default)]
pub struct Found {
    /// Signs of files that are done and lie in the folder still.
    pub done: HashSet<u128>,
    /// Signs of files that the program ended with.
    pub interrupted: HashSet<u128>,
    /// Files that are done and were to be moved or deleted, with their keys.
    pub unsettled: Vec<Unsettled>,
    /// Which start this is.
    pub run: u64,
}

/// A key, and the paths of its files with their signs.
pub type Unsettled = (Key, Vec<(PathBuf, u128)>);

/// The journal's end at which one writes. The thread ends, and the file is closed, when all are gone.
#[derive(Debug, Clone)]
pub struct Book {
    requests: Sender<Request>,
    /// The source's folder.
    root: Arc<Path>,
}

#[derive(Debug)]
enum Request {
    Claim(Claim, Answer<Verdict>),
    Known(Claim, bool, Answer<()>),
    Intend(Key, Vec<Publication>, Answer<()>),
    Done { key: Key, results: Vec<Publication>, seconds: f64, stay: bool, answer: Option<Answer<()>> },
    Settled(Key),
    Failed(Key, String),
    Quarantined { input: record::Input, sign: u128, fingerprint: String, reason: String, stays: bool },
    Close(Answer<()>),
    History { since: u64, before: u64, answer: Answer<Page> },
}

type Answer<T> = Sender<Result<T>>;

/// A sign of a file in one state at one place, short enough that a hundred thousand cost little.
pub fn sign_of(path: &Path, stamp: Stamp) -> u128 {
    let record::Input { stamp, .. } = record::Input::new(Path::new(""), stamp);
    sign(path, stamp)
}

fn sign(path: &Path, (length, modified, inode): (u64, i64, u64)) -> u128 {
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    bytes.push(0);
    bytes.extend(length.to_le_bytes());
    bytes.extend(modified.to_le_bytes());
    bytes.extend(inode.to_le_bytes());
    durable::sign(&bytes)
}

/// Twelve digits that belong to a pipeline's name, source and sink.
pub fn owner(pipeline: &Pipeline) -> String {
    let mut key = pipeline.name.clone().into_bytes();
    for path in [&pipeline.source.root, &pipeline.sink.root] {
        key.push(0);
        key.extend(path.as_os_str().as_encoded_bytes());
    }
    sha256_hex(&key)[..12].to_owned()
}

/// Where a pipeline's journal is in the state folder.
pub fn path(state: &Path, pipeline: &Pipeline) -> PathBuf {
    state.join(format!("{}-{}.redb", pipeline.name, owner(pipeline)))
}

/// Opens a pipeline's journal, finishes what a crash has left, and starts its thread; `again` forgets what is done.
///
/// # Errors
/// Kind transient: another latentd has it open, or it cannot be read or written.
pub fn open(state: &Path, pipeline: &Pipeline, again: bool) -> Result<(Book, Found)> {
    let mut store = Store::open(&path(state, pipeline))?;
    let found = store.change(|change| {
        change.root(&pipeline.source.root)?;
        let mut found = recover::recover(change, pipeline)?;
        if again {
            change.forget(&change.all()?.into_iter().map(|(key, _)| key).collect::<Vec<_>>())?;
            found = Found { run: found.run, ..Found::default() };
        }
        Ok(found)
    })?;
    let (requests, received) = unbounded();
    let root: Arc<Path> = pipeline.source.root.as_path().into();
    let writers = Arc::clone(&root);
    let thread = std::thread::Builder::new().name("journal".into()).spawn(move || write(store, &writers, &received));
    thread.map_err(|e| Error::new(Kind::Transient, "no thread for the journal").because(e))?;
    Ok((Book { requests, root }, found))
}

fn write(mut store: Store, root: &Path, requests: &Receiver<Request>) {
    let mut pruned = Instant::now();
    while let Ok(first) = requests.recv() {
        // The start does it too, but it may be months away.
        if pruned.elapsed() > PRUNE {
            if let Err(e) = store.change(|change| recover::prune(change, root)) {
                tracing::debug!("{e}");
            }
            pruned = Instant::now();
        }
        let (mut changes, mut questions, mut closing) = (Vec::new(), Vec::new(), None);
        for request in std::iter::once(first).chain(requests.try_iter().take(BATCH)) {
            match request {
                Request::History { .. } => questions.push(request),
                Request::Close(answer) => closing = Some(answer),
                _ => changes.push(request),
            }
        }
        let verdicts: Result<Vec<Verdict>> = match changes.is_empty() && store.is_open() {
            // A question alone shall not cost a write.
            true => Ok(Vec::new()),
            false => store.change(|change| changes.iter().map(|request| apply(change, request)).collect()),
        };
        match verdicts {
            Ok(verdicts) => {
                changes.into_iter().zip(verdicts).for_each(|(request, verdict)| request.answer(Ok(verdict)))
            }
            Err(e) => changes.into_iter().for_each(|request| request.answer(Err(&e))),
        }
        for question in questions {
            if let Request::History { since, before, answer } = question {
                let _ = answer.send(store.page(since, before));
            }
        }
        if let Some(answer) = closing {
            drop(store);
            let _ = answer.send(Ok(()));
            return;
        }
    }
}

/// Makes one change. Only a claim has an answer of its own.
fn apply(change: &Change, request: &Request) -> Result<Verdict> {
    match request {
        Request::Claim(claim, _) => return self::claim(change, claim),
        Request::Known(claim, there, _) => {
            let Some(mut record) = change.get(&claim.key)? else { return Ok(Verdict::Work) };
            if *there {
                record.inputs = inputs_of(claim);
            } else {
                record = Record { attempts: 1, ..fresh(claim) };
            }
            change.put(&claim.key, &Record { time: now(), ..record })?;
        }
        Request::Intend(key, publications, _) => update(change, key, State::Publishing(publications.clone()))?,
        Request::Done { key, results, seconds, stay, .. } => {
            update(change, key, State::Done { results: results.clone(), settled: *stay })?;
            let results = results.iter().map(|r| text(&r.target)).collect();
            note(change, key, "done", |event| Event { results, seconds: Some(*seconds), ..event })?;
        }
        Request::Settled(key) => {
            if let Some(Record { state: State::Done { results, .. }, .. }) = change.get(key)? {
                update(change, key, State::Done { results, settled: true })?;
            }
        }
        Request::Failed(key, reason) => {
            if let Some(record) = change.get(key)? {
                let state = State::Failed(reason.clone());
                change.put(key, &Record { state, interrupted: 0, time: now(), ..record })?;
                note(change, key, "failed", |event| Event { reason: Some(reason.clone()), ..event })?;
            }
        }
        Request::Quarantined { input, sign, fingerprint, reason, stays } => {
            if *stays {
                let (inputs, fingerprint) = (vec![input.clone()], fingerprint.clone());
                let record =
                    Record { inputs, fingerprint, attempts: 1, interrupted: 0, state: State::Refused, time: now() };
                change.put(&recover::key_of_sign(*sign), &record)?;
            }
            let inputs = vec![text(&input.path)];
            change.event(&Event { inputs, reason: Some(reason.clone()), ..Event::new("quarantined") })?;
        }
        Request::History { .. } | Request::Close(_) => {}
    }
    Ok(Verdict::Work)
}

fn claim(change: &Change, claim: &Claim) -> Result<Verdict> {
    let mut record = match change.get(&claim.key)? {
        Some(Record { state: State::Done { results, .. }, .. }) => return Ok(Verdict::Known(results)),
        Some(record) if record.interrupted >= DEADLY => return Ok(Verdict::Deadly(record.interrupted)),
        Some(record) => record,
        None => fresh(claim),
    };
    record.attempts += 1;
    change.put(&claim.key, &Record { inputs: inputs_of(claim), state: State::Claimed, time: now(), ..record })?;
    Ok(Verdict::Work)
}

fn fresh(claim: &Claim) -> Record {
    let (inputs, fingerprint) = (inputs_of(claim), claim.fingerprint.clone());
    Record { inputs, fingerprint, attempts: 0, interrupted: 0, state: State::Claimed, time: now() }
}

fn inputs_of(claim: &Claim) -> Vec<record::Input> {
    claim.inputs.iter().map(|(path, stamp)| record::Input::new(path, *stamp)).collect()
}

fn update(change: &Change, key: &Key, state: State) -> Result<()> {
    match change.get(key)? {
        Some(record) => change.put(key, &Record { state, time: now(), ..record }),
        None => Ok(()),
    }
}

/// Adds to the history what happened to the input under a key.
fn note(change: &Change, key: &Key, what: &str, fill: impl FnOnce(Event) -> Event) -> Result<()> {
    let Some(record) = change.get(key)? else { return Ok(()) };
    let inputs = record.inputs.iter().map(|input| text(&input.path)).collect();
    change.event(&fill(Event { inputs, attempts: record.attempts, ..Event::new(what) }))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Request {
    fn answer(self, outcome: std::result::Result<Verdict, &Error>) {
        let unit = |outcome: &std::result::Result<Verdict, &Error>| outcome.as_ref().map(|_| ()).map_err(|e| again(e));
        let _ = match self {
            Request::Claim(_, answer) => answer.send(outcome.map_err(again)).is_ok(),
            Request::Known(_, _, answer) | Request::Intend(_, _, answer) => answer.send(unit(&outcome)).is_ok(),
            Request::Done { answer: Some(answer), .. } => answer.send(unit(&outcome)).is_ok(),
            // Nobody waits. What could not be noted is found out, or done once more, at the next start.
            _ => outcome.map_err(|e| tracing::warn!(mend = e.mend_text(), "{e}")).is_ok(),
        };
    }
}

/// The same error for one more of those who wait.
fn again(e: &Error) -> Error {
    let copy = Error::new(e.kind(), e.to_string());
    match e.mend_text() {
        Some(mend) => copy.mend(mend),
        None => copy,
    }
}

impl Book {
    fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T> {
        let (answer, answered) = bounded(1);
        let _ = self.requests.send(request(answer));
        let gone = || Error::new(Kind::Transient, "the journal's thread has ended").mend("start latentd again");
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// Notes that an input went to quarantine, or that it `stays` in the folder and is to be left alone there. Does not wait.
    pub fn quarantined(&self, input: &Input, fingerprint: &str, reason: &Error, stays: bool) {
        let sign = sign_of(&input.path, input.stamp);
        let record = record::Input::new(&input.relative, input.stamp);
        let (fingerprint, reason) = (fingerprint.to_owned(), record::reason(&reason.to_string()));
        let _ = self.requests.send(Request::Quarantined { input: record, sign, fingerprint, reason, stays });
    }

    /// Writes what is still to be written and closes the file, so that the next start, or a changed pipeline, can open it.
    pub fn close(&self) {
        if let Err(e) = self.ask(Request::Close) {
            tracing::debug!("{e}");
        }
    }

    /// What happened since `since` (microseconds since 1970), newest first; if `files` are given, only to those whose path holds one of them, or that
    /// lie there or below.
    ///
    /// # Errors
    /// Kind transient: it cannot be read.
    pub fn history(&self, since: u64, limit: usize, files: Vec<String>) -> Result<Vec<Event>> {
        // Piece by piece, and read here: the journal's thread has others to see to in between.
        let page = |before| self.ask(|answer| Request::History { since, before, answer });
        search(limit, |event| event.is_wanted(&files, &self.root), page)
    }
}

impl Ledger for Book {
    fn claim(&self, claim: Claim) -> Result<Verdict> {
        self.ask(|answer| Request::Claim(claim, answer))
    }

    fn known(&self, claim: Claim, there: bool) -> Result<()> {
        self.ask(|answer| Request::Known(claim, there, answer))
    }

    fn intend(&self, key: Key, publications: &[Publication]) -> Result<()> {
        self.ask(|answer| Request::Intend(key, publications.to_vec(), answer))
    }

    fn done(&self, key: Key, results: &[Publication], seconds: f64, originals_stay: bool) -> Result<()> {
        let done = |answer| Request::Done { key, results: results.to_vec(), seconds, stay: originals_stay, answer };
        if originals_stay {
            let _ = self.requests.send(done(None));
            return Ok(());
        }
        self.ask(|answer| done(Some(answer)))
    }

    fn settled(&self, key: Key) {
        let _ = self.requests.send(Request::Settled(key));
    }

    fn failed(&self, key: Key, reason: &str) {
        let _ = self.requests.send(Request::Failed(key, record::reason(reason)));
    }
}

/// For whoever must hold it as a ledger.
pub fn ledger(book: &Book) -> Arc<dyn Ledger> {
    Arc::new(book.clone())
}
