use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::log::{Entry, Log};
use super::progress::Progress;
use super::{Checkpoint, Length, Schedule, State, average, curve};
use crate::data::Prefetch;
use crate::recipes::Recipe;

/// How a run goes.
pub struct Options {
    /// The run's folder: checkpoint, log and loss curve.
    pub run: PathBuf,
    /// When it ends.
    pub length: Length,
    /// The learning rate.
    pub schedule: Schedule,
    /// The seed of batches.
    pub seed: u64,
    /// Steps between log entries.
    pub log_every: u64,
    /// Steps between scores on the development set.
    pub score_every: u64,
    /// Time between checkpoints.
    pub save_every: Duration,
}

/// How a run ended.
pub enum Outcome<M> {
    /// It went to its end: the averaged network, and what it took.
    Finished(M, State),
    /// It was interrupted and left a checkpoint.
    Interrupted,
}

/// The highest share of the old in the averaged weights.
const AVERAGE_DECAY: f64 = 0.999;

/// Adam as all recipes use it. A gradient of unusual length is cut: one bad batch must not undo an hour.
pub fn optimizer() -> burn::optim::ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).with_grad_clipping(Some(GradientClippingConfig::Norm(1.0))).init()
}

/// Trains from `start` to the end of the run, or until `stop` is set. `device` has autodiff on.
///
/// # Errors
/// When the run's folder cannot be written or the loss is not a number any more.
pub fn train<R: Recipe>(
    recipe: &R,
    options: &Options,
    start: Checkpoint<R::Network>,
    device: &Device,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome<R::Network>> {
    let before = Duration::from_secs_f64(start.state.seconds);
    let begun = Instant::now();
    let elapsed = || before + begun.elapsed();
    let progress_at = |step| options.length.progress(step, elapsed());
    let mut log = Log::open(&options.run, start.state.step)?;
    let mut saved = Instant::now();
    let mut progress = progress_at(start.state.step);
    let mut display = Progress::start(progress, R::SCORE);
    let mut losses = Losses::new(device);

    let now = thread::scope(|scope| {
        let make = |step, progress| recipe.batch(&mut generator(options.seed, step), progress);
        let mut now = start;
        let batches = Prefetch::start(scope, now.state.step, progress_at, make);
        while progress < 1.0 && !stop.load(Ordering::Relaxed) {
            let batch = batches.take(now.state.step, progress_at);
            let rate = options.schedule.rate(now.state.step, progress);
            let loss = recipe.loss(&now.network, batch, progress, device);
            losses.add(loss.clone().inner());
            let gradients = GradientsParams::from_grads(loss.backward(), &now.network);
            now.network = now.optimizer.step(rate, now.network, gradients);
            // A young average forgets faster: the first weights are noise.
            let decay = AVERAGE_DECAY.min((1.0 + now.state.step as f64) / (10.0 + now.state.step as f64));
            now.average = average::follow(now.average, &now.network, decay);
            now.state.step += 1;
            progress = progress_at(now.state.step);
            now.state.seconds = elapsed().as_secs_f64();

            let last = progress >= 1.0;
            if now.state.step.is_multiple_of(options.log_every) || last {
                let score = now.state.step.is_multiple_of(options.score_every) || last;
                let entry = Entry {
                    step: now.state.step,
                    seconds: now.state.seconds,
                    loss: losses.take_mean(&now.state, options)?,
                    score: score.then(|| recipe.score(&now.average, device)),
                    parts: parts(score.then(|| recipe.parts(&now.average, device))),
                    learning_rate: rate,
                };
                display.show(progress, &entry);
                log.write(entry)?;
            }
            if saved.elapsed() >= options.save_every {
                // A checkpoint must be worth going on from.
                losses.mean(&now.state, options)?;
                save(&now, &log, options, R::SCORE)?;
                saved = Instant::now();
            }
        }
        losses.mean(&now.state, options)?;
        anyhow::Ok(now)
    })?;

    display.finish();
    save(&now, &log, options, R::SCORE)?;
    Ok(if progress >= 1.0 { Outcome::Finished(now.average, now.state) } else { Outcome::Interrupted })
}

fn parts(measured: Option<Vec<(&'static str, f64)>>) -> std::collections::BTreeMap<String, f64> {
    measured.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn save<M: Module>(now: &Checkpoint<M>, log: &Log, options: &Options, score: (&str, &str)) -> Result<()> {
    now.save(&options.run).context("cannot save a checkpoint")?;
    let name = options.run.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("{name}: {} steps", now.state.step);
    curve::draw(&options.run, &title, score, log.entries())
}

/// The generator of one step's batch: it depends on nothing but seed and step, so a resumed run sees the same batches.
fn generator(seed: u64, step: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step))
}

/// Sums losses on the device, so that it need not wait for each.
struct Losses {
    sum: Tensor<1>,
    count: u64,
    device: Device,
}

impl Losses {
    fn new(device: &Device) -> Self {
        let device = device.clone().inner();
        Self { sum: Tensor::zeros([1], &device), count: 0, device }
    }

    fn add(&mut self, loss: Tensor<1>) {
        self.sum = self.sum.clone() + loss;
        self.count += 1;
    }

    /// The mean, and an end of what it is of.
    fn take_mean(&mut self, state: &State, options: &Options) -> Result<f64> {
        let mean = self.mean(state, options)?;
        *self = Self::new(&self.device);
        Ok(mean)
    }

    /// The mean since it was last taken; an error if it is not a number.
    fn mean(&self, state: &State, options: &Options) -> Result<f64> {
        let sum = self.sum.clone().into_scalar::<f32>();
        let mean = f64::from(sum) / self.count.max(1) as f64;
        if !mean.is_finite() {
            bail!(
                "the loss is {mean} at step {}; go on from the last checkpoint in {}, which is from before, with a \
                 lower --learning-rate",
                state.step,
                options.run.display()
            );
        }
        Ok(mean)
    }
}
