//! How punctual two devices are, told by how far the level of sound between them falls below its mean now and then.

use std::time::{Duration, Instant};

/// What is looked at as one: a late callback is a fall within it, a drifting clock is none.
const SPAN: Duration = Duration::from_millis(500);

/// A minute of spans.
const SPANS: usize = 120;

/// See the module. All numbers are frames.
#[derive(Debug)]
pub struct Jitter {
    /// How far the level fell below its mean in each of the last spans, and the oldest one's place.
    falls: [f64; SPANS],
    oldest: usize,
    usual: f64,
    since: Option<Instant>,
    sum: f64,
    count: u32,
    least: f64,
    /// How many spans are none to learn from, this one included.
    spoilt: u32,
}

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter {
            falls: [0.0; SPANS],
            oldest: 0,
            usual: 0.0,
            since: None,
            sum: 0.0,
            count: 0,
            least: f64::INFINITY,
            spoilt: 0,
        }
    }
}

impl Jitter {
    /// By how much devices are to be expected to be late: the second largest fall of the last minute, since once is no habit.
    pub fn usual(&self) -> f64 {
        self.usual
    }

    /// What happens now is no habit; what follows in this span and the next two is its echo.
    pub fn spoil(&mut self) {
        self.spoilt = 3;
    }

    /// Takes note of a level.
    pub fn look(&mut self, level: f64, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= SPAN {
            if self.spoilt == 0 {
                self.falls[self.oldest] = self.sum / f64::from(self.count) - self.least;
                self.oldest = (self.oldest + 1) % SPANS;
                let largest = |[first, second]: [f64; 2], &fall: &f64| [first.max(fall), second.max(fall.min(first))];
                self.usual = self.falls.iter().fold([0.0; 2], largest)[1];
            }
            (self.since, self.sum, self.count, self.least) = (Some(now), 0.0, 0, f64::INFINITY);
            self.spoilt = self.spoilt.saturating_sub(1);
        }
        self.sum += level;
        self.count += 1;
        self.least = self.least.min(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is usual after levels that are 200 every 10 ms but as told at some times in milliseconds.
    fn usual(falls: &[(u64, f64)], spoilt_at: u64) -> f64 {
        let (begin, mut jitter) = (Instant::now(), Jitter::default());
        for ms in (0..20_000).step_by(10) {
            if ms == spoilt_at {
                jitter.spoil();
            }
            let level = falls.iter().find(|(at, _)| *at == ms).map_or(200.0, |(_, level)| *level);
            jitter.look(level, begin + Duration::from_millis(ms));
        }
        jitter.usual()
    }

    #[test]
    fn once_is_no_habit_and_twice_is() {
        assert!(usual(&[(5_000, -300.0)], 0) < 1.0);
        assert!((usual(&[(5_000, -300.0), (12_000, -100.0)], 0) - 300.0).abs() < 10.0);
    }

    #[test]
    fn what_comes_of_a_machine_that_stood_still_is_not_counted() {
        assert!(usual(&[(5_000, -300.0), (5_600, -200.0), (6_100, -200.0)], 5_000) < 1.0);
    }
}
