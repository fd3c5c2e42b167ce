//! What must be remembered of a job so that a crash at any moment loses nothing and repeats nothing. The daemon keeps a journal; `apply`,
//! which runs once and whose inputs stay, remembers nothing.

use std::path::PathBuf;

use crate::durable::{Publication, Stamp};
use crate::error::Result;

/// Names an input's contents, its path within the source, and what is done to it: SHA-256 over the pipeline's fingerprint and, for each
/// file of the job, path and digest of the contents.
pub type Key = [u8; 32];

/// What a worker tells before it begins.
#[derive(Debug, Clone)]
pub struct Claim {
    /// See [`Key`].
    pub key: Key,
    /// The files, by path within the source, with their states.
    pub inputs: Vec<(PathBuf, Stamp)>,
    /// The pipeline's fingerprint.
    pub fingerprint: String,
}

/// What to do with a claimed input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Work on it.
    Work,
    /// These results were made of a file of the same name and contents before: if they are still there, nothing is to be done.
    Known(Vec<Publication>),
    /// The program has ended this often while it worked on it.
    Deadly(u32),
}

/// Remembers jobs. A call returns when what it notes is durable, unless it says otherwise.
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// Whether it remembers anything; if not, contents need not be read for their digest.
    fn remembers(&self) -> bool {
        true
    }

    /// Counts an attempt, and tells what to do.
    ///
    /// # Errors
    /// Kind transient: it cannot be noted.
    fn claim(&self, claim: Claim) -> Result<Verdict>;

    /// After [`Verdict::Known`]: notes that the results are there, so that the files in this state need not be looked at again, or that they
    /// are not, and work begins all the same.
    ///
    /// # Errors
    /// Kind transient: it cannot be noted.
    fn known(&self, claim: Claim, there: bool) -> Result<()>;

    /// Notes which names the results are about to get. If the program ends after this, the next start finishes what is named here.
    ///
    /// # Errors
    /// Kind transient: it cannot be noted; no result may get its name then.
    fn intend(&self, key: Key, publications: &[Publication]) -> Result<()>;

    /// Notes that the results have their names. Where the originals stay, that is all and it does not wait; where they are about to be taken
    /// away, `settled` is to follow.
    ///
    /// # Errors
    /// Kind transient: it cannot be noted; the originals may not be taken away then. The results are safe all the same.
    fn done(&self, key: Key, results: &[Publication], seconds: f64, originals_stay: bool) -> Result<()>;

    /// Notes that the originals were taken away. Does not wait.
    fn settled(&self, key: Key);

    /// Notes that the attempt failed and why, and that the program lives on. Does not wait.
    fn failed(&self, key: Key, reason: &str);
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy)]
pub struct Forgetful;

impl Ledger for Forgetful {
    fn remembers(&self) -> bool {
        false
    }

    fn claim(&self, _: Claim) -> Result<Verdict> {
        Ok(Verdict::Work)
    }

    fn known(&self, _: Claim, _: bool) -> Result<()> {
        Ok(())
    }

    fn intend(&self, _: Key, _: &[Publication]) -> Result<()> {
        Ok(())
    }

    fn done(&self, _: Key, _: &[Publication], _: f64, _: bool) -> Result<()> {
        Ok(())
    }

    fn settled(&self, _: Key) {}

    fn failed(&self, _: Key, _: &str) {}
}
