use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One line of a run's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Steps done.
    pub step: u64,
    /// Training time so far, in seconds.
    pub seconds: f64,
    /// Mean loss since the entry before.
    pub loss: f64,
    /// The recipe's score on the development set, of the averaged weights; not measured at every entry.
    #[serde(skip_serializing_if = "Option::is_none", default, alias = "psnr")]
    pub score: Option<f64>,
    /// What the recipe measures beside the score, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub parts: BTreeMap<String, f64>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
}

/// A run's log: `log.jsonl` in its folder, one JSON object a line.
pub struct Log {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
}

impl Log {
    /// Opens the log, keeping the entries up to `step`, where the run goes on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(run: &Path, step: u64) -> Result<Self> {
        let path = run.join("log.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let entries: Vec<Entry> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut log =
            Self { file: File::create(&path).with_context(|| cannot_write(&path))?, path, entries: Vec::new() };
        for entry in entries.into_iter().filter(|entry| entry.step <= step) {
            log.write(entry)?;
        }
        log.file = OpenOptions::new().append(true).open(&log.path).with_context(|| cannot_write(&log.path))?;
        Ok(log)
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, entry: Entry) -> Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(&entry)?).with_context(|| cannot_write(&self.path))?;
        self.entries.push(entry);
        Ok(())
    }

    /// All entries, from the run's beginning.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
