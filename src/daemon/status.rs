//! How the daemon is, for people, scripts and monitors. Feeds write into slots; whoever asks reads them and waits for nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Raised when a field changes its meaning or goes; new fields may come at any time.
pub const VERSION: u32 = 1;

/// The whole of it, as `GET /v1/status` gives it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// See [`VERSION`].
    pub version: u32,
    /// Version of the program.
    pub latentd: String,
    /// Process.
    pub pid: u32,
    /// Seconds since 1970 of the start.
    pub started: u64,
    /// Worker threads.
    pub threads: usize,
    /// Resident memory in bytes; 0 where the system does not tell.
    pub memory: u64,
    /// Whether all pipelines do what they should.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// The last reload, if there was one.
    pub reload: Option<Reload>,
    /// All pipelines, by name.
    pub pipelines: Vec<PipelineStatus>,
}

/// How a reload went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reload {
    /// Seconds since 1970.
    pub time: u64,
    /// Whether the new configuration is in force; otherwise the old one is.
    pub ok: bool,
    /// What is wrong with the new one, as `latentd check` tells it.
    pub problems: Vec<String>,
    /// Pipelines that were added, changed and removed; the others were not touched.
    pub added: Vec<String>,
    /// See `added`.
    pub changed: Vec<String>,
    /// See `added`.
    pub removed: Vec<String>,
}

/// One pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PipelineStatus {
    /// Its name.
    pub name: String,
    /// The file it was read from.
    pub file: String,
    /// `folder` or `live`.
    pub kind: String,
    /// `starting`, `running`, `paused` (by somebody), `waiting` (for something to be mended), `draining`, `stopping`.
    pub state: String,
    /// Why it waits.
    pub reason: Option<String>,
    /// Where its inputs come from.
    pub source: String,
    /// Where its results go.
    pub sink: String,
    /// Where bad inputs go.
    pub quarantine: String,
    /// Its stages.
    pub stages: Vec<String>,
    /// What is on its way.
    pub queue: Queue,
    /// What happened since the start.
    pub counts: Counts,
    /// The newest result.
    pub last: Option<LastResult>,
    /// What a live pipeline tells of its streams.
    pub live: Option<serde_json::Value>,
}

/// Files on their way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// Being written, or still to settle.
    pub settling: usize,
    /// Whole, and waiting for a worker.
    pub ready: usize,
    /// Jobs handed to the workers.
    pub working: usize,
    /// To be tried again.
    pub later: usize,
    /// Done, but their originals could not be taken away; that is tried again.
    pub originals: usize,
}

/// What happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Jobs whose results are safe.
    pub done: u64,
    /// Jobs that were done before.
    pub known: u64,
    /// Inputs put aside.
    pub quarantined: u64,
    /// Failures that were or will be tried again.
    pub retried: u64,
    /// Seconds of work in those that are done.
    pub seconds: f64,
}

/// The newest result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastResult {
    /// Seconds since 1970.
    pub time: u64,
    /// Paths of the job's inputs.
    pub inputs: Vec<String>,
    /// Paths of its results.
    pub results: Vec<String>,
}

impl LastResult {
    /// One that has just come.
    pub fn now(inputs: Vec<String>, results: Vec<String>) -> LastResult {
        LastResult { time: now(), inputs, results }
    }
}

/// Where a feed shows how it is.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<PipelineStatus>>);

impl Slot {
    /// A slot with what does not change.
    pub fn new(status: PipelineStatus) -> Slot {
        Slot(Arc::new(Mutex::new(status)))
    }

    /// To read or write; hold it briefly.
    pub fn lock(&self) -> MutexGuard<'_, PipelineStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
