//! The places of the pool, and the threads that have them. A thread whose job was given up loses its place, and another gets it: at once while
//! few such threads are left, later where many are, since each has a picture in memory and slows down the others.

use std::collections::HashMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::Result;

/// So many lost threads there may be for each place before the next place that is lost stays empty for a while.
const SPARE: usize = 4;

/// How long to wait where the system gives no more threads.
const RETRY: Duration = Duration::from_secs(10);

/// Who has which place.
#[derive(Debug)]
pub(super) struct Places {
    size: usize,
    next_number: u64,
    /// Threads by the number of the worker.
    taken: HashMap<u64, JoinHandle<()>>,
    vacant: Vec<Vacancy>,
    /// Threads without a place that have not ended yet.
    lost: Vec<JoinHandle<()>>,
}

/// A place that is to be given to another.
#[derive(Debug)]
struct Vacancy {
    since: Instant,
    /// How long work on a file might take where the place was lost.
    max_time: Duration,
    /// Not before this.
    at: Instant,
}

impl Places {
    /// So many places, none of which is taken yet.
    pub fn new(size: usize) -> Places {
        Places { size, next_number: 0, taken: HashMap::new(), vacant: Vec::new(), lost: Vec::new() }
    }

    /// Gives a place to the thread that `start` makes of a worker's number.
    ///
    /// # Errors
    /// Those of `start`.
    pub fn take(&mut self, start: impl FnOnce(u64) -> Result<JoinHandle<()>>) -> Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        self.taken.insert(number, start(number)?);
        Ok(())
    }

    /// Takes away the place of a worker whose job was given up after `max_time`.
    pub fn lose(&mut self, number: u64, max_time: Duration) {
        // The thread cannot be ended from outside; it ends by itself if it ever comes back.
        self.lost.extend(self.taken.remove(&number));
        let now = Instant::now();
        self.vacant.push(Vacancy { since: now, max_time, at: now });
        let wait = patience(self.count_lost(), self.size, max_time);
        if !wait.is_zero() {
            let (lost, seconds) = (self.lost.len(), wait.as_secs_f64());
            tracing::warn!(
                "{lost} threads still work on what was given up: up to {seconds} s until another takes the last one's place"
            );
        }
    }

    /// Gives away the places that were empty for long enough, or all if there is a `hurry`.
    pub fn refill(&mut self, hurry: bool, start: impl Fn(u64) -> Result<JoinHandle<()>>) {
        let (lost, size) = (self.count_lost(), self.size);
        let is_due = |place: &Vacancy| {
            place.at <= Instant::now() && (hurry || place.since.elapsed() >= patience(lost, size, place.max_time))
        };
        while let Some(index) = self.vacant.iter().position(is_due) {
            let place = self.vacant.swap_remove(index);
            if let Err(e) = self.take(&start) {
                tracing::error!("{e}");
                self.vacant.push(Vacancy { at: Instant::now() + RETRY, ..place });
            }
        }
    }

    /// Takes out the threads that have ended with their places.
    pub fn ended(&mut self) -> Vec<JoinHandle<()>> {
        self.taken.extract_if(|_, thread| thread.is_finished()).map(|(_, thread)| thread).collect()
    }

    /// Whether a thread has a place.
    pub fn any_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// Whether a place will be given to another thread.
    pub fn any_vacant(&self) -> bool {
        !self.vacant.is_empty()
    }

    fn count_lost(&mut self) -> usize {
        self.lost.retain(|thread| !thread.is_finished());
        self.lost.len()
    }
}

/// How long a place stays empty while `lost` threads without one are still at work, that of this place among them. It is the longer the more
/// there are, so that however slow the machine is they end sooner than others are added; and it ends, since those that hang never do.
fn patience(lost: usize, size: usize, max_time: Duration) -> Duration {
    let beyond = (lost / size.max(1)).saturating_sub(SPARE);
    max_time.saturating_mul(u32::try_from(beyond).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Work that was too slow was given up, what came in its place was slower still, and so on: 25 threads after ten seconds.
    #[test]
    fn the_more_threads_are_lost_the_longer_a_place_stays_empty() {
        let second = Duration::from_secs(1);
        let waits = |size| [1, 4, 5, 9, 12, 24].map(|lost| patience(lost, size, second).as_secs());
        assert_eq!(waits(1), [0, 0, 1, 5, 8, 20]);
        assert_eq!(waits(4), [0, 0, 0, 0, 0, 2]);
        assert_eq!(patience(usize::MAX, 1, Duration::MAX), Duration::MAX);
    }

    #[test]
    fn a_place_is_given_away_once_threads_have_come_back() {
        let (release, held) = crossbeam::channel::bounded::<()>(0);
        let start = |_: u64| {
            let held = held.clone();
            Ok(std::thread::spawn(move || {
                let _ = held.recv();
            }))
        };
        let mut places = Places::new(1);
        places.take(start).unwrap();
        for number in 0..6 {
            assert!(places.any_taken() && !places.any_vacant());
            places.lose(number, Duration::from_secs(3600));
            assert!(places.any_vacant());
            places.refill(number == 4, start);
        }
        assert!(places.any_vacant() && !places.any_taken(), "six hang, and one more would");
        drop(release);
        while !places.lost.iter().all(JoinHandle::is_finished) {
            std::thread::yield_now();
        }
        places.refill(false, start);
        assert!(!places.any_vacant() && places.any_taken());
    }
}
