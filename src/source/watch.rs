//! The system's messages about a folder. Its handler only marks paths in a map and never blocks: a handler that waits for a slow reader
//! loses messages, half of them in a burst of 8,000.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode, CreateKind, Event, EventKind, Flag, ModifyKind, RemoveKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Mark;
use crate::error::{Error, Kind, Result, show_path};

/// What happened since the last look.
#[derive(Debug, Default)]
pub struct Dirty {
    /// Files, with the last thing that is known of each.
    pub files: HashMap<PathBuf, Mark>,
    /// Folders that appeared: what was put into them before they were watched sent no message.
    pub folders: Vec<PathBuf>,
    /// Messages were lost: everything has to be looked at.
    pub rescan: bool,
}

/// A watched folder; watching ends when this is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    dirty: Arc<Mutex<Dirty>>,
    wake: Receiver<()>,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// Kind config: the system's limit of watches is reached, or the folder cannot be watched.
    pub fn new(root: &Path, recursive: bool) -> Result<Watch> {
        let dirty = Arc::new(Mutex::new(Dirty::default()));
        let (waker, wake) = bounded(1);
        let handler = {
            let dirty = Arc::clone(&dirty);
            move |event| note(&dirty, &waker, event)
        };
        let trouble = |e: notify::Error| {
            let mend = match e.kind {
                notify::ErrorKind::MaxFilesWatch => {
                    "raise the system's limit (`sysctl fs.inotify.max_user_watches=524288`), or set `poll: 5s`"
                }
                _ => "set `poll: 5s` under `folder:` to look into the folder at intervals instead",
            };
            Error::new(Kind::Config, "the folder cannot be watched").at(root).because(e).mend(mend)
        };
        // A link to a folder could lead anywhere.
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(handler, config).map_err(trouble)?;
        match recursive {
            true => watch_readable(&mut watcher, root),
            false => watcher.watch(root, RecursiveMode::NonRecursive),
        }
        .map_err(trouble)?;
        Ok(Watch { _watcher: watcher, dirty, wake })
    }

    /// Gives a message when something happened since [`Watch::take`].
    pub fn wake(&self) -> &Receiver<()> {
        &self.wake
    }

    /// What happened since the last call.
    pub fn take(&self) -> Dirty {
        std::mem::take(&mut self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Watches a folder and what is below it but for folders that may not be read: `lost+found`, or a stranger's locked one, shall not keep all else from
/// being seen.
fn watch_readable(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    // notify gives up at the first such folder, and has then begun to watch this one and some of those below.
    let refusal = match watcher.watch(folder, RecursiveMode::Recursive) {
        Err(e) if is_refusal(&e) => e,
        watched => return watched,
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Err(refusal) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        match watch_readable(watcher, &entry.path()) {
            Err(e) if is_refusal(&e) => tracing::debug!("{} is not watched: {e}", show_path(&entry.path())),
            watched => watched?,
        }
    }
    Ok(())
}

/// Whether a folder may not be read, or was gone before it was watched.
fn is_refusal(e: &notify::Error) -> bool {
    match &e.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(e) => e.kind() == std::io::ErrorKind::PermissionDenied,
        _ => false,
    }
}

fn note(dirty: &Mutex<Dirty>, waker: &Sender<()>, event: notify::Result<Event>) {
    {
        let mut dirty = dirty.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Err(_) => dirty.rescan = true,
            Ok(event) if event.flag() == Some(Flag::Rescan) => dirty.rescan = true,
            Ok(event) => match event.kind {
                EventKind::Create(CreateKind::Folder) => dirty.folders.extend(event.paths),
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                    dirty.files.extend(event.paths.into_iter().map(|p| (p, Mark::Complete)));
                }
                EventKind::Modify(ModifyKind::Name(mode)) => {
                    // Of a rename within the folder both names come; the old one will be found gone.
                    if mode != RenameMode::From
                        && let Some(path) = event.paths.into_iter().next_back()
                    {
                        if std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir()) {
                            dirty.folders.push(path);
                        } else {
                            dirty.files.insert(path, Mark::Complete);
                        }
                    }
                }
                EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => {
                    dirty.files.extend(event.paths.into_iter().map(|p| (p, Mark::Written)));
                }
                // A writer will send more messages; a link, hard or symbolic, is made in one step and sends no other.
                EventKind::Create(_) => dirty.files.extend(event.paths.into_iter().map(|p| (p, Mark::Seen))),
                EventKind::Remove(RemoveKind::Folder) => dirty.rescan = true,
                _ => return,
            },
        }
    }
    // Full means that the reader has a message waiting already.
    let _ = waker.try_send(());
}
