//! Layers shared by the recipes' networks.

mod conv;
mod gru;
mod init;
mod residual;

pub use conv::{Conv, Upconv};
pub use gru::GruLayer;
pub use init::Init;
pub use residual::ResidualBlock;
