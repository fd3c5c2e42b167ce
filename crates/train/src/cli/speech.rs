use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use latentd::media::MediaKind;
use latentd::model::{DataSet, Task};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::train::{Job, Training};
use super::{BLOCKS, WIDTHS, within};
use crate::data;
use crate::data::speech::{Corpus, HELD_OUT, Mixer, RATE, Taught};
use crate::publish::{SUPPLIED, data_sets};
use crate::recipes::denoise_speech::loss::{Loss, Weights};
use crate::recipes::denoise_speech::zones::HOP;
use crate::recipes::denoise_speech::{DenoiseSpeech, Listener, Shape};
use crate::refuse;
use crate::tell;

/// Seconds of a held-out mixture.
const SCORED_SECONDS: f64 = 4.0;

#[derive(Args)]
pub struct Speech {
    #[command(flatten)]
    training: Training,
    /// Folders of noise: Opus, WAV, FLAC, Ogg or MP3 files; --data is the clean speech
    #[arg(long, required = true, num_args = 1..)]
    noise: Vec<PathBuf>,
    /// More folders of clean speech
    #[arg(long, num_args = 1..)]
    more_speech: Vec<PathBuf>,
    /// A folder of `mixtures` (below it `noisy`, `clean`), and in `taught` what another denoiser made of them: to learn from
    #[arg(long, value_name = "FOLDER")]
    taught: Option<PathBuf>,
    /// A model of how people rate speech to listen to as well: DNSMOS's sig_bak_ovr.onnx
    #[arg(long, value_name = "ONNX")]
    listener: Option<PathBuf>,
    /// How much its rating counts in the loss
    #[arg(long, requires = "listener", default_value_t = Weights::default().rating)]
    rating: f32,
    /// How much counts in the loss what is heard amiss
    #[arg(long, default_value_t = Weights::default().loudness)]
    loudness: f32,
    /// Values of each position along frequency
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Blocks of recurrence and mixing
    #[arg(long, default_value_t = 3)]
    blocks: usize,
    /// Seconds of a clip; twice as many in the last quarter of the run
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

impl Speech {
    /// Trains and publishes.
    pub fn run(self) -> Result<()> {
        within("--width", &[self.width], WIDTHS)?;
        within("--blocks", &[self.blocks], 1..=*BLOCKS.end())?;
        if !(0.2..=20.0).contains(&self.seconds) {
            refuse!(Usage, "--seconds must be 0.2 to 20");
        }
        self.training.check_held_out()?;
        self.training.prepare()?;
        let mut loss = Loss::new(Weights { rating: self.rating, loudness: self.loudness, ..Weights::default() });
        if let Some(listener) = &self.listener {
            loss = loss.with_listener(Listener::read(listener)?);
        }
        let samples = |seconds: f64| (seconds * f64::from(RATE)) as usize / HOP * HOP;
        let open = |folder| Taught::open(folder, samples(2.0 * self.seconds));
        let taught = self.taught.as_deref().map(open).transpose()?;
        let mut folders = vec![self.training.data.clone()];
        folders.extend(self.more_speech.iter().cloned());
        let mut corpus = Corpus::load(&folders, &self.noise)?;
        folders.extend(self.noise.iter().cloned());
        let mut data = sets(&folders, &corpus);
        if let (Some(name), Some(taught)) = (self.lessons(), &taught) {
            let name = format!("{} mixtures in a folder `{name}`, as another denoiser cleaned them", taught.count());
            tell(format_args!("learning from {name}"));
            data.push(DataSet { name, licence: SUPPLIED.to_owned() });
        }
        let files = corpus.speech.recordings().count() + corpus.noise.recordings().count();
        let mut held = corpus.hold_out(HELD_OUT, self.training.seed);
        let kinds = [(&mut held.speech, &corpus.speech, "speech"), (&mut held.noise, &corpus.noise, "noise")];
        for (held, all, what) in kinds {
            if held.is_empty() {
                data::warn_that_none_is_held_out(&format!("recordings of {what}"));
                *held = all.clone();
            }
        }
        tell(format_args!(
            "{:.2} h of speech by {} voices, {:.2} h of noise to learn from",
            corpus.speech.hours(),
            corpus.speech.groups(),
            corpus.noise.hours()
        ));
        let mut rng = StdRng::seed_from_u64(self.training.seed);
        let scored = Mixer::new(samples(SCORED_SECONDS));
        let development = (0..self.training.held_out).map(|_| scored.draw_scored(&mut rng, &held)).collect();
        let shape = Shape { width: self.width, blocks: self.blocks };
        let recipe = DenoiseSpeech {
            shape: shape.clone(),
            corpus,
            development,
            batch: self.training.batch,
            mixer: Mixer::new(samples(self.seconds)),
            longer: Mixer::new(samples(2.0 * self.seconds)),
            taught,
            loss,
        };
        let job = Job {
            name: "denoise-speech".to_owned(),
            shape: serde_json::to_value(&shape)?,
            options: self.options(),
            view: String::new(),
            task: Task::Denoise,
            media: MediaKind::Audio,
            files,
            data,
        };
        self.training.run(&recipe, job)
    }

    /// The name of the folder of `--taught`: where it lies is nobody's business.
    fn lessons(&self) -> Option<Cow<'_, str>> {
        Some(self.taught.as_ref()?.file_name().unwrap_or_default().to_string_lossy())
    }

    /// The recipe's own options, as they are told on the card.
    fn options(&self) -> String {
        let mut options = format!(
            "--width {} --blocks {} --seconds {} --loudness {}",
            self.width, self.blocks, self.seconds, self.loudness
        );
        if let Some(name) = self.lessons() {
            options += &format!(" --taught {name}");
        }
        if self.listener.is_some() {
            options += &format!(" --listener sig_bak_ovr.onnx --rating {}", self.rating);
        }
        options
    }
}

/// Where the recordings come from, each told by the folder that it was asked for in.
fn sets(folders: &[PathBuf], corpus: &Corpus) -> Vec<DataSet> {
    let paths: Vec<&Path> =
        corpus.speech.recordings().chain(corpus.noise.recordings()).map(|recording| recording.path.as_path()).collect();
    let below = |folder: &PathBuf| data_sets(folder, paths.iter().copied().filter(|path| path.starts_with(folder)));
    let mut sets: Vec<DataSet> = folders.iter().flat_map(below).collect();
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    sets.dedup();
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::speech::{Material, Recording};

    /// The card named the first folder alone.
    #[test]
    fn every_folder_of_recordings_gets_onto_the_card() {
        let material = |paths: &[&str]| {
            let recording =
                |path: &&str| Recording { path: path.into(), speaker: None, samples: Vec::new(), bandwidth: 0.0 };
            Material::new(paths.iter().map(recording).collect())
        };
        let speech = material(&["my/voices/a.wav", "my/voices/deep/b.wav", "radio/c.wav"]);
        let corpus = Corpus { speech, noise: material(&["street/d.wav"]) };
        let names = sets(&["my/voices", "radio", "street"].map(PathBuf::from), &corpus);
        let names: Vec<&str> = names.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["radio", "street", "voices"].map(|name| format!("files in a folder `{name}`")));
    }
}
