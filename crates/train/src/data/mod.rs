//! Pictures for training: found, decoded, cut, turned, made noisy or small; and speech, in [`speech`].

pub mod camera;
mod collection;
/// Files of the MNIST kind.
pub mod idx;
mod layout;
pub mod melodies;
mod pictures;
mod prefetch;
mod resize;
mod small;
pub mod speech;

pub use collection::{load, split};
pub use layout::{depth_to_space, space_to_depth};
pub use pictures::{MIN_SIDE, Picture, find, find_files};
pub use prefetch::Prefetch;
pub use resize::imresize;
pub use small::{SmallPictures, Split, load_small};
