//! What is done already, remembered from one start to the next where originals stay in their folder.
//!
//! A file of lines, each the digest of a path and its stamp: appended and synced when a result is safe. A line that a crash cut short is
//! no digest and is passed over; its input is done once more.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::durable;
use crate::error::{Error, Kind, Result};
use crate::model::sha256_hex;
use crate::pipeline::Pipeline;
use crate::source::Stamp;

/// Hex digits of a line: half a SHA-256 is plenty against chance.
const DIGITS: usize = 32;

/// The journal of one pipeline.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    done: HashSet<String>,
}

impl Journal {
    /// Opens the journal that belongs to a pipeline's source and sink in the state folder; `again` forgets what it holds.
    ///
    /// # Errors
    /// Kind output or transient: it cannot be read or written.
    pub fn open(state: &Path, pipeline: &Pipeline, again: bool) -> Result<Journal> {
        let mut key = pipeline.name.clone().into_bytes();
        for path in [&pipeline.source.root, &pipeline.sink.root] {
            key.push(0);
            key.extend(path.as_os_str().as_encoded_bytes());
        }
        let path = state.join(format!("{}-{}.done", pipeline.name, &sha256_hex(&key)[..12]));
        if !path.exists() {
            durable::write(&path, b"")?;
        }
        let mut file = File::options().read(true).append(true).open(&path).map_err(|e| Error::io("write", &path, e))?;
        if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            let what = format!("`{}` is being run by another latentd, which would do every file twice", pipeline.name);
            return Err(Error::new(Kind::Transient, what).mend("stop the other one first"));
        }
        if again {
            file.set_len(0).map_err(|e| Error::io("write", &path, e))?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| Error::io("read", &path, e))?;
        // A line that a crash has spoilt is no digest.
        let text = String::from_utf8_lossy(&bytes);
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(|e| Error::io("write", &path, e))?;
        }
        let done = text.lines().filter(|l| l.len() == DIGITS).map(str::to_owned).collect();
        Ok(Journal { path, file, done })
    }

    /// Whether this state of this file is done.
    pub fn is_done(&self, path: &Path, stamp: Stamp) -> bool {
        self.done.contains(&digest(path, stamp))
    }

    /// Notes that it is.
    ///
    /// # Errors
    /// Kind output or transient: it could not be made durable; it is remembered until the program ends.
    pub fn note(&mut self, path: &Path, stamp: Stamp) -> Result<()> {
        let digest = digest(path, stamp);
        let line = format!("{digest}\n");
        if self.done.insert(digest) {
            self.file
                .write_all(line.as_bytes())
                .and_then(|()| self.file.sync_data())
                .map_err(|e| Error::io("write", &self.path, e))?;
        }
        Ok(())
    }
}

fn digest(path: &Path, stamp: Stamp) -> String {
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    bytes.push(0);
    bytes.extend(stamp.length.to_le_bytes());
    bytes.extend(stamp.modified.to_le_bytes());
    bytes.extend(stamp.inode.to_le_bytes());
    let mut hex = sha256_hex(&bytes);
    hex.truncate(DIGITS);
    hex
}
