//! Layers shared by the recipes' networks.

mod conv;
mod gru;
mod init;
mod levels;
mod linear;
mod residual;

pub use conv::{Conv, Upconv};
pub use gru::GruLayer;
pub use init::Init;
pub use levels::{Down, Up};
pub use linear::Linear;
pub use residual::ResidualBlock;
