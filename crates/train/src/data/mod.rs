//! Pictures for training: found, decoded, cut, turned, made noisy or small.

pub mod camera;
mod layout;
mod pictures;
mod prefetch;
mod resize;

pub use layout::{depth_to_space, space_to_depth};
pub use pictures::{MIN_SIDE, Picture, find, load, split};
pub use prefetch::Prefetch;
pub use resize::imresize;
