use anyhow::Result;
use clap::Args;
use latentd::media::melody::STEP_CLASSES;

use super::train::{Job, Training};
use crate::data::melodies;
use crate::recipes::sequence::{Melody, Shape};

#[derive(Args)]
pub struct MelodyArgs {
    #[command(flatten)]
    training: Training,
    /// Channels of each step
    #[arg(long, default_value_t = 64)]
    step_width: usize,
    /// Channels of each beat
    #[arg(long, default_value_t = 192)]
    beat_width: usize,
    /// Values of the latent vector
    #[arg(long, default_value_t = 256)]
    latent: usize,
    /// Residual blocks of the encoder
    #[arg(long, default_value_t = 1)]
    encoder_blocks: usize,
    /// Residual blocks of the decoder
    #[arg(long, default_value_t = 2)]
    decoder_blocks: usize,
    /// What a nat of information costs
    #[arg(long, default_value_t = 0.15)]
    beta: f64,
    /// Nats that cost nothing
    #[arg(long, default_value_t = 0.0)]
    free_nats: f64,
}

impl MelodyArgs {
    /// Trains and publishes.
    pub fn run(self) -> Result<()> {
        let shape = Shape {
            steps: 32,
            values: STEP_CLASSES,
            step_width: self.step_width,
            beat_width: self.beat_width,
            encoder_blocks: self.encoder_blocks,
            decoder_blocks: self.decoder_blocks,
            latent: self.latent,
        };
        let tunes = melodies::load(self.training.data())?;
        let count = tunes.len();
        let (training, development) = melodies::split(tunes, self.training.held_out, self.training.seed);
        eprintln!("{count} tunes, {} to learn from, {} held out", training.len(), development.len());
        let development = melodies::Windows::new(development, shape.steps);
        let development: Vec<_> = (0..development.len()).map(|at| development.get(at)).collect();
        let training = melodies::Windows::new(training, shape.steps);
        eprintln!("{} windows to learn from, {} held out", training.len(), development.len());
        let recipe = Melody {
            shape: shape.clone(),
            training,
            development,
            batch: self.training.batch,
            beta: self.beta,
            free_nats: self.free_nats,
        };
        let job = Job {
            name: "melody-2bar".to_owned(),
            shape: serde_json::to_value(&shape)?,
            options: format!("--beta {} --free-nats {}", self.beta, self.free_nats),
            data: Vec::new(),
        };
        self.training.run_only(&recipe, job)
    }
}
