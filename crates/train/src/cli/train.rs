use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::Device;
use clap::Args;
use latentd::model::{DataSet, Training as Provenance};

use super::recipes::Pictures;
use super::{init, stop};
use crate::data;
use crate::device::DeviceKind;
use crate::layers::Init;
use crate::publish::{self, Publication, Publish, data_sets};
use crate::recipes::Recipe;
use crate::run::{self, Checkpoint, Length, Outcome, Schedule, State};

/// Steps over which the learning rate rises to its highest; a tenth of a run that is short.
const WARMUP: u64 = 200;

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
    /// Steps between scores on the development set
    #[arg(long, default_value_t = 1000)]
    score_every: u64,
    /// Minutes between checkpoints
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
    /// What it learns from.
    pub data: Vec<DataSet>,
}

impl Training {
    /// Loads the pictures and holds some out.
    pub fn pictures(&self) -> Result<Pictures> {
        if self.batch == 0 {
            bail!("--batch must be at least 1");
        }
        let pictures = data::load(&self.data)?;
        let sets = data_sets(&self.data, pictures.iter().map(|picture| picture.path.as_path()));
        let (training, development) = data::split(pictures, self.held_out.max(1), self.seed);
        eprintln!("{} pictures to learn from, {} held out", training.len(), development.len());
        Ok(Pictures { training, development, sets })
    }

    /// Trains to the end, or until interrupted, and publishes what came out.
    pub fn run<R: Publish>(&self, recipe: &R, job: Job) -> Result<()> {
        let name = self.out.file_name().context("--out must end in the model's name")?.to_string_lossy().into_owned();
        publish::check_name(&name)?;
        let folder = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&name));
        publish::check_folder(&self.out)?;
        let options = self.options(&folder)?;
        let device = self.device.open()?.autodiff();
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let _alone = run::lock(&folder)?;
        let start = self.start(recipe, &job, &options, &device)?;
        eprintln!("{}: {} parameters, run in {}", job.name, start.network.num_params(), folder.display());
        let stop = stop::on_signals()?;
        match run::train(recipe, &options, start, &device, &stop)? {
            Outcome::Finished(network, state) => {
                // GPUs may round what they multiply to ten bits; what is published must be what the weights say.
                let exact = DeviceKind::Flex.open().unwrap_or(device);
                let network = self.with_init(network.to_device(&exact), &job)?;
                let provenance = self.provenance(job, &state);
                let model = Publication::new(recipe, &network, &name, provenance, &exact)?;
                model.write(&self.out)?;
                println!("{}: burn and tract differ by at most {:.1e}", self.out.display(), model.difference);
                Ok(())
            }
            Outcome::Interrupted => Err(stop::Interrupted.into()),
        }
    }

    /// A trained network, moved back towards the weights that it began with: between the two lie networks that do better at what both know
    /// (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    fn with_init<M: Module>(&self, network: M, job: &Job) -> Result<M> {
        match &self.init {
            Some(model) if self.keep > 0.0 => {
                let (first, _) = init::load(model, network.clone(), job)?;
                Ok(run::average::follow(network, &first, 1.0 - self.keep))
            }
            _ => Ok(network),
        }
    }

    fn options(&self, folder: &Path) -> Result<run::Options> {
        if !(0.0..=1.0).contains(&self.keep) {
            bail!("--keep must be 0 to 1, not {}", self.keep);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            bail!("--learning-rate must be positive");
        }
        if self.save_every.is_nan() {
            bail!("--save-every must be a number of minutes");
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
            log_every: log_every(self.score_every.max(1)),
            score_every: self.score_every.max(1),
            save_every: Duration::from_secs_f64(self.save_every.clamp(0.01, 1e4) * 60.0),
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
            eprintln!("{} tensors copied from {}, {} widened", report.copied, model.display(), report.widened);
            report.left.iter().for_each(|what| eprintln!("left as initialised: {what}"));
            report.absent.iter().for_each(|name| eprintln!("not there: {name}"));
            network = recipe.grown(network, &report.absent);
            report.unused.iter().for_each(|what| eprintln!("not used: {what}"));
        }
        // Told now, and not when it is to be mixed in after hours.
        if let (Some(_), Some(model)) = (&saved, self.init.as_ref().filter(|_| self.keep > 0.0)) {
            init::load(model, network.clone(), job)?;
        }
        let init =
            self.init.as_ref().and_then(|model| model.file_name()).map(|name| name.to_string_lossy().into_owned());
        let told = Some(self.told(job));
        let fresh = Checkpoint {
            average: network.valid(),
            network,
            optimizer: run::optimizer(),
            state: State {
                network: identity.clone(),
                step: 0,
                seconds: 0.0,
                seed: self.seed,
                init,
                earlier: self.earlier(),
                told: told.clone(),
            },
        };
        match saved {
            None if self.resume => bail!("there is no checkpoint in {} to resume", folder.display()),
            None => Ok(fresh),
            Some(state) if state.network != identity => bail!(
                "the checkpoint in {} is of {}, this run of {identity}; give another --run, or --fresh to begin anew",
                folder.display(),
                state.network
            ),
            // It is published again as what it is, and not as what it is not.
            Some(state) if is_over(&state, &options.length) && state.told != told => bail!(
                "the run in {} is at its end: give more --steps or --hours, or --fresh to begin anew (it is published again only with the \
                 options and data that it is known to be of)",
                folder.display()
            ),
            Some(state) => {
                eprintln!(
                    "going on from the checkpoint in {} at step {} (--fresh begins anew)",
                    folder.display(),
                    state.step
                );
                if self.init.is_some() && self.keep == 0.0 {
                    eprintln!("warning: --init counts at the beginning of a run only; this one has begun");
                }
                if state.seed != self.seed {
                    eprintln!("warning: the run began with --seed {}, goes on with {}", state.seed, self.seed);
                }
                if let (Some(before), Some(now)) = (&state.told, &told)
                    && before != now
                {
                    eprintln!(
                        "warning: the run was of `{before}` and goes on as `{now}`, which is all that the card will tell"
                    );
                }
                let mut start = fresh.load(folder)?;
                start.state.told = told;
                Ok(start)
            }
        }
    }

    /// Steps and seconds of the model to start from, if it is an earlier state of the one to publish: a card tells what a model took in all.
    fn earlier(&self) -> (u64, f64) {
        let Some(init) = self.init.as_ref().filter(|init| init.file_name() == self.out.file_name()) else {
            return (0, 0.0);
        };
        init::card(init)
            .and_then(|card| card.training)
            .map_or((0, 0.0), |training| (training.steps, training.hours * 3600.0))
    }

    /// The recipe with the options of its training, as the card tells it.
    fn words(&self, job: &Job) -> String {
        format!("{} {} --batch {} --learning-rate {}", job.name, job.options, self.batch, self.learning_rate)
    }

    /// What makes this training another one than that of the same network by other options or from other data.
    fn told(&self, job: &Job) -> String {
        let sets: Vec<&str> = job.data.iter().map(|set| set.name.as_str()).collect();
        format!("{} of {}", self.words(job), sets.join(", "))
    }

    fn provenance(&self, job: Job, state: &State) -> Provenance {
        let keep = if self.keep > 0.0 { format!(" --keep {}", self.keep) } else { String::new() };
        Provenance {
            recipe: self.words(&job) + &keep,
            data: job.data,
            seed: state.seed,
            steps: state.earlier.0 + state.step,
            hours: ((state.earlier.1 + state.seconds) / 36.0).round() / 100.0,
            burn: publish::BURN_VERSION.to_owned(),
            commit: publish::COMMIT.to_owned(),
            init: state.init.clone(),
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
