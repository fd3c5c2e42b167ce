use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::refuse;

/// Refuses a folder that holds anything but a model, since publishing replaces it whole, and one that cannot be made.
///
/// # Errors
/// When it is one.
pub fn check(folder: &Path, files: &[&str]) -> Result<()> {
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            refuse!(Usage, "{} is a file, and a model is a folder; name another", folder.display())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => {
            found.with_context(|| format!("cannot read {}", folder.display()))?;
            for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
                let name = entry?.file_name();
                if !files.iter().any(|file| name == *file) {
                    refuse!(
                        Usage,
                        "{} holds {}, so it is no model to be replaced; name a new folder",
                        folder.display(),
                        name.display()
                    );
                }
            }
        }
    }
    // Where this can be made, so can what is put in the folder's place.
    let [trial] = beside(folder, ["try"])?;
    let make = || -> Result<()> {
        remove(&trial)?;
        fs::create_dir_all(&trial)?;
        remove(&trial)
    };
    make().with_context(|| format!("cannot make a folder beside {}; name another", folder.display()))
}

/// A free name beside `folder` for a model that must not be lost to the one that takes its place.
///
/// # Errors
/// When `folder` has no name.
pub fn before(folder: &Path) -> Result<PathBuf> {
    let name = folder.file_name().context("a model's folder needs a name")?.to_string_lossy();
    let mut place = parent(folder).join(format!("{name}.before"));
    let mut number = 2;
    while fs::symlink_metadata(&place).is_ok() {
        place = parent(folder).join(format!("{name}.before-{number}"));
        number += 1;
    }
    Ok(place)
}

/// Writes `files` into a new folder beside `folder` and swaps the two: a reader finds the old model or the new one,
/// never a mixture. The old one is removed, or `kept` is its name from now on.
///
/// # Errors
/// When a file cannot be written or a folder not renamed.
pub fn replace(folder: &Path, files: &[(&str, &[u8])], kept: Option<&Path>) -> Result<()> {
    let [fresh, old] = beside(folder, ["new", "old"])?;
    let write = || -> Result<()> {
        remove(&fresh)?;
        fs::create_dir_all(&fresh)?;
        for (name, bytes) in files {
            let path = fresh.join(name);
            fs::write(&path, bytes)?;
            fs::File::open(&path)?.sync_all()?;
        }
        remove(&old)?;
        if folder.exists() {
            fs::rename(folder, kept.unwrap_or(&old))?;
        }
        fs::rename(&fresh, folder)?;
        fs::File::open(parent(folder))?.sync_all()?;
        remove(&old)
    };
    write().with_context(|| format!("cannot publish {}", folder.display()))
}

/// Names beside a folder that nobody takes for a model.
fn beside<const N: usize>(folder: &Path, what: [&str; N]) -> Result<[PathBuf; N]> {
    let name = folder.file_name().context("a model's folder needs a name")?.to_string_lossy();
    Ok(what.map(|what| parent(folder).join(format!(".{name}.{what}.partial"))))
}

fn parent(folder: &Path) -> &Path {
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes whatever is there: a folder with all that it holds, a file, a link.
fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path)?,
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was found out when the training was over.
    #[test]
    fn where_no_model_can_be_put_is_told_before() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("file");
        fs::write(&file, "mine").expect("a file");
        let told = |folder: &Path| format!("{:#}", check(folder, &["model.onnx"]).expect_err("no place for a model"));
        assert!(told(&file).contains("is a file"), "{}", told(&file));
        assert!(told(&file.join("model")).contains("cannot"), "{}", told(&file.join("model")));
        assert!(told(place.path()).contains("holds file"), "{}", told(place.path()));

        // What an earlier attempt has left is no hindrance, nor is it kept.
        let model = place.path().join("deep/model");
        fs::create_dir(place.path().join("deep")).expect("a folder");
        for left in [".model.try.partial", ".model.new.partial", ".model.old.partial"] {
            fs::write(place.path().join("deep").join(left), "left").expect("a file");
        }
        check(&model, &["model.onnx"]).expect("a place for a model");
        for text in ["one", "two"] {
            replace(&model, &[("model.onnx", text.as_bytes())], None).expect("a model");
            assert_eq!(fs::read_to_string(model.join("model.onnx")).expect("a file"), text);
        }
        assert_eq!(fs::read_dir(place.path().join("deep")).expect("a folder").count(), 1);

        for (text, name) in [("three", "model.before"), ("four", "model.before-2")] {
            let kept = before(&model).expect("a name");
            assert_eq!(kept, place.path().join("deep").join(name));
            let was = fs::read_to_string(model.join("model.onnx")).expect("a file");
            replace(&model, &[("model.onnx", text.as_bytes())], Some(&kept)).expect("a model");
            assert_eq!(fs::read_to_string(kept.join("model.onnx")).expect("a file"), was);
        }
    }
}
