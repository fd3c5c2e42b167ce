//! Whether somebody has a file open for writing, asked of the kernel: a read lease is given only for a file without writers. It is given back in
//! the next step, so a writer that comes in between waits for microseconds.
//!
//! The one place with `unsafe` of the program's own: no crate offers leases, and a look through /proc sees only one's own processes.
#![allow(unsafe_code)]

use std::path::Path;

/// Whether `path` has a writer; nothing where the system cannot tell: the file is somebody else's, or its file system knows no leases (shares
/// over the network do not), or it is no file.
#[cfg(target_os = "linux")]
pub fn has_writer(path: &Path) -> Option<bool> {
    use std::os::fd::AsRawFd;

    // A writer that comes while the lease is held makes the kernel send a signal, which by itself would end the program.
    if !is_signal_harmless() {
        return None;
    }
    // To open a device may already do something.
    if !crate::durable::look(path).is_ok_and(|m| m.is_file()) {
        return None;
    }
    let file = crate::durable::open_to_read(path).ok()?;
    if !file.metadata().is_ok_and(|m| m.is_file()) {
        return None;
    }
    // SAFETY: the descriptor is open, and the argument of this command is a number.
    let given = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) } == 0;
    if given {
        // SAFETY: as above. Closing the file would do the same a little later.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
        return Some(false);
    }
    let why = std::io::Error::last_os_error();
    (why.raw_os_error() == Some(libc::EAGAIN)).then_some(true)
}

/// Other systems have no leases.
#[cfg(not(target_os = "linux"))]
pub fn has_writer(_: &Path) -> Option<bool> {
    None
}

#[cfg(target_os = "linux")]
fn is_signal_harmless() -> bool {
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, OnceLock};
    static HARMLESS: OnceLock<bool> = OnceLock::new();
    let register = || signal_hook::flag::register(libc::SIGIO, Arc::new(AtomicBool::new(false))).is_ok();
    *HARMLESS.get_or_init(register)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_writer_is_seen_as_long_as_it_writes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        let writer = File::create(&path).unwrap();
        // Where this file system has no leases there is nothing to be seen.
        if let Some(seen) = has_writer(&path) {
            assert!(seen);
            drop(writer);
            assert_eq!(has_writer(&path), Some(false));
            let reader = File::open(&path).unwrap();
            assert_eq!(has_writer(&path), Some(false), "a reader is no writer");
            drop(reader);
        }
        assert_eq!(has_writer(home.path()), None);
        assert_eq!(has_writer(&home.path().join("none")), None);
    }

    #[test]
    fn a_writer_that_comes_meanwhile_ends_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_path_buf();
        let end = std::time::Instant::now() + std::time::Duration::from_millis(200);
        let other = path.clone();
        let writer = std::thread::spawn(move || {
            while std::time::Instant::now() < end {
                drop(File::options().write(true).open(&other).unwrap());
            }
        });
        while std::time::Instant::now() < end {
            has_writer(&path);
        }
        writer.join().unwrap();
    }
}
