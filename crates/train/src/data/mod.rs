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

/// Tells that there is too little of something to hold any of it out, so that nobody takes the score for what it is not.
pub fn warn_that_none_is_held_out(what: &str) {
    eprintln!("warning: too few {what} to hold any out; the score is of what is learnt from");
}
