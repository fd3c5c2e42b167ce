//! A job under way, as the watchdog sees it: it may be given up until its results begin to get their names.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, Kind, Result};

const WORKING: u8 = 0;
const PUBLISHING: u8 = 1;
const GIVEN_UP: u8 = 2;

/// How far a job is.
#[derive(Debug, Default)]
pub struct Flight(AtomicU8);

impl Flight {
    /// From here on the job is finished whatever it takes.
    ///
    /// # Errors
    /// Kind bug: it was given up before.
    pub fn publish(&self) -> Result<()> {
        match self.0.compare_exchange(WORKING, PUBLISHING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(_) => self.check(),
        }
    }

    /// Gives the job up, so that none of its results is published. False if it is too late for that.
    pub fn give_up(&self) -> bool {
        self.0.compare_exchange(WORKING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether it was given up.
    pub fn is_given_up(&self) -> bool {
        self.0.load(Ordering::Acquire) == GIVEN_UP
    }

    /// An error if it was given up, so that the thread that hung can end.
    ///
    /// # Errors
    /// Kind bug; nobody sees it.
    pub fn check(&self) -> Result<()> {
        match self.is_given_up() {
            true => Err(Error::new(Kind::Bug, "it was given up")),
            false => Ok(()),
        }
    }
}
