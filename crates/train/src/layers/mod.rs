//! Layers shared by the recipes' networks.

mod conv;
mod init;
mod residual;

pub use conv::{Conv, Upconv};
pub use init::Init;
pub use residual::ResidualBlock;
