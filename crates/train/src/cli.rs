//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::Device;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::data;
use crate::device::DeviceKind;
use crate::layers::Init;
use crate::recipes::denoise_photo::{self, DenoisePhoto};
use crate::recipes::upscale_photo::{self, Pair, UpscalePhoto};
use crate::recipes::Recipe;
use crate::run::{self, Checkpoint, Length, Outcome, Schedule, State};

/// Trains the models of latentd and publishes them as ONNX.
#[derive(Parser)]
#[command(name = "latentd-train", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network that takes white noise of a known level (0..50 of 255) out of colour photos
    DenoisePhoto {
        #[command(flatten)]
        training: Training,
        /// Channels of each level of the encoder and decoder, finest first
        #[arg(long, value_delimiter = ',', default_value = "32,64,96")]
        widths: Vec<usize>,
        /// Residual blocks of each level
        #[arg(long, value_delimiter = ',', default_value = "1,1,2")]
        blocks: Vec<usize>,
        /// Side of the training squares in pixels, a multiple of 2 to the number of levels
        #[arg(long, default_value_t = 64)]
        patch: usize,
    },
    /// Train a network that makes photos twice as large
    UpscalePhotoX2(Upscale),
    /// Train a network that makes photos three times as large
    UpscalePhotoX3(Upscale),
    /// Train a network that makes photos four times as large
    UpscalePhotoX4(Upscale),
}

#[derive(Args)]
struct Upscale {
    #[command(flatten)]
    training: Training,
    /// Channels of the trunk
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// Residual blocks of the trunk
    #[arg(long, default_value_t = 4)]
    blocks: usize,
    /// Side of the training squares, in pixels of the small picture
    #[arg(long, default_value_t = 32)]
    patch: usize,
}

#[derive(Args)]
struct Training {
    /// A folder of pictures to learn from, searched with all its subfolders
    #[arg(long)]
    data: PathBuf,
    /// The folder of the model to publish; its last part is the model's name
    #[arg(long)]
    out: PathBuf,
    /// The folder of the run: checkpoint, log, loss curve [default: runs/NAME]
    #[arg(long)]
    run: Option<PathBuf>,
    /// Go on from the run's checkpoint; this is what happens when there is one, unless --fresh is given
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
    /// Squares a step
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Seed of the first weights, the batches and the choice of the development set
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Pictures held out for the score during training
    #[arg(long, default_value_t = 16)]
    held_out: usize,
    /// Steps between scores on the development set
    #[arg(long, default_value_t = 1000)]
    score_every: u64,
    /// What to compute on
    #[arg(long, value_enum, default_value_t)]
    device: DeviceKind,
}

/// Runs the program.
pub fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latentd-train: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::DenoisePhoto { training, widths, blocks, patch } => {
            let shape = denoise_photo::Shape { widths, blocks };
            if shape.widths.is_empty() || shape.widths.len() != shape.blocks.len() {
                bail!("--widths and --blocks must have as many entries, one a level");
            }
            if patch == 0 || !patch.is_multiple_of(2 * shape.multiple_of()) || patch * 3 / 2 > data::MIN_SIDE {
                bail!("--patch must be a multiple of {} and at most {}", 2 * shape.multiple_of(), data::MIN_SIDE * 2 / 3);
            }
            let (pictures, development) = training.pictures(|picture| picture.centre(160, shape.multiple_of()))?;
            let recipe = DenoisePhoto { shape: shape.clone(), training: pictures, development, batch: training.batch, patch };
            train(&recipe, "denoise-photo", &shape, &training)
        }
        Command::UpscalePhotoX2(upscale) => upscale.train(2),
        Command::UpscalePhotoX3(upscale) => upscale.train(3),
        Command::UpscalePhotoX4(upscale) => upscale.train(4),
    }
}

impl Upscale {
    fn train(&self, scale: usize) -> Result<()> {
        let largest = data::MIN_SIDE / scale;
        if self.patch == 0 || self.patch > largest {
            bail!("--patch must be 1 to {largest}");
        }
        let shape = upscale_photo::Shape { scale, width: self.width, blocks: self.blocks };
        let (training, development) = self.training.pictures(|picture| picture.centre(240, scale))?;
        let pairs = |pictures: &[data::Picture]| pictures.iter().map(|picture| Pair::new(picture, scale)).collect();
        let recipe = UpscalePhoto {
            shape: shape.clone(),
            training: pairs(&training),
            development: pairs(&development),
            batch: self.training.batch,
            patch: self.patch,
        };
        train(&recipe, &format!("upscale-photo-x{scale}"), &shape, &self.training)
    }
}

impl Training {
    /// The training pictures, and the held-out ones cut by `cut`.
    fn pictures(&self, cut: impl Fn(&data::Picture) -> data::Picture) -> Result<(Vec<data::Picture>, Vec<data::Picture>)> {
        if self.batch == 0 {
            bail!("--batch must be at least 1");
        }
        let (training, held_out) = data::split(data::load(&self.data)?, self.held_out.max(1), self.seed);
        eprintln!("{} pictures to learn from, {} held out", training.len(), held_out.len());
        Ok((training, held_out.iter().map(cut).collect()))
    }

    fn run_folder(&self) -> Result<PathBuf> {
        let name = self.out.file_name().context("--out must end in the model's name")?;
        Ok(self.run.clone().unwrap_or_else(|| Path::new("runs").join(name)))
    }
}

fn train<R: Recipe>(recipe: &R, name: &str, shape: &impl Serialize, training: &Training) -> Result<()> {
    let device = training.device.open()?.autodiff();
    let run = training.run_folder()?;
    std::fs::create_dir_all(&run).with_context(|| format!("cannot create {}", run.display()))?;
    let options = run::Options {
        run: run.clone(),
        length: Length::new(training.steps, training.hours)?,
        schedule: Schedule { peak: training.learning_rate, floor: training.learning_rate * 1e-3, warmup: 200 },
        seed: training.seed,
        log_every: (training.score_every / 10).max(1),
        score_every: training.score_every,
        save_every: Duration::from_secs(120),
    };
    let start = start(recipe, name, shape, training, &run, &device)?;
    eprintln!("{name}: {} parameters, run in {}", start.network.num_params(), run.display());
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second signal ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    match run::train(recipe, &options, start, &device, &stop)? {
        Outcome::Finished(_network) => eprintln!("finished"),
        Outcome::Interrupted => eprintln!("interrupted; the same command goes on from the checkpoint"),
    }
    Ok(())
}

fn start<R: Recipe>(
    recipe: &R,
    name: &str,
    shape: &impl Serialize,
    training: &Training,
    run: &Path,
    device: &Device,
) -> Result<Checkpoint<R::Network>> {
    let network = recipe.network(&mut Init::new(training.seed, device));
    let identity = serde_json::json!({ "recipe": name, "shape": shape });
    let fresh = Checkpoint {
        average: network.valid(),
        network,
        optimizer: run::optimizer(),
        state: State { network: identity.clone(), step: 0, seconds: 0.0, seed: training.seed },
    };
    match State::read(run)? {
        Some(state) if !training.fresh => {
            if state.network != identity {
                bail!(
                    "the checkpoint in {} is of {}, this run of {identity}; give another --run, or --fresh to begin anew",
                    run.display(),
                    state.network
                );
            }
            eprintln!("going on from the checkpoint in {} at step {}", run.display(), state.step);
            fresh.load(run)
        }
        None if training.resume => bail!("there is no checkpoint in {} to resume", run.display()),
        _ => Ok(fresh),
    }
}
