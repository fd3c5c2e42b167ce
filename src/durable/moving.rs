//! Moving files without ever writing over another one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use rustix::io::Errno;

use super::ground::{self, Place};
use super::{Collision, Draft, MOVING, Stamp, delete, folder_of, make_folder, sync_after, sync_folder};
use crate::error::{Error, Kind, Result};

/// The longest name that common file systems take, in bytes.
pub const LONGEST: usize = 255;

/// How many files of one name are counted: `cat.png`, `cat-1.png`, ...
const NUMBERS: u64 = 10_000;

/// Moves a file within or between file systems; never over another one. Tells the name it got. If a state is told, only a file in that state is moved.
///
/// # Errors
/// Kind output or transient: the file is then still where it was.
pub fn move_file(from: &Path, to: &Path, state: Option<Stamp>) -> Result<PathBuf> {
    for path in names(to) {
        match move_to(from, &path, state) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == Kind::Usage => {}
            Err(e) => return Err(e),
        }
    }
    Err(too_many(to))
}

/// [`move_file`] to this name and no other.
///
/// # Errors
/// Kind usage: the name is taken. Kind output or transient: it cannot be moved. The file is then still where it was.
pub fn move_to(from: &Path, to: &Path, state: Option<Stamp>) -> Result<()> {
    make_folder(folder_of(to))?;
    let held = ground::hold(from).map_err(|e| Error::io("move", from, e))?;
    if !is_in(state, from) {
        return Err(changed(from));
    }
    match shift(from, to) {
        // Another file may have taken the name in between: that one nobody has asked to move. If it cannot go back, its owner was faster again.
        Ok(()) if state.is_some_and(|state| is_other(held.as_ref(), state, to)) && shift(to, from).is_ok() => {
            Err(changed(from))
        }
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(taken(to)),
        Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
            copy_over(from, to, state, |from| delete(from, None))
        }
        Err(e) => Err(Error::io("move", from, e)),
    }
}

/// Renames durably, never over another file: the folder that the file comes into first, then the one it has left.
fn shift(from: &Path, to: &Path) -> std::io::Result<()> {
    {
        let _alone = MOVING.write().unwrap_or_else(PoisonError::into_inner);
        rename_noreplace(from, to)?;
        sync_folder(folder_of(to));
    }
    sync_after(folder_of(from));
    Ok(())
}

/// Whether a file is in that state, or no matter in which.
pub(super) fn is_in(state: Option<Stamp>, path: &Path) -> bool {
    state.is_none_or(|state| Stamp::of(path).is_ok_and(|now| now == state))
}

/// Whether what was moved to `to` is another file than the one held, or was written to. What has gone on from there is not known to be another.
pub(super) fn is_other(held: Option<&File>, state: Stamp, to: &Path) -> bool {
    let Ok(moved) = ground::look(to) else { return false };
    // By the file itself where that is held: some file systems give it another number under another name.
    let held = held.and_then(|held| held.metadata().ok());
    let other = held.is_some_and(|held| (held.dev(), held.ino()) != (moved.dev(), moved.ino()));
    let moved = Stamp::from(&moved);
    other || (moved.length, moved.modified) != (state.length, state.modified)
}

pub(super) fn changed(path: &Path) -> Error {
    Error::new(Kind::Transient, "it changed while it was moved").at(path)
}

/// [`move_to`] another file system: the copy gets its name, then the file is taken away by `delete`.
fn copy_over(from: &Path, to: &Path, state: Option<Stamp>, delete: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut source = open_regular(from)?;
    let begun = source.metadata().map(|m| Stamp::from(&m)).map_err(|e| Error::io("read", from, e))?;
    if state.is_some_and(|state| state != begun) {
        return Err(changed(from));
    }
    let mut draft = Draft::new(to)?;
    copy(&mut source, draft.file()).map_err(|e| Error::io("write", to, e))?;
    let got = draft.publish(Collision::Rename)?;
    let undone = |e: Error| ground::unlink(&got).map_or_else(|e| Err(Error::io("delete", &got, e)), |()| Err(e));
    if got != to {
        return undone(taken(to));
    }
    // Copying takes a while: what was saved anew meanwhile is another file, or a longer one.
    if !Stamp::of(from).is_ok_and(|now| now == begun) {
        return undone(changed(from));
    }
    match delete(from) {
        // One of the two has to go, and a copy is made again; but what is gone by now was the only other one.
        Err(e) if Stamp::of(from).is_ok_and(|now| now == begun) => undone(e),
        deleted => deleted,
    }
}

fn taken(to: &Path) -> Error {
    Error::new(Kind::Usage, "there is a file of that name").at(to)
}

/// Contents, and mode and time of change where the other file system has such.
fn copy(from: &mut File, to: &mut File) -> std::io::Result<()> {
    std::io::copy(from, to)?;
    let metadata = from.metadata()?;
    let _ = to.set_permissions(metadata.permissions());
    let _ = metadata.modified().and_then(|time| to.set_modified(time));
    Ok(())
}

/// Gives a finished file its name, or the next that is free. Tells the name it got.
///
/// # Errors
/// Kind output or transient: the file is then still where it was.
pub fn rename_to_free_name(from: &Path, to: &Path) -> Result<PathBuf> {
    for path in names(to) {
        match rename_noreplace(from, &path) {
            Ok(()) => {
                sync_after(folder_of(&path));
                return Ok(path);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("write", &path, e)),
        }
    }
    Err(too_many(to))
}

/// Gives a finished file its name, in place of what has it.
///
/// # Errors
/// Kind output or transient: the file is then still where it was.
pub fn replace(from: &Path, to: &Path) -> Result<()> {
    ground::rename(from, to).map_err(|e| Error::io("write", to, e))?;
    sync_after(folder_of(to));
    Ok(())
}

/// A name, and those to fall back to when it is taken: numbered, and once the numbers are used up, as by a camera that gives every picture the same
/// name, numbered by the time.
pub fn names(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let late = std::iter::once_with(microseconds).flat_map(|now| now..now + NUMBERS);
    (0..NUMBERS).chain(late).map(|number| if number == 0 { path.to_path_buf() } else { numbered(path, number) })
}

/// Since 1970.
fn microseconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or_default().max(NUMBERS)
}

/// None of [`names`] is free.
pub fn too_many(path: &Path) -> Error {
    let what = "its name is taken, and so is every one to fall back to: 10,000 by number, 10,000 by the time";
    Error::new(Kind::Output, what).at(path).mend("move away some of what lies there")
}

/// Between file systems a file is copied; a link must not be followed then, nor a pipe be waited for.
pub(super) fn open_regular(path: &Path) -> Result<File> {
    let none = || Error::new(Kind::Input, "not a file, so it stays where it is").at(path);
    match ground::open_to_read(path) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(file),
        Ok(_) => Err(none()),
        // A link; a socket, or a device without a driver. No time makes a file of them, as it brings a share back.
        Err(e) if is_one_of(&e, &[Errno::LOOP, Errno::NXIO]) => Err(none()),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

#[cfg(target_os = "linux")]
pub(super) fn rename_noreplace(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    let (source, target) = (Place::of(from)?, Place::of(to)?);
    match renameat_with(source.folder(), source.name(), target.folder(), target.name(), RenameFlags::NOREPLACE) {
        // Some network file systems do not know the flag; a hard link is as safe.
        Err(Errno::INVAL | Errno::NOSYS) => link_and_unlink(from, to),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn rename_noreplace(from: &Path, to: &Path) -> std::io::Result<()> {
    link_and_unlink(from, to)
}

fn link_and_unlink(from: &Path, to: &Path) -> std::io::Result<()> {
    match ground::link(from, to) {
        Err(e) if cannot_link(&e) => reserve_and_rename(from, to),
        Err(e) => Err(e),
        // Two names of one file: the new one alone is to stay, or the old one.
        Ok(()) => ground::unlink(from).or_else(|e| withdraw(from, to, e)),
    }
}

/// Takes the new name away again, but only while the old one is there: elsewhere than on a disk an error may come of what has happened all the same.
fn withdraw(from: &Path, to: &Path, e: std::io::Error) -> std::io::Result<()> {
    match ground::look(from) {
        Ok(_) => {
            let _ = ground::unlink(to);
            Err(e)
        }
        Err(_) => Ok(()),
    }
}

/// Whether there are no hard links here, as on many file systems in user space, or none of this file.
fn cannot_link(e: &std::io::Error) -> bool {
    is_one_of(e, &[Errno::PERM, Errno::NOSYS, Errno::OPNOTSUPP, Errno::MLINK])
}

fn is_one_of(e: &std::io::Error, what: &[Errno]) -> bool {
    what.iter().any(|no| e.raw_os_error() == Some(no.raw_os_error()))
}

/// Takes the name by a file that only one can make, which says for what, and puts the file in its place.
fn reserve_and_rename(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut reservation = ground::create_new(to)?;
    reservation
        .write_all(from.file_name().unwrap_or_default().as_encoded_bytes())
        .or_else(|e| withdraw(from, to, e))?;
    ground::rename(from, to).or_else(|e| withdraw(from, to, e))
}

/// Whether `to` is a name that was only taken for `from` when the program ended.
pub fn is_reservation(from: &Path, to: &Path) -> bool {
    let name = from.file_name().unwrap_or_default().as_encoded_bytes();
    let is_short = ground::look(to).is_ok_and(|m| m.is_file() && m.len() == name.len() as u64);
    let read = |mut file: File| {
        let mut text = Vec::new();
        file.read_to_end(&mut text).map(|_| text)
    };
    is_short && ground::open_to_read(to).and_then(read).is_ok_and(|text| text == name)
}

/// `cat.png` becomes `cat-3.png`; of a very long name the end of the stem goes.
pub fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut end = OsString::from(format!("-{number}"));
    if let Some(extension) = path.extension() {
        end.push(".");
        end.push(extension);
    }
    let stem = path.file_stem().unwrap_or_default();
    let mut name = shorten(stem, LONGEST.saturating_sub(end.len()));
    name.push(end);
    path.with_file_name(name)
}

/// As much of a name as fits into so many bytes, and whole characters where it is text.
pub fn shorten(name: &OsStr, bytes: usize) -> OsString {
    if name.len() <= bytes {
        return name.to_os_string();
    }
    let text = name.to_string_lossy();
    text[..text.floor_char_boundary(bytes)].into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Where neither kind of rename nor links are known nothing was ever published.
    #[test]
    fn a_name_can_be_taken_without_links() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&from, "words").unwrap();
        reserve_and_rename(&from, &to).unwrap();
        assert!(!from.exists() && std::fs::read(&to).unwrap() == b"words");
        std::fs::write(&from, "more").unwrap();
        assert_eq!(reserve_and_rename(&from, &to).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert!(std::fs::read(&to).unwrap() == b"words" && from.exists() && !is_reservation(&from, &to));
        // The program ended in between.
        std::fs::write(&to, "a").unwrap();
        assert!(is_reservation(&from, &to));
        // An error that comes of what has happened takes nothing away.
        std::fs::rename(&from, &to).unwrap();
        withdraw(&from, &to, std::io::Error::other("late")).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"more");
        assert!(cannot_link(&Errno::PERM.into()) && !cannot_link(&Errno::EXIST.into()));
    }

    /// The second file of a long name could not be written, and its pipeline waited for ever.
    #[test]
    fn numbers_fit_into_long_names() {
        let long = PathBuf::from(format!("a/{}.png", "ä".repeat(125)));
        let name = numbered(&long, 12);
        assert!(name.as_os_str().len() <= 2 + LONGEST && name.to_string_lossy().ends_with("ä-12.png"), "{name:?}");
        assert_eq!(numbered(Path::new("a/cat.png"), 3), Path::new("a/cat-3.png"));
    }

    /// A camera that gives every picture the same name stopped its pipeline for good at the 10,000th.
    #[test]
    fn there_is_a_name_after_ten_thousand() {
        let mut names = names(Path::new("a/cat.png")).skip(9_999);
        assert_eq!(names.next().unwrap(), Path::new("a/cat-9999.png"));
        let late = names.next().unwrap();
        assert!(late.parent() == Some(Path::new("a")) && late.extension().unwrap() == "png", "{late:?}");
        // As many digits as microseconds since 1970 have.
        assert!(late.as_os_str().len() >= "a/cat-1700000000000000.png".len() && names.next().unwrap() != late);
        assert_eq!(super::names(Path::new("a/cat.png")).count(), 20_000);
        assert!(too_many(Path::new("a/cat.png")).message().contains("10,000 by number, 10,000 by the time"));
    }

    /// Where quarantine is on another file system, links and sockets were tried again for ever, as if a share were away.
    #[test]
    fn what_cannot_be_copied_is_no_share_that_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let [to, own, far, socket] = ["to", "own", "far", "socket"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink("own", &own).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &far).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for from in [own, far, socket] {
            let refused = copy_over(&from, &to, Some(Stamp::of(&from).unwrap()), |_| Ok(())).unwrap_err();
            assert!(refused.kind() == Kind::Input && Stamp::of(&from).is_ok() && Stamp::of(&to).is_err(), "{refused}");
        }
    }

    /// A copy was left behind by each try, and originals that cannot be deleted are tried again and again.
    #[test]
    fn what_cannot_be_taken_away_leaves_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&from, "words").unwrap();
        let refused = || Error::new(Kind::Output, "no");
        assert_eq!(copy_over(&from, &to, None, |_| Err(refused())).unwrap_err().message(), "no");
        assert!(!to.exists() && std::fs::read(&from).unwrap() == b"words");
        // It was gone all the same: the copy is all there is.
        let late = |path: &Path| {
            std::fs::remove_file(path).unwrap();
            Err(refused())
        };
        assert!(copy_over(&from, &to, None, late).is_err());
        assert!(!from.exists() && std::fs::read(&to).unwrap() == b"words");
    }

    /// Saved under the name in between, a file that had done nothing wrong went to quarantine, or was deleted.
    #[test]
    fn only_the_file_that_was_worked_on_is_moved_or_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to, new] = ["a", "b", "c"].map(|name| folder.path().join(name));
        std::fs::write(&from, "words").unwrap();
        let state = Stamp::of(&from).unwrap();
        let held = ground::hold(&from).unwrap();
        assert!(!is_other(held.as_ref(), state, &from));
        std::fs::write(&new, "other").unwrap();
        std::fs::rename(&new, &from).unwrap();
        assert!(is_other(held.as_ref(), state, &from));
        assert_eq!(move_to(&from, &to, Some(state)).unwrap_err().kind(), Kind::Transient);
        assert_eq!(copy_over(&from, &to, Some(state), |_| Ok(())).unwrap_err().kind(), Kind::Transient);
        assert_eq!(delete(&from, Some(state)).unwrap_err().kind(), Kind::Transient);
        assert!(!to.exists() && std::fs::read(&from).unwrap() == b"other");
        move_to(&from, &to, Some(Stamp::of(&from).unwrap())).unwrap();
        assert!(!from.exists() && std::fs::read(&to).unwrap() == b"other");
        delete(&to, Some(Stamp::of(&to).unwrap())).unwrap();
        assert!(!to.exists());
    }

    /// A file of its owner alone could be read by all after that, and was as new as today.
    #[test]
    fn between_file_systems_mode_and_time_come_along() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm"));
        let Some(there) = there.ok().filter(|there| {
            let device = |path: &Path| std::fs::metadata(path).unwrap().dev();
            device(there.path()) != device(here.path())
        }) else {
            return eprintln!("there is only one file system here");
        };
        let from = here.path().join("a");
        std::fs::write(&from, "words").unwrap();
        let file = File::options().write(true).open(&from).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        file.set_modified(time).unwrap();
        let to = move_file(&from, &there.path().join("b"), None).unwrap();
        let metadata = std::fs::metadata(&to).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.modified().unwrap()), (0o600, time));
        assert!(!from.exists() && std::fs::read(&to).unwrap() == b"words");
    }
}
