//! What all recipes can be told, and a training from its start to its model.

mod told;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::Device;
use clap::Args;
use latentd::media::MediaKind;
use latentd::model::{DataSet, Task};

use self::told::{differ, name_of};
use super::recipes::Pictures;
use super::{init, stop, within};
use crate::data;
use crate::device::DeviceKind;
use crate::layers::Init;
use crate::publish::{self, Publication, Publish, data_sets};
use crate::recipes::Recipe;
use crate::refuse;
use crate::run::{self, Checkpoint, Length, Outcome, Schedule, State};
use crate::tell;

/// Steps over which the learning rate rises to its highest; a tenth of a run that is short.
const WARMUP: u64 = 200;

/// Examples a step, at most.
const MOST_BATCH: usize = 65_536;

/// Minutes between checkpoints, at most and at least.
const SAVE_EVERY: [f64; 2] = [0.01, 1e4];

/// The last learning rate, as a share of the highest.
const FLOOR: f64 = 1e-3;

/// What all recipes can be told.
#[derive(Args)]
pub struct Training {
    /// A folder to learn from, searched with all its subfolders
    #[arg(long)]
    pub data: PathBuf,
    /// The folder of the model to publish; its last part is the model's name
    #[arg(long)]
    out: PathBuf,
    /// The folder of the run: checkpoint, log, loss curve [default: runs/NAME]
    #[arg(long)]
    run: Option<PathBuf>,
    /// Start from a published model: a folder with a model.onnx, or an ONNX file
    #[arg(long, value_name = "MODEL")]
    init: Option<PathBuf>,
    /// The share of --init's own weights in what is published, 0..1: a network that was taught something new keeps more of what it knew
    #[arg(long, value_name = "SHARE", requires = "init", default_value_t = 0.0)]
    keep: f64,
    /// Insist on going on from the run's checkpoint (without this, one that is there is gone on from all the same)
    #[arg(long, conflicts_with = "fresh")]
    resume: bool,
    /// Begin anew, over the run's checkpoint
    #[arg(long)]
    fresh: bool,
    /// Training steps
    #[arg(long)]
    steps: Option<u64>,
    /// Hours of training, summed over resumed runs; the learning rate follows the clock
    #[arg(long)]
    hours: Option<f64>,
    /// The highest learning rate
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// Examples a step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Seed of the first weights, the batches and the choice of the development set
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Files held out for the score during training
    #[arg(long, default_value_t = 16)]
    pub held_out: usize,
    /// The licence of the model, for its card [default: MIT OR Apache-2.0 if all that it learns from are sets that this program knows, else none is told]
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Steps between scores on the development set
    #[arg(long, default_value_t = 1000)]
    score_every: u64,
    /// Minutes between checkpoints (0: as often as can be)
    #[arg(long, default_value_t = 2.0)]
    save_every: f64,
    /// What to compute on
    #[arg(long, value_enum, default_value_t)]
    device: DeviceKind,
}

/// A recipe as the command line tells it.
pub struct Job {
    /// The recipe's name.
    pub name: String,
    /// The network's size: a checkpoint of another size cannot be gone on from.
    pub shape: serde_json::Value,
    /// The recipe's own options, for the card.
    pub options: String,
    /// How its files are taken, for the card: options with a space before each.
    pub view: String,
    /// The stage that the model serves.
    pub task: Task,
    /// What it works on.
    pub media: MediaKind,
    /// How many files it learns from or holds out.
    pub files: usize,
    /// What it learns from.
    pub data: Vec<DataSet>,
}

/// What a training needs beside its data.
struct Plan {
    /// The model's name.
    name: String,
    options: run::Options,
    device: Device,
}

impl Training {
    /// Refuses what cannot be trained or published, before all data are read.
    pub fn prepare(&self) -> Result<()> {
        self.plan().map(drop)
    }

    fn plan(&self) -> Result<Plan> {
        let Some(name) = self.out.file_name() else { refuse!(Usage, "--out must end in the model's name") };
        let name = name.to_string_lossy().into_owned();
        publish::check_name(&name)?;
        let folder = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&name));
        let options = self.options(&folder)?;
        publish::check_folder(&self.out)?;
        Ok(Plan { name, options, device: self.device.open()?.autodiff() })
    }

    /// What is held out must be something.
    pub fn check_held_out(&self) -> Result<()> {
        if self.held_out == 0 {
            refuse!(
                Usage,
                "--held-out must be at least 1: without a score nobody sees whether a run makes anything better"
            );
        }
        Ok(())
    }

    /// Loads the pictures and holds some out.
    pub fn pictures(&self) -> Result<Pictures> {
        self.check_held_out()?;
        self.prepare()?;
        let pictures = data::load(&self.data)?;
        let sets = data_sets(&self.data, pictures.iter().map(|picture| picture.path.as_path()));
        let count = pictures.len();
        let (training, development) = data::split(pictures, &self.data, self.held_out, self.seed);
        tell(format_args!("{} pictures to learn from, {} held out", training.len(), development.len()));
        Ok(Pictures { training, development, sets, count })
    }

    /// Trains to the end, or until interrupted, and publishes what came out.
    pub fn run<R: Publish>(&self, recipe: &R, job: Job) -> Result<()> {
        let plan = self.plan()?;
        let Plan { options, device, .. } = &plan;
        let folder = &options.run;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let _alone = run::lock(folder)?;
        let start = self.start(recipe, &job, options, device)?;
        tell(format_args!("{}: {} parameters, run in {}", job.name, start.network.num_params(), folder.display()));
        let stop = stop::on_signals()?;
        match run::train(recipe, options, start, device, &stop)? {
            Outcome::Finished(network, state, saved) => {
                let published = self.publish(recipe, network, job, &state, &plan);
                // What was learnt is published first: a checkpoint that cannot be written must not cost it.
                if let (Err(_), Err(error)) = (&published, &saved) {
                    tell(format_args!("warning: {error:#}"));
                }
                published.and(saved)
            }
            Outcome::Interrupted(state) => {
                Err(stop::Interrupted { step: state.step, time: Duration::from_secs_f64(state.seconds) }.into())
            }
        }
    }

    fn publish<R: Publish>(&self, recipe: &R, network: R::Network, job: Job, state: &State, plan: &Plan) -> Result<()> {
        // GPUs may round what they multiply to ten bits; what is published must be what the weights say.
        let exact = DeviceKind::Flex.open().unwrap_or_else(|_| plan.device.clone());
        let network = self.with_init(network.to_device(&exact), &job)?;
        if self.mixed_in().is_some() {
            let (what, unit) = R::SCORE;
            let score = format!("{what} {:.2} {unit}", recipe.score(&network, &exact));
            tell(format_args!("held out: {} of what is published", score.trim_end()));
        }
        let licence = self.licence.clone().or_else(|| publish::licence(&job.data).map(str::to_owned));
        let provenance = self.provenance(job, state);
        let model = Publication::new(recipe, &network, &plan.name, provenance, licence.as_deref(), &exact)?;
        if let Some(kept) = model.write(&self.out, &plan.options.run)? {
            let (out, kept) = (self.out.display(), kept.display());
            tell(format_args!("the model that was in {out}, and was not of this run, is in {kept} now"));
        }
        // The model is there, whether anybody still listens or not.
        let (out, difference) = (self.out.display(), model.difference);
        let _ = writeln!(stdout(), "{out}: burn and tract differ by at most {difference:.1e}");
        Ok(())
    }

    /// A trained network, moved back towards the weights that it began with: between the two lie networks that do better at what both know
    /// (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    fn with_init<M: Module>(&self, network: M, job: &Job) -> Result<M> {
        match self.mixed_in() {
            Some(model) => {
                let (first, _) = init::load(model, network.clone(), job)?;
                Ok(run::average::follow(network, &first, 1.0 - self.keep))
            }
            None => Ok(network),
        }
    }

    /// The model that is mixed into what is published.
    fn mixed_in(&self) -> Option<&PathBuf> {
        self.init.as_ref().filter(|_| self.keep > 0.0)
    }

    fn options(&self, folder: &Path) -> Result<run::Options> {
        within("--batch", &[self.batch], 1..=MOST_BATCH)?;
        if !(0.0..=1.0).contains(&self.keep) {
            refuse!(Usage, "--keep must be 0 to 1, not {}", self.keep);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            refuse!(Usage, "--learning-rate must be positive");
        }
        let [least, most] = SAVE_EVERY;
        if !(0.0..=most).contains(&self.save_every) {
            refuse!(Usage, "--save-every must be 0 to {most} minutes, not {}", self.save_every);
        }
        if self.score_every == 0 {
            refuse!(Usage, "--score-every must be at least 1");
        }
        Ok(run::Options {
            run: folder.to_owned(),
            length: Length::new(self.steps, self.hours)?,
            schedule: Schedule {
                peak: self.learning_rate,
                floor: self.learning_rate * FLOOR,
                warmup: self.steps.map_or(WARMUP, |steps| WARMUP.min(steps / 10)),
            },
            seed: self.seed,
            log_every: log_every(self.score_every),
            score_every: self.score_every,
            save_every: Duration::from_secs_f64(self.save_every.max(least) * 60.0),
        })
    }

    /// The run's checkpoint, or a fresh network, perhaps with the weights of a published model.
    fn start<R: Recipe>(
        &self,
        recipe: &R,
        job: &Job,
        options: &run::Options,
        device: &Device,
    ) -> Result<Checkpoint<R::Network>> {
        let folder = &options.run;
        let mut network = recipe.network(&mut Init::new(self.seed, device));
        let identity = serde_json::json!({ "recipe": job.name, "shape": job.shape });
        // A damaged checkpoint must not keep anybody from beginning anew.
        let saved = if self.fresh { None } else { State::read(folder)? };
        if let (None, Some(model)) = (&saved, &self.init) {
            let report;
            (network, report) = init::load(model, network, job)?;
            tell(format_args!("{} tensors copied from {}, {} widened", report.copied, model.display(), report.widened));
            report.left.iter().for_each(|what| tell(format_args!("left as initialised: {what}")));
            report.absent.iter().for_each(|name| tell(format_args!("not there: {name}")));
            network = recipe.grown(network, &report.absent);
            report.unused.iter().for_each(|what| tell(format_args!("not used: {what}")));
        }
        // Told now, and not when it is to be mixed in after hours.
        if let (Some(_), Some(model)) = (&saved, self.mixed_in()) {
            init::load(model, network.clone(), job)?;
        }
        let (told, drawn) = (Some(self.told(job)), Some(self.drawn(job)));
        let fresh = Checkpoint {
            average: network.valid(),
            network,
            optimizer: run::optimizer(),
            state: State {
                network: identity.clone(),
                step: 0,
                seconds: 0.0,
                seed: self.seed,
                init: self.init.as_deref().map(name_of),
                earlier: self.earlier(),
                told: told.clone(),
                drawn: drawn.clone(),
            },
        };
        match saved {
            None if self.resume => refuse!(NoInput, "there is no checkpoint in {} to resume", folder.display()),
            None => Ok(fresh),
            Some(state) if state.network != identity => refuse!(
                Usage,
                "the checkpoint in {} is of {}, this run of {identity}; give another --run, or --fresh to begin anew",
                folder.display(),
                state.network
            ),
            // It is published again as what it is, and not as what it is not.
            Some(state)
                if is_over(&state, &options.length)
                    && (state.told != told || differ(state.drawn.as_ref(), drawn.as_ref())) =>
            {
                refuse!(
                    Usage,
                    "the run in {} is at its end: give more --steps or --hours, or --fresh to begin anew (it is published again only with the \
                     options and data that it is known to be of)",
                    folder.display()
                )
            }
            Some(state) => {
                tell(format_args!(
                    "going on from the checkpoint in {} at step {} (--fresh begins anew)",
                    folder.display(),
                    state.step
                ));
                self.warn_of_changes(&state, told.as_deref(), drawn.as_deref(), job);
                let mut start = fresh.load(folder)?;
                (start.state.told, start.state.drawn) = (told, drawn);
                Ok(start)
            }
        }
    }
}

/// Steps between log entries: about ten to a score, and a score at one of them.
fn log_every(score_every: u64) -> u64 {
    let largest = (score_every / 10).max(1);
    (1..=largest).rev().find(|steps| score_every.is_multiple_of(*steps)).unwrap_or(1)
}

/// Whether a run of this length has nothing left to learn.
fn is_over(state: &State, length: &Length) -> bool {
    length.progress(state.step, Duration::from_secs_f64(state.seconds)) >= 1.0
}
