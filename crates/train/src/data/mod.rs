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

use std::path::Path;

use latentd::model::sha256_hex;

use crate::tell;
pub use collection::{load, split};
pub use layout::{depth_to_space, space_to_depth};
pub use pictures::{MIN_SIDE, Picture, find, find_files};
pub use prefetch::Prefetch;
pub use resize::imresize;
pub use small::{SmallPictures, Split, load_small};

/// Tells that there is too little of something to hold any of it out, so that nobody takes the score for what it is not.
pub fn warn_that_none_is_held_out(what: &str) {
    tell(format_args!("warning: too few {what} to hold any out; the score is of what is learnt from"));
}

/// What a file below `folder` draws by `seed`. It hangs on nothing else: files that come or go change little of what is held out.
fn lot(folder: &Path, file: &Path, seed: u64) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file).as_os_str().as_encoded_bytes();
    sha256_hex(&[&seed.to_le_bytes()[..], below].concat())
}
