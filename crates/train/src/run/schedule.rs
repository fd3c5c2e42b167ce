use std::time::Duration;

use anyhow::Result;

use crate::refuse;

/// When a run ends: after a number of steps, a time, or whichever of both comes first.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Steps in all.
    pub steps: Option<u64>,
    /// Training time in all, summed over resumed runs.
    pub time: Option<Duration>,
}

impl Length {
    /// A length of at least one step or some time.
    ///
    /// # Errors
    /// When neither is given, or one is not positive.
    pub fn new(steps: Option<u64>, hours: Option<f64>) -> Result<Self> {
        if steps.is_none() && hours.is_none() {
            refuse!(Usage, "give the run's length: --steps, --hours, or both");
        }
        if steps == Some(0) {
            refuse!(Usage, "--steps must be at least 1");
        }
        let time = match hours {
            None => None,
            Some(hours) if hours > 0.0 && hours < 1e6 => Some(Duration::from_secs_f64(hours * 3600.0)),
            Some(hours) => refuse!(Usage, "--hours must be positive, not {hours}"),
        };
        Ok(Self { steps, time })
    }

    /// How much of the run is over, 0..=1.
    pub fn progress(&self, step: u64, elapsed: Duration) -> f64 {
        let by_steps = self.steps.map_or(0.0, |steps| step as f64 / steps as f64);
        let by_time = self.time.map_or(0.0, |time| elapsed.as_secs_f64() / time.as_secs_f64());
        by_steps.max(by_time).min(1.0)
    }
}

/// The learning rate over a run: a linear rise over the first steps, then half a cosine from the peak to the floor
/// (Loshchilov and Hutter 2017, "SGDR", without restarts).
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// The last rate.
    pub floor: f64,
    /// Steps of the rise.
    pub warmup: u64,
}

impl Schedule {
    /// The rate of a step, when `progress` (0..=1) of the run is over.
    pub fn rate(&self, step: u64, progress: f64) -> f64 {
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        let rise = ((step + 1) as f64 / self.warmup.max(1) as f64).min(1.0);
        (self.floor + (self.peak - self.floor) * cosine) * rise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_rises_then_falls_to_the_floor() {
        let schedule = Schedule { peak: 1e-3, floor: 1e-6, warmup: 100 };
        assert!(schedule.rate(0, 0.0) < 2e-5);
        assert!((schedule.rate(100, 0.0) - 1e-3).abs() < 1e-12);
        assert!((schedule.rate(9_999, 1.0) - 1e-6).abs() < 1e-12);
    }

    #[test]
    fn progress_is_the_larger_of_steps_and_time() {
        let length = Length::new(Some(100), Some(1.0)).expect("a valid length");
        assert_eq!(length.progress(50, Duration::from_secs(36)), 0.5);
        assert_eq!(length.progress(50, Duration::from_secs(2700)), 0.75);
        assert!(Length::new(None, None).is_err() && Length::new(None, Some(f64::NAN)).is_err());
    }
}
