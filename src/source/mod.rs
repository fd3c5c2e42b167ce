//! Where media comes from: one kind of source a file.

pub mod folder;
#[cfg(feature = "live")]
pub mod microphone;
mod patterns;
mod settle;
mod watch;
mod writers;

use crate::config::Description;

pub use folder::{FolderSource, identity, resolve};
#[cfg(feature = "live")]
pub use microphone::{MICROPHONE, Microphone};
pub use settle::{Mark, Settle};
pub use watch::Watch;
pub use writers::has_writer;

/// What may stand under `source:`.
pub const DESCRIPTIONS: &[Description] = &[
    folder::DESCRIPTION,
    #[cfg(feature = "live")]
    microphone::DESCRIPTION,
];
