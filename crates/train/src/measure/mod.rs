//! Scores by the papers' protocols, of published models as tract runs them.

mod fidelity;
mod protocol;

pub use fidelity::{luma, psnr, ssim};
pub use protocol::{Score, denoise, upscale};
