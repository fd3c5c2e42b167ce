use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::files::read_pieces;
use super::hiss::without_hiss;
use super::{EXTENSIONS, open};
use crate::data::collection::fitting_into;
use crate::data::find_files;
use crate::refuse;
use crate::tell;

/// The rate that everything is worked on at, in Hz.
pub const RATE: u32 = 48_000;

/// Shorter recordings are left out, in samples.
const SHORTEST: usize = RATE as usize / 2;

/// Longer files become several recordings, in samples: what takes the hiss away needs 28 bytes for each.
const LONGEST: usize = RATE as usize * 300;

/// Bytes that recordings of one kind take at most: 24 hours.
const MOST_BYTES: u64 = 8 << 30;

/// One file in memory, or five minutes of it: 16 bits a sample, since there are hours of them.
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

/// One of so many recordings is held out.
pub const HELD_OUT: usize = 12;

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
    /// loses its steady hiss. Files that cannot be read are passed over with a warning; of more than 24 hours of one kind, as many as fit are taken.
    ///
    /// # Errors
    /// When a folder has no file that can be read, or none is long enough.
    pub fn load(speech: &[PathBuf], noise: &[PathBuf]) -> Result<Corpus> {
        let load = |folders, mend| anyhow::Ok(Material::new(load(folders, mend)?));
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

fn load(folders: &[PathBuf], mend: fn(&[f32]) -> Vec<f32>) -> Result<Vec<Recording>> {
    let (mut files, mut speakers) = (Vec::new(), BTreeMap::new());
    for folder in folders {
        let found = find_files(folder, &EXTENSIONS)?;
        if found.is_empty() {
            refuse!(NoInput, "no audio files ({}) below {}", EXTENSIONS.join(", "), folder.display());
        }
        files.extend(found);
        speakers.extend(speakers_of(folder)?);
    }
    let count = files.len();
    let files = fitting_into(MOST_BYTES, files.par_iter().map(|path| cost(path)).collect(), files, "recordings");
    let open = |path: &PathBuf| {
        Recording::open(path, mend).inspect_err(|error| tell(format_args!("warning: {error:#}: passed over"))).ok()
    };
    let recordings: Vec<Vec<Recording>> = files.par_iter().filter_map(open).collect();
    if recordings.is_empty() {
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        refuse!(NoInput, "none of the {count} audio files below {} can be read", folders.join(", "));
    }
    let long = recordings.into_iter().flatten().filter(|recording| recording.samples.len() >= SHORTEST);
    Ok(long.map(|recording| Recording { speaker: speakers.get(&recording.path).cloned(), ..recording }).collect())
}

/// Bytes that a file takes in memory, as far as its header tells; where it does not, as those do that pack sound ten times.
fn cost(path: &Path) -> u64 {
    let told = open(path).ok().and_then(|audio| Some((audio.frames()?, audio.format().rate)));
    match told {
        Some((frames, rate)) => frames.saturating_mul(2 * u64::from(RATE)) / u64::from(rate.max(1)),
        None => std::fs::metadata(path).map_or(0, |file| 10 * file.len()),
    }
}

/// Who speaks in which file, as the folder's [`INDEX`] has it.
fn speakers_of(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
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
    /// Reads a file, resampled to [`RATE`], in pieces of five minutes at most, each put through `mend`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, mend: fn(&[f32]) -> Vec<f32>) -> Result<Vec<Recording>> {
        let mut recordings = Vec::new();
        read_pieces(path, RATE, LONGEST, |samples| {
            let bandwidth = super::colour::bandwidth(&samples);
            let samples = mend(&samples);
            let samples = samples.iter().map(|v| (v * 32767.0).round().clamp(-32768.0, 32767.0) as i16).collect();
            recordings.push(Recording { path: path.to_owned(), speaker: None, samples, bandwidth });
        })?;
        Ok(recordings)
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
