//! Signals: short-time spectra and what is made of them, with the transposes that gradients need.

pub mod math;
mod stft;

pub use stft::{Stft, Window};
