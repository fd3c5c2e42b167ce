//! What tells one state of a file from another without reading it.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// Length, times of last change and identity of a file. A file that is written again, or replaced, has another stamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Bytes.
    pub length: u64,
    /// Nanoseconds since 1970.
    pub modified: i128,
    /// Inode; 0 where there is no such thing.
    pub inode: u64,
    /// The file system that counts the inodes; 0 where there is no such thing.
    pub device: u64,
    /// When anything about it was changed last, in nanoseconds since 1970, which nobody can set back as they can `modified`; 0 where there is no such
    /// thing. Of two runs of the program it says little, since a change of mode or of the number of names counts too.
    pub changed: i128,
}

impl Stamp {
    /// Of the entry itself: a link is not followed.
    ///
    /// # Errors
    /// It is not there, or its folder cannot be read. Where a folder has taken a file's place, the file is not there.
    pub fn of(path: &Path) -> io::Result<Stamp> {
        match super::look(path)? {
            metadata if metadata.is_dir() => Err(io::ErrorKind::NotFound.into()),
            metadata => Ok(Stamp::from(&metadata)),
        }
    }

    /// Whether contents and identity are the same, as far as `modified` tells: a try to move a file may leave a trace in `changed`.
    pub fn is_like(&self, other: &Stamp) -> bool {
        Stamp { changed: other.changed, ..*self } == *other
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
        let (inode, device, modified, changed) = {
            use std::os::unix::fs::MetadataExt;
            let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
            let modified = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
            (metadata.ino(), metadata.dev(), modified, nanoseconds(metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, device, modified, changed) = {
            let time = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            (0, 0, time.unwrap_or_default().as_nanos() as i128, 0)
        };
        Stamp { length: metadata.len(), modified, inode, device, changed }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Contents that came in place of others of the same length, with the time set back (`rsync --inplace --times`), were deleted as the original of a
    /// result that was made of the others.
    #[test]
    fn new_contents_with_the_old_time_are_another_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "words").unwrap();
        let state = Stamp::of(&path).unwrap();
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        let mut file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all(b"other").unwrap();
        file.set_modified(time).unwrap();
        // The system's clock may stand still for some milliseconds.
        while Stamp::of(&path).unwrap().changed == state.changed {
            file.set_modified(time).unwrap();
        }
        let now = Stamp::of(&path).unwrap();
        let old = |stamp: Stamp| (stamp.length, stamp.modified, stamp.inode, stamp.device);
        assert!(old(now) == old(state) && now != state);
        assert!(super::super::delete(&path, Some(state)).is_err() && path.exists());
        super::super::delete(&path, Some(now)).unwrap();
        assert!(!path.exists());
    }
    /// A folder that came in the place of a file under its name was taken for that, and put into quarantine with all in it.
    #[test]
    fn a_folder_in_a_files_place_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, "a").unwrap();
        assert!(Stamp::of(&path).is_ok());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(Stamp::of(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
