//! Layers shared by the recipes' networks.

mod conv;
mod init;
mod linear;
mod residual;

pub use conv::{Conv, Upconv};
pub use init::Init;
pub use linear::Linear;
pub use residual::ResidualBlock;
