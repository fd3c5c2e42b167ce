//! Opening what a stranger has put into a folder.

use std::fs::File;
use std::path::Path;

use crate::durable;
use crate::error::{Error, Kind, Result};

/// Opens a regular file, and nothing else: a link could lead to a secret, a pipe could block for ever, a device could do anything.
///
/// As much of the end of `path` as `relative` is long a stranger may have made: in all of it, folders included, no link is followed.
///
/// # Errors
/// Kind input for what is no regular file, kind no-input for what cannot be opened.
pub fn open(path: &Path, relative: &Path) -> Result<File> {
    let refuse = |what: &str| {
        Err(Error::new(Kind::Input, format!("{what}, not a file")).at(path).mend("put the file itself into the folder"))
    };
    let file = match open_without_links(path, relative) {
        Ok(file) => file,
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return refuse("a link"),
        // What a socket, or a device without a driver, says.
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return refuse("a socket or device");
        }
        Err(e) => return Err(Error::io("read", path, e)),
    };
    match file.metadata() {
        Ok(m) if m.is_file() => Ok(file),
        Ok(_) => refuse("a pipe, socket, device or folder"),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

fn open_without_links(path: &Path, relative: &Path) -> std::io::Result<File> {
    // What stands before `relative` is the user's own: there links are welcome.
    let depth = relative.components().count();
    let root = path.ancestors().nth(depth).filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    durable::open_beneath(root, path.strip_prefix(root).unwrap_or(path))
}
