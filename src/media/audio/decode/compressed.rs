//! FLAC, MP3, Ogg Vorbis and M4A by Symphonia, whose rules forbid panics and unbounded memory.

use std::fs::File;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Trouble;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;

use super::{Container, Opened, damaged};
use crate::error::{Error, Kind, Result};
use crate::media::audio::{AudioRead, Block, Depth, Format};

struct Compressed {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    format: Format,
    frames: Option<u64>,
    read: u64,
    /// FLAC counts its frames exactly; elsewhere the count is a hint.
    exact: bool,
    planes: Vec<Vec<f32>>,
}

pub(super) fn open(file: File, container: Container) -> Result<Opened> {
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut hint = Hint::new();
    hint.with_extension(container.endings()[0]);
    let reader = symphonia::default::get_probe()
        .probe(&hint, stream, Default::default(), Default::default())
        .map_err(|e| tell(e, container))?;
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| damaged("there is no sound in the file"))?;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
    let parameters = parameters.ok_or_else(|| damaged("the file does not tell how its sound is coded"))?;
    let unread = |_| {
        Error::new(Kind::Input, format!("a codec in {} that latentd does not read", container.name()))
            .mend("latentd reads Vorbis in Ogg and AAC in M4A; convert it: `ffmpeg -i FILE new.wav`")
    };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(unread)?;
    let depth = match (container, parameters.bits_per_sample) {
        (Container::Flac, Some(bits @ 17..=32)) => Depth::Integer(bits.div_ceil(8) as u16 * 8),
        _ => Depth::Integer(16),
    };
    let (id, frames) = (track.id, track.num_frames);
    let mut compressed = Compressed {
        exact: container == Container::Flac && frames.is_some_and(|n| n > 0),
        track: id,
        format: Format { rate: 0, channels: 0 },
        frames,
        read: 0,
        planes: Vec::new(),
        reader,
        decoder,
    };
    // Only the first packet surely tells rate and channels; it is kept for the first block.
    if !compressed.decode()? {
        return Err(damaged("the file holds no sound"));
    }
    Ok((Box::new(compressed), depth))
}

impl Compressed {
    /// Decodes the next packet that holds sound into `planes`; false at the end.
    fn decode(&mut self) -> Result<bool> {
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(),
                Err(Trouble::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return self.end(),
                Err(Trouble::ResetRequired) => {
                    return Err(damaged("several pieces chained in one file").mend("split it"));
                }
                Err(e) => return Err(tell_damage(e)),
            };
            if packet.track_id != self.track {
                continue;
            }
            let sound = self.decoder.decode(&packet).map_err(tell_damage)?;
            let format = Format { rate: sound.spec().rate(), channels: sound.num_planes() };
            if self.format.rate == 0 {
                self.format = format;
            } else if self.format != format {
                return Err(damaged("rate or channels change within the file"));
            }
            sound.copy_to_vecs_planar(&mut self.planes);
            if self.planes.first().is_some_and(|p| !p.is_empty()) {
                return Ok(true);
            }
        }
    }

    fn end(&mut self) -> Result<bool> {
        match self.frames {
            Some(frames) if self.exact && self.read < frames => Err(damaged("the file ends early")),
            _ => Ok(false),
        }
    }
}

impl AudioRead for Compressed {
    fn format(&self) -> Format {
        self.format
    }

    fn frames(&self) -> Option<u64> {
        self.frames.filter(|_| self.exact)
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        block.clear();
        let waiting = self.planes.first().is_some_and(|p| !p.is_empty());
        if waiting || self.decode()? {
            self.read += self.planes[0].len() as u64;
            for (plane, decoded) in block.planes_mut().iter_mut().zip(&mut self.planes) {
                plane.append(decoded);
            }
        }
        Ok(())
    }
}

fn tell(error: Trouble, container: Container) -> Error {
    blame(error, format!("this is no {} file that can be read", container.name()))
}

fn tell_damage(error: Trouble) -> Error {
    blame(error, "the file is damaged".to_owned())
}

/// What the system says is not the file's fault. The decoders tell damage as I/O errors too, but without the system's number.
fn blame(error: Trouble, damage: String) -> Error {
    match error {
        Trouble::IoError(e) if e.raw_os_error().is_some() => {
            Error::new(Kind::Transient, "the file cannot be read").because(e)
        }
        e => damaged(damage).because(e),
    }
}
