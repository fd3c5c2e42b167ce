//! JPEG by the `jpeg-encoder` crate.

use super::{Chroma, EncodeOptions, Failure};
use crate::media::image::convert::over_white;
use crate::media::image::{Image, Layout, Metadata, photoshop};
use jpeg_encoder::{ChromaSubsamplingMethod, Encoder, SamplingFactor};
use std::borrow::Cow;
use std::io::{self, Write};
use tracing::warn;

/// The longest content of a segment.
const MAX_SEGMENT: usize = 65_533;
const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Bytes of the markers that start a file and of the JFIF header, which must come first.
const HEAD: usize = 20;

pub(super) fn write(
    image: &Image,
    metadata: Metadata,
    options: &EncodeOptions,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut encoder = Encoder::new(Spliced { inner: out, before: HEAD, inlay: comments(&metadata) }, options.quality);
    match options.chroma {
        Chroma::Full => encoder.set_sampling_factor(SamplingFactor::R_4_4_4),
        Chroma::Half => {
            encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
            encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        }
    }
    if let Some(density) = metadata.density.and_then(|density| density.to_jfif()) {
        encoder.set_density(density);
    }
    match metadata.exif {
        Some(exif) if exif.len() + 6 > MAX_SEGMENT => warn!("the EXIF block is too long for a JPEG and is dropped"),
        Some(exif) => encoder.add_exif_metadata(&exif)?,
        None => {}
    }
    match metadata.xmp {
        Some(xmp) if xmp.len() + XMP_PREFIX.len() > MAX_SEGMENT => {
            warn!("the XMP packet is too long for a JPEG and is dropped");
        }
        Some(xmp) => encoder.add_app_segment(1, [XMP_PREFIX, &xmp].concat())?,
        None => {}
    }
    for part in metadata.photoshop.iter().flat_map(|all| all.chunks(MAX_SEGMENT - photoshop::SEGMENT.len())) {
        encoder.add_app_segment(13, [photoshop::SEGMENT, part].concat())?;
    }
    if let Some(icc) = metadata.icc {
        encoder.add_icc_profile(&icc)?;
    }
    let samples = match image.layout {
        Layout::GrayAlpha | Layout::Rgba => {
            let (samples, channels) = (image.eight(), image.layout.channels());
            if samples.chunks_exact(channels).any(|pixel| pixel[channels - 1] < u8::MAX) {
                warn!(
                    mend = "write PNG, WebP or TIFF",
                    "JPEG holds no opacity: what can be seen through is laid over white"
                );
            }
            Cow::Owned(over_white(&samples, channels))
        }
        Layout::Gray | Layout::Rgb => image.eight(),
    };
    let color = match image.layout.colors() {
        1 => jpeg_encoder::ColorType::Luma,
        _ => jpeg_encoder::ColorType::Rgb,
    };
    encoder.encode(&samples, image.width as u16, image.height as u16, color)?;
    Ok(())
}

/// The segments of comments, for which the encoder has no call.
fn comments(metadata: &Metadata) -> Vec<u8> {
    let mut segments = Vec::new();
    for comment in metadata.comments.iter().flat_map(|comment| comment.chunks(MAX_SEGMENT)) {
        segments.extend([0xff, 0xfe]);
        segments.extend((comment.len() as u16 + 2).to_be_bytes());
        segments.extend_from_slice(comment);
    }
    segments
}

/// Writes `inlay` behind the first `before` bytes.
struct Spliced<'a, W> {
    inner: &'a mut W,
    before: usize,
    inlay: Vec<u8>,
}

impl<W: Write> Write for Spliced<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.before == 0 {
            return self.inner.write(bytes);
        }
        let written = self.inner.write(&bytes[..bytes.len().min(self.before)])?;
        self.before -= written;
        if self.before == 0 {
            self.inner.write_all(&std::mem::take(&mut self.inlay))?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
