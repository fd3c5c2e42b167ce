//! A training run: the loop, its checkpoints, its schedule, and what it tells while it goes.

pub(crate) mod average;
mod checkpoint;
mod curve;
mod lock;
mod log;
mod progress;
mod schedule;
mod train;

pub use checkpoint::{Checkpoint, State};
pub use lock::lock;
pub(crate) use progress::clock;
pub use schedule::{Length, Schedule};
pub use train::{Options, Outcome, optimizer, train};
