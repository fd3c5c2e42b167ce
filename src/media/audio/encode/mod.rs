//! Streams of sound to files. A result has the depth of its input; floats beyond full scale are clipped where the file holds integers.

mod flac;
mod wav;

use std::io::{Seek, Write};
use std::path::Path;

use super::{Audio, Depth};
use crate::error::{Error, Kind, Result};

/// The kinds of files that sound is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Samples as they are, integers or floats, up to 4 GiB.
    Wav,
    /// Integers, packed to about half of that without loss; up to 8 channels.
    Flac,
}

impl Container {
    /// All there are.
    pub const ALL: [Container; 2] = [Container::Wav, Container::Flac];

    /// The ending of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Container::Wav => "wav",
            Container::Flac => "flac",
        }
    }

    /// By the ending of a file's name.
    ///
    /// # Errors
    /// Kind config: no ending, or another one.
    pub fn from_extension(path: &Path) -> Result<Container> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if let Some(container) = Container::ALL.into_iter().find(|container| container.extension() == ending) {
            return Ok(container);
        }
        let mend = match crate::did_you_mean(&ending, Container::ALL.into_iter().map(Container::extension)) {
            Some(near) => format!("did you mean .{near}?"),
            None => "end the name in .wav or .flac".to_owned(),
        };
        Err(Error::new(Kind::Config, "sound is written as WAV and FLAC only").mend(mend))
    }
}

/// Whether sound can be written under this name.
///
/// # Errors
/// As for [`Container::from_extension`].
pub fn check_extension(path: &Path) -> Result<()> {
    Container::from_extension(path).map(drop)
}

/// Drains a stream into a WAV file: [`write_as`] with [`Container::Wav`].
///
/// # Errors
/// As for [`write_as`].
pub fn write(audio: Audio, out: &mut (impl Write + Seek)) -> Result<()> {
    write_as(audio, Container::Wav, out)
}

/// Drains a stream into a file of this kind, block by block. FLAC has no floats: they become 24 bits.
///
/// # Errors
/// What reading it meets. Kind input: it is too long for the kind of file, or has too many channels or too high a rate for it. Kind bug: its depth is none that
/// there is. Kind output or transient: it cannot be written.
pub fn write_as(audio: Audio, container: Container, out: &mut (impl Write + Seek)) -> Result<()> {
    if let Depth::Integer(bits) = audio.depth
        && !matches!(bits, 8 | 16 | 24 | 32)
    {
        return Err(Error::new(Kind::Bug, format!("there are no files of {bits} bits")));
    }
    match container {
        Container::Wav => wav::write(audio, out),
        Container::Flac => flac::write(audio, out),
    }
}

/// Makes integers of samples, and counts those that it had to clip.
#[derive(Debug, Default)]
struct Quantiser {
    clipped: u64,
}

impl Quantiser {
    /// The nearest integer of `bits` bits.
    fn value(&mut self, sample: f32, bits: u16) -> i32 {
        let (value, clips) = quantised(sample, bits);
        self.clipped += u64::from(clips);
        value
    }

    /// Says so if any were.
    fn tell(&self) {
        if self.clipped > 0 {
            tracing::warn!(samples = self.clipped, "louder than full scale in places, and clipped there");
        }
    }
}

/// The nearest integer of `bits` bits, and whether the value had to be clipped.
fn quantised(value: f32, bits: u16) -> (i32, bool) {
    let full = f64::from(2.0f32.powi(i32::from(bits) - 1));
    let scaled = (f64::from(value) * full).round();
    let held = scaled.clamp(-full, full - 1.0);
    // Full scale itself has no positive counterpart among integers, which nobody hears.
    (held as i32, (scaled - held).abs() > 1.0)
}
