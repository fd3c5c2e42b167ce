//! What tests put in the place of a stage and of a ledger.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Claim, Key, Ledger, Verdict};
use crate::durable::Publication;
use crate::error::Result;
use crate::media::{Media, MediaKind};
use crate::stage::{Context, Stage};

/// A stage for pictures that does this and leaves them as they are.
pub struct Does<F>(pub F);

impl<F> std::fmt::Debug for Does<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Does")
    }
}

impl<F: Fn(&Context) -> Result<()> + Send + Sync> Stage for Does<F> {
    fn name(&self) -> &'static str {
        "does"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>> {
        (self.0)(context).map(|()| media)
    }
}

/// A ledger that answers claims by this, and remembers what it was told.
pub struct Notes<F> {
    answer: F,
    told: Mutex<Vec<String>>,
}

impl<F: Fn() -> Verdict + Send + Sync> Notes<F> {
    /// One that was told nothing yet.
    pub fn answering(answer: F) -> Arc<Notes<F>> {
        Arc::new(Notes { answer, told: Mutex::default() })
    }

    /// What it was told so far, by the names of its functions.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, what: impl Into<String>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }
}

impl<F> std::fmt::Debug for Notes<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notes")
    }
}

impl<F: Fn() -> Verdict + Send + Sync> Ledger for Notes<F> {
    fn claim(&self, _: Claim) -> Result<Verdict> {
        self.note("claim");
        Ok((self.answer)())
    }

    fn known(&self, _: Claim, there: bool) -> Result<()> {
        self.note(format!("known {there}"));
        Ok(())
    }

    fn intend(&self, _: Key, _: &[Publication]) -> Result<()> {
        self.note("intend");
        Ok(())
    }

    fn done(&self, _: Key, _: &[Publication], _: f64, _: bool) -> Result<()> {
        self.note("done");
        Ok(())
    }

    fn settled(&self, _: Key) {
        self.note("settled");
    }

    fn failed(&self, _: Key, reason: &str) {
        self.note(format!("failed: {reason}"));
    }
}
