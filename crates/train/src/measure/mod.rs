//! Scores by the papers' protocols.

mod fidelity;

pub use fidelity::{luma, psnr};
