//! Audio files: Opus and WAV in, WAV out.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use ogg::PacketReader;
use opus_decoder::OpusDecoder;

/// Opus always decodes at this rate, whatever the recording's.
const OPUS_RATE: u32 = 48_000;

/// Samples of the longest Opus packet, 120 ms.
const LONGEST_PACKET: usize = 5760;

/// One file's samples, -1..1, its channels averaged, and its rate in Hz.
///
/// # Errors
/// When it cannot be read, or is neither Opus nor WAV.
pub fn read(path: &Path) -> Result<(Vec<f32>, u32)> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let samples = match extension.as_str() {
        "opus" => read_opus(path).map(|samples| (samples, OPUS_RATE)),
        "wav" => read_wav(path),
        other => {
            bail!("{}: `{other}` is no kind of sound that is read here; convert it to .wav or .opus", path.display())
        }
    };
    samples.with_context(|| format!("cannot read {}", path.display()))
}

/// Ogg Opus (RFC 7845): a header with the samples to skip, comments, then packets; the last page tells the length.
fn read_opus(path: &Path) -> Result<Vec<f32>> {
    let mut packets = PacketReader::new(BufReader::new(File::open(path)?));
    let header = packets.read_packet_expected()?.data;
    if header.len() < 19 || !header.starts_with(b"OpusHead") {
        bail!("it has no Opus header");
    }
    let channels = usize::from(header[9]);
    let skipped = usize::from(u16::from_le_bytes([header[10], header[11]]));
    if !(1..=2).contains(&channels) {
        bail!("it has {channels} channels, not 1 or 2");
    }
    packets.read_packet_expected()?;
    let mut decoder = OpusDecoder::new(OPUS_RATE, channels).map_err(|error| anyhow!("{error:?}"))?;
    let mut block = vec![0f32; LONGEST_PACKET * channels];
    let mut samples = Vec::new();
    let mut end = u64::MAX;
    while let Some(packet) = packets.read_packet()? {
        let count = decoder.decode_float(&packet.data, &mut block, false).map_err(|error| anyhow!("{error:?}"))?;
        samples.extend(
            block[..count * channels].chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32),
        );
        if packet.last_in_stream() {
            end = packet.absgp_page();
        }
    }
    samples.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    samples.drain(..skipped.min(samples.len()));
    Ok(samples)
}

fn read_wav(path: &Path) -> Result<(Vec<f32>, u32)> {
    let mut reader = WavReader::open(path)?;
    let spec = reader.spec();
    let values: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().map(|v| v.map(|v| v as f32 / full)).collect::<Result<_, _>>()?
        }
    };
    let channels = usize::from(spec.channels.max(1));
    Ok((values.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect(), spec.sample_rate))
}

/// Writes one channel as 32-bit floating-point WAV.
///
/// # Errors
/// When the file cannot be written.
pub fn write_wav(path: &Path, samples: &[f32], rate: u32) -> Result<()> {
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let write = || -> Result<(), hound::Error> {
        let mut writer = WavWriter::create(path, spec)?;
        samples.iter().try_for_each(|&sample| writer.write_sample(sample))?;
        writer.finalize()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
