//! YAML to a checked pipeline. All errors are found at once, each with its place, what is wrong and the mend.
//! This module knows how settings look, not what they do: each source, stage and sink brings a [`Description`] of its own.

pub mod fields;

pub use fields::{Catalog, Description, Field, Kind, Presence};
