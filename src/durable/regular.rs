//! Opening files that must be files.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

/// Opens a file to read it, by a link as well. What is something else is refused: a pipe that nobody writes into would be waited for without end.
///
/// # Errors
/// It is not there, may not be read, or is no file.
pub fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(rustix::io::Errno::ISDIR.into());
    }
    match metadata.is_file() {
        true => Ok(file),
        false => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file that can be read from its beginning"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever opened a pipe waited for somebody to write into it.
    #[test]
    fn pipes_and_folders_are_refused_and_links_are_followed() {
        let home = tempfile::tempdir().unwrap();
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| home.path().join(name));
        std::fs::write(&file, "words").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(open_file(&link).unwrap().metadata().unwrap().len(), 5);
        assert_eq!(open_file(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(open_file(home.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(open_file(&home.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
