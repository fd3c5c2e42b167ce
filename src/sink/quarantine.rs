//! Where inputs go that cannot be worked on: each with its reason beside it, to be read by people and by `latentd quarantine`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::durable::{self, Stamp};
use crate::error::{Error, Kind, Result, show_path};

/// The ending of a file that tells a reason.
const NOTE: &str = ".error.txt";
/// How the line begins that tells where the file came from.
const FROM: &str = "file:   ";
/// How the line begins that tells where the file is.
const UNCHANGED: &str = "The file is unchanged: ";
/// Bytes that are read of a note, which is one of ours only as far as anybody can tell.
const LONGEST_NOTE: u64 = 1 << 16;

/// A quarantine folder.
#[derive(Debug, Clone)]
pub struct Quarantine<'a>(pub &'a Path);

/// An input in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// Its name within the quarantine folder.
    pub name: PathBuf,
    /// Where it is; nothing if it could not be moved and lies where it was, or was taken away by somebody.
    pub file: Option<PathBuf>,
    /// The file with its reason.
    pub note: PathBuf,
    /// The state of that file when it was read: in another state it tells of another try.
    #[serde(skip)]
    pub stamp: Stamp,
    /// Where it came from.
    #[serde(skip)]
    pub from: PathBuf,
    /// Why it is here.
    pub reason: String,
}

impl Quarantine<'_> {
    /// Puts an input aside, with the reason beside it. The reason is there before the file is, so that no crash leaves a file without one.
    /// Where the file cannot be moved, the reason alone is written and the file stays. Tells where it is now. Only a file in the state `stamp` is moved.
    ///
    /// # Errors
    /// Kind output or transient: not even the reason could be written, or the file has changed, or cannot be moved just now.
    pub fn put(&self, input: &Path, relative: &Path, stamp: Stamp, error: &Error) -> Result<PathBuf> {
        let put = |target: PathBuf| self.put_as(&target, input, stamp, error);
        match put(self.0.join(relative)) {
            // A file may lie where a folder would have to be, and a path be longer than paths can be.
            Err(e) if is_in(stamp, input) => put(self.0.join(flat(relative))).map_err(|_| e),
            put => put,
        }
    }

    /// Writes the reason alone: the file stays, since others watch the folder too and may have use for it.
    ///
    /// # Errors
    /// Kind output or transient: it cannot be written.
    pub fn note(&self, input: &Path, relative: &Path, error: &Error) -> Result<()> {
        let note = |target: PathBuf| self.note_as(&target, input, error);
        note(self.0.join(relative)).or_else(|e| note(self.0.join(flat(relative))).map_err(|_| e))
    }

    fn note_as(&self, target: &Path, input: &Path, error: &Error) -> Result<()> {
        let mut free = self.free_names(target, input);
        let (_, note) = free.next().ok_or_else(|| durable::too_many(target))?;
        durable::write(&note, text(input, input, error).as_bytes())
    }

    /// The names like `target` that no other input has here, each with that of its reason.
    fn free_names(&self, target: &Path, input: &Path) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        let places = durable::names(target).filter(|place| !is_there(place));
        let named = places.map(|place| {
            let note = note_of(&place);
            (place, note)
        });
        // A file of that name that tells of another input, or is itself in quarantine, is not ours to write over.
        named.filter(|(_, note)| !is_there(note) || (!is_there(&note_of(note)) && tells_of(note, input)))
    }

    /// [`Quarantine::put`] by this name, or one with a number.
    fn put_as(&self, target: &Path, input: &Path, stamp: Stamp, error: &Error) -> Result<PathBuf> {
        for (place, note) in self.free_names(target, input) {
            durable::write(&note, text(input, &place, error).as_bytes())?;
            match durable::move_to(input, &place, Some(stamp)) {
                Ok(()) => return Ok(place),
                Err(e) if e.kind() == Kind::Usage => {
                    // Somebody was faster; the reason belongs to another name.
                    let _ = durable::unlink(&note);
                }
                Err(e) if e.kind() == Kind::Transient || !is_in(stamp, input) => {
                    // What lies there by now may have done nothing wrong; or it goes well later.
                    let _ = durable::unlink(&note);
                    return Err(e);
                }
                Err(e) => {
                    tracing::debug!("{e}");
                    durable::write(&note, text(input, input, error).as_bytes())?;
                    return Ok(input.to_path_buf());
                }
            }
        }
        Err(durable::too_many(target))
    }

    /// What is in it, by name.
    pub fn list(&self) -> Vec<Kept> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if let Some(kept) = self.read(&entry.path()).filter(|_| kind.is_file()) {
                    found.push(kept);
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// What a note tells. An input may be named like one, and tell whatever a stranger wants to have believed: what has a note itself is none.
    fn read(&self, note: &Path) -> Option<Kept> {
        if is_there(&note_of(note)) {
            return None;
        }
        let name = note.file_name()?.to_str().map(str::to_owned);
        // A name that is not text has its note under the same bytes.
        let plain: OsString = match name {
            Some(name) => name.strip_suffix(NOTE)?.into(),
            None => strip_bytes(note.file_name()?)?,
        };
        let mut file = note.with_file_name(plain);
        // Before the text: one that is replaced in between is then told, but never deleted as the one before it.
        let stamp = Stamp::of(note).ok()?;
        let text = durable::read_some(note, LONGEST_NOTE).ok()?;
        // Of a very long name the note bears only the beginning.
        let told = text.lines().find_map(|line| line.strip_prefix(UNCHANGED)).map(PathBuf::from);
        if let Some(told) = told.filter(|told| told.parent() == file.parent() && told.exists()) {
            file = told;
        }
        if let Some(renamed) = renamed(&file) {
            file = renamed;
        }
        let reason = text.lines().find_map(|line| line.strip_prefix("reason: "))?.to_owned();
        let from = text.lines().find_map(|line| line.strip_prefix(FROM)).map(PathBuf::from).unwrap_or_default();
        let name = file.strip_prefix(self.0).ok()?.to_path_buf();
        let there = is_there(&file);
        Some(Kept { name, file: there.then_some(file), note: note.to_path_buf(), stamp, from, reason })
    }

    /// Puts a file back into the folder it came from, to be tried again, and nowhere else: links below it are not followed. Tells its name there.
    ///
    /// # Errors
    /// Kind no-input: the file is not here. Kind output or transient: it cannot be moved.
    pub fn put_back(&self, kept: &Kept, source: &Path) -> Result<PathBuf> {
        let Some(file) = &kept.file else {
            let e = Error::new(Kind::NoInput, "only the reason is here, the file is not").at(&kept.note);
            return Err(match kept.from.is_file() {
                true => e.mend(format!("mend {} where it lies, or `touch` it", show_path(&kept.from))),
                false => e.mend("drop the file itself into the folder again"),
            });
        };
        durable::guard(source);
        let back = durable::move_file(file, &source.join(&kept.name), None)?;
        forget(kept)?;
        Ok(back)
    }

    /// Deletes a file and its reason for good.
    ///
    /// # Errors
    /// Kind output or transient: one of them cannot be deleted.
    pub fn purge(&self, kept: &Kept) -> Result<()> {
        if let Some(file) = &kept.file {
            remove(file)?;
        }
        forget(kept)
    }
}

/// Deletes the reason of a file that has gone from here, if it is still the one that was read. As soon as the file is back in its folder a daemon takes
/// it, and may have put it aside again by now, with a new reason under the same name; a file without one is found by nobody.
fn forget(kept: &Kept) -> Result<()> {
    match Stamp::of(&kept.note) {
        Ok(now) if now != kept.stamp => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        _ => remove(&kept.note),
    }
}

fn remove(path: &Path) -> Result<()> {
    durable::unlink(path).map_err(|e| Error::io("delete", path, e))
}

/// Whether there is anything of this name, a link that leads nowhere included.
fn is_there(path: &Path) -> bool {
    durable::look(path).is_ok()
}

/// Whether a file is in that state still, after a try to move it.
fn is_in(stamp: Stamp, path: &Path) -> bool {
    Stamp::of(path).is_ok_and(|now| now.is_like(&stamp))
}

/// A name without folders for what cannot lie where it should: as its own, after a sign of the whole path.
fn flat(relative: &Path) -> PathBuf {
    let sign = durable::sign(relative.as_os_str().as_encoded_bytes()) as u32;
    let mut end = OsString::new();
    if let Some(extension) = relative.extension() {
        end.push(".");
        end.push(extension);
    }
    let mut name = OsString::from(format!("{sign:08x}-"));
    let room = durable::LONGEST.saturating_sub(name.len() + end.len());
    name.push(durable::shorten(relative.file_stem().unwrap_or_default(), room));
    name.push(end);
    name.into()
}

/// The file that a file which is gone must be now: the only one of its name with another ending, as `mend` often asks for, that has no note.
fn renamed(file: &Path) -> Option<PathBuf> {
    if is_there(file) {
        return None;
    }
    let is_free =
        |path: &Path| !path.as_os_str().as_encoded_bytes().ends_with(NOTE.as_bytes()) && !is_there(&note_of(path));
    let files =
        std::fs::read_dir(file.parent()?).ok()?.flatten().filter(|entry| entry.file_type().is_ok_and(|t| t.is_file()));
    let mut found =
        files.map(|entry| entry.path()).filter(|path| path.file_stem() == file.file_stem() && is_free(path));
    found.next().filter(|_| found.next().is_none())
}

fn strip_bytes(name: &std::ffi::OsStr) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    name.as_bytes().strip_suffix(NOTE.as_bytes()).map(|plain| OsString::from_vec(plain.to_vec()))
}

/// Where the reason of a file goes.
fn note_of(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_os_string();
    // Room for the ending where the name is as long as names can be. Two such names may begin alike.
    if name.len() > 240 {
        let sign = durable::sign(name.as_encoded_bytes()) as u32;
        name = format!("{}-{sign:08x}", name.to_string_lossy().chars().take(50).collect::<String>()).into();
    }
    name.push(NOTE);
    place.with_file_name(name)
}

/// Whether a note tells of this input.
fn tells_of(note: &Path, input: &Path) -> bool {
    let text = durable::read_some(note, LONGEST_NOTE).unwrap_or_default();
    text.lines().any(|line| line.strip_prefix(FROM) == Some(&show_path(input)))
}

fn text(input: &Path, kept: &Path, error: &Error) -> String {
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let mut text = format!(
        "latentd could not work on this file.\n\n{FROM}{}\nreason: {}\n",
        show_path(input),
        one_line(&error.to_string())
    );
    if let Some(mend) = error.mend_text() {
        text += &format!("mend:   {}\n", one_line(mend));
    }
    let again = match input == kept {
        true => "It stays where it is: mend it, or `touch` it,",
        false => "Drop it into the folder again, or `latentd quarantine retry`,",
    };
    text + &format!("\n{UNCHANGED}{}\n{again} to have another try.\n", show_path(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `retry` was still syncing folders when the daemon had put the file aside again, and then deleted the new reason: the file lay in quarantine for
    /// good, and neither `list` nor `retry` knew of it.
    #[test]
    fn a_reason_that_is_newer_than_the_one_that_was_read_stays() {
        let home = tempfile::tempdir().unwrap();
        let (source, folder) = (home.path().join("inbox"), home.path().join("quarantine"));
        let (input, quarantine) = (source.join("a.png"), Quarantine(&folder));
        let error = Error::new(Kind::Input, "this is no picture");
        std::fs::create_dir(&source).unwrap();
        std::fs::write(&input, "no picture").unwrap();
        let put = || quarantine.put(&input, Path::new("a.png"), Stamp::of(&input).unwrap(), &error).unwrap();
        let kept = put();
        let read = quarantine.list().remove(0);
        assert_eq!(read.file.as_ref(), Some(&kept));
        // What the daemon does while `put_back` has moved the file and not yet come to the note. The text may well be the same.
        durable::write(&read.note, text(&input, &kept, &error).as_bytes()).unwrap();
        assert_eq!(quarantine.put_back(&read, &source).unwrap(), input);
        assert!(read.note.is_file(), "the new reason is gone");

        // Nobody else was there: nothing is left.
        put();
        let read = quarantine.list().remove(0);
        quarantine.put_back(&read, &source).unwrap();
        assert!(input.is_file() && quarantine.list().is_empty() && !read.note.exists());
        put();
        quarantine.purge(&quarantine.list()[0]).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    /// Where a file lay in place of its folder, a bad one was tried again every minute for ever.
    #[test]
    fn what_cannot_lie_where_it_should_lies_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let (source, folder) = (home.path().join("inbox"), home.path().join("quarantine"));
        let (quarantine, error) = (Quarantine(&folder), Error::new(Kind::Input, "this is no picture"));
        let put = |name: &str| {
            let input = source.join(name);
            std::fs::create_dir_all(input.parent().unwrap()).unwrap();
            std::fs::write(&input, name).unwrap();
            quarantine.put(&input, Path::new(name), Stamp::of(&input).unwrap(), &error).unwrap()
        };
        let long = format!("x/{}.png", "n".repeat(251));
        let first = put("x");
        for name in ["x/y.png", long.as_str()] {
            let kept = put(name);
            assert_eq!((kept.parent(), kept.extension()), (Some(folder.as_path()), Some("png".as_ref())));
            assert_eq!(std::fs::read_to_string(&kept).unwrap(), name);
        }
        assert_eq!(std::fs::read_to_string(first).unwrap(), "x");
        let kept = quarantine.list();
        assert!(kept.len() == 3 && kept.iter().all(|kept| kept.file.is_some()), "{kept:?}");
        assert!(kept.iter().any(|kept| kept.from == source.join("x/y.png")));
    }

    /// The text of a stranger's file was told as the reason of another, which was then what `retry` moved and whose note it deleted.
    #[test]
    fn what_has_a_note_is_no_note() {
        let home = tempfile::tempdir().unwrap();
        let (source, folder) = (home.path().join("inbox"), home.path().join("quarantine"));
        let (quarantine, error) = (Quarantine(&folder), Error::new(Kind::Input, "this is no picture"));
        std::fs::create_dir(&source).unwrap();
        let put = |name: &str, text: &str| {
            let input = source.join(name);
            std::fs::write(&input, text).unwrap();
            quarantine.put(&input, Path::new(name), Stamp::of(&input).unwrap(), &error).unwrap()
        };
        let other = put("other.png", "no picture");
        let lie = format!("{FROM}{}\nreason: a lie\n{UNCHANGED}{}\n", source.join("zz").display(), other.display());
        let letter = put("zz.error.txt", &lie);
        let kept = quarantine.list();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(kept.iter().all(|kept| kept.reason == "this is no picture"), "{kept:?}");
        assert_eq!([kept[0].file.as_ref(), kept[1].file.as_ref()], [Some(&other), Some(&letter)]);
        for kept in &kept {
            quarantine.put_back(kept, &source).unwrap();
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        assert_eq!(std::fs::read_to_string(source.join("zz.error.txt")).unwrap(), lie);
    }

    /// A stranger's file came to lie wherever a link led that stood in place of a folder, under a name and with contents of the stranger's.
    #[test]
    fn nothing_is_put_back_through_a_link() {
        let home = tempfile::tempdir().unwrap();
        let [source, folder, victim] = ["inbox", "quarantine", "victim"].map(|name| home.path().join(name));
        let (quarantine, error) = (Quarantine(&folder), Error::new(Kind::Input, "this is no picture"));
        let input = source.join("d/evil.desktop");
        std::fs::create_dir_all(source.join("d")).unwrap();
        std::fs::create_dir(&victim).unwrap();
        std::fs::write(&input, "evil").unwrap();
        let relative = Path::new("d/evil.desktop");
        let kept = quarantine.put(&input, relative, Stamp::of(&input).unwrap(), &error).unwrap();
        std::fs::remove_dir(source.join("d")).unwrap();
        std::os::unix::fs::symlink(&victim, source.join("d")).unwrap();
        let refused = quarantine.put_back(&quarantine.list()[0], &source).unwrap_err();
        assert!(refused.mend_text().is_some_and(|mend| mend.contains("link")), "{refused:?}");
        assert!(kept.is_file() && std::fs::read_dir(&victim).unwrap().count() == 0);
        // Once a folder is there again it goes well.
        std::fs::remove_file(source.join("d")).unwrap();
        assert_eq!(quarantine.put_back(&quarantine.list()[0], &source).unwrap(), input);
    }
}
