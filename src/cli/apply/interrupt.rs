//! Ctrl-C while `apply` works: what is done stays, what is half-written goes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crossbeam::channel::{Receiver, unbounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::durable::{PARTIAL, unlink};
use crate::error::{Error, Kind, Result};

/// Tells when the user, or the system, wants it to end; who asks twice, or when nobody listens any more, ends it at once.
///
/// # Errors
/// Kind transient: the system's signals cannot be heard.
pub fn listen() -> Result<Receiver<i32>> {
    let trouble = |e: std::io::Error| Error::new(Kind::Transient, "the system's signals cannot be heard").because(e);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(trouble)?;
    let (tell, heard) = unbounded();
    let work = move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked || tell.send(signal).is_err() {
                std::process::exit(128 + signal);
            }
            asked = true;
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(work).map_err(trouble)?;
    Ok(heard)
}

/// A mark for the names of files that this process is writing.
pub fn mark() -> String {
    // On a share another machine may have a process of this number.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("once.{}x{}", std::process::id(), now.as_micros())
}

/// Takes away what is half-written under this mark in the folders of these results. What cannot be taken away does no harm.
pub fn clear(mark: &str, results: impl Iterator<Item = PathBuf>) {
    let folders: HashSet<PathBuf> = results.filter_map(|result| result.parent().map(Path::to_path_buf)).collect();
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.contains(mark) && name.ends_with(PARTIAL) {
                let _ = unlink(&entry.path());
            }
        }
    }
}
