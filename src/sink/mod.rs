//! Where media goes: one kind of sink a file.

pub mod folder;
mod name;
pub mod quarantine;

use crate::config::Description;

pub use folder::{FolderSink, Originals};
pub use name::{NameTemplate, Names};
pub use quarantine::{Kept, Quarantine};

/// What may stand under `sink:`.
pub const DESCRIPTIONS: &[Description] = &[folder::DESCRIPTION];
