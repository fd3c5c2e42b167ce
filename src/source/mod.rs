//! Where media comes from: one kind of source a file.

pub mod folder;
mod settle;
mod stamp;
mod watch;

use crate::config::Description;

pub use folder::{FolderSource, identity, resolve};
pub use settle::{Mark, Settle};
pub use stamp::Stamp;
pub use watch::Watch;

/// What may stand under `source:`.
pub const DESCRIPTIONS: &[Description] = &[folder::DESCRIPTION];
