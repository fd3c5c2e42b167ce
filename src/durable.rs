//! Writing that survives a crash: a temporary file in the same folder, fsync, rename, fsync of the folder. At every moment there is either
//! the old file or the whole new one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, Kind, Result};

/// The ending of files that are being written; folder sources pass over them.
pub const PARTIAL: &str = ".partial";

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
            .prefix(".latentd-")
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
        sync_folder(folder_of(&path))?;
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
                sync_folder(folder)?;
                sync_folder(folder_of(from))?;
                return Ok(path);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
                let mut source = File::open(from).map_err(|e| Error::io("read", from, e))?;
                let mut draft = Draft::new(to)?;
                std::io::copy(&mut source, draft.file()).map_err(|e| Error::io("write", to, e))?;
                let path = draft.publish(Collision::Rename)?;
                std::fs::remove_file(from).map_err(|e| Error::io("delete", from, e))?;
                sync_folder(folder_of(from))?;
                return Ok(path);
            }
            Err(e) => return Err(Error::io("move", from, e)),
        }
    }
    Err(Error::new(Kind::Output, "there are 10,000 files of that name").at(to))
}

/// Makes a folder's entries durable.
///
/// # Errors
/// Kind output or transient.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io("write in", folder, e))
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
