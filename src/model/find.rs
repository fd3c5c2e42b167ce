//! Where models are found: beside the pipeline, in the folders the user names, in the user's own model folder, in the program.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::builtin::{BESIDE, BUILTIN};
use super::tune::{self, Choice, Tuned};
use super::{CARD_FILE, Card, Kernel, Model, Task};
use crate::error::{Error, Kind, Result};

/// Where a model came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This folder.
    Folder(PathBuf),
    /// The program itself.
    BuiltIn,
    /// Bytes that a caller brought.
    Memory,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Folder(path) => f.write_str(&crate::error::show_path(path)),
            Place::BuiltIn => f.write_str("built in"),
            Place::Memory => f.write_str("in memory"),
        }
    }
}

/// Whether what a user calls a model is a path, of its folder or its ONNX file, and no name.
pub fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".onnx")
}

/// Finds models by name and keeps those it has loaded, so that pipelines share them.
#[derive(Debug, Default)]
pub struct Models {
    /// Those that somebody named: before all others.
    named: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    projects: bool,
    cache: Option<PathBuf>,
    loaded: Mutex<HashMap<String, Arc<Model>>>,
}

impl Models {
    /// Looks in `folders` (each holds folders named like models), in this order, before the built-in models.
    pub fn new(folders: Vec<PathBuf>) -> Models {
        Models { folders, ..Models::default() }
    }

    /// Looks in these folders before all others, those of a project included: whoever names one means what is in it.
    #[must_use]
    pub fn first_in(self, folders: &[PathBuf]) -> Models {
        Models { named: folders.to_vec(), ..self }
    }

    /// Looks, before the other folders, in `models/` beside each pipeline and beside its folder, so that a project carries its own. What pipelines are made of
    /// is trusted then: a program that names models itself needs no such folder, and must not take what lies about in its current one.
    #[must_use]
    pub fn with_projects(self) -> Models {
        Models { projects: true, ..self }
    }

    /// Remembers in the folder `cache` how each model is run fastest on this machine.
    #[must_use]
    pub fn remembering(self, cache: PathBuf) -> Models {
        Models { cache: Some(cache), ..self }
    }

    /// Sees that every loaded model runs the fastest way: as remembered, or else as measured now (a few seconds for a model, once).
    /// `LATENTD_KERNEL` in the environment (`tract`, ...) decides the kernel instead and measures nothing.
    pub fn tune(&self) {
        for model in self.recall() {
            tracing::info!("measuring how `{}` runs fastest on this machine (once)", model.card.name);
            match tune::quick(&model) {
                Ok(choice) => self.remember(&model, choice),
                Err(e) => tracing::warn!("`{}` could not be measured: {e}", model.card.name),
            }
        }
    }

    /// [`Models::tune`] where nobody shall wait: what was never measured on this machine runs as is most often fastest. The models of which
    /// that is so.
    pub fn recall(&self) -> Vec<Arc<Model>> {
        if forced().is_some() {
            return Vec::new();
        }
        let mut unknown = Vec::new();
        let models: Vec<Arc<Model>> = self.lock().values().cloned().collect();
        for model in models {
            let Some(cache) = self.cache.as_ref().filter(|_| model.card.is_tiled()) else { continue };
            match Tuned::open(cache).get(&model) {
                Some(choice) => model.choose(choice),
                None => unknown.push(model),
            }
        }
        unknown
    }

    /// Has every loaded model of pictures ready, as the first file will have it; others are since they were loaded. One that cannot be is an error then.
    pub fn make_ready(&self) {
        let models: Vec<Arc<Model>> = self.lock().values().cloned().collect();
        for model in models.iter().filter(|model| model.card.is_tiled()) {
            let Choice { tile, kernel } = model.choice();
            if let Err(e) = model.plan(tile, tile, kernel) {
                tracing::debug!("{e}");
            }
        }
    }

    /// Runs the model this way from now on, also after the next start.
    pub fn remember(&self, model: &Model, choice: Choice) {
        model.choose(choice);
        if let Some(cache) = &self.cache
            && let Err(e) = Tuned::open(cache).put(model, choice)
        {
            tracing::debug!("the measurement will be made again at the next start: {e}");
        }
    }

    /// The model that a pipeline in the folder `beside` means by `name`: a name, or a path (of a model's folder, or of an ONNX file with a
    /// card beside it) if it has a separator in it.
    ///
    /// # Errors
    /// Kind model: there is none of that name (with a "did you mean"), or it cannot be loaded.
    pub fn get(&self, name: &str, beside: &Path) -> Result<Arc<Model>> {
        self.find(name, beside, None)
    }

    /// [`Models::get`] for one task: only models for it are named where there is none of that name.
    ///
    /// # Errors
    /// As for [`Models::get`].
    pub fn get_for(&self, task: Task, name: &str, beside: &Path) -> Result<Arc<Model>> {
        self.find(name, beside, Some(task))
    }

    fn find(&self, name: &str, beside: &Path, task: Option<Task>) -> Result<Arc<Model>> {
        let place = self.locate(name, beside, task)?;
        let key = match &place {
            Place::Folder(path) => path.to_string_lossy().into_owned(),
            _ => format!("builtin:{name}"),
        };
        if let Some(model) = self.lock().get(&key) {
            return Ok(Arc::clone(model));
        }
        let model = Arc::new(match &place {
            Place::Folder(path) => Model::from_path(path)?,
            _ => built_in(name)?,
        });
        // At once: a network for sound is made ready with its stage.
        if let Some(kernel) = forced() {
            model.choose(Choice { kernel, ..model.choice() });
        }
        Ok(Arc::clone(self.lock().entry(key).or_insert(model)))
    }

    /// All models in reach from the folder `beside`, nearest first; of those with one name only the one that [`Models::get`] finds.
    /// A card that cannot be read is told as an error in its place.
    pub fn list(&self, beside: &Path) -> Vec<(String, Place, Result<Card>)> {
        let mut found: Vec<(String, Place, Result<Card>)> = Vec::new();
        for folder in self.search_folders(beside) {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let mut paths: Vec<PathBuf> =
                entries.flatten().map(|e| e.path()).filter(|p| p.join(CARD_FILE).is_file()).collect();
            paths.sort();
            for path in paths {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if found.iter().all(|(n, _, _)| *n != name) {
                    let card = Model::from_path(&path).map(|m| m.card);
                    found.push((name, Place::Folder(path), card));
                }
            }
        }
        for b in BUILTIN {
            if found.iter().all(|(n, _, _)| n != b.name) {
                found.push((b.name.to_owned(), Place::BuiltIn, Card::from_yaml(b.card)));
            }
        }
        found
    }

    fn locate(&self, name: &str, beside: &Path, task: Option<Task>) -> Result<Place> {
        if is_path(name) {
            let path = beside.join(name);
            if path.symlink_metadata().is_ok() {
                return Ok(Place::Folder(path));
            }
            let e = Error::new(Kind::Model, "there is no model here").at(&path);
            return Err(e.mend("a path is that of a model's folder, or of an ONNX file with its card.yaml beside it"));
        }
        for folder in self.search_folders(beside) {
            let path = folder.join(name);
            if path.join(CARD_FILE).is_file() {
                return Ok(Place::Folder(path));
            }
        }
        if BUILTIN.iter().any(|b| b.name == name) {
            return Ok(Place::BuiltIn);
        }
        let listed = self.list(beside).into_iter();
        let fits = |card: &Result<Card>| task.is_none_or(|task| card.as_ref().is_ok_and(|card| card.task == task));
        let mut names: Vec<String> = listed.filter(|(.., card)| fits(card)).map(|(n, _, _)| n).collect();
        if task.is_some() {
            names.sort_by_cached_key(|other| strsim::damerau_levenshtein(name, other));
        }
        let mend = match crate::did_you_mean(name, names.iter().map(String::as_str)) {
            _ if BESIDE.contains(&name) => format!(
                "it is shipped beside the program: copy `models/{name}` of latentd to ~/.local/share/latentd/models, or name its folder with `--models DIR`"
            ),
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                "there are no models in reach; name their folder with `--models DIR`".to_owned()
            }
            None => match task {
                Some(task) => format!("for `{}` there are: {}", task.name(), names.join(", ")),
                None => format!("there are: {}", names.join(", ")),
            },
        };
        Err(Error::new(Kind::Model, format!("there is no model named `{name}`")).mend(mend))
    }

    fn search_folders(&self, beside: &Path) -> Vec<PathBuf> {
        let mut folders = self.named.clone();
        if self.projects {
            folders.extend([beside.join("models"), beside.join("../models")]);
        }
        folders.extend(self.folders.iter().cloned());
        folders
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Model>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kernel that the environment asks for.
fn forced() -> Option<Kernel> {
    let name = std::env::var("LATENTD_KERNEL").ok()?;
    let kernel = Kernel::ALL.iter().copied().find(|kernel| kernel.name() == name);
    if kernel.is_none() {
        tracing::warn!("LATENTD_KERNEL: there is no kernel `{name}`");
    }
    kernel
}

fn built_in(name: &str) -> Result<Model> {
    let b = BUILTIN
        .iter()
        .find(|b| b.name == name)
        .ok_or_else(|| Error::new(Kind::Model, format!("there is no built-in model named `{name}`")))?;
    Model::new(Card::from_yaml(b.card)?, b.onnx, Place::BuiltIn)
}
