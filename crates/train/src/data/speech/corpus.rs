use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::hiss::without_hiss;
use super::{EXTENSIONS, read};
use crate::data::find_files;
use crate::refuse;
use crate::tell;

/// The rate that everything is worked on at, in Hz.
pub const RATE: u32 = 48_000;

/// Shorter recordings are left out, in samples.
const SHORTEST: usize = RATE as usize / 2;

/// One file in memory: 16 bits a sample, since there are hours of them.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Where it was read from.
    pub path: PathBuf,
    /// Whose voice it is, if an [`INDEX`] tells, with the folder that this lies in.
    pub speaker: Option<String>,
    /// The samples, of 32768.
    pub samples: Vec<i16>,
    /// What lies above is silent, in Hz.
    pub bandwidth: f32,
}

/// Recordings of one kind in groups: one voice each where [`INDEX`] tells them, else all of a folder. A group is drawn by
/// the square root of its length: an hour of one voice must not drown ten seconds each of two hundred.
#[derive(Clone, Debug, Default)]
pub struct Material {
    groups: Vec<Group>,
}

/// Recordings that belong together.
#[derive(Clone, Debug)]
pub struct Group {
    recordings: Vec<Recording>,
}

/// A table that a folder of recordings may have: of the columns that its first row names, `path` tells a file below the
/// folder and `speaker` whose voice it is.
pub const INDEX: &str = "index.csv";

/// All that mixtures are made of.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// Clean speech.
    pub speech: Material,
    /// Everything else.
    pub noise: Material,
}

impl Corpus {
    /// Reads `speech` and `noise`, folders of audio files, with all their subfolders and whose voices they are. The speech
    /// loses its steady hiss. Files that cannot be read are passed over with a warning.
    ///
    /// # Errors
    /// When a folder has no file that can be read, or none is long enough.
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
            refuse!(NoInput, "all recordings of one kind are shorter than half a second");
        }
        Ok(corpus)
    }

    /// Takes one of `every` recordings out, from group after group; they are returned.
    pub fn hold_out(&mut self, every: usize, seed: u64) -> Corpus {
        Corpus { speech: self.speech.hold_out(every, seed), noise: self.noise.hold_out(every, seed) }
    }
}

fn load(folder: &Path, mend: fn(&[f32]) -> Vec<f32>) -> Result<Vec<Recording>> {
    let files = find_files(folder, &EXTENSIONS)?;
    if files.is_empty() {
        refuse!(NoInput, "no audio files ({}) below {}", EXTENSIONS.join(", "), folder.display());
    }
    let mut speakers = speakers(folder)?;
    let open = |path: &PathBuf| {
        Recording::open(path, mend).inspect_err(|error| tell(format_args!("warning: {error:#}: passed over"))).ok()
    };
    let recordings: Vec<Recording> = files.par_iter().filter_map(open).collect();
    if recordings.is_empty() {
        refuse!(NoInput, "none of the {} audio files below {} can be read", files.len(), folder.display());
    }
    let long = recordings.into_iter().filter(|recording| recording.samples.len() >= SHORTEST);
    Ok(long.map(|recording| Recording { speaker: speakers.remove(&recording.path), ..recording }).collect())
}

/// Who speaks in which file, as the folder's [`INDEX`] has it.
fn speakers(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let path = folder.join(INDEX);
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let read = || -> Result<BTreeMap<PathBuf, String>> {
        let mut table = csv::Reader::from_path(&path)?;
        let names = table.headers()?;
        let column = |name: &str| names.iter().position(|column| column == name);
        let (Some(file), Some(speaker)) = (column("path"), column("speaker")) else { return Ok(BTreeMap::new()) };
        let rows = table.records().map(|row| {
            let row = row?;
            Ok((folder.join(&row[file]), format!("{} of {}", &row[speaker], folder.display())))
        });
        rows.collect()
    };
    read().with_context(|| format!("cannot read {}", path.display()))
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
        Ok(Recording { path: path.to_owned(), speaker: None, samples, bandwidth })
    }
}

impl Group {
    fn samples(&self) -> usize {
        self.recordings.iter().map(|recording| recording.samples.len()).sum()
    }

    fn weight(&self) -> f64 {
        (self.samples() as f64).sqrt()
    }

    /// One recording, by its length.
    pub fn draw(&self, rng: &mut StdRng) -> &Recording {
        let mut at = rng.random_range(0..self.samples());
        let found = self.recordings.iter().find(|recording| {
            let inside = at < recording.samples.len();
            at = at.saturating_sub(recording.samples.len());
            inside
        });
        found.unwrap_or(&self.recordings[0])
    }
}

impl Material {
    /// Recordings, grouped by whose voice they are, or else by the folder that they lie in.
    pub fn new(recordings: Vec<Recording>) -> Material {
        let mut groups: BTreeMap<_, Vec<Recording>> = BTreeMap::new();
        for recording in recordings {
            let of = match &recording.speaker {
                Some(speaker) => (None, Some(speaker.clone())),
                None => (recording.path.parent().map(Path::to_owned), None),
            };
            groups.entry(of).or_default().push(recording);
        }
        Material { groups: groups.into_values().map(|recordings| Group { recordings }).collect() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Voices or folders.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// All recordings.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        self.groups.iter().flat_map(|group| &group.recordings)
    }

    /// Hours in all.
    pub fn hours(&self) -> f64 {
        self.recordings().map(|recording| recording.samples.len()).sum::<usize>() as f64 / f64::from(RATE) / 3600.0
    }

    /// One group by its weight.
    ///
    /// # Panics
    /// When there is none.
    pub fn draw(&self, rng: &mut StdRng) -> &Group {
        let mut at = rng.random_range(0.0..self.groups.iter().map(Group::weight).sum::<f64>());
        let found = self.groups.iter().find(|group| {
            at -= group.weight();
            at < 0.0
        });
        found.unwrap_or(&self.groups[0])
    }

    fn hold_out(&mut self, every: usize, seed: u64) -> Material {
        let every = every.max(2);
        let mut rng = StdRng::seed_from_u64(seed);
        // Groups of one recording each give some too: what is left of one counts for the next.
        let (mut held, mut due) = (Vec::new(), 0);
        for group in &mut self.groups {
            due += group.recordings.len();
            for _ in 0..due / every {
                held.push(group.recordings.remove(rng.random_range(0..group.recordings.len())));
            }
            due %= every;
        }
        self.groups.retain(|group| !group.recordings.is_empty());
        Material::new(held)
    }
}
