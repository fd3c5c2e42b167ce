//! Recipes of music.

use anyhow::Result;
use clap::Args;
use latentd::media::MediaKind;
use latentd::media::melody::Part;
use latentd::model::Task;

use super::train::{Job, Training};
use super::{BLOCKS, within};
use crate::data::melodies::{self, Windows};
use crate::publish::data_sets;
use crate::recipes::sequence::{BEAT, Sequences, Shape};
use crate::refuse;
use crate::tell;

#[derive(Args)]
pub struct Melody {
    #[command(flatten)]
    training: Training,
    /// The lines that go through together: melody, bass, drums
    #[arg(long, value_delimiter = ',', value_parser = part, default_value = "melody")]
    parts: Vec<Part>,
    /// Steps of a window, 16th notes
    #[arg(long, default_value_t = 32)]
    window: usize,
    /// Windows under one latent vector; more than one makes the model hierarchical
    #[arg(long, default_value_t = 1)]
    windows: usize,
    /// Channels of each step
    #[arg(long, default_value_t = 64)]
    step_width: usize,
    /// Channels of each beat
    #[arg(long, default_value_t = 192)]
    beat_width: usize,
    /// Residual blocks of the encoder
    #[arg(long, default_value_t = 1)]
    encoder_blocks: usize,
    /// Residual blocks of the decoder
    #[arg(long, default_value_t = 2)]
    decoder_blocks: usize,
    /// Values of the latent vector
    #[arg(long, default_value_t = 128)]
    latent: usize,
    /// Values that stand for one window below the conductor
    #[arg(long, default_value_t = 128)]
    window_latent: usize,
    /// Channels a window of the conductor
    #[arg(long, default_value_t = 128)]
    conductor_width: usize,
    /// What a nat of information in the latent vector costs, beside a nat of likelihood: higher makes the space smoother and
    /// reconstructions less exact
    #[arg(long, default_value_t = 0.4)]
    beta: f64,
    /// Nats of information that cost nothing
    #[arg(long, default_value_t = 0.0)]
    free_nats: f64,
}

impl Melody {
    /// Trains and publishes.
    pub fn run(self) -> Result<()> {
        let single = self.windows == 1;
        let shape = Shape {
            parts: self.parts.clone(),
            steps: self.window,
            windows: self.windows,
            step_width: self.step_width,
            beat_width: self.beat_width,
            encoder_blocks: self.encoder_blocks,
            decoder_blocks: self.decoder_blocks,
            window_latent: if single { self.latent } else { self.window_latent },
            conductor_width: if single { 0 } else { self.conductor_width },
            latent: self.latent,
        };
        check(&shape)?;
        if !(self.beta >= 0.0 && self.free_nats >= 0.0) {
            refuse!(Usage, "--beta and --free-nats must be at least 0");
        }
        self.training.prepare()?;
        let tunes = melodies::load(&self.training.data, &shape.parts)?;
        let sets = data_sets(&self.training.data, tunes.iter().map(|tune| tune.path.as_path()));
        let files = tunes.len();
        let (training, development) = melodies::split(tunes, self.training.held_out, self.training.seed);
        tell(format_args!("{} tunes to learn from, {} held out", training.len(), development.len()));
        if training.is_empty() || development.is_empty() {
            refuse!(
                NoInput,
                "no tune can be held out: all are versions of one another, or too few; give more, or other --held-out"
            );
        }
        let windows = |tunes| Windows::new(tunes, shape.steps, shape.windows);
        let (training, development) = (windows(training), windows(development));
        tell(format_args!("{} stretches to learn from, {} held out", training.len(), development.len()));
        if training.is_empty() || development.is_empty() {
            refuse!(
                NoInput,
                "too few tunes are as long as half a stretch of {} steps; give more, or fewer --windows",
                shape.all_steps()
            );
        }
        let parts: Vec<&str> = shape.parts.iter().map(|part| part.name()).collect();
        let options = format!(
            "--parts {} --window {} --windows {} --step-width {} --beat-width {} --encoder-blocks {} --decoder-blocks {} --latent {} \
             --window-latent {} --conductor-width {} --beta {} --free-nats {} --held-out {}",
            parts.join(","),
            shape.steps,
            shape.windows,
            shape.step_width,
            shape.beat_width,
            shape.encoder_blocks,
            shape.decoder_blocks,
            shape.latent,
            shape.window_latent,
            shape.conductor_width,
            self.beta,
            self.free_nats,
            self.training.held_out
        );
        let job = Job {
            name: "melody".to_owned(),
            shape: serde_json::to_value(&shape)?,
            options,
            view: String::new(),
            task: Task::Autoencode,
            media: MediaKind::Melody,
            files,
            data: sets,
        };
        let batch = self.training.batch;
        let recipe = Sequences { shape, training, development, batch, beta: self.beta, free_nats: self.free_nats };
        self.training.run(&recipe, job)
    }
}

fn check(shape: &Shape) -> Result<()> {
    let sizes = [shape.step_width, shape.beat_width, shape.latent, shape.window_latent];
    if sizes.iter().any(|size| !(1..=4096).contains(size)) || shape.conductor_width > 4096 {
        refuse!(Usage, "widths and latents must be 1 to 4096");
    }
    within("--encoder-blocks", &[shape.encoder_blocks], BLOCKS)?;
    within("--decoder-blocks", &[shape.decoder_blocks], BLOCKS)?;
    if shape.steps == 0 || !shape.steps.is_multiple_of(BEAT) || shape.steps > 1024 || !(1..=64).contains(&shape.windows)
    {
        refuse!(Usage, "--window must be a multiple of {BEAT} up to 1024, --windows 1 to 64");
    }
    if shape.windows > 1 && shape.conductor_width == 0 {
        refuse!(Usage, "--conductor-width must be at least 1");
    }
    Ok(())
}

fn part(word: &str) -> Result<Part, String> {
    [Part::Melody, Part::Bass, Part::Drums]
        .into_iter()
        .find(|part| part.name() == word)
        .ok_or_else(|| "the parts are melody, bass and drums".to_owned())
}
