//! What tells one state of a file from another without reading it.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// Length, time of last change and identity of a file. A file that is written again, or replaced, has another stamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Bytes.
    pub length: u64,
    /// Nanoseconds since 1970.
    pub modified: i128,
    /// Inode; 0 where there is no such thing.
    pub inode: u64,
}

impl Stamp {
    /// Of the entry itself: a link is not followed.
    ///
    /// # Errors
    /// It is not there, or its folder cannot be read.
    pub fn of(path: &Path) -> io::Result<Stamp> {
        std::fs::symlink_metadata(path).map(|m| Stamp::from(&m))
    }

    /// How long ago it was changed last; 0 for a time in the future.
    pub fn age(&self) -> std::time::Duration {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let age = (now as i128).saturating_sub(self.modified).max(0);
        std::time::Duration::from_nanos(u64::try_from(age).unwrap_or(u64::MAX))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Stamp {
        #[cfg(unix)]
        let (inode, modified) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, modified) = {
            let time = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            (0, time.unwrap_or_default().as_nanos() as i128)
        };
        Stamp { length: metadata.len(), modified, inode }
    }
}
