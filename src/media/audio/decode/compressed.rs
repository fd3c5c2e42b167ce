//! FLAC, MP3, Ogg Vorbis, Ogg Opus and M4A by Symphonia, whose rules forbid panics and unbounded memory. It has no decoder of Opus, but finds its
//! packets in Ogg.

use std::fs::File;
use std::io::Seek;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Trouble;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use super::ration::{Ration, Rationed};
use super::{Container, Opened, damaged, edits, opus, part, unreadable};
use crate::error::{Error, Kind, Result};
use crate::media::audio::{AudioRead, Block, Depth, Format};

/// By how much less than the last page tells an Ogg file may have: Vorbis drops its first block, of 8,192 frames at most.
const OGG_SLACK: u64 = 8192;

/// Frames of a packet of MP3, at most.
const PACKET: u64 = 1152;

struct Compressed {
    reader: Box<dyn FormatReader>,
    /// What the reader may read until the next packet.
    ration: Ration,
    codec: Codec,
    track: u32,
    container: Container,
    format: Format,
    /// FLAC counts its frames exactly; elsewhere the count is a hint.
    frames: Option<u64>,
    decoded: u64,
    /// Frames still to be left out, and then to be given at most.
    skip: u64,
    left: u64,
    /// Whether an MP3 has the tag of an encoder, which counts its packets.
    tagged: bool,
    /// Frames at the end that are no sound, by the tag, or may be for Opus, and those held back because they may be.
    padding: usize,
    held: Vec<Vec<f32>>,
    planes: Vec<Vec<f32>>,
}

/// Who makes sound of the packets.
enum Codec {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(Box<opus::Decoder>),
}

impl Codec {
    fn new(parameters: &AudioCodecParameters, container: Container) -> Result<Codec> {
        if container == Container::Ogg && parameters.codec == CODEC_ID_OPUS {
            let header = parameters.extra_data.as_deref().unwrap_or_default();
            return Ok(Codec::Opus(Box::new(opus::Decoder::new(header)?)));
        }
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(|_| unread(parameters, container))?;
        // Of more channels Symphonia 0.6 undoes the coupling in the wrong order: another sound comes out.
        let channels = decoder.codec_params().channels.as_ref().map_or(0, Channels::count);
        match parameters.codec == CODEC_ID_VORBIS && channels > 2 {
            true => Err(unread(parameters, container)),
            false => Ok(Codec::Symphonia(decoder)),
        }
    }

    fn rate(&self) -> Option<u32> {
        match self {
            Codec::Symphonia(decoder) => decoder.codec_params().sample_rate,
            Codec::Opus(_) => Some(opus::RATE),
        }
    }

    fn speakers(&self) -> Option<u32> {
        match self {
            Codec::Symphonia(decoder) => speakers(decoder.codec_params().channels.as_ref()),
            Codec::Opus(decoder) => decoder.speakers,
        }
    }

    /// Decodes a packet into `planes`, whatever they held before.
    fn decode(&mut self, packet: &Packet, planes: &mut Vec<Vec<f32>>) -> Result<Format> {
        match self {
            Codec::Symphonia(decoder) => {
                let sound = decoder.decode(packet).map_err(tell_damage)?;
                sound.copy_to_vecs_planar(planes);
                Ok(Format { rate: sound.spec().rate(), channels: sound.num_planes() })
            }
            Codec::Opus(decoder) => decoder.decode(&packet.data, planes),
        }
    }
}

pub(super) fn open(mut file: File, size: u64, container: Container) -> Result<Opened> {
    let edits = match container {
        Container::Mp4 => edits::of(&mut file, size).map_err(unreadable)?,
        _ => Vec::new(),
    };
    if container == Container::Ogg {
        opus::check(&part(&mut file, 0, opus::FIRST_PAGE).map_err(unreadable)?)?;
    }
    file.rewind().map_err(unreadable)?;
    let ration = Ration::new();
    let stream = MediaSourceStream::new(Box::new(Rationed::new(file, ration.clone())), Default::default());
    let mut hint = Hint::new();
    hint.with_extension(container.endings()[0]);
    let reader = symphonia::default::get_probe()
        .probe(&hint, stream, Default::default(), Default::default())
        .map_err(|e| if ration.is_spent() { overloaded() } else { tell(e, container) })?;
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| damaged("there is no sound in the file"))?;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
    let parameters = parameters.ok_or_else(|| damaged("the file does not tell how its sound is coded"))?;
    let codec = Codec::new(parameters, container)?;
    let depth = match (parameters.codec, parameters.bits_per_sample) {
        (CODEC_ID_FLAC, Some(bits @ 1..=32)) => Depth::Integer(bits.div_ceil(8) as u16 * 8),
        _ => Depth::Integer(16),
    };
    let begin = u64::try_from(track.start_ts.get()).unwrap_or(0);
    let frames = match container {
        // Symphonia tells where the last page ends, which is no length where the first does not begin at 0.
        Container::Ogg => {
            track.num_frames.filter(|end| i64::try_from(*end).is_ok()).map(|end| end.saturating_sub(begin))
        }
        _ => track.num_frames,
    };
    let id = track.id;
    let tagged = track.delay.is_some_and(|delay| delay > 0);
    let (mut skip, padding) = match &codec {
        Codec::Opus(decoder) => (decoder.skip, opus::MOST_TRIMMED),
        Codec::Symphonia(_) => (0, track.padding.unwrap_or(0) as usize),
    };
    let mut left = u64::MAX;
    if let Some(edit) = edits.into_iter().find(|e| e.track == id) {
        let rate = codec.rate();
        skip = on_clock(edit.start, track.time_base, rate);
        if let Some(duration) = edit.duration {
            let movie = reader.media_info().time_base;
            // A coarse clock may have rounded it down; the packets tell exactly when they end.
            let coarse = movie.zip(rate).is_some_and(|(clock, rate)| clock.denom.get() < rate);
            let most = on_clock(duration.saturating_add(u64::from(coarse)), movie, rate);
            left = most.min(frames.unwrap_or(u64::MAX).saturating_sub(skip));
        }
    }
    let speakers = codec.speakers();
    let mut compressed = Compressed {
        track: id,
        container,
        format: Format { rate: 0, channels: 0 },
        frames,
        decoded: 0,
        skip,
        left,
        tagged,
        padding,
        held: Vec::new(),
        planes: Vec::new(),
        reader,
        ration,
        codec,
    };
    // Only the first packet surely tells rate and channels; it is kept for the first block.
    if !compressed.decode()? {
        return Err(damaged("the file holds no sound"));
    }
    Ok(Opened { reader: Box::new(compressed), depth, speakers })
}

/// Ticks of a clock as frames.
fn on_clock(ticks: u64, clock: Option<TimeBase>, rate: Option<u32>) -> u64 {
    let (Some(clock), Some(rate)) = (clock, rate) else { return ticks };
    let frames = u128::from(ticks) * u128::from(clock.numer.get()) * u128::from(rate);
    u64::try_from(frames.div_ceil(u128::from(clock.denom.get()))).unwrap_or(u64::MAX)
}

/// The channel mask of WAV, whose bits are Symphonia's. Of one or two channels Symphonia tells no more than their number.
fn speakers(channels: Option<&Channels>) -> Option<u32> {
    match channels {
        Some(Channels::Positioned(positions)) if positions.bits().count_ones() > 2 => {
            u32::try_from(positions.bits()).ok().filter(|mask| *mask >> 18 == 0)
        }
        _ => None,
    }
}

impl Compressed {
    /// Decodes the next packet that holds sound into `planes`; false at the end.
    fn decode(&mut self) -> Result<bool> {
        loop {
            self.ration.renew();
            let mut packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(false),
                Err(Trouble::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return self.end(true),
                Err(Trouble::ResetRequired) => {
                    return Err(damaged("several pieces chained in one file").mend("split it"));
                }
                Err(_) if self.ration.is_spent() => return Err(overloaded()),
                Err(e) => return Err(tell_damage(e)),
            };
            if packet.track_id != self.track {
                continue;
            }
            let behind = match (self.container, &self.codec) {
                (Container::Mp3, _) | (_, Codec::Opus(_)) => std::mem::take(&mut packet.trim_end).get(),
                _ => 0,
            };
            let format = self.codec.decode(&packet, &mut self.planes)?;
            if self.format.rate == 0 {
                self.format = format;
            } else if self.format != format {
                return Err(damaged("rate or channels change within the file"));
            }
            self.decoded += self.waiting() as u64;
            self.hold_back(behind);
            self.cut();
            if self.waiting() > 0 {
                return Ok(true);
            }
        }
    }

    /// Frames in `planes`.
    fn waiting(&self) -> usize {
        self.planes.first().map_or(0, Vec::len)
    }

    /// Keeps the last `behind` frames, which lie behind the end that an MP3's tag or a page of Opus tells, and drops them by never giving them.
    /// Where there are more than the padding that the tag tells, they are sound: the end was but estimated, or the tag is that of the first of
    /// several joined files. So they are where sound follows: only the last page of Opus tells an end.
    fn hold_back(&mut self, behind: u64) {
        let behind = usize::try_from(behind).unwrap_or(usize::MAX).min(self.waiting());
        if behind < self.waiting() {
            for (held, plane) in self.held.iter_mut().zip(&mut self.planes) {
                held.append(plane);
                std::mem::swap(held, plane);
            }
        }
        if behind == 0 {
            return;
        }
        let kept = self.waiting() - behind;
        self.held.resize(self.planes.len(), Vec::new());
        let mut most = 0;
        for (held, plane) in self.held.iter_mut().zip(&mut self.planes) {
            held.extend(plane.drain(kept..));
            most = held.len();
        }
        if most > self.padding {
            self.padding = 0;
            for (held, plane) in self.held.iter_mut().zip(&mut self.planes) {
                plane.append(held);
            }
        }
    }

    /// Takes away what an edit list or the header of Opus leaves out.
    fn cut(&mut self) {
        let frames = self.waiting() as u64;
        let skipped = self.skip.min(frames);
        let kept = self.left.min(frames - skipped);
        self.skip -= skipped;
        self.left -= kept;
        for plane in &mut self.planes {
            plane.truncate((skipped + kept) as usize);
            plane.drain(..skipped as usize);
        }
    }

    /// The end of the file; `cut_off` where the reader expected more.
    fn end(&self, cut_off: bool) -> Result<bool> {
        let told = self.frames.unwrap_or(0);
        let early = match self.container {
            Container::Flac => self.decoded < told,
            // Some tags count themselves.
            Container::Mp3 => self.tagged && self.decoded + PACKET < told,
            // The last page is marked. Pages that are damaged in between are passed over by Symphonia without a word.
            Container::Ogg => {
                // Where damage lies near the end, Symphonia does not find the last page, which is whole, either.
                let is_short = self.frames.is_none_or(|told| self.decoded + OGG_SLACK < told);
                if !cut_off && is_short {
                    tracing::warn!("some of the file's sound is damaged and left out: the result is shorter");
                }
                cut_off
            }
            Container::Mp4 => cut_off && self.decoded < told,
            Container::Wav => false,
        };
        let what = match self.container {
            Container::Mp3 => "the file ends early, or lacks sound in between",
            _ => "the file ends early",
        };
        if early { Err(damaged(what)) } else { Ok(false) }
    }
}

impl AudioRead for Compressed {
    fn format(&self) -> Format {
        self.format
    }

    fn frames(&self) -> Option<u64> {
        self.frames.filter(|frames| *frames > 0 && self.container == Container::Flac)
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        block.clear();
        if self.waiting() > 0 || self.decode()? {
            for (plane, decoded) in block.planes_mut().iter_mut().zip(&mut self.planes) {
                plane.append(decoded);
            }
        }
        Ok(())
    }
}

/// The error of a codec that is not read, or not with so many channels.
fn unread(parameters: &AudioCodecParameters, container: Container) -> Error {
    let what = match parameters.codec {
        CODEC_ID_VORBIS => "Vorbis of more than two channels".to_owned(),
        CODEC_ID_AAC => "AAC of more than two channels, or of a kind".to_owned(),
        _ => format!("a codec in {}", container.name()),
    };
    Error::new(Kind::Input, format!("{what} that latentd does not read")).mend(
        "latentd reads Opus in Ogg, and Vorbis in Ogg and AAC in M4A of one or two channels; convert it: `ffmpeg -i FILE new.wav`",
    )
}

/// The error of a file that has too much that is no sound.
fn overloaded() -> Error {
    damaged(Ration::meaning()).mend("take the sound out of it: `ffmpeg -i FILE -map 0:a:0 -map_metadata -1 new.wav`")
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
        Trouble::IoError(e) if e.raw_os_error().is_some() => unreadable(e),
        e => damaged(damage).because(e),
    }
}
