//! Which time belongs to which frame. Frames come out later than they went in, but with the time that they had.

use std::collections::VecDeque;

use gst::ClockTime;

/// Timestamps that differ by less are those of one stream whose clock is not quite exact; GStreamer's own elements take it so too.
const TOLERANCE: ClockTime = ClockTime::from_mseconds(40);

/// Frames taken and given, and the timestamps of the buffers that they came in.
#[derive(Debug)]
pub struct Timeline {
    rate: u32,
    taken: u64,
    given: u64,
    /// First frame and timestamp of each buffer that has one and is not given yet, the oldest first.
    marks: VecDeque<(u64, ClockTime)>,
}

/// How long `frames` frames are.
pub fn length(frames: u64, rate: u32) -> ClockTime {
    let nanoseconds = u128::from(frames) * 1_000_000_000 / u128::from(rate.max(1));
    ClockTime::from_nseconds(u64::try_from(nanoseconds).unwrap_or(u64::MAX - 1))
}

impl Timeline {
    /// Nothing taken yet, of sound of `rate` frames a second.
    pub fn new(rate: u32) -> Timeline {
        Timeline { rate, taken: 0, given: 0, marks: VecDeque::new() }
    }

    /// Whether a buffer with this timestamp goes on where the last one ended.
    pub fn fits(&self, pts: Option<ClockTime>) -> bool {
        match (pts, self.time_of(self.taken)) {
            (Some(pts), Some(expected)) => pts.nseconds().abs_diff(expected.nseconds()) <= TOLERANCE.nseconds(),
            _ => true,
        }
    }

    /// Takes a buffer of `frames` frames. One without a timestamp goes on where the last one ended.
    pub fn take(&mut self, frames: usize, pts: Option<ClockTime>) {
        self.marks.extend(pts.map(|pts| (self.taken, pts)));
        self.taken += frames as u64;
    }

    /// Gives the next `frames` frames: their timestamp and duration.
    pub fn give(&mut self, frames: usize) -> (Option<ClockTime>, ClockTime) {
        let (from, to) = (self.given, self.given + frames as u64);
        let times = (self.time_of(from), self.time_of(to));
        self.given = to;
        while self.marks.get(1).is_some_and(|(start, _)| *start <= to) {
            self.marks.pop_front();
        }
        match times {
            // The end is where the next buffer begins, so that rounding leaves no gap between the two.
            (Some(from), Some(to)) if to >= from => (Some(from), to - from),
            (from, _) => (from, length(frames as u64, self.rate)),
        }
    }

    fn time_of(&self, frame: u64) -> Option<ClockTime> {
        let (start, pts) = self.marks.iter().rev().find(|(start, _)| *start <= frame)?;
        pts.checked_add(length(frame - start, self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Option<ClockTime> {
        Some(ClockTime::from_mseconds(ms))
    }

    #[test]
    fn frames_keep_their_time_whatever_the_cut() {
        let mut line = Timeline::new(1000);
        line.take(10, ms(100));
        assert_eq!(line.give(4), (ms(100), ClockTime::from_mseconds(4)));
        line.take(10, ms(110));
        assert_eq!(line.give(8), (ms(104), ClockTime::from_mseconds(8)));
        assert!(line.fits(ms(120)) && line.fits(ms(81)) && line.fits(None));
        assert!(!line.fits(ms(161)) && !line.fits(ms(79)));
        // A clock that is a little slow is followed.
        line.take(10, ms(121));
        assert_eq!(line.give(8), (ms(112), ClockTime::from_mseconds(9)));
        assert_eq!(line.give(10), (ms(121), ClockTime::from_mseconds(10)));
    }

    #[test]
    fn sound_without_timestamps_gets_none() {
        let mut line = Timeline::new(48_000);
        line.take(480, None);
        assert_eq!(line.give(480), (None, ClockTime::from_mseconds(10)));
        assert!(line.fits(ms(5)));
    }

    /// Bug: what came out next had no timestamp, and a jump behind it was not seen.
    #[test]
    fn a_buffer_without_a_timestamp_costs_what_follows_nothing() {
        let mut line = Timeline::new(1000);
        line.take(20, ms(100));
        line.take(20, None);
        assert_eq!(line.give(30), (ms(100), ClockTime::from_mseconds(30)));
        assert_eq!(line.give(10), (ms(130), ClockTime::from_mseconds(10)));
        assert!(line.fits(ms(140)) && !line.fits(ms(500)));
        line.take(20, ms(141));
        assert_eq!(line.give(20), (ms(141), ClockTime::from_mseconds(20)));
    }

    #[test]
    fn a_timestamp_that_comes_late_counts_from_there_on() {
        let mut line = Timeline::new(1000);
        line.take(20, None);
        line.take(20, ms(50));
        assert_eq!(line.give(20), (None, ClockTime::from_mseconds(20)));
        assert_eq!(line.give(20), (ms(50), ClockTime::from_mseconds(20)));
    }
}
