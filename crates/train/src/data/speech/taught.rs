//! Mixtures that another denoiser has cleaned: what it made of them can be learnt, where what is clean can only be aimed at.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rand::RngExt;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::{Clip, RATE, open, read};
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
    /// When there are none.
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
        let lasts = |name: &PathBuf| {
            // All three are to be of one length; what is not shows when it is drawn.
            let audio = open(&folder.join(Self::TAUGHT).join(name)).ok()?;
            Some(audio.frames()? as f64 / f64::from(audio.format().rate))
        };
        let names: Vec<PathBuf> =
            whole.into_par_iter().filter(|name| lasts(name).is_some_and(|s| s >= least)).collect();
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
        let mut files = Vec::new();
        for kind in [Self::NOISY, Self::CLEAN, Self::TAUGHT] {
            files.push(
                read(&self.folder.join(kind).join(name), RATE).inspect_err(|error| warn(&format!("{error:#}"))).ok()?,
            );
        }
        let length = files.iter().map(Vec::len).min().unwrap_or(0);
        if length < WARM_UP + samples {
            warn("too short, or one of its three files is");
            return None;
        }
        let start = rng.random_range(WARM_UP..=length - samples);
        let mut pieces = files.iter().map(|file| file[start..start + samples].to_vec());
        let (noisy, clean, taught) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let rest: Vec<f32> = noisy.iter().zip(&clean).map(|(noisy, clean)| noisy - clean).collect();
        let taught = (rms(&rest) > CLEAN * rms(&noisy)).then_some(taught);
        Some(Clip { noisy, clean, taught })
    }
}
