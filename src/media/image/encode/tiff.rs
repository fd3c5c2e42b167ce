//! TIFF by the `tiff` crate: compressed by deflate with the horizontal predictor, EXIF as directories of its own.

use super::{Effort, Failure};
use crate::media::image::exif::{EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY, type_size};
use crate::media::image::exif_block::{self, Exif, RESOLUTION, Tag as ExifTag, pointer};
use crate::media::image::{Depth, Image, Layout, Metadata};
use std::io::{Cursor, Seek, Write};
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{Compression, DeflateLevel, DirectoryEncoder, Predictor, TiffEncoder, TiffKindStandard, TiffValue};
use tiff::tags::{PhotometricInterpretation, SampleFormat, Tag, Type};

const XMP: Tag = Tag::Unknown(700);
const PHOTOSHOP: Tag = Tag::Unknown(34377);
/// The fourth sample is opacity, and colours are not multiplied by it.
const UNASSOCIATED_ALPHA: u16 = 2;

pub(super) fn write(
    image: &Image,
    width: u32,
    height: u32,
    metadata: Metadata,
    effort: Effort,
    out: &mut (impl Write + Seek),
) -> Result<(), Failure> {
    let level = match effort {
        Effort::Fast => DeflateLevel::Fast,
        Effort::Balanced => DeflateLevel::Balanced,
    };
    let encoder =
        TiffEncoder::new(out)?.with_compression(Compression::Deflate(level)).with_predictor(Predictor::Horizontal);
    let size = (width, height);
    let has_alpha = image.layout.has_alpha();
    match (image.depth, image.layout) {
        (Depth::Eight, Layout::Gray) => typed::<Gray8, _>(encoder, &image.eight(), size, has_alpha, metadata),
        (Depth::Eight, Layout::GrayAlpha) => typed::<GrayAlpha8, _>(encoder, &image.eight(), size, has_alpha, metadata),
        (Depth::Eight, Layout::Rgb) => typed::<RGB8, _>(encoder, &image.eight(), size, has_alpha, metadata),
        (Depth::Eight, Layout::Rgba) => typed::<RGBA8, _>(encoder, &image.eight(), size, has_alpha, metadata),
        (Depth::Sixteen, Layout::Gray) => typed::<Gray16, _>(encoder, &image.sixteen(), size, has_alpha, metadata),
        (Depth::Sixteen, Layout::GrayAlpha) => {
            typed::<GrayAlpha16, _>(encoder, &image.sixteen(), size, has_alpha, metadata)
        }
        (Depth::Sixteen, Layout::Rgb) => typed::<RGB16, _>(encoder, &image.sixteen(), size, has_alpha, metadata),
        (Depth::Sixteen, Layout::Rgba) => typed::<RGBA16, _>(encoder, &image.sixteen(), size, has_alpha, metadata),
    }
}

fn typed<C: ColorType, W: Write + Seek>(
    mut encoder: TiffEncoder<W>,
    samples: &[C::Inner],
    (width, height): (u32, u32),
    has_alpha: bool,
    metadata: Metadata,
) -> Result<(), Failure>
where
    [C::Inner]: TiffValue,
{
    let exif = metadata.exif.and_then(|block| exif_block::take(&mut Cursor::new(block)).ok()).unwrap_or_default();
    let mut main = exif.main.clone();
    // What EXIF tells of it stands in the same tags.
    if let Some(density) = metadata.density
        && !main.iter().any(|tag| tag.tag == RESOLUTION[0])
    {
        main.extend(density.to_tags());
    }
    main.extend(directories(&mut encoder, exif)?);

    let mut picture = encoder.new_image::<C>(width, height)?;
    let directory = picture.encoder();
    for tag in &main {
        write_tag(directory, tag)?;
    }
    if has_alpha {
        directory.write_tag(Tag::ExtraSamples, UNASSOCIATED_ALPHA)?;
    }
    if let Some(icc) = metadata.icc {
        directory.write_tag(Tag::IccProfile, Undefined(&icc))?;
    }
    if let Some(xmp) = metadata.xmp {
        directory.write_tag(XMP, &xmp[..])?;
    }
    if let Some(resources) = metadata.photoshop {
        directory.write_tag(PHOTOSHOP, &resources[..])?;
    }
    Ok(picture.write_data(samples)?)
}

/// Writes the inner directories of EXIF; gives the tags that point to them.
fn directories<W: Write + Seek>(encoder: &mut TiffEncoder<W>, mut exif: Exif) -> Result<Vec<ExifTag>, Failure> {
    let mut pointers = Vec::new();
    if let Some(at) = directory(encoder, &exif.interoperability)? {
        exif.exif.push(pointer(INTEROPERABILITY_DIRECTORY, at));
    }
    for (tag, tags) in [(EXIF_DIRECTORY, &exif.exif), (GPS_DIRECTORY, &exif.gps)] {
        if let Some(at) = directory(encoder, tags)? {
            pointers.push(pointer(tag, at));
        }
    }
    Ok(pointers)
}

fn directory<W: Write + Seek>(encoder: &mut TiffEncoder<W>, tags: &[ExifTag]) -> Result<Option<u32>, Failure> {
    if tags.is_empty() {
        return Ok(None);
    }
    let mut directory = encoder.extra_directory()?;
    for tag in tags {
        write_tag(&mut directory, tag)?;
    }
    Ok(Some(directory.finish_with_offsets()?.offset))
}

/// Writes one tag whose value is held in little-endian order.
fn write_tag<W: Write + Seek>(
    directory: &mut DirectoryEncoder<'_, W, TiffKindStandard>,
    tag: &ExifTag,
) -> Result<(), Failure> {
    let Some(kind) = Type::from_u16(tag.kind) else { return Ok(()) };
    let mut bytes = tag.bytes.clone();
    if cfg!(target_endian = "big") {
        let number = match tag.kind {
            5 | 10 => 4,
            kind => type_size(kind).unwrap_or(1) as usize,
        };
        bytes.chunks_exact_mut(number).for_each(<[u8]>::reverse);
    }
    let entry = directory.write_entry_bytes(kind, &bytes)?;
    let mut single = tiff::Directory::empty();
    single.extend([(Tag::from_u16_exhaustive(tag.tag), entry)]);
    directory.extend_from(&single);
    Ok(())
}

/// A value of the type that the ICC specification demands.
struct Undefined<'a>(&'a [u8]);

impl TiffValue for Undefined<'_> {
    const BYTE_LEN: u8 = 1;
    const FIELD_TYPE: Type = Type::UNDEFINED;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.0.into()
    }
}

/// Gray with opacity, which the crate lacks.
struct GrayAlpha8;
struct GrayAlpha16;

macro_rules! gray_alpha {
    ($name:ty, $sample:ty) => {
        impl ColorType for $name {
            type Inner = $sample;
            const TIFF_VALUE: PhotometricInterpretation = PhotometricInterpretation::BlackIsZero;
            const BITS_PER_SAMPLE: &'static [u16] = &[<$sample>::BITS as u16; 2];
            const SAMPLE_FORMAT: &'static [SampleFormat] = &[SampleFormat::Uint; 2];

            fn horizontal_predict(row: &[$sample], result: &mut Vec<$sample>) {
                let (first, rest) = row.split_at(2);
                result.extend_from_slice(first);
                result.extend(row.iter().zip(rest).map(|(before, sample)| sample.wrapping_sub(*before)));
            }
        }
    };
}

gray_alpha!(GrayAlpha8, u8);
gray_alpha!(GrayAlpha16, u16);
