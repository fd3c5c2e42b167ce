use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Tensor;
use latentd::Kind;
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
    /// How what is held out was drawn, and of how many files; older checkpoints tell nothing of it.
    #[serde(default)]
    pub drawn: Option<String>,
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
        // Where the last save was cut off before its end, the old one is all that there is.
        if folder.exists() {
            remove(&old)?;
            fs::rename(&folder, &old)?;
        }
        fs::rename(&fresh, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
        sync(run)?;
        remove(&old)
    }

    /// Whether all weights are numbers: nothing is learnt from where they are not.
    pub fn is_finite(&self) -> bool {
        is_finite(&self.network) && is_finite(&self.average)
    }

    /// Reads the run's last checkpoint into `self`, a fresh network and optimizer of the same kind.
    ///
    /// # Errors
    /// When a file is missing or damaged, holds weights that are no numbers, or belongs to another network.
    pub fn load(self, run: &Path) -> Result<Self> {
        let folder = folder_of(run);
        let cannot =
            |name: &str| format!("{} cannot be gone on from (--fresh begins anew)", folder.join(name).display());
        let module = |module: M, name: &str| -> Result<M> {
            let loaded = record(ModuleRecord::load(folder.join(name))).with_context(|| cannot(name))?;
            let module = record(module.try_load_record(loaded)).with_context(|| cannot(name))?;
            if !is_finite(&module) {
                bail!("{}: it holds weights that are no numbers", cannot(name));
            }
            Ok(module)
        };
        let state = State::read(run)?.context("there is no checkpoint")?;
        Ok(Self {
            network: module(self.network, WEIGHTS)?,
            average: module(self.average, AVERAGE)?,
            optimizer: record(self.optimizer.load(folder.join(OPTIMIZER))).with_context(|| cannot(OPTIMIZER))?,
            state,
        })
    }
}

impl State {
    /// The state of the run's last checkpoint, if it has one.
    ///
    /// # Errors
    /// When it cannot be read, or is missing from a checkpoint.
    pub fn read(run: &Path) -> Result<Option<Self>> {
        let folder = folder_of(run);
        // Weights without a state are somebody's work all the same, and not to be written over.
        if !folder.exists() {
            return Ok(None);
        }
        let file = folder.join(STATE);
        let damaged = || format!("the checkpoint is damaged, {}; --fresh begins anew", file.display());
        let json = fs::read(&file).with_context(damaged)?;
        serde_json::from_slice(&json).with_context(damaged).map(Some)
    }
}

/// The last whole checkpoint. A run that was cut off between the two renames of a save left only the old one.
fn folder_of(run: &Path) -> std::path::PathBuf {
    let [folder, old] = ["", ".old"].map(|suffix| run.join(format!("{FOLDER}{suffix}")));
    if !folder.exists() && old.exists() { old } else { folder }
}

fn is_finite<M: Module>(network: &M) -> bool {
    let mut finite = Finite(true);
    network.visit(&mut finite);
    finite.0
}

struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // What is no number makes the sum none.
        self.0 = self.0 && param.val().inner().sum().into_scalar::<f32>().is_finite();
    }
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
    result.map_err(|error| {
        let told = format!("checkpoint: {error}");
        if is_for_want_of_room(&told) {
            anyhow::Error::from(latentd::Error::new(Kind::Transient, told))
        } else {
            anyhow!(told)
        }
    })
}

/// Whether the disk is full. Of what the system said burn keeps the words alone.
fn is_for_want_of_room(told: &str) -> bool {
    use std::io::{Error, ErrorKind as E};
    let number = told.rsplit_once("(os error ").and_then(|(_, rest)| rest.split(')').next()?.parse::<i32>().ok());
    number.is_some_and(|number| matches!(Error::from_raw_os_error(number).kind(), E::StorageFull | E::QuotaExceeded))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::layers::{Init, Linear};

    /// Runs last for days: a checkpoint of an older program is gone on from.
    #[test]
    fn checkpoints_that_tell_less_are_read() {
        let state: State =
            serde_json::from_str(r#"{ "network": {}, "step": 5, "seconds": 2.5, "seed": 1 }"#).expect("a state");
        assert_eq!((state.step, state.earlier, state.told, state.drawn), (5, (0, 0.0), None, None));
    }

    /// The program told it as any other failure, and nothing that started it could wait for room.
    #[test]
    fn a_disk_that_is_full_is_told_apart() {
        let full = std::io::Error::from_raw_os_error(28);
        assert!(is_for_want_of_room(&format!("checkpoint: Record I/O error: {full}")), "{full}");
        assert!(!is_for_want_of_room("checkpoint: Record I/O error: Permission denied (os error 13)"));
        assert!(!is_for_want_of_room("checkpoint: it ends in the middle (os error"));
    }

    fn checkpoint(weight: f32) -> Checkpoint<Linear> {
        let mut init = Init::new(1, &Device::flex());
        let network = Linear { weight: init.values([1, 1], vec![weight]), bias: init.zeros([1]) };
        let state = r#"{ "network": {}, "step": 5, "seconds": 2.5, "seed": 1 }"#;
        Checkpoint {
            average: network.clone(),
            network,
            optimizer: crate::run::optimizer(),
            state: serde_json::from_str(state).expect("a state"),
        }
    }

    /// It counted as none, and the run began anew over the weights.
    #[test]
    fn a_checkpoint_without_a_state_is_damaged_and_not_none() {
        let run = tempfile::tempdir().expect("a folder");
        assert_eq!(State::read(run.path()).expect("nothing is damaged"), None);
        checkpoint(1.0).save(run.path()).expect("a checkpoint");
        let [folder, old] = ["checkpoint", "checkpoint.old"].map(|name| run.path().join(name));
        // A save that was cut off between its two renames.
        fs::rename(&folder, &old).expect("a folder");
        assert!(State::read(run.path()).expect("the old one is whole").is_some());
        fs::remove_file(old.join(STATE)).expect("a file");
        let told = format!("{:#}", State::read(run.path()).expect_err("damaged"));
        assert!(told.contains("state.json") && told.contains("--fresh"), "{told}");
        checkpoint(2.0).save(run.path()).expect("a checkpoint");
        assert!(State::read(run.path()).expect("a new one is whole").is_some() && !old.exists());
    }

    /// What came out was found to be nothing after hours.
    #[test]
    fn weights_that_are_no_numbers_are_not_gone_on_from() {
        let run = tempfile::tempdir().expect("a folder");
        assert!(checkpoint(1.0).is_finite());
        for damaged in [f32::NAN, f32::INFINITY] {
            assert!(!checkpoint(damaged).is_finite());
            checkpoint(damaged).save(run.path()).expect("a checkpoint");
            let told = format!("{:#}", checkpoint(1.0).load(run.path()).map(drop).expect_err("no numbers"));
            assert!(told.contains("weights.bpk") && told.contains("--fresh"), "{told}");
        }
    }
}
