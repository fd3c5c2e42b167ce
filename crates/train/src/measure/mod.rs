//! Scores by the papers' protocols, of published models as tract runs them, and the numbers behind them.

mod luma;
mod mixture;
pub mod music;
mod protocol;
pub mod speech;
pub mod statistics;

pub use latentd::media::image::metrics::{psnr_values as psnr, ssim_planes as ssim};
pub use luma::luma;
pub use mixture::mixture;
pub use protocol::{
    Score, Sigma, Way, WhiteNoise, denoise, denoise_camera, denoise_gray, denoise_pair, smallest, upscale,
};
