//! The system's messages about a folder. Its handler only marks paths in a map and never blocks: a handler that waits for a slow reader
//! loses messages, half of them in a burst of 8,000.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode, CreateKind, Event, EventKind, Flag, ModifyKind, RemoveKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Mark;
use crate::error::{Error, Kind, Result, show_path};

/// Paths that are kept for whoever looks, at most; beyond, everything has to be looked at. Names are a stranger's to change as often as he likes.
const MOST: usize = 100_000;

/// What happened since the last look.
#[derive(Debug, Default)]
pub struct Dirty {
    /// Files, with the last thing that is known of each.
    pub files: HashMap<PathBuf, Mark>,
    /// Folders that appeared: what was put into them before they were watched sent no message.
    pub folders: HashSet<PathBuf>,
    /// Messages were lost: everything has to be looked at.
    pub rescan: bool,
    /// The watched folder itself was taken away. Nothing more will be told of what has its name now, even if that has the same inode.
    pub lost: bool,
    /// There are more folders below it than the system lets be watched: nothing is told of the others.
    pub full: bool,
}

/// A watched folder; watching ends when this is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    dirty: Arc<Mutex<Dirty>>,
    wake: Receiver<()>,
}

impl Watch {
    /// Begins to watch a folder, of which the absolute path is given. Where the system's limit of watches is reached, it is watched as far as that goes,
    /// and [`Dirty::full`] tells it.
    ///
    /// # Errors
    /// Kind config: the folder cannot be watched.
    pub fn new(root: &Path, recursive: bool) -> Result<Watch> {
        let dirty = Arc::new(Mutex::new(Dirty::default()));
        let (waker, wake) = bounded(1);
        let handler = {
            let (dirty, root) = (Arc::clone(&dirty), root.to_path_buf());
            move |event| note(&dirty, &root, &waker, event)
        };
        let trouble = |e: notify::Error| {
            let mend = "set `poll: 5s` under `folder:` to look into the folder at intervals instead";
            Error::new(Kind::Config, "the folder cannot be watched").at(root).because(e).mend(mend)
        };
        // A link to a folder could lead anywhere.
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(handler, config).map_err(trouble)?;
        let watched = match recursive {
            true => watch_readable(&mut watcher, root),
            false => watcher.watch(root, RecursiveMode::NonRecursive),
        };
        match watched {
            // What was watched by then stays so.
            Err(e) if is_full(&e) => dirty.lock().unwrap_or_else(PoisonError::into_inner).full = true,
            watched => watched.map_err(trouble)?,
        }
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

/// Whether the system lets no more folders be watched.
fn is_full(e: &notify::Error) -> bool {
    matches!(e.kind, notify::ErrorKind::MaxFilesWatch)
}

fn note(dirty: &Mutex<Dirty>, root: &Path, waker: &Sender<()>, event: notify::Result<Event>) {
    {
        let mut dirty = dirty.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Err(e) => (dirty.rescan, dirty.full) = (true, dirty.full || is_full(&e)),
            Ok(event) if is_end_of(root, &event) => dirty.lost = true,
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
                            dirty.folders.insert(path);
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
        if dirty.files.len() + dirty.folders.len() > MOST {
            dirty.files.clear();
            dirty.folders.clear();
            dirty.rescan = true;
        }
    }
    // Full means that the reader has a message waiting already.
    let _ = waker.try_send(());
}

/// Whether the watched folder itself was deleted, or has another name now.
fn is_end_of(root: &Path, event: &Event) -> bool {
    let ends = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)));
    ends && event.paths.iter().any(|path| path == root)
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// All that a watch tells until it has told this.
    fn wait(watch: &Watch, told: impl Fn(&Dirty) -> bool) {
        while !told(&watch.take()) {
            watch.wake().recv_timeout(Duration::from_secs(60)).unwrap();
        }
    }

    /// The one in its place may have the same inode, and nothing was told of it any more.
    #[test]
    fn a_folder_that_is_deleted_or_renamed_is_told_as_lost() {
        for recursive in [false, true] {
            let home = tempfile::tempdir().unwrap();
            let root = home.path().join("inbox");
            std::fs::create_dir(&root).unwrap();
            let watch = Watch::new(&root, recursive).unwrap();
            std::fs::remove_dir(&root).unwrap();
            std::fs::create_dir(&root).unwrap();
            wait(&watch, |dirty| dirty.lost);
            let watch = Watch::new(&root, recursive).unwrap();
            std::fs::create_dir(root.join("deep")).unwrap();
            std::fs::remove_dir(root.join("deep")).unwrap();
            std::fs::write(root.join("file"), "").unwrap();
            wait(&watch, |dirty| {
                assert!(!dirty.lost);
                dirty.files.contains_key(&root.join("file"))
            });
            std::fs::rename(&root, home.path().join("away")).unwrap();
            wait(&watch, |dirty| dirty.lost);
        }
    }

    /// A thousand renames were a thousand looks.
    #[test]
    fn what_is_told_twice_is_kept_once_and_too_much_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let (dirty, (waker, _wake)) = (Mutex::new(Dirty::default()), bounded(1));
        let tell = |kind, path: &Path| note(&dirty, home.path(), &waker, Ok(Event::new(kind).add_path(path.into())));
        for _ in 0..1000 {
            tell(EventKind::Create(CreateKind::Folder), &home.path().join("deep"));
        }
        assert_eq!(dirty.lock().unwrap().folders.len(), 1);
        for n in 0..=MOST {
            tell(EventKind::Create(CreateKind::File), &home.path().join(n.to_string()));
        }
        let told = std::mem::take(&mut *dirty.lock().unwrap());
        assert!(told.rescan && told.files.len() < 10 && !told.full && !told.lost, "{}", told.files.len());
        note(&dirty, home.path(), &waker, Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        assert!(dirty.lock().unwrap().full);
    }
}
