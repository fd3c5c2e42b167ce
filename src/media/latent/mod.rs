//! What an encoder makes of a piece of media: a few numbers that say the most of it. Files of them are tables, a row a point.

mod tensors;
mod text;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

pub use text::{csv_header, csv_rows};

use crate::error::{Error, Kind, Result};
use crate::media::melody::Frame;

/// Points in a model's latent space.
#[derive(Debug, Clone, PartialEq)]
pub struct Latent {
    /// The points, one after another; see [`Latent::rows`].
    pub values: Vec<f32>,
    /// Numbers of one point.
    pub size: usize,
    /// Name of the model whose space it is: points of one model mean nothing to another. Empty where a file does not tell.
    pub model: String,
    /// The file that was encoded, as the user knows it.
    pub source: Option<String>,
    /// Meter, tempo and length of the melody that was encoded, where they are known.
    pub frame: Option<Frame>,
}

impl Latent {
    /// The points: one for a picture, one for each window of a melody.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.size.max(1))
    }
}

/// The formats of files of latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatentFormat {
    /// `.safetensors`: all numbers exactly, with model, sources and frames.
    Safetensors,
    /// `.npy`: NumPy's, numbers only.
    Npy,
    /// `.csv`: source, model, row, then the numbers.
    Csv,
    /// `.jsonl`: an object a point; the first of a melody has its frame.
    JsonLines,
}

impl LatentFormat {
    /// All, with their endings.
    pub const ALL: [(LatentFormat, &'static str); 4] = [
        (LatentFormat::Safetensors, "safetensors"),
        (LatentFormat::Npy, "npy"),
        (LatentFormat::Csv, "csv"),
        (LatentFormat::JsonLines, "jsonl"),
    ];

    /// Whether files of this format tell of a melody's meter and tempo.
    pub fn has_frames(self) -> bool {
        matches!(self, LatentFormat::Safetensors | LatentFormat::JsonLines)
    }

    /// By the ending of a file's name.
    ///
    /// # Errors
    /// Kind config: another ending.
    pub fn from_extension(path: &Path) -> Result<LatentFormat> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let found = LatentFormat::ALL.iter().find(|(_, own)| *own == ending);
        found.map(|(format, _)| *format).ok_or_else(|| {
            Error::new(Kind::Config, "the ending is no format that latents are kept in")
                .at(path)
                .mend("end the name in .safetensors, .npy, .csv or .jsonl")
        })
    }
}

/// The largest file of latents that is read: a million points of 128 numbers, or a few more.
const LARGEST: u64 = 1 << 30;
/// The most pieces of media in one.
const MOST: usize = 1 << 21;

/// Writes latents of one model, one after another.
///
/// # Errors
/// Kind input: latents of points of several sizes. Kind output: they cannot be written.
pub fn write_latents(latents: &[Latent], format: LatentFormat, out: &mut impl Write) -> Result<()> {
    match format {
        LatentFormat::Safetensors => tensors::write_safetensors(latents, out),
        LatentFormat::Npy => tensors::write_npy(latents, out),
        LatentFormat::Csv => text::write_csv(latents, out),
        LatentFormat::JsonLines => text::write_json_lines(latents, out),
    }
}

/// Reads a file of latents, in the format that the ending of `name` tells; `name` is also for messages.
///
/// # Errors
/// Kind input: an ending that is no format, or the file is damaged or too large.
pub fn read_latents(file: File, name: &Path) -> Result<Vec<Latent>> {
    let format = LatentFormat::from_extension(name).map_err(|e| {
        Error::new(Kind::Input, e.message()).mend("give a file of latents: .safetensors, .npy, .csv or .jsonl")
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| Error::io("read", name, e))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(Kind::Input, format!("a file of latents larger than {} MiB", LARGEST >> 20)).at(name));
    }
    let latents = match format {
        LatentFormat::Safetensors => tensors::read_safetensors(&bytes),
        LatentFormat::Npy => tensors::read_npy(&bytes),
        LatentFormat::Csv => text::read_csv(&bytes),
        LatentFormat::JsonLines => text::read_json_lines(&bytes),
    };
    latents.map_err(|e| e.at(name))
}

/// Whether so many pieces are too many: each costs memory beside its numbers.
fn check_count(pieces: usize) -> Result<()> {
    match pieces > MOST {
        true => {
            Err(Error::new(Kind::Input, format!("a file of more than {MOST} latents")).mend("split it into several"))
        }
        false => Ok(()),
    }
}

/// Bytes of a model's name in a file, at most: as many as a folder's name has.
const LONGEST_MODEL: usize = 255;

/// Whether this may be the name of a model.
fn check_model(name: &str) -> Result<()> {
    match name.len() > LONGEST_MODEL {
        true => Err(damaged(format!("the name of its model has {} bytes; the limit is {LONGEST_MODEL}", name.len()))),
        false => Ok(()),
    }
}

fn damaged(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Input, "the file of latents is damaged").because(why).mend("write it again with `latentd encode`")
}

/// Numbers of a point and number of points, if all points have as many numbers and one model.
fn one_size(latents: &[Latent]) -> Result<(usize, usize)> {
    let size = latents.first().map_or(1, |latent| latent.size);
    match latents.iter().all(|latent| latent.size == size && latent.model == latents[0].model) {
        true => Ok((size, latents.iter().map(|latent| latent.rows().len()).sum())),
        false => Err(Error::new(Kind::Input, "latents of several models in one file")),
    }
}
