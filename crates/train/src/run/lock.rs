use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

use crate::refuse;
use crate::tell;

/// Keeps other trainings out of a run's folder for as long as the file that is returned stays open, however the program ends.
///
/// # Errors
/// When another training works there, or the folder cannot be written.
pub fn lock(run: &Path) -> Result<File> {
    let path = run.join(".lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            refuse!(Transient, "another training works in {}; wait for its end, or give another --run", run.display())
        }
        // Some network shares have no locks, and are no worse to train on otherwise.
        Err(TryLockError::Error(error)) => {
            let path = path.display();
            tell(format_args!("warning: {path} cannot be locked ({error}): start no second training there"));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    /// Two trainings wrote their checkpoints over each other's.
    #[test]
    fn a_run_has_one_training_at_a_time() {
        let run = tempfile::tempdir().expect("a folder");
        let first = super::lock(run.path()).expect("nobody is there");
        let told = format!("{:#}", super::lock(run.path()).expect_err("somebody is there"));
        assert!(told.contains("another training works in"), "{told}");
        drop(first);
        assert!(super::lock(run.path()).is_ok());
    }
}
