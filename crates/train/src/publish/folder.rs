use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Refuses a folder that holds anything but a model: publishing replaces it whole.
///
/// # Errors
/// When there is such a thing in it.
pub fn check(folder: &Path, files: &[&str]) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !files.iter().any(|file| name == *file) {
            bail!("{} holds {}, so it is no model to be replaced; name a new folder", folder.display(), name.display());
        }
    }
    Ok(())
}

/// Writes `files` into a new folder beside `folder` and swaps the two: a reader finds the old model or the new one,
/// never a mixture.
///
/// # Errors
/// When a file cannot be written or a folder not renamed.
pub fn replace(folder: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = folder.file_name().context("a model's folder needs a name")?.to_string_lossy().into_owned();
    let [fresh, old] = ["new", "old"].map(|what| parent.join(format!(".{name}.{what}.partial")));
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
            fs::rename(folder, &old)?;
        }
        fs::rename(&fresh, folder)?;
        fs::File::open(parent)?.sync_all()?;
        remove(&old)
    };
    write().with_context(|| format!("cannot publish {}", folder.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
