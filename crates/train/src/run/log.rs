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
    /// The file to append to; none where it has to be written as a whole first.
    file: Option<File>,
    entries: Vec<Entry>,
}

impl Log {
    /// The log with the entries up to `step`, where the run goes on. The file stays as it is until the first [`write`](Self::write).
    pub fn open(run: &Path, step: u64) -> Self {
        let path = run.join("log.jsonl");
        let text = fs::read(&path).unwrap_or_default();
        let entries = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
        // A run that begins anew has no entries yet, not even of its beginning.
        let entries = entries.filter(|entry| step > 0 && entry.step <= step).collect();
        Self { path, file: None, entries }
    }

    /// Appends an entry. What could not be written is written along with the next one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, entry: Entry) -> Result<()> {
        let line = serde_json::to_string(&entry)? + "\n";
        self.entries.push(entry);
        let file = match self.file.take() {
            Some(mut file) => {
                file.write_all(line.as_bytes()).with_context(|| cannot_write(&self.path))?;
                file
            }
            None => self.rewrite()?,
        };
        self.file = Some(file);
        Ok(())
    }

    /// All entries, from the run's beginning.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Puts a file of all entries in the place of the one that is there: there is never less than either.
    fn rewrite(&self) -> Result<File> {
        let mut text = String::new();
        for entry in &self.entries {
            text += &serde_json::to_string(entry)?;
            text.push('\n');
        }
        latentd::durable::write(&self.path, text.as_bytes()).map_err(crate::own)?;
        OpenOptions::new().append(true).open(&self.path).with_context(|| cannot_write(&self.path))
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(step: u64) -> Entry {
        Entry { step, seconds: 0.0, loss: 1.0, score: None, parts: BTreeMap::new(), learning_rate: 1e-3 }
    }

    fn steps(run: &Path, until: u64) -> Vec<u64> {
        Log::open(run, until).entries().iter().map(|entry| entry.step).collect()
    }

    /// Opening the log cut it to nothing before its entries were written back, and a line that could not be written ended the run.
    #[test]
    fn no_entry_is_lost_where_the_log_cannot_be_written_for_a_while() {
        let run = tempfile::tempdir().expect("a folder");
        let path = run.path().join("log.jsonl");
        let mut log = Log::open(run.path(), 0);
        log.write(entry(0)).expect("it can be written");
        log.write(entry(1)).expect("it can be written");
        let mut log = Log::open(run.path(), 1);
        assert_eq!(fs::read_to_string(&path).expect("a file").lines().count(), 2);
        fs::remove_file(&path).expect("a file");
        fs::create_dir(&path).expect("a folder");
        assert!(log.write(entry(2)).is_err());
        fs::remove_dir(&path).expect("a folder");
        log.write(entry(3)).expect("it can be written");
        assert_eq!((steps(run.path(), 3), steps(run.path(), 0)), (vec![0, 1, 2, 3], Vec::new()));
    }
}
