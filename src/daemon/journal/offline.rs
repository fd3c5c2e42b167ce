//! The history while no daemon runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::record::Event;
use super::store::{Store, search};
use crate::error::{Error, Result};

/// What [`super::Book::history`] and the control socket tell, of all pipelines that have a journal in a state folder; nothing if none has one.
///
/// # Errors
/// Kind transient: a journal cannot be read.
pub fn history(state: &Path, since: u64, limit: usize, files: &[String]) -> Result<Option<Vec<Value>>> {
    let mut journals: Vec<(String, PathBuf)> = match std::fs::read_dir(state) {
        Ok(entries) => entries.flatten().filter_map(|entry| Some((pipeline(&entry.path())?, entry.path()))).collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(Error::io("read", state, e)),
    };
    journals.sort();
    let mut all: Vec<(String, Event)> = Vec::new();
    for (name, path) in &journals {
        let store = Store::copy(path)?;
        let root = store.root().unwrap_or_default();
        let events = search(limit, |event| event.is_wanted(files, &root), |before| store.page(since, before))?;
        all.extend(events.into_iter().map(|event| (name.clone(), event)));
    }
    all.sort_by_key(|(_, event)| std::cmp::Reverse(event.time));
    all.truncate(limit);
    Ok((!journals.is_empty()).then(|| all.into_iter().map(|(name, event)| event.of(&name)).collect()))
}

/// Whose journal a file is: the opposite of [`super::path`].
fn pipeline(path: &Path) -> Option<String> {
    let name = path.file_stem().filter(|_| path.extension() == Some(OsStr::new("redb")))?;
    Some(name.to_str()?.rsplit_once('-')?.0.to_owned())
}
