//! Mixtures that another denoiser has cleaned: what it made of them can be learnt, where what is clean can only be aimed at.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hound::{SampleFormat, WavReader, WavSpec};
use rand::RngExt;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::{Clip, RATE};
use crate::data::find_files;
use crate::dsp::math::rms;
use crate::refuse;
use crate::tell;

/// The start of each file that is not learnt from, in samples: the teacher has to hear a while before it knows its noise.
const WARM_UP: usize = RATE as usize;

/// A mixture with less else in it, a share of its size, is clean: it has nothing to be taught.
const CLEAN: f32 = 1e-3;

/// A folder with `noisy`, `clean` and `taught`, WAV files of the same names.
pub struct Taught {
    folder: PathBuf,
    names: Vec<PathBuf>,
}

impl Taught {
    /// Where the mixtures lie below such a folder.
    pub const NOISY: &str = "noisy";
    /// Where the speech in them lies.
    pub const CLEAN: &str = "clean";
    /// Where lies what a teacher made of them.
    pub const TAUGHT: &str = "taught";

    /// The mixtures that a teacher has cleaned, those that are long enough for clips of so many samples.
    ///
    /// # Errors
    /// When there are none, or one is not as `mixtures` writes them.
    pub fn open(folder: &Path, samples: usize) -> Result<Taught> {
        let taught = find_files(&folder.join(Self::TAUGHT), &["wav"])?;
        let names = taught.iter().filter_map(|path| path.file_name()).map(PathBuf::from);
        let whole =
            |name: &PathBuf| [Self::NOISY, Self::CLEAN].iter().all(|kind| folder.join(kind).join(name).is_file());
        let whole: Vec<PathBuf> = names.filter(whole).collect();
        if whole.is_empty() {
            refuse!(NoInput, "no WAV file is in `noisy`, `clean` and `taught` below {} alike", folder.display());
        }
        let (all, least) = (whole.len(), (WARM_UP + samples) as f64 / f64::from(RATE));
        let long = |name: PathBuf| {
            // All three are to be of one length; what is not shows when it is drawn.
            let sound = sound(&folder.join(Self::TAUGHT).join(&name))?;
            Ok((sound.duration() as usize >= WARM_UP + samples).then_some(name))
        };
        let names = whole.into_par_iter().filter_map(|name| long(name).transpose()).collect::<Result<Vec<_>>>()?;
        if names.is_empty() {
            refuse!(
                NoInput,
                "none of the {all} mixtures below {} lasts the {least:.1} s that clips of this length need; make longer ones, or give fewer --seconds",
                folder.display()
            );
        }
        if names.len() < all {
            tell(format_args!("{} of {all} mixtures are shorter than {least:.1} s: passed over", all - names.len()));
        }
        Ok(Taught { folder: folder.to_owned(), names })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// So many samples of one; none, with a warning, if its files cannot be read or are too short.
    pub fn draw(&self, rng: &mut StdRng, samples: usize) -> Option<Clip> {
        let name = &self.names[rng.random_range(0..self.names.len())];
        let warn = |why: &str| tell(format_args!("warning: {} below {}: {why}", name.display(), self.folder.display()));
        let open = |kind: &str| sound(&self.folder.join(kind).join(name));
        let opened = [Self::NOISY, Self::CLEAN, Self::TAUGHT].into_iter().map(open).collect::<Result<Vec<_>>>();
        let mut files = opened.inspect_err(|error| warn(&format!("{error:#}"))).ok()?;
        let length = files.iter().map(|file| file.duration() as usize).min().unwrap_or(0);
        if length < WARM_UP + samples {
            warn("too short, or one of its three files is");
            return None;
        }
        let start = rng.random_range(WARM_UP..=length - samples);
        let pieces = files.iter_mut().map(|file| piece(file, start, samples)).collect::<Result<Vec<_>, _>>();
        let mut pieces = pieces.inspect_err(|error| warn(&error.to_string())).ok()?.into_iter();
        let (noisy, clean, taught) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let rest: Vec<f32> = noisy.iter().zip(&clean).map(|(noisy, clean)| noisy - clean).collect();
        let taught = (rms(&rest) > CLEAN * rms(&noisy)).then_some(taught);
        Some(Clip { noisy, clean, taught })
    }
}

type Sound = WavReader<BufReader<File>>;

/// A WAV file as `mixtures` writes them, before its samples.
fn sound(path: &Path) -> Result<Sound> {
    let sound = WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    match sound.spec() {
        WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int }
        | WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 32, sample_format: SampleFormat::Float } => {
            Ok(sound)
        }
        _ => refuse!(
            Input,
            "{} is not as `mixtures` writes them: a WAV file of one channel at {RATE} Hz, of 16 bits (or floats)",
            path.display()
        ),
    }
}

/// So many samples of it from `start` on. What lies before is not read: a mixture is several times as long as a clip.
fn piece(sound: &mut Sound, start: usize, samples: usize) -> Result<Vec<f32>, hound::Error> {
    sound.seek(start as u32)?;
    match sound.spec().sample_format {
        SampleFormat::Int => sound.samples::<i16>().take(samples).map(|s| Ok(f32::from(s?) / 32768.0)).collect(),
        SampleFormat::Float => sound.samples::<f32>().take(samples).collect(),
    }
}
