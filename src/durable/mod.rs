//! Writing that survives a crash: a temporary file in the same folder, fsync, rename, fsync of the folder. At every moment there is either
//! the old file or the whole new one.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, Result};

mod deleting;
mod ground;
mod moving;
mod publish;
mod regular;
mod stamp;
mod sweep;

pub use deleting::{delete, finish_delete};
pub use ground::{guard, look, open_beneath, open_to_append, open_to_read, read_some, unlink};
pub use moving::{
    LONGEST, is_reservation, move_file, move_to, names, numbered, rename_to_free_name, replace, shorten, too_many,
};
pub use publish::{Publication, Sealed, digest, digest_of, publish, sign};
pub use regular::open_file;
pub use stamp::Stamp;
pub use sweep::sweep;

/// The ending of files that are being written; folder sources pass over them.
pub const PARTIAL: &str = ".partial";
const PREFIX: &str = ".latentd-";
/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 18;

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
        Draft::marked(target, "once")
    }

    /// [`Draft::new`] with a mark in its temporary name by which [`sweep`] knows whose it is: letters and digits, `OWNER.RUN`.
    ///
    /// # Errors
    /// As for [`Draft::new`].
    pub fn marked(target: &Path, mark: &str) -> Result<Draft> {
        let folder = folder_of(target);
        make_folder(folder)?;
        let file = Builder::new()
            .prefix(&format!("{PREFIX}{mark}-"))
            .suffix(PARTIAL)
            .make_in(folder, ground::create_new)
            .map_err(|e| Error::io("write in", folder, e))?;
        Ok(Draft { file, target: target.to_path_buf() })
    }

    /// The file itself, to write into.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts in what `write` writes, through a buffer.
    ///
    /// # Errors
    /// Those of `write`. Kind output or transient: the disk is full or gone.
    pub fn fill(mut self, write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>) -> Result<Draft> {
        let mut out = BufWriter::with_capacity(BUFFER, self.file.as_file_mut());
        write(&mut out)?;
        out.flush().map_err(|e| Error::io("write", &self.target, e))?;
        drop(out);
        Ok(self)
    }

    /// Makes the file's contents durable, still under its temporary name.
    ///
    /// # Errors
    /// Kind output or transient: the disk is full or gone.
    pub fn seal(self) -> Result<Sealed> {
        let Draft { mut file, target } = self;
        let trouble = |e| Error::io("write", &target, e);
        file.as_file().sync_all().map_err(trouble)?;
        file.as_file_mut().rewind().map_err(trouble)?;
        let digest = digest(file.as_file_mut()).map_err(trouble)?;
        Ok(Sealed { draft: file.into_temp_path(), target, digest })
    }

    /// Makes the file durable under its name, and tells which name it got.
    ///
    /// # Errors
    /// Kind output or transient: the disk is full or gone; the target is then as it was.
    pub fn publish(self, collision: Collision) -> Result<PathBuf> {
        let target = self.target.clone();
        let published = publish(vec![self.seal()?], collision, |_| Ok(()))?;
        Ok(published.into_iter().next().map_or(target, |p| p.target))
    }
}

/// Writes a whole small file, replacing what is there.
///
/// # Errors
/// Kind output or transient, as for [`Draft`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let draft = Draft::new(path)?.fill(|out| out.write_all(bytes).map_err(|e| Error::io("write", path, e)))?;
    draft.publish(Collision::Replace).map(drop)
}

/// Makes a folder, and those on the way to it, durable: what is synced in a folder that is itself lost is lost with it.
///
/// # Errors
/// Kind output or transient: it cannot be made.
pub fn make_folder(folder: &Path) -> Result<()> {
    // Whoever finds a folder there may rely on its being durable, so nobody looks before its maker has synced it.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).collect();
    ground::make(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    missing.into_iter().for_each(|made| sync_after(folder_of(made)));
    Ok(())
}

/// Held alone from a move to another folder until that folder is durable: were the folder that the file has left made durable before, a loss of power
/// in between would leave the file nowhere.
static MOVING: RwLock<()> = RwLock::new(());

/// Makes a folder's entries durable. The entry stands already, so a system that refuses (a folder one may write but not read) undoes nothing.
pub fn sync_after(folder: &Path) {
    let _nothing_moves = MOVING.read().unwrap_or_else(PoisonError::into_inner);
    sync_folder(folder);
}

fn sync_folder(folder: &Path) {
    if let Err(e) = ground::sync(folder) {
        tracing::warn!("the folder {} cannot be synced: {e}", crate::error::show_path(folder));
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Paths as text where they are text, and as bytes where they are not; for serde's `with`.
pub mod any_path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Raw {
        Text(String),
        Bytes(Vec<u8>),
    }

    /// Writes a path.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => to.serialize_str(text),
            None => path.as_os_str().as_bytes().serialize(to),
        }
    }

    /// Reads a path.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(match Raw::deserialize(from)? {
            Raw::Text(text) => text.into(),
            Raw::Bytes(bytes) => OsString::from_vec(bytes).into(),
        })
    }
}
