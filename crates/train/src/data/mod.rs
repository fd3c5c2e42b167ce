//! Pictures for training: found, decoded, cut, turned, made noisy or small.

/// Files of the MNIST kind.
pub mod idx;
mod layout;
mod pictures;
mod prefetch;
mod resize;
mod small;

pub use layout::{depth_to_space, space_to_depth};
pub use pictures::{MIN_SIDE, Picture, find, load, split};
pub use prefetch::Prefetch;
pub use resize::imresize;
pub use small::{SmallPictures, Split, load_small};
