//! YAML to a checked pipeline. All errors are found at once, each with its place, what is wrong and the mend.
//! This module knows how settings look, not what they do: each source, stage and sink brings a [`Description`] of its own.

mod change;
mod check;
mod decode;
pub mod fields;
mod guess;
mod name;
mod report;
mod schema;
mod settings;
mod slips;
mod stages;
mod syntax;
mod words;
pub mod yaml;

pub use change::change;
pub use check::audit;
pub use decode::{Component, Damaged, Parsed, Pipeline, read};
pub use fields::{Catalog, Description, Field, Kind, Presence};
pub use report::{Place, Problem, Report, Span, shown};
pub use schema::{schema, setting, to_json};
pub use settings::{Settings, Value};
pub use stages::{Stages, read_stages};
pub use yaml::Node;
