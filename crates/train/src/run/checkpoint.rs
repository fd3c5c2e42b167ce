use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};

const FOLDER: &str = "checkpoint";
const WEIGHTS: &str = "weights.bpk";
const AVERAGE: &str = "average.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";

/// Where a run stands, beside its tensors. Batches are drawn by seed and step, so no generator has a state to keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The recipe and the network's size; another one cannot go on from here.
    pub network: serde_json::Value,
    /// Steps done.
    pub step: u64,
    /// Training time so far, in seconds.
    pub seconds: f64,
    /// The seed of the weights and batches.
    pub seed: u64,
    /// The published model that the first weights came from.
    #[serde(default)]
    pub init: Option<String>,
    /// Steps and seconds that the first weights had taken, where they came from an earlier state of the same model.
    #[serde(default)]
    pub earlier: (u64, f64),
    /// The recipe, its options and its data in words; older checkpoints tell nothing of them.
    #[serde(default)]
    pub told: Option<String>,
}

/// Everything that a run needs to go on.
pub struct Checkpoint<M> {
    /// The network being trained.
    pub network: M,
    /// The running average of its weights.
    pub average: M,
    /// Adam with its moments.
    pub optimizer: ModuleOptimizer,
    /// Where the run stands.
    pub state: State,
}

impl<M: Module> Checkpoint<M> {
    /// Writes the checkpoint into the run's folder, whole or not at all: the old one stays until the new one is there.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, run: &Path) -> Result<()> {
        let [folder, fresh, old] = ["", ".new", ".old"].map(|suffix| run.join(format!("{FOLDER}{suffix}")));
        remove(&fresh)?;
        fs::create_dir_all(&fresh).with_context(|| format!("cannot create {}", fresh.display()))?;
        record(self.network.clone().into_record().save(fresh.join(WEIGHTS)))?;
        record(self.average.clone().into_record().save(fresh.join(AVERAGE)))?;
        record(self.optimizer.save(fresh.join(OPTIMIZER)))?;
        fs::write(fresh.join(STATE), serde_json::to_string_pretty(&self.state)?)?;
        // On the disk before the old one goes: a power cut must leave one of them whole.
        for file in fs::read_dir(&fresh)? {
            sync(&file?.path())?;
        }
        sync(&fresh)?;
        remove(&old)?;
        if folder.exists() {
            fs::rename(&folder, &old)?;
        }
        fs::rename(&fresh, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
        sync(run)?;
        remove(&old)
    }

    /// Reads the run's last checkpoint into `self`, a fresh network and optimizer of the same kind.
    ///
    /// # Errors
    /// When a file is missing or damaged, or belongs to another network.
    pub fn load(self, run: &Path) -> Result<Self> {
        let folder = folder_of(run);
        let module = |module: M, name: &str| {
            let loaded = record(ModuleRecord::load(folder.join(name)))?;
            record(module.try_load_record(loaded))
        };
        let state = State::read(run)?.context("there is no checkpoint")?;
        Ok(Self {
            network: module(self.network, WEIGHTS)?,
            average: module(self.average, AVERAGE)?,
            optimizer: record(self.optimizer.load(folder.join(OPTIMIZER)))?,
            state,
        })
    }
}

impl State {
    /// The state of the run's last checkpoint, if it has one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(run: &Path) -> Result<Option<Self>> {
        let file = folder_of(run).join(STATE);
        match fs::read(&file) {
            Ok(json) => {
                serde_json::from_slice(&json).with_context(|| format!("{} is damaged", file.display())).map(Some)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }
}

/// The last whole checkpoint. A run that was cut off between the two renames of a save left only the old one.
fn folder_of(run: &Path) -> std::path::PathBuf {
    let [folder, old] = ["", ".old"].map(|suffix| run.join(format!("{FOLDER}{suffix}")));
    if !folder.exists() && old.exists() { old } else { folder }
}

fn sync(path: &Path) -> Result<()> {
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.with_context(|| format!("cannot write {}", path.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn record<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T> {
    result.map_err(|error| anyhow!("checkpoint: {error}"))
}

#[cfg(test)]
mod tests {
    use super::State;

    /// Runs last for days: a checkpoint of an older program is gone on from.
    #[test]
    fn checkpoints_that_tell_less_are_read() {
        let state: State =
            serde_json::from_str(r#"{ "network": {}, "step": 5, "seconds": 2.5, "seed": 1 }"#).expect("a state");
        assert_eq!((state.step, state.earlier, state.told), (5, (0, 0.0), None));
    }
}
