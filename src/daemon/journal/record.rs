//! What the journal holds of an input, as JSON, so that a curious person can read it and a later version can add to it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::durable::{Publication, Stamp, any_path};
use crate::error::show_text;

/// Characters of a reason that are kept, at most: it may repeat what a stranger's file holds.
const LONGEST_REASON: usize = 2_000;

/// A reason as the journal holds it.
pub fn reason(text: &str) -> String {
    show_text(text, LONGEST_REASON)
}

/// One input (or group of inputs) under one fingerprint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The files.
    pub inputs: Vec<Input>,
    /// Fingerprint of the pipeline.
    pub fingerprint: String,
    /// How often work was begun.
    pub attempts: u32,
    /// How often the program ended during it.
    #[serde(default)]
    pub interrupted: u32,
    /// How far it is.
    pub state: State,
    /// Microseconds since 1970 of the last change.
    pub time: u64,
}

/// How far an input is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Being worked on.
    Claimed,
    /// The results are whole, and about to get their names.
    Publishing(Vec<Publication>),
    /// The results are safe.
    Done {
        /// Names and digests.
        results: Vec<Publication>,
        /// Whether the original was seen to.
        settled: bool,
    },
    /// The last attempt failed, and the program lived on.
    Failed(String),
    /// It was refused and could not be moved to quarantine, so that it lies in the folder still.
    Refused,
}

/// A file as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    /// Path within the source.
    #[serde(with = "any_path")]
    pub path: PathBuf,
    /// Its state: bytes, nanoseconds since 1970, inode.
    pub stamp: (u64, i64, u64),
}

impl Input {
    /// As the journal holds it.
    pub fn new(path: &Path, stamp: Stamp) -> Input {
        // Nanoseconds fit until the year 2262.
        let modified = i64::try_from(stamp.modified).unwrap_or(i64::MAX);
        Input { path: path.to_path_buf(), stamp: (stamp.length, modified, stamp.inode) }
    }
}

/// Something that happened, for `latentd history`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since 1970.
    pub time: u64,
    /// `done`, `failed`, `quarantined`.
    pub what: String,
    /// The files' paths within the source; what in them is no text is lost.
    pub inputs: Vec<String>,
    /// Where the results are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event {
    /// Something that happens now.
    pub fn new(what: &str) -> Event {
        let what = what.to_owned();
        Event { time: now(), what, inputs: vec![], results: vec![], seconds: None, attempts: 0, reason: None }
    }

    /// Whether one of its files has one of `texts` in its path, or lies at that path or below it; anything is wanted if there is no text. Its inputs
    /// lie below `root`.
    pub fn is_wanted(&self, texts: &[String], root: &Path) -> bool {
        let about = |text: &String| {
            let mut paths = self.inputs.iter().chain(&self.results);
            paths.any(|path| path.contains(text) || root.join(path).starts_with(text))
        };
        texts.is_empty() || texts.iter().any(about)
    }

    /// As it may be shown, whatever an earlier version noted.
    #[must_use]
    pub fn tamed(mut self) -> Event {
        self.reason = self.reason.as_deref().map(reason);
        self
    }

    /// As it is shown to programs, with its pipeline's name.
    pub fn of(self, pipeline: &str) -> Value {
        let mut value = serde_json::to_value(&self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("pipeline".into(), pipeline.into());
            // Seconds, as everywhere else.
            fields.insert("time".into(), (self.time as f64 / 1e6).into());
        }
        value
    }
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
