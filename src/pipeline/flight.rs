//! A job under way, as the watchdog sees it: it may be given up until its results begin to get their names.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ledger::Key;
use crate::crew::Stop;
use crate::error::{Error, Kind, Result};
use crate::media::audio::{AudioRead, Block, Format};
use crate::media::{Audio, Media};

const WORKING: u8 = 0;
const PUBLISHING: u8 = 1;
const GIVEN_UP: u8 = 2;

/// How far a job is.
#[derive(Debug, Default)]
pub struct Flight {
    state: AtomicU8,
    /// Goes along with the work, so that it ends between two tiles.
    stop: Stop,
    /// What the ledger calls the job, until somebody notes how it failed.
    claim: Mutex<Option<Key>>,
}

impl Flight {
    /// From here on the job is finished whatever it takes.
    ///
    /// # Errors
    /// Kind bug: it was given up before.
    pub fn publish(&self) -> Result<()> {
        match self.state.compare_exchange(WORKING, PUBLISHING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(_) => self.check(),
        }
    }

    /// Gives the job up, so that none of its results is published. False if it is too late for that.
    pub fn give_up(&self) -> bool {
        let given_up = self.state.compare_exchange(WORKING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if given_up {
            self.stop.set();
        }
        given_up
    }

    /// What is set once it is given up.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Notes that the ledger has the job as begun, under this key.
    ///
    /// # Errors
    /// Kind bug: it was given up before, perhaps by somebody who has found no claim to take.
    pub fn claimed(&self, key: Key) -> Result<()> {
        *self.claim() = Some(key);
        self.check()
    }

    /// The key of a job that the ledger has as begun. Only who asks first gets it: that one is to note that it failed.
    pub fn take_claim(&self) -> Option<Key> {
        self.claim().take()
    }

    fn claim(&self) -> MutexGuard<'_, Option<Key>> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was given up.
    pub fn is_given_up(&self) -> bool {
        self.state.load(Ordering::Acquire) == GIVEN_UP
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

/// A file that is no longer read once its job was given up.
pub struct Watched<'a>(pub &'a mut File, pub &'a Flight);

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.1.check().map_err(std::io::Error::other)?;
        self.0.read(into)
    }
}

/// Sound that ends in an error once its job was given up; all else as it is. Sound is made while it is written, long after the stages were asked.
pub fn watched(media: Media, flight: &Arc<Flight>) -> Media {
    let Media::Audio(audio) = media else { return media };
    Media::Audio(audio.wrapped(|audio| Sound { audio, flight: Arc::clone(flight) }))
}

struct Sound {
    audio: Audio,
    flight: Arc<Flight>,
}

impl AudioRead for Sound {
    fn format(&self) -> Format {
        self.audio.format()
    }

    fn frames(&self) -> Option<u64> {
        self.audio.frames()
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        self.flight.check()?;
        self.audio.read(block)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use super::*;
    use crate::media::audio::{BLOCK, Depth};
    use crate::media::{self, image::EncodeOptions};

    /// Silence without an end, whose job is given up when some of it has been read.
    struct Endless {
        flight: Arc<Flight>,
        blocks: usize,
    }

    impl AudioRead for Endless {
        fn format(&self) -> Format {
            Format { rate: 48_000, channels: 1 }
        }

        fn frames(&self) -> Option<u64> {
            None
        }

        fn read(&mut self, block: &mut Block) -> Result<()> {
            block.clear();
            block.append_interleaved(std::iter::repeat_n(0.0, BLOCK));
            self.blocks += 1;
            assert!(self.blocks <= 100, "it is read on");
            if self.blocks == 100 {
                assert!(self.flight.give_up());
            }
            Ok(())
        }
    }

    /// A file of the outbox grew on for hours.
    #[test]
    fn sound_that_was_given_up_is_not_written_on() {
        let flight = Arc::new(Flight::default());
        let audio = Audio::new(Endless { flight: Arc::clone(&flight), blocks: 0 }, Depth::Integer(16));
        let mut out = Cursor::new(Vec::new());
        let written = media::write(
            watched(Media::Audio(audio), &flight),
            Path::new("a.wav"),
            &EncodeOptions::default(),
            &mut out,
        );
        assert!(written.unwrap_err().to_string().contains("it was given up"));
        assert!(out.into_inner().len() <= 100 * BLOCK * 2 + 100);
    }

    #[test]
    fn a_failure_is_noted_by_one_of_two() {
        let flight = Flight::default();
        assert_eq!(flight.take_claim(), None);
        assert!(flight.claimed([7; 32]).is_ok() && !flight.stop().is_set());
        assert!(flight.give_up() && !flight.give_up() && flight.stop().is_set());
        assert_eq!((flight.take_claim(), flight.take_claim()), (Some([7; 32]), None));
        // The watchdog found no claim: it is left to the thread that comes with it.
        assert!(flight.claimed([8; 32]).is_err() && flight.publish().is_err());
        assert_eq!(flight.take_claim(), Some([8; 32]));
    }

    #[test]
    fn a_file_whose_job_was_given_up_is_not_read_on() {
        let flight = Flight::default();
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(1 << 42).unwrap();
        let mut byte = [0];
        assert_eq!(Watched(&mut file, &flight).read(&mut byte).unwrap(), 1);
        assert!(flight.give_up());
        assert!(Watched(&mut file, &flight).read(&mut byte).is_err());
    }
}
