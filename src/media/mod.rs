//! What flows through a pipeline. Media knows nothing of models, stages or pipelines.

pub mod audio;
pub mod image;
pub mod latent;
pub mod melody;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use audio::Audio;
pub use image::Image;
pub use latent::Latent;
pub use melody::Melody;

use crate::error::{Error, Kind, Result, show_path};

/// The kinds of media, as type-checking and messages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A stretch of sound.
    Audio,
    /// Notes.
    Melody,
    /// Points in a latent space.
    Latent,
}

impl MediaKind {
    /// With its article, for sentences: "takes an image".
    pub const fn with_article(self) -> &'static str {
        match self {
            MediaKind::Image => "an image",
            MediaKind::Audio => "sound",
            MediaKind::Melody => "a melody",
            MediaKind::Latent => "a latent",
        }
    }

    /// The ending of files that hold it without loss.
    pub const fn extension(self) -> &'static str {
        match self {
            MediaKind::Image => "png",
            MediaKind::Audio => "wav",
            MediaKind::Melody => "mid",
            MediaKind::Latent => "safetensors",
        }
    }

    /// The ending that a result gets for an input at `path`: its own, or that of the format which stands for one that is only read; where that tells
    /// nothing, the ending of a format that loses nothing.
    pub fn extension_for(self, path: &Path) -> &OsStr {
        match path.extension() {
            Some(own) if self.check_extension(path).is_ok() => own,
            // What holds photos as HEIC does.
            Some(_) if self == MediaKind::Image && image::decode::reads(path) => OsStr::new("jpg"),
            _ => OsStr::new(self.extension()),
        }
    }

    /// Whether a file of this name could hold it, for kinds that are encoded.
    pub fn reads(self, path: &Path) -> bool {
        self.check_extension(path).is_ok() || (self == MediaKind::Image && image::decode::reads(path))
    }

    /// Whether files of this kind can be written under the name `path`.
    ///
    /// # Errors
    /// Kind config: no ending, or one of another kind of file; the mend names those that would do.
    pub fn check_extension(self, path: &Path) -> Result<()> {
        match self {
            MediaKind::Image => image::Format::from_extension(path).map(drop),
            MediaKind::Audio => audio::encode::check_extension(path),
            MediaKind::Latent => latent::LatentFormat::from_extension(path).map(drop),
            MediaKind::Melody => melody::midi::check_extension(path),
        }
    }
}

/// One piece of media.
#[derive(Debug)]
pub enum Media {
    /// A picture.
    Image(Image),
    /// A stretch of sound that is still to be read: the file is decoded, and the stages work, while the sink writes.
    Audio(Audio),
    /// Notes.
    Melody(Melody),
    /// Points in a latent space.
    Latent(Latent),
}

impl Media {
    /// Its kind.
    pub fn kind(&self) -> MediaKind {
        match self {
            Media::Image(_) => MediaKind::Image,
            Media::Audio(_) => MediaKind::Audio,
            Media::Melody(_) => MediaKind::Melody,
            Media::Latent(_) => MediaKind::Latent,
        }
    }

    /// How unlike another piece it is, 0..=1: of melodies the share of steps at which they differ, of pictures of one size the mean difference of samples. What cannot
    /// be compared is as unlike as can be.
    pub fn distance(&self, other: &Media) -> f64 {
        match (self, other) {
            (Media::Melody(a), Media::Melody(b)) => a.distance(b),
            (Media::Image(a), Media::Image(b)) => a.distance(b),
            _ => 1.0,
        }
    }

    /// Width and height of a picture; zeros for all else.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Media::Image(image) => (image.width, image.height),
            _ => (0, 0),
        }
    }
}

/// Reads a file as the kind of media that a pipeline takes. `name` is for messages, and for its ending where that matters.
///
/// # Errors
/// Kind input: it is no such file, is damaged, or costs more than `limits`.
pub fn read(kind: MediaKind, file: File, name: &Path, limits: &image::Limits) -> Result<Media> {
    // Readers of pictures and sound see to it themselves.
    let check = || match file.metadata().map_or(0, |metadata| metadata.len()) {
        length if length > limits.max_bytes => {
            let what = format!("the file has {length} bytes; the limit is {}", limits.max_bytes);
            Err(image::decode::too_large(what).at(name))
        }
        _ => Ok(()),
    };
    match kind {
        MediaKind::Image => image::decode::read(file, name, limits).map(Media::Image),
        MediaKind::Audio => audio::decode::read(file, name, limits.max_bytes).map(Media::Audio),
        MediaKind::Latent => {
            check()?;
            let mut latents = latent::read_latents(file, name)?;
            match (latents.pop(), latents.is_empty()) {
                (Some(latent), true) => Ok(Media::Latent(latent)),
                _ => Err(Error::new(Kind::Input, "a file of several latents, or none, where one is needed")
                    .at(name)
                    .mend("decode it by `latentd decode`, which takes files of any number")),
            }
        }
        MediaKind::Melody => {
            check()?;
            let (piece, remarks) = melody::midi::read_aloud(file).map_err(|e| e.at(name))?;
            remarks.iter().for_each(|remark| tracing::warn!("{}: {remark}", show_path(name)));
            Ok(Media::Melody(piece))
        }
    }
}

/// Refuses a file that the first bytes show not to be of the kind, as far as they can; reading may still find more.
///
/// # Errors
/// Kind input: it is no such file. Kind no-input or transient: it cannot be read.
pub fn glance(kind: MediaKind, file: &mut File, name: &Path) -> Result<()> {
    match kind {
        MediaKind::Image => image::decode::glance(file, name),
        MediaKind::Audio => audio::decode::glance(file, name),
        MediaKind::Melody | MediaKind::Latent => Ok(()),
    }
}

/// Writes a piece of media in the format that the ending of `path` tells; `path` itself is not touched.
///
/// # Errors
/// Kind config: the ending is no format of this kind. Kind input: the format cannot hold it. Kind output: it cannot be written.
pub fn write(media: Media, path: &Path, options: &image::EncodeOptions, out: &mut (impl Write + Seek)) -> Result<()> {
    match media {
        Media::Image(image) => {
            let format = image::Format::from_extension(path)?;
            image::encode::write(&image, format, options, out).map_err(|e| e.at(path))
        }
        Media::Audio(audio) => {
            let container = audio::encode::Container::from_extension(path)?;
            let failed = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&failed);
            let audio = audio.wrapped(|audio| Reading { audio, failed: told });
            // What reading meets is not about this file, and names its own.
            audio::encode::write_as(audio, container, out)
                .map_err(|e| if failed.load(Ordering::Relaxed) { e } else { e.at(path) })
        }
        Media::Latent(latent) => {
            latent::write_latents(&[latent], latent::LatentFormat::from_extension(path)?, out).map_err(|e| e.at(path))
        }
        Media::Melody(melody) => melody::midi::write(&melody, out).map_err(|e| e.at(path)),
    }
}

/// Sound that is read while it is written, and whether reading it failed.
struct Reading {
    audio: Audio,
    failed: Arc<AtomicBool>,
}

impl audio::AudioRead for Reading {
    fn format(&self) -> audio::Format {
        self.audio.format()
    }

    fn frames(&self) -> Option<u64> {
        self.audio.frames()
    }

    fn read(&mut self, block: &mut audio::Block) -> Result<()> {
        self.audio.read(block).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }
}
