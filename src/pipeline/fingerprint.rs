//! What tells one pipeline from another: by their results, for the journal, and in any way at all, for a reload.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::Parts;
use crate::config::Component;
use crate::error::Result;
use crate::model::{Model, Models, Place};
use crate::stage::Stage;

/// Settings of the sink that do not change what is in a result or how it is called.
const PLACES: &[&str] = &["path", "originals", "overwrite", "quarantine"];

/// Two digests in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of all that decides what the results are: stages with their settings and models, grouping, names and format of the results.
    pub results: String,
    /// Of all settings.
    pub whole: String,
}

impl Fingerprint {
    /// Of a pipeline that was read from `file`.
    pub(super) fn new(parts: &Parts, file: &Path, models: &Models) -> Fingerprint {
        let (mut results, mut whole) = (Sha256::new(), Sha256::new());
        let folder = file.parent().unwrap_or(Path::new("."));
        for stage in parts.stages {
            let mut text = written(stage, |_| true);
            if let Some(name) = stage.settings.iter().find(|(name, _)| *name == "model").and_then(|(_, v)| v.as_text())
            {
                // It was found when the stage was built, and is at hand.
                text += &models.get(name, folder).and_then(|model| told_by(&model)).unwrap_or_default();
            }
            results.update(&text);
            whole.update(&text);
        }
        if let Some(source) = parts.source {
            results.update(written(source, |setting| setting == "group"));
            whole.update(written(source, |_| true));
        }
        if let Some(sink) = parts.sink {
            results.update(written(sink, |setting| !PLACES.contains(&setting)));
            whole.update(written(sink, |_| true));
        }
        Fingerprint { results: hex(results), whole: hex(whole) }
    }

    /// Of a pipeline made in code, by what its stages tell of themselves.
    pub(super) fn of_code(stages: &[Box<dyn Stage>]) -> Fingerprint {
        let results = hex(stages.iter().fold(Sha256::new(), |sha, stage| sha.chain_update(stage.name())));
        Fingerprint { whole: results.clone(), results }
    }
}

/// What decides a model's results: its file, and of a model that does not come with the program, whose card may be edited, the card.
fn told_by(model: &Model) -> Result<String> {
    if model.place == Place::BuiltIn { Ok(model.card.sha256.clone()) } else { model.card.behaviour() }
}

/// A component's name and settings, defaults included, so that leaving out a default changes nothing.
fn written(component: &Component, keep: impl Fn(&str) -> bool) -> String {
    let kept = component.settings.iter().filter(|(name, _)| keep(name));
    kept.fold(component.description.name.to_owned(), |text, (name, value)| format!("{text}\n{name}: {value:?}")) + "\n"
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
