//! HEIC, as iPhones and many others take photos, by `heic-rs`: one picture, or a grid of them put together, intra-coded by HEVC (ISO/IEC
//! 23008-2 and -12). Of what else a file holds (thumbnails, depth, maps for HDR screens, further pictures) only opacity counts.

use super::{Decoded, Header, Limits, damaged, truncated, undecodable, unsupported};
use crate::error::{Error, Result};
use crate::media::image::{Depth, Layout, Metadata, Samples};
use heic_rs::context::Context;
use heic_rs::hevc::{self, Frame};
use heic_rs::meta::{iloc::Construction, iref::RefKind};
use heic_rs::props::{ItemProps, hvcc::HevcConfig, simple::AuxKind};
use heic_rs::{MatrixCoefficients, Nclx, PixelLayout, Range, color, grid, transform};
use scuffle_h265::{SpsNALUnit, VideoSignalType};
use std::borrow::Cow;
use std::io::Read;

pub(super) const NAME: &str = "HEIC";

/// The extensions it goes by, the usual one first.
pub(super) const EXTENSIONS: [&str; 3] = ["heic", "heif", "hif"];

/// The type of a sequence parameter set, as the header of a unit of HEVC's stream has it.
const SEQUENCE_SET: u8 = 33;

/// Most items, pieces of them, properties and references among them: a burst of photos, each in tiles, has some thousands.
const MOST_PARTS: usize = 16_384;

/// Codes of colour (ITU-T H.273) for the primaries of BT.709 and sRGB's curve, and for "unspecified".
const SRGB: (u16, u16) = (1, 13);
const UNSPECIFIED: u16 = 2;

/// Bytes of a unit's header, and of a sequence parameter set before its level.
const HEADER: usize = 2;
const LEVEL: usize = 12;

/// Samples of two pixels without colour.
const GRAY: usize = 2;

/// Whether a file that starts with `head` is one: by its brand, or, where that speaks of the container alone, by those that it is compatible with.
pub(super) fn is(head: &[u8]) -> bool {
    let brands = |of: &[u8]| of.chunks_exact(4).any(|brand| brand.starts_with(b"hei") || brand.starts_with(b"hev"));
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if brands(brand.get(..4).unwrap_or_default()) => true,
        [_, _, _, _, b'f', b't', b'y', b'p', b'm', b'i' | b's', b'f' | b'a', _, _, _, _, _, rest @ ..] => brands(rest),
        _ => false,
    }
}

pub(super) fn read(mut file: impl Read, length: u64, limits: &Limits) -> Result<Decoded> {
    let mut bytes = Vec::with_capacity(length as usize);
    (&mut file).take(limits.max_bytes).read_to_end(&mut bytes).map_err(truncated)?;
    let file = Context::open(&bytes).map_err(failed)?;
    check_parts(&file)?;
    let id = file.meta.primary;
    let picture = Item::of(&file, id, limits)?;
    let alpha = file.alpha_item(id).map_err(failed)?.map(|alpha| Item::of(&file, alpha, limits)).transpose()?;

    let coded = file.coded_size(id, &picture.props).map_err(failed)?;
    let (width, height) = transform::transformed_size(coded.0, coded.1, &picture.props.transforms).map_err(failed)?;
    let layout = if alpha.is_some() { Layout::Rgba } else { Layout::Rgb };
    let depth = if picture.wide { Depth::Sixteen } else { Depth::Eight };
    let header = Header { width: width as usize, height: height as usize, channels: layout.channels(), depth };
    // Tiles and what they are put together to, 2 bytes a sample, and a copy that is turned.
    let planes = alpha.as_ref().map_or(0, |_| 2) + picture.twice_planes;
    let buffers = 2 * planes + layout.channels() * depth.bytes();
    limits.check(header, buffers)?;

    let pixels = match (layout, depth) {
        (Layout::Rgba, Depth::Eight) => PixelLayout::Rgba8,
        (Layout::Rgba, _) => PixelLayout::Rgba16,
        (_, Depth::Eight) if picture.twice_planes == GRAY => PixelLayout::Gray8,
        (_, Depth::Eight) => PixelLayout::Rgb8,
        _ => PixelLayout::Rgb16,
    };
    let layout = if pixels == PixelLayout::Gray8 { Layout::Gray } else { layout };
    let opacity = alpha.as_ref().map(|item| item.decode(&file, limits)).transpose()?;
    let frame = picture.decode(&file, limits)?;
    for part in [Some(&frame), opacity.as_ref()].into_iter().flatten() {
        if (part.width, part.height) != coded {
            return Err(damaged("its parts are of other sizes than it says"));
        }
    }
    let image = color::convert(&frame, opacity.as_ref(), picture.colours, pixels, limits.max_pixels, Some(1));
    drop((frame, opacity));
    let image = image.and_then(|image| transform::apply_all(image, &picture.props.transforms)).map_err(failed)?;
    let samples = match depth {
        Depth::Eight => Samples::U8(image.data),
        Depth::Sixteen => {
            Samples::U16(image.data.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect())
        }
    };
    warn_of_maps(&file, id);
    let metadata = metadata(&file, id, &picture);
    // The container turns the picture, and not what EXIF says: other programs, too, leave both in.
    let decoded = Decoded::new(image.width as usize, image.height as usize, layout, samples, metadata);
    Ok(Decoded { orientation: Some(1), ..decoded })
}

/// Refuses a file of so many parts, or of parts that are made of one another, that to put them together would take for ever.
fn check_parts(file: &Context) -> Result<()> {
    let meta = &file.meta;
    let pieces = meta.locations.iter().map(|location| location.extents.len()).sum::<usize>();
    let references = meta.refs.iter().map(|reference| reference.to.len()).sum::<usize>();
    let named = meta.props.assoc.iter().map(|(_, properties)| properties.len()).sum::<usize>();
    let counts =
        [meta.items.len(), meta.refs.len(), meta.locations.len(), meta.props.assoc.len(), pieces, references, named];
    if counts.into_iter().any(|count| count > MOST_PARTS) {
        return Err(damaged("it says that it is made of more parts than a picture has"));
    }
    if meta.locations.iter().any(|location| location.construction == Construction::Item) {
        return Err(unread(heic_rs::Error::Unsupported("items that are made of other items")));
    }
    Ok(())
}

/// A picture of the file, whole or in tiles.
struct Item<'a> {
    props: ItemProps<'a>,
    grid: Option<grid::Grid>,
    /// The coded pictures that it is made of, row by row, and how they are coded.
    parts: Vec<(u32, HevcConfig<'a>)>,
    /// Samples of two pixels.
    twice_planes: usize,
    /// More than 8 bits a sample.
    wide: bool,
    colours: Nclx,
}

impl<'a> Item<'a> {
    fn of(file: &Context<'a>, id: u32, limits: &Limits) -> Result<Item<'a>> {
        let props = file.props(id).map_err(failed)?;
        let (grid, ids) = match file.grid(id).map_err(failed)? {
            Some((grid, tiles)) => (Some(grid), tiles),
            None => (None, vec![id]),
        };
        let (mut coded, mut signal) = (0u64, None);
        let (mut twice_planes, mut wide) = (GRAY, false);
        let parts = ids.into_iter().map(|id| Ok((id, codec(file.props(id).map_err(failed)?)?)));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        for (_, codec) in &parts {
            for set in sets(codec)? {
                // What the stream says is decoded, whatever the container says.
                coded = coded.saturating_add(set.width.saturating_mul(set.height));
                (twice_planes, wide) = (twice_planes.max(set.twice_planes), wide || set.wide);
                signal = signal.or(set.signal);
            }
        }
        // Tiles reach beyond the picture's edge, by less than their own size.
        if coded > limits.max_pixels.saturating_mul(2) {
            return Err(super::too_large(format!(
                "the picture is made of parts of {} megapixels in all; the limit is {}",
                coded / 1_000_000,
                limits.max_pixels.saturating_mul(2) / 1_000_000
            )));
        }
        let colours = colours(props.nclx, signal.as_ref());
        Ok(Item { props, grid, parts, twice_planes, wide, colours })
    }

    fn decode(&self, file: &Context<'a>, limits: &Limits) -> Result<Frame> {
        let frames = self.parts.iter().map(|(id, codec)| {
            let data: Cow<[u8]> = file.item_data(*id).map_err(failed)?;
            let units = codec.split_nals(&data).map_err(failed)?;
            hevc::decode_still(&codec.parameter_sets(), &units).map_err(unread)
        });
        let mut frames = frames.collect::<Result<Vec<Frame>>>()?;
        match &self.grid {
            Some(grid) => grid::compose(grid, &frames, limits.max_pixels).map_err(failed),
            None => frames.pop().ok_or_else(|| damaged("it has no picture in it")),
        }
    }
}

fn codec(props: ItemProps<'_>) -> Result<HevcConfig<'_>> {
    props.hvcc.ok_or_else(|| {
        unsupported("its picture is not coded by HEVC", "open it in an image editor and save it as PNG or JPEG")
    })
}

/// What a stream says of its pictures.
struct Set {
    width: u64,
    height: u64,
    twice_planes: usize,
    wide: bool,
    signal: Option<VideoSignalType>,
}

fn sets(codec: &HevcConfig) -> Result<Vec<Set>> {
    // By their own headers, as the decoder goes: the container may have put them among others.
    let units = codec.parameter_sets().into_iter();
    let sequences = units.filter(|unit| unit.first().is_some_and(|header| header >> 1 & 0x3f == SEQUENCE_SET));
    let sets = sequences.map(|unit| {
        let set = SpsNALUnit::parse(&*of_some_level(unit)).map_err(|e| undecodable(e, false))?.rbsp;
        Ok(Set {
            width: set.pic_width_in_luma_samples.get(),
            height: set.pic_height_in_luma_samples.get(),
            twice_planes: [GRAY, 3, 4, 6].get(usize::from(set.chroma_format_idc)).copied().unwrap_or(6),
            wide: set.bit_depth_luma_minus8 > 0,
            signal: set.vui_parameters.map(|vui| vui.video_signal_type),
        })
    });
    sets.collect()
}

/// The unit with another level where its level is 8.5, "none", of which the crate says that it is out of range; stills mostly have it.
fn of_some_level(unit: &[u8]) -> Vec<u8> {
    let mut unit = unit.to_vec();
    let (mut zeros, mut place) = (0, 0);
    for byte in unit.iter_mut().skip(HEADER) {
        // A 3 that keeps two zeros from looking like a mark, and belongs to no field.
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        if place == LEVEL {
            *byte = (*byte).min(254);
            break;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        place += 1;
    }
    unit
}

/// What the samples mean: as the container says, else as the stream does, where that is silent by what HEVC infers; where no matrix is told, as in JPEG.
fn colours(container: Option<Nclx>, stream: Option<&VideoSignalType>) -> Nclx {
    let (primaries, transfer, matrix_code, full) = match (container, stream) {
        (Some(said), _) => (said.primaries, said.transfer, said.matrix_code, said.range == Range::Full),
        (None, Some(said)) => (
            said.colour_primaries.into(),
            said.transfer_characteristics.into(),
            said.matrix_coeffs.into(),
            said.video_full_range_flag,
        ),
        (None, None) => (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, false),
    };
    let matrix = match MatrixCoefficients::from_code(matrix_code) {
        MatrixCoefficients::Unspecified => MatrixCoefficients::Bt601,
        known => known,
    };
    let range = if full { Range::Full } else { Range::Limited };
    Nclx { primaries, transfer, matrix, matrix_code, range }
}

fn metadata(file: &Context, id: u32, picture: &Item) -> Metadata {
    let exif = file.exif_item(id).and_then(|item| file.item_data(item).ok());
    let exif = exif.as_deref().and_then(|item| heic_rs::metadata::exif_tiff(item).ok()).map(<[u8]>::to_vec);
    let xmp = file.xmp_item(id).and_then(|item| file.item_data(item).ok()).map(Cow::into_owned);
    let icc = picture.props.icc.map(<[u8]>::to_vec);
    let Nclx { primaries, transfer, .. } = picture.colours;
    let mut metadata = Metadata { icc, exif, xmp, ..Metadata::default() };
    // As PNG says it; that they are other colours is told where the result's format has no place for it.
    let plain = [SRGB.0, UNSPECIFIED].contains(&primaries) && [SRGB.1, UNSPECIFIED, 1, 6].contains(&transfer);
    if let (None, false, Ok(primaries), Ok(transfer)) =
        (&metadata.icc, plain, u8::try_from(primaries), u8::try_from(transfer))
    {
        metadata.chunks.push((*b"cICP", vec![primaries, transfer, 0, 1]));
    }
    metadata
}

/// Tells of pictures beside the first that say something of it, as those of most phones' cameras do.
fn warn_of_maps(file: &Context, id: u32) {
    let beside =
        file.meta.refs.iter().filter(|reference| reference.kind == RefKind::Auxl && reference.to.contains(&id));
    let kinds = beside.filter_map(|reference| Some(file.props(reference.from).ok()?.auxc?.kind));
    if kinds.into_iter().any(|kind| kind != AuxKind::Alpha) {
        tracing::warn!("the maps of depth or for HDR screens in it are not carried over");
    }
}

fn failed(error: heic_rs::Error) -> Error {
    match error {
        heic_rs::Error::Truncated(_) => truncated(error),
        heic_rs::Error::Unsupported(_) => unread(error),
        _ => undecodable(error, false),
    }
}

/// Of what the decoder does not know it says at times that it is wrong.
fn unread(error: heic_rs::Error) -> Error {
    let what = "it is damaged, or coded in a way that latentd does not read";
    unsupported(what, "open it in an image editor and save it as PNG or JPEG").because(error)
}
