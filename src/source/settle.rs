//! When is a file done being written? A state machine over marks and stamps, without a clock of its own so that tests can set the time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::durable::Stamp;

/// What the system, or a look into the folder, told of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It was made or written to: somebody has it open.
    Written,
    /// It was closed by a writer, or moved in whole.
    Complete,
    /// It is no file that somebody could write to.
    Whole,
    /// It appeared, and nothing is known of a writer.
    Seen,
    /// It was there before anybody watched: its age counts as time waited.
    Present,
}

/// How long a writer that was seen to write, but not to close, may pause before the file is taken all the same (its close may have
/// been missed).
const LOST_CLOSE: Duration = Duration::from_secs(30);

/// How many files there is room for at all times.
const ROOM: usize = 4096;

#[derive(Debug)]
struct Pending {
    mark: Mark,
    stamp: Stamp,
    /// Since when it is unchanged.
    since: Instant,
}

/// Files on their way to being ready.
#[derive(Debug)]
pub struct Settle {
    settle: Duration,
    quiet: Duration,
    pending: HashMap<PathBuf, Pending>,
}

impl Settle {
    /// See the settings of the same names of the source `folder`.
    pub fn new(settle: Duration, quiet: Duration) -> Settle {
        Settle { settle, quiet, pending: HashMap::new() }
    }

    /// Notes a mark at a path whose stamp is now `stamp`.
    pub fn mark(&mut self, path: PathBuf, mark: Mark, stamp: Stamp, now: Instant) {
        match self.pending.get_mut(&path) {
            None => {
                // A file that nobody has touched for longer than it would have to wait is ready at once.
                let waited =
                    if mark == Mark::Present { stamp.age().min(Duration::from_secs(3600)) } else { Duration::ZERO };
                let since = now.checked_sub(waited).unwrap_or(now);
                self.pending.insert(path, Pending { mark, stamp, since });
            }
            Some(pending) => {
                if matches!(mark, Mark::Written | Mark::Complete) {
                    pending.mark = mark;
                    pending.since = now;
                }
                if pending.stamp != stamp {
                    pending.stamp = stamp;
                    pending.since = now;
                }
            }
        }
    }

    /// Forgets a path that is gone.
    pub fn forget(&mut self, path: &Path) {
        self.pending.remove(path);
    }

    /// Paths that have waited long enough, with the stamp they had all the while; `look` tells the stamp of each now, and nothing if it is gone.
    pub fn ready(&mut self, now: Instant, mut look: impl FnMut(&Path) -> Option<Stamp>) -> Vec<(PathBuf, Stamp)> {
        let mut ready = Vec::new();
        let (settle, quiet) = (self.settle, self.quiet);
        self.pending.retain(|path, pending| {
            let wait = pending.wait(settle, quiet);
            if now.saturating_duration_since(pending.since) < wait {
                return true;
            }
            match look(path) {
                None => false,
                Some(stamp) if stamp != pending.stamp => {
                    pending.stamp = stamp;
                    pending.since = now;
                    true
                }
                Some(stamp) => {
                    ready.push((path.clone(), stamp));
                    false
                }
            }
        });
        // A million files that were there at the start would keep some 270 MB for good.
        if self.pending.capacity() > ROOM.max(8 * self.pending.len()) {
            self.pending.shrink_to_fit();
        }
        ready
    }

    /// When to ask again at the latest; nothing while nothing is pending.
    pub fn next(&self, now: Instant) -> Option<Duration> {
        self.pending.values().map(|p| (p.since + p.wait(self.settle, self.quiet)).saturating_duration_since(now)).min()
    }

    /// How many files are waiting.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

impl Pending {
    fn wait(&self, settle: Duration, quiet: Duration) -> Duration {
        match self.mark {
            // A file that is still empty: its writer has yet to begin, or has only taken the name and comes back to write.
            Mark::Complete | Mark::Seen if self.stamp.length == 0 => quiet.max(LOST_CLOSE),
            Mark::Complete | Mark::Whole => settle,
            Mark::Seen | Mark::Present => quiet,
            Mark::Written => quiet.max(LOST_CLOSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn stamp(length: u64) -> Stamp {
        Stamp { length, modified: i128::MAX / 2, inode: 1, ..Stamp::default() }
    }

    fn settle() -> Settle {
        Settle::new(30 * MS, 2000 * MS)
    }

    #[test]
    fn a_closed_file_is_ready_after_settling() {
        let (mut s, t) = (settle(), Instant::now());
        s.mark("a".into(), Mark::Written, stamp(0), t);
        s.mark("a".into(), Mark::Complete, stamp(9), t + 10 * MS);
        assert!(s.ready(t + 20 * MS, |_| Some(stamp(9))).is_empty());
        assert_eq!(s.ready(t + 41 * MS, |_| Some(stamp(9))), [("a".into(), stamp(9))]);
        assert!(s.is_empty());
    }

    /// A name that was taken first and written later went to quarantine in between.
    #[test]
    fn an_empty_file_that_was_closed_is_waited_for() {
        let (mut s, t) = (settle(), Instant::now());
        s.mark("a".into(), Mark::Complete, stamp(0), t);
        assert!(s.ready(t + 5000 * MS, |_| Some(stamp(0))).is_empty());
        s.mark("a".into(), Mark::Complete, stamp(9), t + 6000 * MS);
        assert_eq!(s.ready(t + 6031 * MS, |_| Some(stamp(9))).len(), 1);
    }

    #[test]
    fn a_writer_that_pauses_is_waited_for() {
        let (mut s, t) = (settle(), Instant::now());
        s.mark("a".into(), Mark::Written, stamp(1), t);
        s.mark("a".into(), Mark::Seen, stamp(1), t + 3000 * MS);
        assert!(s.ready(t + 20_000 * MS, |_| Some(stamp(1))).is_empty());
        s.mark("a".into(), Mark::Complete, stamp(2), t + 21_000 * MS);
        assert_eq!(s.ready(t + 21_031 * MS, |_| Some(stamp(2))).len(), 1);
    }

    #[test]
    fn a_file_that_grows_unseen_starts_waiting_again() {
        let (mut s, t) = (settle(), Instant::now());
        s.mark("a".into(), Mark::Seen, stamp(1), t);
        assert!(s.ready(t + 2001 * MS, |_| Some(stamp(2))).is_empty());
        assert!(s.ready(t + 3000 * MS, |_| Some(stamp(2))).is_empty());
        assert_eq!(s.ready(t + 4002 * MS, |_| Some(stamp(2))).len(), 1);
    }

    #[test]
    fn an_old_file_found_at_the_start_is_ready_at_once() {
        let (mut s, t) = (settle(), Instant::now());
        s.mark("old".into(), Mark::Present, Stamp { length: 1, inode: 1, ..Stamp::default() }, t);
        assert_eq!(s.ready(t, |_| Some(Stamp { length: 1, inode: 1, ..Stamp::default() })).len(), 1);
    }

    #[test]
    fn what_very_many_files_took_is_given_back() {
        let (mut s, t) = (settle(), Instant::now());
        for n in 0..3 * ROOM {
            s.mark(n.to_string().into(), Mark::Complete, stamp(9), t);
        }
        assert_eq!(s.ready(t + 31 * MS, |_| Some(stamp(9))).len(), 3 * ROOM);
        assert!(s.pending.capacity() <= ROOM, "{}", s.pending.capacity());
    }

    #[test]
    fn a_file_that_goes_away_is_forgotten() {
        let (mut s, t) = (settle(), Instant::now());
        s.mark("a".into(), Mark::Complete, stamp(1), t);
        assert!(s.ready(t + 31 * MS, |_| None).is_empty());
        assert!(s.is_empty() && s.next(t).is_none());
    }
}
