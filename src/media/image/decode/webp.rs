//! WebP, lossy and lossless, by `image-webp`.

use super::{Decoded, Header, Limits, animated, samples, truncated, undecodable};
use crate::error::{Error, Result};
use crate::media::image::{Depth, Layout, Metadata, Samples};
use image_webp::{DecodingError, WebPDecoder};
use std::io::{BufRead, ErrorKind, Seek, SeekFrom};

/// Bound on each chunk of metadata.
const MAX_CHUNK: usize = 64 << 20;

pub(super) fn read(mut file: impl BufRead + Seek, length: u64, limits: &Limits) -> Result<Decoded> {
    // The container tells its length, which the decoder does not compare with the file's.
    let mut head = [0; 8];
    file.read_exact(&mut head).map_err(truncated)?;
    let [.., a, b, c, d] = head;
    if u64::from(u32::from_le_bytes([a, b, c, d])) + 8 > length {
        return Err(truncated("the container is longer than the file"));
    }
    file.seek(SeekFrom::Start(0)).map_err(truncated)?;

    let mut decoder = WebPDecoder::new(file).map_err(failed)?;
    if decoder.is_animated() && decoder.num_frames() > 1 {
        return Err(animated(decoder.num_frames()));
    }
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    limits.check(Header { width, height, channels: layout.channels(), depth: Depth::Eight }, 4)?;

    decoder.set_memory_limit(MAX_CHUNK);
    let metadata = Metadata {
        icc: decoder.icc_profile().ok().flatten(),
        exif: decoder.exif_metadata().ok().flatten(),
        xmp: decoder.xmp_metadata().ok().flatten(),
        ..Metadata::default()
    };
    let mut samples = samples(Depth::Eight, width, height, layout);
    if let Samples::U8(samples) = &mut samples {
        decoder.read_image(samples).map_err(failed)?;
    }
    Ok(Decoded::new(width, height, layout, samples, metadata))
}

fn failed(error: DecodingError) -> Error {
    let ended = matches!(&error, DecodingError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof);
    undecodable(error, ended)
}
