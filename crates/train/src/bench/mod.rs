//! How fast this machine trains: our operations beside burn's own.

mod convolutions;
mod gru;

use std::time::{Duration, Instant};

pub use convolutions::convolutions;
pub use gru::recurrence;

/// Speeds of the same training step by burn's own operations and by ours.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// GFLOP/s of burn's own.
    pub burn: f64,
    /// GFLOP/s of ours.
    pub ours: f64,
}

/// GFLOP/s of `step`, which does `flop` floating-point operations: the fastest of at least 3 runs within `budget`, after
/// one to warm up.
fn speed(flop: f64, budget: Duration, mut step: impl FnMut()) -> f64 {
    step();
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || begun.elapsed() < budget {
        let started = Instant::now();
        step();
        best = best.min(started.elapsed().as_secs_f64());
        runs += 1;
    }
    flop / best / 1e9
}
