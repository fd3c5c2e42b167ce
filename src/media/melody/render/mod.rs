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

/// Seconds that are kept while the loudest sample is looked for; what is longer is played twice rather than held in memory: five minutes are 106 MB.
const KEPT: f64 = 300.0;

/// Samples that are played at once.
const BLOCK: usize = 1 << 15;

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

    fn player(&self, piece: &Melody) -> Result<Box<dyn Player>> {
        let player: Box<dyn Player> = match self {
            Instrument::SoundFont(path) => Box::new(soundfont::Played::new(piece, path)?),
            Instrument::Plain => Box::new(voice::Plain::new(piece)),
        };
        Ok(player)
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
    let mut player = instrument.player(piece)?;
    let length = player.length();
    let keeps = length as f64 <= KEPT * f64::from(RATE);
    let mut kept: Vec<[f32; 2]> = Vec::with_capacity(if keeps { length } else { 0 });
    let mut peak = 0f32;
    play(player.as_mut(), |block| {
        peak = block.iter().flatten().fold(peak, |peak, v| peak.max(v.abs()));
        if keeps {
            kept.extend_from_slice(block);
        }
        Ok(())
    })?;
    drop(player);
    let gain = if peak > 0.0 { 0.89 / peak } else { 1.0 };
    let spec =
        hound::WavSpec { channels: 2, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let unwritten = |e: hound::Error| Error::new(Kind::Output, "the WAV file cannot be written").because(e);
    let mut writer = hound::WavWriter::new(out, spec).map_err(unwritten)?;
    let mut write = |block: &[[f32; 2]]| {
        let mut samples = block.iter().flatten().map(|v| (v * gain * 32767.0).round() as i16);
        samples.try_for_each(|sample| writer.write_sample(sample)).map_err(unwritten)
    };
    match keeps {
        true => write(&kept)?,
        false => play(instrument.player(piece)?.as_mut(), write)?,
    }
    writer.finalize().map_err(unwritten)
}

/// Plays a piece bit by bit.
trait Player {
    /// How many samples there are.
    fn length(&self) -> usize;

    /// Plays on, into both channels.
    ///
    /// # Errors
    /// Kind input: the SoundFont is damaged.
    fn play(&mut self, left: &mut [f32], right: &mut [f32]) -> Result<()>;
}

/// Hands all that a player plays to `take`, block by block.
fn play(player: &mut dyn Player, mut take: impl FnMut(&[[f32; 2]]) -> Result<()>) -> Result<()> {
    let [mut left, mut right] = [vec![0f32; BLOCK], vec![0f32; BLOCK]];
    let mut rest = player.length();
    while rest > 0 {
        let count = rest.min(BLOCK);
        player.play(&mut left[..count], &mut right[..count])?;
        let block: Vec<[f32; 2]> = left.iter().zip(&right).take(count).map(|(l, r)| [*l, *r]).collect();
        take(&block)?;
        rest -= count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::melody::{DRUM_CHANNEL, Note, Voice};

    /// A piece was in memory as a whole, three times over.
    #[test]
    fn a_long_piece_is_played_bit_by_bit_as_at_once() {
        let mut piece = Melody::new(480);
        let note = |at: u64| Note { start: 333 * at, end: 333 * at + 700, pitch: 40 + (at % 40) as u8, velocity: 90 };
        let notes: Vec<Note> = (0..60).map(note).collect();
        piece.voices.push(Voice { notes: notes.clone(), ..Voice::default() });
        piece.voices.push(Voice { notes, channel: DRUM_CHANNEL, ..Voice::default() });
        let played = |block: usize| {
            let mut player = Instrument::Plain.player(&piece).expect("a player");
            let (mut left, mut right) = (vec![0f32; player.length()], vec![0f32; player.length()]);
            for (left, right) in left.chunks_mut(block).zip(right.chunks_mut(block)) {
                player.play(left, right).expect("played");
            }
            assert_eq!(left, right);
            left
        };
        let (at_once, bit_by_bit) = (played(usize::MAX), played(1000));
        assert!(at_once.iter().any(|v| v.abs() > 0.1));
        assert!(at_once.iter().zip(&bit_by_bit).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    /// What is longer than is kept is played twice, and comes out as long and as loud.
    #[test]
    fn what_is_not_kept_is_written_too() {
        let mut piece = Melody::new(480);
        let last = ((KEPT + 10.0) * 960.0) as u64;
        let notes = [0, last].map(|start| Note { start, end: start + 480, pitch: 60, velocity: 90 });
        piece.voices.push(Voice { notes: notes.to_vec(), ..Voice::default() });
        let mut bytes = std::io::Cursor::new(Vec::new());
        write_wav(&piece, &Instrument::Plain, &mut bytes).expect("written");
        let samples: Vec<i16> =
            bytes.into_inner()[44..].chunks(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        assert_eq!(samples.len(), 2 * ((piece.seconds() + 0.5) * f64::from(RATE)) as usize);
        assert_eq!(samples.iter().map(|v| v.unsigned_abs()).max(), Some((0.89f32 * 32767.0).round() as u16));
        assert!(samples[samples.len() - 88_200..].iter().any(|v| v.abs() > 1000));
    }
}
