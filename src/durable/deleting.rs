//! Deleting a file, and no other that has its name by now.

use std::path::{Path, PathBuf};

use super::moving::{changed, is_in, is_other, rename_noreplace, rename_to_free_name};
use super::{PREFIX, Stamp, folder_of, ground, sign, sync_after};
use crate::error::{Error, Result};

/// Deletes a file for good: a power loss does not bring it back. If a state is told, only a file in that state is deleted.
///
/// # Errors
/// Kind output or transient: it cannot be deleted.
pub fn delete(path: &Path, state: Option<Stamp>) -> Result<()> {
    match state {
        Some(state) => delete_by(path, state, rename_noreplace)?,
        None => ground::unlink(path).map_err(|e| Error::io("delete", path, e))?,
    }
    sync_after(folder_of(path));
    Ok(())
}

/// Deletes a file in that state. Another may take its name at any moment: so `rename` gives it one first that nobody else uses, under which it is seen once
/// more which it is. What ends in between is for [`finish_delete`].
fn delete_by(path: &Path, state: Stamp, rename: impl FnOnce(&Path, &Path) -> std::io::Result<()>) -> Result<()> {
    let failed = |e| Error::io("delete", path, e);
    let held = ground::hold(path);
    if !is_in(Some(state), path) {
        return Err(changed(path));
    }
    let (held, aside) = (held.map_err(failed)?, aside(path));
    rename(path, &aside).map_err(failed)?;
    if is_other(held.as_ref(), state, &aside) {
        // Its own name, unless its owner has saved it once more.
        rename_to_free_name(&aside, path)?;
        return Err(changed(path));
    }
    ground::unlink(&aside).map_err(|e| {
        // If this fails as well it is tried again under that name.
        let _ = rename_noreplace(&aside, path);
        failed(e)
    })
}

/// Finishes a deletion of `path` that was cut short, if one was: the file goes if `is_meant` says so of its state, and else has its name again, or the
/// next that is free.
///
/// # Errors
/// Kind output or transient: neither can be done.
pub fn finish_delete(path: &Path, is_meant: impl FnOnce(Stamp) -> bool) -> Result<()> {
    let aside = aside(path);
    match Stamp::of(&aside) {
        Ok(stamp) if is_meant(stamp) => delete(&aside, None),
        Ok(_) => rename_to_free_name(&aside, path).map(drop),
        // There is none; or its folder is away, and then the file's own is as well.
        Err(_) => Ok(()),
    }
}

/// The name of a file that is about to go: hidden, so that no source takes it, and nothing that [`super::sweep`] sweeps.
fn aside(path: &Path) -> PathBuf {
    let name = sign(path.file_name().unwrap_or_default().as_encoded_bytes());
    path.with_file_name(format!("{PREFIX}{name:032x}.deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// A folder, and in it paths of these names.
    fn home(names: [&str; 3]) -> (tempfile::TempDir, [PathBuf; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let paths = names.map(|name| folder.path().join(name));
        (folder, paths)
    }

    /// Saved under the name of one that was about to go, between the last look and the deletion, a file that nobody had worked on was deleted.
    #[test]
    fn what_takes_the_name_of_a_file_that_goes_stays() {
        let (_folder, [path, new, numbered]) = home(["a.png", "new", "a-1.png"]);
        let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        write(&path, "words");
        let state = Stamp::of(&path).unwrap();
        let beaten = |from: &Path, to: &Path| {
            write(&new, "other words");
            std::fs::rename(&new, from).unwrap();
            rename_noreplace(from, to)
        };
        assert_eq!(delete_by(&path, state, beaten).unwrap_err().kind(), Kind::Transient);
        assert!(read(&path) == "other words" && !aside(&path).exists());

        // The same, and saved once more before it is seen that it was another: both stay.
        let state = Stamp::of(&path).unwrap();
        let beaten_twice = |from: &Path, to: &Path| {
            write(&new, "newer");
            std::fs::rename(&new, from).unwrap();
            rename_noreplace(from, to)?;
            std::fs::write(from, "newest")
        };
        assert_eq!(delete_by(&path, state, beaten_twice).unwrap_err().kind(), Kind::Transient);
        assert_eq!([read(&path), read(&numbered)], ["newest", "newer"]);

        // Nobody else is there: nothing is left.
        delete(&path, Some(Stamp::of(&path).unwrap())).unwrap();
        delete(&numbered, None).unwrap();
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    /// The same by chance rather than by arrangement.
    #[test]
    fn a_race_for_the_name_deletes_nothing_new() {
        let (folder, [path, new, _]) = home(["a.png", "new", ""]);
        for round in 0..100 {
            std::fs::write(&path, "words").unwrap();
            std::fs::write(&new, format!("other {round}")).unwrap();
            let state = Stamp::of(&path).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| std::fs::rename(&new, &path).unwrap());
                // It may well have been too late.
                let _ = delete(&path, Some(state));
            });
            // Under its own name, or, where that was just given back, another.
            let kept: Vec<PathBuf> =
                std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            let mut texts = kept.iter().map(|path| std::fs::read_to_string(path).unwrap());
            assert!(texts.any(|text| text == format!("other {round}")), "{round}: {kept:?}");
            kept.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        }
    }

    /// The program ended in between.
    #[test]
    fn a_deletion_that_was_cut_short_is_finished() {
        let (_folder, [path, _, numbered]) = home(["a.png", "", "a-1.png"]);
        finish_delete(&path, |_| true).unwrap();
        std::fs::write(&path, "words").unwrap();
        finish_delete(&path, |_| true).unwrap();
        let cut_short = || std::fs::rename(&path, aside(&path)).unwrap();
        cut_short();
        finish_delete(&path, |stamp| stamp.length == 5).unwrap();
        assert!(!path.exists() && !aside(&path).exists());
        std::fs::write(&path, "another").unwrap();
        cut_short();
        finish_delete(&path, |stamp| stamp.length == 5).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        cut_short();
        std::fs::write(&path, "the next").unwrap();
        finish_delete(&path, |stamp| stamp.length == 5).unwrap();
        assert_eq!([&path, &numbered].map(|path| std::fs::read_to_string(path).unwrap()), ["the next", "another"]);
    }
}
