use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use indicatif::ProgressBar;
use latentd::media::audio::{Audio, Block, Depth, Memory, encode};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::data::speech::{Corpus, Mixer, RATE, Taught};
use crate::refuse;

/// Mixtures that are made at a time.
const AT_ONCE: usize = 32;

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
    /// Folder to write to, below it `noisy` and `clean`
    #[arg(long)]
    out: PathBuf,
    /// Hours of them
    #[arg(long, default_value_t = 10.0)]
    hours: f64,
    /// Seconds of each
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// What chance begins with
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Mixtures {
    /// Writes them.
    pub fn run(self) -> Result<()> {
        if !(2.0..=60.0).contains(&self.seconds) || !(0.0..=1000.0).contains(&self.hours) {
            refuse!(Usage, "--seconds must be 2 to 60, --hours 0 to 1000");
        }
        let folders = [Taught::NOISY, Taught::CLEAN].map(|kind| self.out.join(kind));
        for folder in &folders {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut speech = vec![self.data.clone()];
        speech.extend(self.more_speech.iter().cloned());
        let corpus = Corpus::load(&speech, &self.noise)?;
        let mixer = Mixer::new((self.seconds * f64::from(RATE)) as usize);
        let count = (self.hours * 3600.0 / self.seconds).ceil() as usize;
        let bar = ProgressBar::new(count as u64);
        for start in (0..count).step_by(AT_ONCE) {
            (start..count.min(start + AT_ONCE)).into_par_iter().try_for_each(|index| {
                let clip = mixer.draw(&mut StdRng::seed_from_u64(self.seed + index as u64), &corpus);
                let name = format!("{:08}.wav", self.seed + index as u64);
                write(&folders[0].join(&name), clip.noisy)?;
                write(&folders[1].join(&name), clip.clean)?;
                bar.inc(1);
                anyhow::Ok(())
            })?;
        }
        bar.finish();
        Ok(())
    }
}

fn write(path: &Path, samples: Vec<f32>) -> Result<()> {
    let audio = Audio::new(Memory::new(RATE, Block::from_planes(vec![samples])), Depth::Integer(16));
    let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    encode::write(audio, &mut file).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
    Ok(())
}
