//! Opus in Ogg (RFC 7845): its header, and its packets by ropus, to which one stream is a special case of several.

use ropus::OpusMSDecoder;

use super::damaged;
use crate::error::{Error, Kind, Result};
use crate::media::audio::Format;

/// Opus always decodes at this rate, whatever the recording's was.
pub(super) const RATE: u32 = 48_000;

/// Frames that an encoder may leave to be trimmed at the end: ten seconds. The last page can hold more, but no encoder fills it up like that.
pub(super) const MOST_TRIMMED: usize = 480_000;

/// Bytes at the start of a file that hold its first page, if that is the header of Opus: a page's own header, the lengths of up to 255 segments,
/// and what is said of up to 8 channels.
pub(super) const FIRST_PAGE: u64 = 27 + 255 + 21 + 8;

/// Frames of the longest packet, 120 ms.
const LONGEST: usize = 5760;

const MAGIC: &[u8] = b"OpusHead";

/// How one to eight channels lie in Opus, which is how they do in Vorbis: the mask of their speakers in WAV where there are more than two, and for
/// each channel in the order of WAV its place in Opus.
const LAYOUTS: [(u32, &[usize]); 8] = [
    (0, &[0]),
    (0, &[0, 1]),
    (0x007, &[0, 2, 1]),
    (0x033, &[0, 1, 2, 3]),
    (0x037, &[0, 2, 1, 3, 4]),
    (0x03f, &[0, 2, 1, 5, 3, 4]),
    (0x70f, &[0, 2, 1, 6, 5, 3, 4]),
    (0x63f, &[0, 2, 1, 7, 5, 6, 3, 4]),
];

/// What the header tells.
struct Head {
    /// Frames at the start that are no sound.
    skip: u16,
    /// 256ths of a dB.
    gain: i16,
    streams: u8,
    /// Streams of two channels; they come first.
    coupled: u8,
    /// For each channel in the order of WAV the one of the streams' that it is, or 255 for silence.
    mapping: Vec<u8>,
    speakers: Option<u32>,
}

impl Head {
    fn read(packet: &[u8]) -> Result<Head> {
        let broken = || damaged("the header of Opus is damaged");
        let head: &[u8; 19] = packet.first_chunk().ok_or_else(broken)?;
        let (version, channels, family) = (head[8], head[9], head[18]);
        // The upper half of the version changes where older readers must not go on.
        if !head.starts_with(MAGIC) || version > 15 || channels == 0 {
            return Err(broken());
        }
        let plain = [1, channels - 1, 0, 1];
        let table = match (family, channels) {
            (0, 1 | 2) => &plain[..],
            (1, 1..=8) => packet.get(19..21 + usize::from(channels)).ok_or_else(broken)?,
            (0 | 1, _) => return Err(broken()),
            _ => {
                let what = format!("Opus with channels of mapping family {family}, which latentd does not read");
                return Err(Error::new(Kind::Input, what).mend("mix it down to stereo: `ffmpeg -i FILE -ac 2 new.wav`"));
            }
        };
        let (streams, coupled) = (table[0], table[1]);
        if streams == 0 || streams > channels || coupled > streams {
            return Err(broken());
        }
        let (mask, order) = LAYOUTS[usize::from(channels) - 1];
        Ok(Head {
            skip: u16::from_le_bytes([head[10], head[11]]),
            gain: i16::from_le_bytes([head[16], head[17]]),
            streams,
            coupled,
            mapping: order.iter().map(|place| table[2 + *place]).collect(),
            speakers: (mask != 0).then_some(mask),
        })
    }
}

/// What is wrong with the header of Opus on the first page of a file, if that is what the page holds. Symphonia passes over headers that it does
/// not understand.
pub(super) fn check(page: &[u8]) -> Result<()> {
    let packet = page.get(26).and_then(|segments| page.get(27 + usize::from(*segments)..));
    match packet {
        Some(packet) if packet.starts_with(MAGIC) => Head::read(packet).map(|_| ()),
        _ => Ok(()),
    }
}

/// Packets to planes.
pub(super) struct Decoder {
    streams: OpusMSDecoder,
    channels: usize,
    /// What a sample is multiplied with.
    scale: f32,
    samples: Vec<i16>,
    /// Frames at the start that are no sound.
    pub skip: u64,
    /// The channel mask of WAV.
    pub speakers: Option<u32>,
}

impl Decoder {
    /// A decoder for what follows this header.
    pub fn new(header: &[u8]) -> Result<Decoder> {
        let head = Head::read(header)?;
        let channels = head.mapping.len();
        let (streams, coupled) = (i32::from(head.streams), i32::from(head.coupled));
        let streams = OpusMSDecoder::new(RATE as i32, channels as i32, streams, coupled, &head.mapping)
            .map_err(|_| damaged("the header of Opus names channels that no stream has"))?;
        // In floats, so that nothing clips; ropus would do it in 16 bits.
        let scale = 10f32.powf(f32::from(head.gain) / (20.0 * 256.0)) / 32_768.0;
        let samples = vec![0; LONGEST * channels];
        Ok(Decoder { streams, channels, scale, samples, skip: u64::from(head.skip), speakers: head.speakers })
    }

    /// Decodes a packet into `planes`, whatever they held before.
    pub fn decode(&mut self, packet: &[u8], planes: &mut Vec<Vec<f32>>) -> Result<Format> {
        let wrong = || damaged("a packet that is no Opus");
        // An empty one would be taken for one that was lost, and its sound be made up.
        let length = i32::try_from(packet.len()).ok().filter(|length| *length > 0).ok_or_else(wrong)?;
        let frames = self.streams.decode(Some(packet), length, &mut self.samples, LONGEST as i32, false);
        let frames = frames.ok().and_then(|frames| usize::try_from(frames).ok()).ok_or_else(wrong)?;
        planes.resize(self.channels, Vec::new());
        for (channel, plane) in planes.iter_mut().enumerate() {
            let samples = self.samples.iter().skip(channel).step_by(self.channels).take(frames);
            plane.clear();
            plane.extend(samples.map(|sample| f32::from(*sample) * self.scale));
        }
        Ok(Format { rate: RATE, channels: self.channels })
    }
}
