use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
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
use crate::tell;

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
    /// It went to its end: the averaged network, what it took, and whether its last checkpoint could be written.
    Finished(M, State, Result<()>),
    /// It was interrupted there and left a checkpoint.
    Interrupted(State),
}

/// The highest share of the old in the averaged weights.
const AVERAGE_DECAY: f64 = 0.999;

/// Log entries are no further apart, whatever a step takes.
const LOG_TIME: Duration = Duration::from_secs(10);

/// Adam as all recipes use it. A gradient of unusual length is cut: one bad batch must not undo an hour.
pub fn optimizer() -> burn::optim::ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).with_grad_clipping(Some(GradientClippingConfig::Norm(1.0))).init()
}

/// Trains from `start` to the end of the run, or until `stop` is set. `device` has autodiff on. A run that has not begun takes one step at least. What
/// cannot be written on the way is told, and tried again later.
///
/// # Errors
/// When the loss or the weights are no numbers any more, or an interrupted run's checkpoint cannot be written.
pub fn train<R: Recipe>(
    recipe: &R,
    options: &Options,
    start: Checkpoint<R::Network>,
    device: &Device,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome<R::Network>> {
    let before = Duration::from_secs_f64(start.state.seconds);
    let mut log = Log::open(&options.run, start.state.step);
    let mut display = Progress::start(options.length.progress(start.state.step, before), R::SCORE);
    // Where a run begins, so that it shows whether it has made anything better. It takes none of the run's time.
    let mut first = (start.state.step == 0).then(|| Measured::of(recipe, &start.average, device));
    let begun = Instant::now();
    let elapsed = || before + begun.elapsed();
    let progress_at = |step| options.length.progress(step, elapsed());
    let (mut saved, mut logged) = (Instant::now(), Instant::now());
    let mut progress = progress_at(start.state.step);
    let mut losses = Losses::new(device);

    let now = thread::scope(|scope| {
        let make = |step, progress| recipe.batch(&mut generator(options.seed, step), progress);
        let mut now = start;
        let mut kept = now.state.step > 0;
        let batches = Prefetch::start(scope, now.state.step, progress_at, make);
        while (progress < 1.0 || now.state.step == 0) && !stop.load(Ordering::Relaxed) {
            let batch = batches.take(now.state.step, progress_at);
            let rate = options.schedule.rate(now.state.step, progress);
            let loss = recipe.loss(&now.network, batch, progress, device);
            losses.add(loss.clone().inner());
            if let Some(measured) = first.take() {
                let loss = number(losses.mean(), &now.state, options, kept)?;
                note(&mut log, &mut display, progress, entry(&now.state, loss, rate, Some(measured)));
            }
            let gradients = GradientsParams::from_grads(loss.backward(), &now.network);
            now.network = now.optimizer.step(rate, now.network, gradients);
            // A young average forgets faster: the first weights are noise.
            let decay = AVERAGE_DECAY.min((1.0 + now.state.step as f64) / (10.0 + now.state.step as f64));
            now.average = average::follow(now.average, &now.network, decay);
            now.state.step += 1;
            progress = progress_at(now.state.step);
            now.state.seconds = elapsed().as_secs_f64();

            let last = progress >= 1.0;
            if now.state.step.is_multiple_of(options.log_every) || last || logged.elapsed() >= LOG_TIME {
                let loss = number(losses.take_mean(), &now.state, options, kept)?;
                let score = now.state.step.is_multiple_of(options.score_every) || last;
                let measured = score.then(|| Measured::of(recipe, &now.average, device));
                note(&mut log, &mut display, progress, entry(&now.state, loss, rate, measured));
                logged = Instant::now();
            } else {
                display.step(progress, now.state.step, now.state.seconds);
            }
            if saved.elapsed() >= options.save_every {
                worth_keeping(&now, &losses, options, kept)?;
                match now.save(&options.run) {
                    Ok(()) => kept = true,
                    Err(error) => {
                        display.warn(format!("cannot save a checkpoint, which is tried again later: {error:#}"))
                    }
                }
                draw(&now.state, &log, options, R::SCORE, &mut display);
                saved = Instant::now();
            }
        }
        worth_keeping(&now, &losses, options, kept)?;
        anyhow::Ok(now)
    })?;

    display.finish();
    let written = now.save(&options.run).context("cannot save a checkpoint");
    draw(&now.state, &log, options, R::SCORE, &mut display);
    if progress >= 1.0 && now.state.step > 0 {
        tell_gain(log.entries(), R::SCORE);
        Ok(Outcome::Finished(now.average, now.state, written))
    } else {
        written.map(|()| Outcome::Interrupted(now.state))
    }
}

/// What is measured of a network on the development set.
struct Measured {
    score: f64,
    parts: BTreeMap<String, f64>,
}

impl Measured {
    fn of<R: Recipe>(recipe: &R, network: &R::Network, device: &Device) -> Self {
        let score = recipe.score(network, device);
        let parts = recipe.parts(network, device).into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { score, parts: parts.collect() }
    }
}

fn entry(state: &State, loss: f64, learning_rate: f64, measured: Option<Measured>) -> Entry {
    let (score, parts) = measured.map(|measured| (measured.score, measured.parts)).unzip();
    Entry { step: state.step, seconds: state.seconds, loss, score, parts: parts.unwrap_or_default(), learning_rate }
}

fn note(log: &mut Log, display: &mut Progress, progress: f64, entry: Entry) {
    display.show(progress, &entry);
    if let Err(error) = log.write(entry) {
        display.warn(format!("the log is kept in memory only, and tried again with the next line: {error:#}"));
    }
}

fn draw(now: &State, log: &Log, options: &Options, score: (&str, &str), display: &mut Progress) {
    let name = options.run.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("{name}: {} steps", now.step);
    if let Err(error) = curve::draw(&options.run, &title, score, log.entries()) {
        display.warn(format!("the loss is not drawn: {error:#}"));
    }
}

/// Tells what a run has done to the score of what is held out.
fn tell_gain(entries: &[Entry], (name, unit): (&str, &str)) {
    let mut scores = entries.iter().filter_map(|entry| Some((entry.step, entry.score?)));
    // Runs of older programs did not measure where they began.
    let (Some((0, first)), Some((_, last))) = (scores.next(), scores.next_back()) else { return };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    tell(format_args!("held out: {name} {first:.2}{unit} at the start, {last:.2}{unit} now"));
    if last < first {
        tell(
            "warning: that is worse than where it began; try a lower --learning-rate, a longer run, or --keep with --init",
        );
    }
}

/// Refuses to keep what is not worth going on from.
fn worth_keeping<M: Module>(now: &Checkpoint<M>, losses: &Losses, options: &Options, kept: bool) -> Result<()> {
    number(losses.mean(), &now.state, options, kept)?;
    // The last step's may have gone astray, and the loss knows of those before.
    if now.is_finite() { Ok(()) } else { Err(astray("some weights are no numbers", &now.state, options, kept)) }
}

fn number(loss: f64, state: &State, options: &Options, kept: bool) -> Result<f64> {
    if loss.is_finite() { Ok(loss) } else { Err(astray(&format!("the loss is {loss}"), state, options, kept)) }
}

/// A run that cannot go on, and what to do: `kept` tells whether it has left a checkpoint.
fn astray(what: &str, state: &State, options: &Options, kept: bool) -> anyhow::Error {
    let run = options.run.display();
    let mend = if kept {
        format!("go on from the last checkpoint in {run}, which is from before,")
    } else {
        "begin anew by --fresh".to_owned()
    };
    anyhow!("{what} at step {}; {mend} with a lower --learning-rate", state.step)
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
    fn take_mean(&mut self) -> f64 {
        let mean = self.mean();
        *self = Self::new(&self.device);
        mean
    }

    /// The mean since it was last taken.
    fn mean(&self) -> f64 {
        f64::from(self.sum.clone().into_scalar::<f32>()) / self.count.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint was advised where there was none.
    #[test]
    fn a_run_that_has_gone_astray_is_told_where_to_go_on_from() {
        let options = Options {
            run: PathBuf::from("runs/a"),
            length: Length { steps: Some(1), time: None },
            schedule: Schedule { peak: 1.0, floor: 1.0, warmup: 0 },
            seed: 1,
            log_every: 1,
            score_every: 1,
            save_every: Duration::ZERO,
        };
        let state = r#"{ "network": {}, "step": 5, "seconds": 2.5, "seed": 1 }"#;
        let state: State = serde_json::from_str(state).expect("a state");
        let told = |kept| number(f64::NAN, &state, &options, kept).expect_err("no number").to_string();
        assert!(told(true).contains("checkpoint in runs/a") && told(false).contains("--fresh"));
        assert!(!told(false).contains("checkpoint"));
        assert!(number(1.0, &state, &options, false).is_ok());
    }
}
