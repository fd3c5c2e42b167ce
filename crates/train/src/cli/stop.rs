//! How a training ends before its end.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::run::clock;

/// The exit code of a program that was asked to end, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// A training that was asked to end, and left a checkpoint: no failure, and no model either.
#[derive(Debug)]
pub struct Interrupted {
    /// Steps that it had done.
    pub step: u64,
    /// What they took.
    pub time: Duration,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, time) = (self.step, clock(self.time));
        write!(
            f,
            "interrupted at step {step}, after {time}; the same command goes on from the checkpoint, unless it says --fresh"
        )
    }
}

impl std::error::Error for Interrupted {}

/// The flag of [`on_signals`].
static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// A flag that SIGINT, SIGTERM and SIGHUP set, one for all runs of the program. A second signal ends it at once.
pub fn on_signals() -> Result<Arc<AtomicBool>> {
    if let Some(stop) = STOP.get() {
        return Ok(Arc::clone(stop));
    }
    let stop = Arc::clone(STOP.get_or_init(Arc::default));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    // A terminal that closes may send two, of which the second must not cost the checkpoint.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !ignores_hang_ups(&status) {
        flag::register(SIGHUP, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Whether whoever started the program wants it to outlive its terminal, as `nohup` does. `status` is what Linux tells of a process.
fn ignores_hang_ups(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores_hang_ups;

    #[test]
    fn what_nohup_asks_for_is_kept() {
        assert!(ignores_hang_ups("Name:\tlatentd-train\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hang_ups("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hang_ups(""));
    }
}
