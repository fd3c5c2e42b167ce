use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use latentd::durable::{Collision, Draft};
use latentd::media::audio::{Audio, Block, Depth, Memory, encode};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::within;
use crate::data::speech::{Corpus, HELD_OUT, Mixer, RATE, Taught};
use crate::{own, refuse, tell};

#[derive(Args)]
pub struct Mixtures {
    /// Folder of clean speech: Opus, WAV, FLAC, Ogg or MP3 files
    #[arg(long)]
    data: PathBuf,
    /// More folders of clean speech
    #[arg(long, num_args = 1..)]
    more_speech: Vec<PathBuf>,
    /// Folders of noise
    #[arg(long, required = true, num_args = 1..)]
    noise: Vec<PathBuf>,
    /// Folder to write to, below it `noisy` and `clean`; what is there already stays
    #[arg(long)]
    out: PathBuf,
    /// Hours of them in all
    #[arg(long, default_value_t = 10.0)]
    hours: f64,
    /// Seconds of each: one more than clips of training at their longest, at least
    #[arg(long, default_value_t = 8)]
    seconds: usize,
    /// What chance begins with; of the same recordings in the same order, the same are held out as for `denoise-speech` with this seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Mixtures {
    /// Writes those that are not there yet.
    pub fn run(self) -> Result<()> {
        within("--seconds", &[self.seconds], 2..=60)?;
        if !(0.0..=1000.0).contains(&self.hours) {
            refuse!(Usage, "--hours must be 0 to 1000");
        }
        let [noisy, clean] = [Taught::NOISY, Taught::CLEAN].map(|kind| self.out.join(kind));
        let count = (self.hours * 3600.0 / self.seconds as f64).ceil() as u64;
        let name = |index: u64| format!("{index:08}.wav");
        // The noisy one is written last: where it is, the other is.
        let missing: Vec<u64> = (0..count).filter(|&index| !noisy.join(name(index)).exists()).collect();
        if missing.is_empty() {
            tell(format_args!("all {count} mixtures are there"));
            return Ok(());
        }
        let mut speech = vec![self.data.clone()];
        speech.extend(self.more_speech.iter().cloned());
        let mut corpus = Corpus::load(&speech, &self.noise)?;
        corpus.hold_out(HELD_OUT, self.seed);
        let mixer = Mixer::new(self.seconds * RATE as usize);
        let bar = ProgressBar::new(missing.len() as u64);
        missing.into_par_iter().try_for_each(|index| {
            let clip = mixer.draw(&mut StdRng::seed_from_u64(self.seed << 32 | index), &corpus);
            write(&clean.join(name(index)), clip.clean)?;
            write(&noisy.join(name(index)), clip.noisy)?;
            bar.inc(1);
            anyhow::Ok(())
        })?;
        bar.finish();
        Ok(())
    }
}

fn write(path: &Path, samples: Vec<f32>) -> Result<()> {
    let audio = Audio::new(Memory::new(RATE, Block::from_planes(vec![samples])), Depth::Integer(16));
    let draft = Draft::new(path).and_then(|draft| draft.fill(|out| encode::write(audio, out)));
    draft.and_then(|draft| draft.publish(Collision::Replace)).map_err(own)?;
    Ok(())
}
