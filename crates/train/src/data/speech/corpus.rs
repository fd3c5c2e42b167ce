use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::hiss::without_hiss;
use super::{EXTENSIONS, read};
use crate::data::find_files;

/// The rate that everything is worked on at, in Hz.
pub const RATE: u32 = 48_000;

/// Shorter recordings are left out, in samples.
const SHORTEST: usize = RATE as usize / 2;

/// One file in memory: 16 bits a sample, since there are hours of them.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Where it was read from.
    pub path: PathBuf,
    /// The samples, of 32768.
    pub samples: Vec<i16>,
    /// What lies above is silent, in Hz.
    pub bandwidth: f32,
}

/// Recordings of one kind in groups, the folders that they lie in. A group is drawn from by the square root of its
/// length: an hour of one voice must not drown ten minutes of a hundred.
#[derive(Clone, Debug, Default)]
pub struct Material {
    groups: Vec<(f64, Vec<Recording>)>,
}

/// All that mixtures are made of.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// Clean speech.
    pub speech: Material,
    /// Everything else.
    pub noise: Material,
}

impl Corpus {
    /// Reads `speech` and `noise`, folders of audio files, with all their subfolders. The speech loses its steady hiss.
    ///
    /// # Errors
    /// When a file cannot be read, or a folder has none.
    pub fn load(speech: &[PathBuf], noise: &[PathBuf]) -> Result<Corpus> {
        let load = |folders: &[PathBuf], mend: fn(&[f32]) -> Vec<f32>| -> Result<Material> {
            let mut recordings = Vec::new();
            for folder in folders {
                recordings.extend(load(folder, mend)?);
            }
            Ok(Material::new(recordings))
        };
        let corpus = Corpus { speech: load(speech, without_hiss)?, noise: load(noise, <[f32]>::to_vec)? };
        if corpus.speech.is_empty() || corpus.noise.is_empty() {
            bail!("all recordings of one kind are shorter than half a second");
        }
        Ok(corpus)
    }

    /// Takes about one of `every` recordings out of each group that has as many; they are returned.
    pub fn hold_out(&mut self, every: usize, seed: u64) -> Corpus {
        Corpus { speech: self.speech.hold_out(every, seed), noise: self.noise.hold_out(every, seed) }
    }
}

fn load(folder: &Path, mend: fn(&[f32]) -> Vec<f32>) -> Result<Vec<Recording>> {
    let files = find_files(folder, &EXTENSIONS)?;
    if files.is_empty() {
        bail!("no audio files ({}) below {}", EXTENSIONS.join(", "), folder.display());
    }
    let recordings: Result<Vec<_>> = files.par_iter().map(|path| Recording::open(path, mend)).collect();
    Ok(recordings?.into_iter().filter(|recording| recording.samples.len() >= SHORTEST).collect())
}

impl Recording {
    /// Reads a file, resampled to [`RATE`], and puts it through `mend`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, mend: fn(&[f32]) -> Vec<f32>) -> Result<Recording> {
        let samples = read(path, RATE)?;
        let bandwidth = super::colour::bandwidth(&samples);
        let samples = mend(&samples);
        let samples = samples.iter().map(|v| (v * 32767.0).round().clamp(-32768.0, 32767.0) as i16).collect();
        Ok(Recording { path: path.to_owned(), samples, bandwidth })
    }
}

impl Material {
    /// Recordings, grouped by the folder they lie in.
    pub fn new(recordings: Vec<Recording>) -> Material {
        let mut groups: Vec<(PathBuf, Vec<Recording>)> = Vec::new();
        for recording in recordings {
            let folder = recording.path.parent().unwrap_or(Path::new("")).to_owned();
            match groups.iter_mut().find(|(of, _)| *of == folder) {
                Some((_, group)) => group.push(recording),
                None => groups.push((folder, vec![recording])),
            }
        }
        let weight = |group: &[Recording]| (group.iter().map(|r| r.samples.len()).sum::<usize>() as f64).sqrt();
        Material { groups: groups.into_iter().map(|(_, group)| (weight(&group), group)).collect() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// All recordings.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        self.groups.iter().flat_map(|(_, group)| group)
    }

    /// Hours in all.
    pub fn hours(&self) -> f64 {
        self.recordings().map(|recording| recording.samples.len()).sum::<usize>() as f64 / f64::from(RATE) / 3600.0
    }

    /// One recording: a group by its weight, a file of it by its length.
    ///
    /// # Panics
    /// When there is none.
    pub fn draw(&self, rng: &mut StdRng) -> &Recording {
        let mut at = rng.random_range(0.0..self.groups.iter().map(|(weight, _)| weight).sum::<f64>());
        let group = self.groups.iter().find(|(weight, _)| {
            at -= weight;
            at < 0.0
        });
        let (_, group) = group.unwrap_or(&self.groups[0]);
        let mut at = rng.random_range(0..group.iter().map(|recording| recording.samples.len()).sum::<usize>());
        let found = group.iter().find(|recording| {
            let inside = at < recording.samples.len();
            at = at.saturating_sub(recording.samples.len());
            inside
        });
        found.unwrap_or(&group[0])
    }

    fn hold_out(&mut self, every: usize, seed: u64) -> Material {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut held = Vec::new();
        for (_, group) in &mut self.groups {
            for _ in 0..group.len() / every.max(2) {
                held.push(group.remove(rng.random_range(0..group.len())));
            }
        }
        Material::new(held)
    }
}
