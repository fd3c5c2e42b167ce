//! Where others may write, a link that takes a folder's place must not lead out: below a guarded folder every step of a path is taken from the one
//! before it, which is held open, and no step is a link. What lies elsewhere is the user's own, and links are as good as folders there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Guarded folders. A path says the same to every thread, so these do too: were they passed along, every function that takes a path would take them as
/// well, down to what a dropped draft deletes, and one call that went without would follow a stranger's link.
static GROUNDS: RwLock<BTreeSet<PathBuf>> = RwLock::new(BTreeSet::new());

/// To find what is below, no right to read a folder is needed.
#[cfg(target_os = "linux")]
const HOLD: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const HOLD: OFlags = OFlags::RDONLY;

/// From now on whatever lies below `root` may be a stranger's, for all functions here; `root` itself, and links that lead to it, are the user's. It is an
/// absolute path, or one that the paths below it begin with as it is written.
pub fn guard(root: &Path) {
    GROUNDS.write().unwrap_or_else(PoisonError::into_inner).insert(root.to_path_buf());
}

/// The outermost guarded folder that `path` lies below, and the way from there.
fn ground_of(path: &Path) -> Option<(PathBuf, &Path)> {
    let grounds = GROUNDS.read().unwrap_or_else(PoisonError::into_inner);
    // A folder comes before those within it.
    grounds.iter().find_map(|root| {
        let below = path.strip_prefix(root).ok()?;
        (!below.as_os_str().is_empty()).then(|| (root.clone(), below))
    })
}

/// A name in a folder that is held, or a path of the user's own.
pub(super) struct Place {
    folder: Option<OwnedFd>,
    name: PathBuf,
}

impl Place {
    /// What `path` leads to; its last part may be a link, which nothing here follows where it is a stranger's.
    pub fn of(path: &Path) -> io::Result<Place> {
        match ground_of(path) {
            Some((root, below)) => Place::beneath(&root, below),
            None => Ok(Place { folder: None, name: path.to_path_buf() }),
        }
    }

    fn beneath(root: &Path, below: &Path) -> io::Result<Place> {
        let name = below.file_name().ok_or(Errno::INVAL)?;
        let folder = walk(root, below.parent().unwrap_or(Path::new("")), false)?;
        Ok(Place { folder: Some(folder), name: name.into() })
    }

    /// The folder that the name is to be looked for in.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_ref().map_or(CWD, |folder| folder.as_fd())
    }

    /// The name in it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    fn open(&self, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | self.folder.as_ref().map_or(OFlags::empty(), |_| OFlags::NOFOLLOW);
        // As any other file of the user's: the umask still applies.
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        Ok(openat(self.folder(), self.name(), flags, mode)?.into())
    }
}

/// Goes down from `root`, and makes folders that are missing below it if `make` says so.
fn walk(root: &Path, below: &Path, make: bool) -> io::Result<OwnedFd> {
    let mut folder = openat(CWD, root, HOLD | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for part in below.components() {
        folder = match part {
            Component::Normal(name) => enter(folder.as_fd(), name, make)?,
            Component::CurDir => continue,
            // Nobody here has reason to go back up.
            _ => return Err(Errno::INVAL.into()),
        };
    }
    Ok(folder)
}

fn enter(folder: BorrowedFd<'_>, name: &OsStr, make: bool) -> Result<OwnedFd, Errno> {
    let flags = HOLD | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || openat(folder, name, flags, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) if make => match mkdirat(folder, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(e) => Err(e),
        },
        other => other,
    };
    let is_link = || {
        let seen = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        seen.is_ok_and(|seen| FileType::from_raw_mode(seen.st_mode) == FileType::Symlink)
    };
    match opened {
        // So that it can be told from a file.
        Err(Errno::NOTDIR) if is_link() => Err(Errno::LOOP),
        other => other,
    }
}

/// What is at `path`: the entry itself, if it is a link.
///
/// # Errors
/// It is not there, or cannot be reached without following a stranger's link.
pub fn look(path: &Path) -> io::Result<Metadata> {
    match ground_of(path) {
        Some(_) => hold(path)?.map_or_else(|| std::fs::symlink_metadata(path), |file| file.metadata()),
        None => std::fs::symlink_metadata(path),
    }
}

/// Holds the file itself, whatever it is, by which it is known again under another name; nothing where the system has no such thing.
#[cfg(target_os = "linux")]
pub(super) fn hold(path: &Path) -> io::Result<Option<File>> {
    Place::of(path)?.open(OFlags::PATH | OFlags::NOFOLLOW).map(Some)
}

/// Other systems hold only what they can read.
#[cfg(not(target_os = "linux"))]
pub(super) fn hold(path: &Path) -> io::Result<Option<File>> {
    Place::of(path).map(|_| None)
}

/// How a stranger's file is opened: no link is followed, no pipe waited for, and no terminal becomes ours.
fn to_read() -> OFlags {
    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY
}

/// Opens what is at `path` to read it, but no link.
///
/// # Errors
/// It cannot be read, or cannot be reached without following a stranger's link.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    Place::of(path)?.open(to_read())
}

/// [`open_to_read`] for `below` within `root`, whether that is guarded or not.
///
/// # Errors
/// As for [`open_to_read`].
pub fn open_beneath(root: &Path, below: &Path) -> io::Result<File> {
    Place::beneath(root, below)?.open(to_read())
}

/// The beginning of a regular file as text, up to so many bytes.
///
/// # Errors
/// It is none, or cannot be read.
pub fn read_some(path: &Path, bytes: u64) -> io::Result<String> {
    let file = open_to_read(path)?;
    if !file.metadata()?.is_file() {
        return Err(Errno::INVAL.into());
    }
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Opens a file to read it and to append to it; makes it if it is not there.
///
/// # Errors
/// It cannot be written, or cannot be reached without following a stranger's link.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    Place::of(path)?.open(OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)
}

/// Makes a file that was not there.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    Place::of(path)?.open(OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
}

/// Makes a folder and those on the way to it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    match ground_of(folder) {
        Some((root, below)) => {
            std::fs::create_dir_all(&root)?;
            walk(&root, below, true).map(drop)
        }
        None => std::fs::create_dir_all(folder),
    }
}

/// Makes a folder's entries durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    Place::of(folder)?.open(OFlags::RDONLY | OFlags::DIRECTORY)?.sync_all()
}

/// Gives a file another name, in place of what has it.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (Place::of(from)?, Place::of(to)?);
    Ok(renameat(from.folder(), from.name(), to.folder(), to.name())?)
}

/// Gives a file another name beside the one it has.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (Place::of(from)?, Place::of(to)?);
    Ok(linkat(from.folder(), from.name(), to.folder(), to.name(), AtFlags::empty())?)
}

/// Takes a name away; not durably, see [`super::delete`].
///
/// # Errors
/// It cannot be taken away, or cannot be reached without following a stranger's link.
pub fn unlink(path: &Path) -> io::Result<()> {
    let place = Place::of(path)?;
    Ok(unlinkat(place.folder(), place.name(), AtFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn is_loop<T>(result: io::Result<T>) -> bool {
        result.is_err_and(|e| e.raw_os_error() == Some(Errno::LOOP.raw_os_error()))
    }

    /// Files were moved, deleted and written wherever a link led that stood in place of a folder.
    #[test]
    fn nothing_leads_out_of_a_guarded_folder() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for folder in ["ground/deep", "victim/within"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        for file in ["ground/deep/mine", "victim/theirs"] {
            std::fs::write(path(file), "words").unwrap();
        }
        symlink(path("victim"), path("ground/link")).unwrap();
        // The user's own way to it may be a link, and before it is guarded so may everything.
        symlink(path("ground"), path("door")).unwrap();
        assert!(look(&path("ground/link/theirs")).is_ok());
        guard(&path("ground"));
        guard(&path("door"));
        assert!(look(&path("ground/deep/mine")).unwrap().is_file() && look(&path("door/deep/mine")).is_ok());
        assert!(look(&path("ground/link")).unwrap().is_symlink());
        let theirs = path("ground/link/theirs");
        assert!(is_loop(look(&theirs)) && is_loop(open_to_read(&theirs)) && is_loop(hold(&theirs)));
        assert!(is_loop(unlink(&theirs)) && is_loop(rename(&theirs, &path("stolen"))));
        assert!(is_loop(rename(&path("ground/deep/mine"), &path("ground/link/new"))));
        assert!(is_loop(create_new(&path("ground/link/new"))) && is_loop(open_to_append(&theirs)));
        assert!(is_loop(make(&path("ground/link/within/new"))) && is_loop(sync(&path("ground/link/within"))));
        assert!(is_loop(open_beneath(&path("ground"), Path::new("link/theirs"))));
        assert!(open_beneath(&path("ground"), Path::new("deep/../../victim/theirs")).is_err());
        assert!(open_beneath(&path("door"), Path::new("deep/mine")).is_ok());
        assert_eq!(std::fs::read_dir(path("victim")).unwrap().count(), 2);
        assert_eq!(std::fs::read_dir(path("victim/within")).unwrap().count(), 0);

        make(&path("ground/a/b")).unwrap();
        rename(&path("ground/deep/mine"), &path("ground/a/b/mine")).unwrap();
        sync(&path("ground/a/b")).unwrap();
        assert_eq!(read_some(&path("ground/a/b/mine"), 3).unwrap(), "wor");
        // A file in a folder's place is no link.
        let within = look(&path("ground/a/b/mine/x")).unwrap_err();
        assert_eq!(within.kind(), io::ErrorKind::NotADirectory);
        unlink(&path("ground/a/b/mine")).unwrap();
        assert!(!path("ground/a/b/mine").exists());
    }
}
