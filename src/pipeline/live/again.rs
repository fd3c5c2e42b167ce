//! When stages that have failed are tried again: a network at its beginning is mostly well again, and one that is not fails each time.

use std::time::{Duration, Instant};

/// The wait before the first try, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// See the module.
#[derive(Debug)]
pub struct Again {
    wait: Duration,
    /// When they are tried next, if they have failed.
    due: Option<Instant>,
    /// When they were tried last.
    tried: Option<Instant>,
}

impl Default for Again {
    fn default() -> Again {
        Again { wait: WAITS.0, due: None, tried: None }
    }
}

impl Again {
    /// Whether they are to be tried now, after a wait that grows with each try until none fails for as long as the longest. Asked from time to time.
    pub fn is_due(&mut self, failed: bool, now: Instant) -> bool {
        if !failed {
            self.due = None;
            if self.tried.is_some_and(|tried| now.saturating_duration_since(tried) > WAITS.1) {
                *self = Again::default();
            }
            return false;
        }
        let due = *self.due.get_or_insert(now + self.wait);
        if now < due {
            return false;
        }
        *self = Again { wait: (self.wait * 2).min(WAITS.1), due: None, tried: Some(now) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which stages are tried again that fail as `failed` says.
    fn tries(seconds: u64, failed: impl Fn(u64) -> bool) -> Vec<u64> {
        let (begin, mut again) = (Instant::now(), Again::default());
        (0..seconds).filter(|&n| again.is_due(failed(n), begin + Duration::from_secs(n))).collect()
    }

    #[test]
    fn the_wait_grows_up_to_a_bound() {
        let tries = tries(600, |_| true);
        assert_eq!(tries[..4], [2, 7, 16, 33]);
        assert!(tries.windows(2).all(|two| two[1] - two[0] <= WAITS.1.as_secs() + 1), "{tries:?}");
        assert!(tries.len() > 6, "{tries:?}");
    }

    #[test]
    fn what_went_well_for_long_is_tried_again_as_soon_as_at_first() {
        assert_eq!(tries(400, |second| !(3..300).contains(&second))[..2], [2, 302]);
        // Well for a while only.
        assert_eq!(tries(100, |second| !(3..60).contains(&second))[..2], [2, 64]);
        assert!(tries(400, |_| false).is_empty());
    }
}
