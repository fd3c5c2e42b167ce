//! Melodies made audible: by a SoundFont, or by a plain voice of our own.

mod soundfont;
mod voice;

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use super::Melody;
use crate::error::{Error, Kind, Result};

/// Samples a second.
pub const RATE: u32 = 44_100;

/// The longest piece that is rendered, in seconds: two hours are 1.3 GB.
pub const LONGEST: f64 = 2.0 * 3600.0;

/// What plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instrument {
    /// The instruments of a SoundFont (.sf2).
    SoundFont(PathBuf),
    /// A plucked tone and noise for drums, made here.
    Plain,
}

impl Instrument {
    /// The SoundFont at `path`, or the first found where systems keep them, or else the plain voice.
    ///
    /// # Errors
    /// Kind no-input: a path is given and there is no file.
    pub fn find(path: Option<&Path>) -> Result<Instrument> {
        if let Some(path) = path {
            if !path.is_file() {
                return Err(Error::new(Kind::NoInput, "there is no SoundFont")
                    .at(path)
                    .mend("give the path of an .sf2 file"));
            }
            return Ok(Instrument::SoundFont(path.to_path_buf()));
        }
        Ok(soundfont::usual().map_or(Instrument::Plain, Instrument::SoundFont))
    }
}

/// Renders a piece as WAV: 16 bits, stereo, [`RATE`] samples a second.
///
/// # Errors
/// Kind input: it is too long, or the SoundFont is damaged. Kind output or transient: it cannot be written.
pub fn write_wav(piece: &Melody, instrument: &Instrument, out: impl Write + Seek) -> Result<()> {
    if piece.seconds() > LONGEST {
        return Err(
            Error::new(Kind::Input, "longer than two hours, the most that is rendered").mend("render a part of it")
        );
    }
    let [left, right] = match instrument {
        Instrument::SoundFont(path) => soundfont::render(piece, path)?,
        Instrument::Plain => {
            let mono = voice::render(piece);
            [mono.clone(), mono]
        }
    };
    let peak = left.iter().chain(&right).fold(0f32, |peak, v| peak.max(v.abs()));
    let gain = if peak > 0.0 { 0.89 / peak } else { 1.0 };
    let spec =
        hound::WavSpec { channels: 2, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let unwritten = |e: hound::Error| Error::new(Kind::Output, "the WAV file cannot be written").because(e);
    let mut writer = hound::WavWriter::new(out, spec).map_err(unwritten)?;
    let whole = |v: f32| (v * gain * 32767.0).round() as i16;
    for (l, r) in left.iter().zip(&right) {
        writer.write_sample(whole(*l)).map_err(unwritten)?;
        writer.write_sample(whole(*r)).map_err(unwritten)?;
    }
    writer.finalize().map_err(unwritten)
}
