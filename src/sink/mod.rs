//! Where media goes: one kind of sink a file.

pub mod folder;
mod name;
mod owners;
pub mod quarantine;
#[cfg(feature = "live")]
pub mod speaker;
pub mod table;

use crate::config::Description;

pub use folder::{FolderSink, Originals, Written};
pub use name::{NameTemplate, Names};
pub use owners::Owners;
pub use quarantine::{Kept, Quarantine};
#[cfg(feature = "live")]
pub use speaker::{SPEAKER, Speaker};

/// What may stand under `sink:`.
pub const DESCRIPTIONS: &[Description] = &[
    folder::DESCRIPTION,
    #[cfg(feature = "live")]
    speaker::DESCRIPTION,
];
