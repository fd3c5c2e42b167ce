//! Writing that survives a crash: a temporary file in the same folder, fsync, rename, fsync of the folder. At every moment there is either
//! the old file or the whole new one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, Kind, Result};

/// The ending of files that are being written; folder sources pass over them.
pub const PARTIAL: &str = ".partial";
const PREFIX: &str = ".latentd-";

/// What to do if the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collision {
    /// Replace what is there.
    Replace,
    /// Keep what is there and choose another name: `cat-1.png`, `cat-2.png`.
    Rename,
}

/// A file on its way: invisible under its name until [`Draft::publish`], gone if dropped before.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Begins a file that shall be `target`; makes the folders on the way.
    ///
    /// # Errors
    /// Kind output or transient: the folder cannot be made or written.
    pub fn new(target: &Path) -> Result<Draft> {
        let folder = folder_of(target);
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
        let file = Builder::new()
            .prefix(PREFIX)
            .suffix(PARTIAL)
            .permissions(permissions())
            .tempfile_in(folder)
            .map_err(|e| Error::io("write in", folder, e))?;
        Ok(Draft { file, target: target.to_path_buf() })
    }

    /// The file itself, to write into.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Makes the file durable under its name, and tells which name it got.
    ///
    /// # Errors
    /// Kind output or transient: the disk is full or gone; the target is then as it was.
    pub fn publish(self, collision: Collision) -> Result<PathBuf> {
        let Draft { mut file, target } = self;
        file.as_file().sync_all().map_err(|e| Error::io("write", &target, e))?;
        let mut path = target.clone();
        if collision == Collision::Replace {
            file.persist(&path).map_err(|e| Error::io("write", &target, e.error))?;
        } else {
            let mut number = 0u32;
            loop {
                // Fails if the name is taken, in one step: no other program can slip in between.
                match file.persist_noclobber(&path) {
                    Ok(_) => break,
                    Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists && number < 10_000 => {
                        number += 1;
                        file = e.file;
                        path = numbered(&target, number);
                    }
                    Err(e) => return Err(Error::io("write", &path, e.error)),
                }
            }
        }
        sync_after(folder_of(&path));
        Ok(path)
    }
}

/// Writes a whole small file, replacing what is there.
///
/// # Errors
/// Kind output or transient, as for [`Draft`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut draft = Draft::new(path)?;
    let mut out = BufWriter::new(draft.file());
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Error::io("write", path, e))?;
    drop(out);
    draft.publish(Collision::Replace).map(drop)
}

/// Moves a file within or between file systems; never over another one. Tells the name it got.
///
/// # Errors
/// Kind output or transient: the file is then still where it was.
pub fn move_file(from: &Path, to: &Path) -> Result<PathBuf> {
    let folder = folder_of(to);
    std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    for number in 0..10_000 {
        let path = if number == 0 { to.to_path_buf() } else { numbered(to, number) };
        match rename_noreplace(from, &path) {
            Ok(()) => {
                sync_after(folder);
                sync_after(folder_of(from));
                return Ok(path);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
                let mut source = open_regular(from)?;
                let mut draft = Draft::new(to)?;
                std::io::copy(&mut source, draft.file()).map_err(|e| Error::io("write", to, e))?;
                let path = draft.publish(Collision::Rename)?;
                std::fs::remove_file(from).map_err(|e| Error::io("delete", from, e))?;
                sync_after(folder_of(from));
                return Ok(path);
            }
            Err(e) => return Err(Error::io("move", from, e)),
        }
    }
    Err(Error::new(Kind::Output, "there are 10,000 files of that name").at(to))
}

/// Makes a folder's entries durable. The entry stands already, so a system that refuses (a folder one may write but not read) undoes nothing.
fn sync_after(folder: &Path) {
    if let Err(e) = File::open(folder).and_then(|f| f.sync_all()) {
        tracing::warn!("the folder {} cannot be synced: {e}", crate::error::show_path(folder));
    }
}

/// Between file systems a file is copied; a link must not be followed then, nor a pipe be waited for.
fn open_regular(path: &Path) -> Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        openat(CWD, path, flags, Mode::empty()).map(File::from).map_err(|e| Error::io("read", path, e.into()))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err(Error::new(Kind::Input, "not a file, so it stays where it is").at(path)),
    }
}

/// Clears away what a crash left half-written in a folder; younger files may be another program's work in progress.
pub fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let ours = name.starts_with(PREFIX.as_bytes()) && name.ends_with(PARTIAL.as_bytes());
        let age = entry.metadata().and_then(|m| m.modified()).map(|t| t.elapsed().unwrap_or_default());
        if ours && age.is_ok_and(|age| age > Duration::from_secs(600)) {
            // Whatever cannot be removed does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(target_os = "linux")]
fn rename_noreplace(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems do not know the flag; a hard link is as safe.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => link_and_unlink(from, to),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_noreplace(from: &Path, to: &Path) -> std::io::Result<()> {
    link_and_unlink(from, to)
}

fn link_and_unlink(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

/// `cat.png` becomes `cat-3.png`.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Temporary files are private by default; results should be as readable as any other file of the user's (the umask still applies).
fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}
