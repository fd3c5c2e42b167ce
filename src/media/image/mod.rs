//! A picture in memory. Samples stay as integers (8 or 16 bits) and interleaved: a 24-megapixel photo costs 72 MB, not the
//! 288 MB of planes of floats; stages turn one tile at a time into floats.
//!
//! [`decode::read`] makes one from a file, [`encode::write`] makes a file of one; tiles, [`fill_under_alpha`] and [`resize()`] are
//! what stages need in between.

mod chunks;
mod convert;
pub mod decode;
mod density;
pub mod encode;
mod exif;
mod exif_block;
mod fill;
mod format;
mod icc;
pub mod metrics;
mod orient;
mod photoshop;
mod planes;
mod resize;
mod xmp;

pub use decode::{Header, Limits, Work};
pub use density::Density;
pub use encode::{Chroma, Effort, EncodeOptions};
pub use fill::fill_under_alpha;
pub use format::Format;
pub use planes::Tile;
pub use resize::{Filter, resize, resize_alpha, resize_with};

use crate::error::{Error, Kind, Result};

/// Which channels a picture has, in the order they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One channel of luminance.
    Gray,
    /// Luminance and opacity.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and opacity (straight, not premultiplied).
    Rgba,
}

impl Layout {
    /// Number of channels, opacity included.
    pub const fn channels(self) -> usize {
        match self {
            Layout::Gray => 1,
            Layout::GrayAlpha => 2,
            Layout::Rgb => 3,
            Layout::Rgba => 4,
        }
    }

    /// Number of channels without opacity.
    pub const fn colors(self) -> usize {
        match self {
            Layout::Gray | Layout::GrayAlpha => 1,
            Layout::Rgb | Layout::Rgba => 3,
        }
    }

    /// Whether the last channel is opacity.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Layout::GrayAlpha | Layout::Rgba)
    }
}

/// Bits per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// 8 bits, 0..=255.
    Eight,
    /// 16 bits, 0..=65535.
    Sixteen,
}

impl Depth {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Depth::Eight => 1,
            Depth::Sixteen => 2,
        }
    }
}

/// The samples of a picture, row by row, channels interleaved.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// 8 bits each.
    U8(Vec<u8>),
    /// 16 bits each.
    U16(Vec<u16>),
}

/// What a file says beside its pixels, carried from the input to the output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// ICC colour profile.
    pub icc: Option<Vec<u8>>,
    /// EXIF block, a TIFF structure without the `Exif\0\0` prefix, its orientation already applied and reset to 1.
    pub exif: Option<Vec<u8>>,
    /// XMP packet.
    pub xmp: Option<Vec<u8>>,
    /// Chunks of a PNG that tell, beside a profile, what its samples mean (cICP, mDCV, cLLI, gAMA, cHRM, sRGB) and what shape its
    /// pixels have (a pHYs without a unit): name and content.
    pub chunks: Vec<([u8; 4], Vec<u8>)>,
    /// How large it is printed. More pixels do not change it, as other programs have it too.
    pub density: Option<Density>,
    /// Photoshop's image resources, among them the caption block (IPTC), without those that speak of the old pixels.
    pub photoshop: Option<Vec<u8>>,
    /// Texts of a PNG (tEXt, zTXt, iTXt) but XMP: name and content of their chunks.
    pub texts: Vec<([u8; 4], Vec<u8>)>,
    /// Comments of a JPEG.
    pub comments: Vec<Vec<u8>>,
}

/// The most bytes of a file's texts or comments that are carried.
const MAX_TEXTS: usize = 1 << 20;

impl Metadata {
    /// Leaves only what tells what the samples mean and how large pixels are.
    pub fn keep_colours(&mut self) {
        let Metadata { icc, chunks, density, .. } = std::mem::take(self);
        *self = Metadata { icc, chunks, density, ..Metadata::default() };
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Columns, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Channels.
    pub layout: Layout,
    /// `width * height * layout.channels()` values. Between stages an 8-bit picture may be held at 16 bits.
    pub samples: Samples,
    /// The depth of the file it came from, and of the file it will become where the format allows.
    pub depth: Depth,
    /// What travels with the pixels.
    pub metadata: Metadata,
}

impl Image {
    /// Whether there are as many samples as its size tells, and any.
    ///
    /// # Errors
    /// Kind bug: there are not. Stages and encoders refuse such a picture.
    pub fn check(&self) -> Result<()> {
        let Image { width, height, layout, samples, .. } = self;
        let wanted = width.checked_mul(*height).and_then(|pixels| pixels.checked_mul(layout.channels()));
        if samples.is_empty() || wanted != Some(samples.len()) {
            let message = format!("{} samples make no {width} x {height} {layout:?} picture", samples.len());
            return Err(Error::new(Kind::Bug, message));
        }
        Ok(())
    }

    /// The mean difference of samples from those of a picture of the same size and channels, 0..=1; of others 1.
    pub fn distance(&self, other: &Image) -> f64 {
        if (self.width, self.height, self.layout) != (other.width, other.height, other.layout) {
            return 1.0;
        }
        let values = |image: &Image| -> Vec<f64> {
            match &image.samples {
                Samples::U8(samples) => samples.iter().map(|v| f64::from(*v) / 255.0).collect(),
                Samples::U16(samples) => samples.iter().map(|v| f64::from(*v) / 65535.0).collect(),
            }
        };
        let (a, b) = (values(self), values(other));
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len().max(1) as f64
    }
}
