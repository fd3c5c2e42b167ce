//! The chunks of a PNG that tell, beside a profile, what its samples mean and how large its pixels are, and its texts. But for the
//! size of pixels they are kept as they stand: only another PNG has a place for them.

use super::{Density, MAX_TEXTS, Metadata};
use png::text_metadata::EncodableTextChunk;

/// Name and content.
type Chunk = ([u8; 4], Vec<u8>);

/// What cICP says of sRGB: the primaries of BT.709, sRGB's curve, no matrix, full range.
const SRGB_CODE_POINTS: [u8; 4] = [1, 13, 0, 1];
/// What gAMA says of sRGB, in 1/100,000.
const SRGB_GAMMA: u32 = 45_455;
/// What cHRM says of sRGB: x and y of white, red, green and blue, in 1/100,000.
const SRGB_CHROMATICITIES: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];

/// Those of a file.
pub(super) fn of(info: &png::Info<'_>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut put = |name: &[u8; 4], content: Option<Vec<u8>>| chunks.extend(content.map(|content| (*name, content)));
    let points = info.coding_independent_code_points.map(|points| {
        let full_range = u8::from(points.is_video_full_range_image);
        vec![points.color_primaries, points.transfer_function, points.matrix_coefficients, full_range]
    });
    put(b"cICP", points);
    let display = info.mastering_display_color_volume.map(|display| {
        let png::SourceChromaticities { white, red, green, blue } = display.chromaticities;
        // The crate counts in 1/100,000, the chunk in 1/50,000.
        let half = |value: png::ScaledFloat| ((value.into_scaled() / 2) as u16).to_be_bytes();
        let mut content: Vec<u8> =
            [red, green, blue, white].into_iter().flat_map(|(x, y)| [x, y]).flat_map(half).collect();
        content.extend(display.max_luminance.to_be_bytes());
        content.extend(display.min_luminance.to_be_bytes());
        content
    });
    put(b"mDCV", display);
    let light = info.content_light_level.map(|light| {
        [light.max_content_light_level.to_be_bytes(), light.max_frame_average_light_level.to_be_bytes()].concat()
    });
    put(b"cLLI", light);
    put(b"gAMA", info.gama_chunk.map(|gamma| gamma.into_scaled().to_be_bytes().to_vec()));
    put(b"cHRM", info.chrm_chunk.map(|chromaticities| chromaticities.to_be_bytes().to_vec()));
    // Beside a profile it must not stand, and the profile wins.
    let srgb = info.srgb.filter(|_| info.icc_profile.is_none());
    put(b"sRGB", srgb.map(|intent| vec![intent as u8]));
    // With a unit it is the print resolution, for which other formats have a place too.
    let pixel = info.pixel_dims.filter(|_| density(info).is_none()).map(|pixel| {
        let mut content: Vec<u8> = [pixel.xppu.to_be_bytes(), pixel.yppu.to_be_bytes()].concat();
        content.push(pixel.unit as u8);
        content
    });
    put(b"pHYs", pixel);
    chunks
}

/// How large a file's pixels are printed.
pub(super) fn density(info: &png::Info<'_>) -> Option<Density> {
    let pixel = info.pixel_dims.filter(|pixel| matches!(pixel.unit, png::Unit::Meter))?;
    Density::per_metre(pixel.xppu, pixel.yppu)
}

/// The chunks of a new file: those of the old one, and how large its pixels are printed.
pub(super) fn with_density(metadata: &mut Metadata) -> Vec<Chunk> {
    let mut chunks = std::mem::take(&mut metadata.chunks);
    if let Some(density) = metadata.density.filter(|_| chunks.iter().all(|chunk| chunk.0 != *b"pHYs")) {
        let [x, y] = density.to_per_metre().map(u32::to_be_bytes);
        let unit = [png::Unit::Meter as u8];
        chunks.push((*b"pHYs", [&x[..], &y, &unit].concat()));
    }
    chunks
}

/// The keyword of an XMP packet.
pub(super) const XMP: &str = "XML:com.adobe.xmp";

/// A file's texts, without XMP and without the profiles that ImageMagick writes as texts: nobody makes those true of the new picture.
pub(super) fn texts(info: &png::Info<'_>) -> Vec<Chunk> {
    let is_text = |keyword: &str| {
        keyword != XMP && keyword.strip_prefix("Raw profile type ").is_none_or(|what| what.eq_ignore_ascii_case("iptc"))
    };
    let latin = info.uncompressed_latin1_text.iter().filter(|text| is_text(&text.keyword)).filter_map(raw);
    let packed = info.compressed_latin1_text.iter().filter(|text| is_text(&text.keyword)).filter_map(raw);
    let unicode = info.utf8_text.iter().filter(|text| is_text(&text.keyword)).filter_map(raw);
    let mut room = MAX_TEXTS;
    let mut has_all = true;
    let texts = latin
        .chain(packed)
        .chain(unicode)
        .filter(|(_, content)| {
            let left = room.checked_sub(content.len());
            room = left.unwrap_or(room);
            has_all &= left.is_some();
            left.is_some()
        })
        .collect();
    if !has_all {
        tracing::warn!("its texts are longer than 1 MiB, and not all of them are carried over");
    }
    texts
}

/// A text as its chunk stands in a file.
fn raw(text: &impl EncodableTextChunk) -> Option<Chunk> {
    let mut whole = Vec::new();
    text.encode(&mut whole).ok()?;
    // Before the content stand its length and the chunk's name, behind it a checksum.
    let name = *whole.get(4..)?.first_chunk()?;
    let content = whole.get(8..whole.len().checked_sub(4)?)?.to_vec();
    Some((name, content))
}

/// Makes them true of a picture that was turned by 90 degrees: pixels wider than high are now higher than wide.
pub(super) fn turn(chunks: &mut [Chunk]) {
    for (name, content) in chunks {
        if *name == *b"pHYs" && content.len() == 9 {
            content[..8].rotate_left(4);
        }
    }
}

/// Whether the colours look different without them: where cICP stands it alone counts, a profile or sRGB beside them wins.
pub(super) fn matter(metadata: &Metadata) -> bool {
    let content =
        |name: &[u8; 4]| metadata.chunks.iter().find(|chunk| chunk.0 == *name).map(|chunk| chunk.1.as_slice());
    if let Some(points) = content(b"cICP") {
        return points != SRGB_CODE_POINTS;
    }
    if metadata.icc.is_some() || content(b"sRGB").is_some() {
        return false;
    }
    let is_near = |name: &[u8; 4], usual: &[u32], tolerance: u32| {
        content(name).is_none_or(|content| {
            let told = content.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes));
            told.zip(usual).all(|(told, usual)| told.abs_diff(*usual) <= tolerance)
        })
    };
    // As libpng has it, a gamma within 5 % is the same, and so are primaries within 0.01.
    !is_near(b"gAMA", &[SRGB_GAMMA], SRGB_GAMMA / 20) || !is_near(b"cHRM", &SRGB_CHROMATICITIES, 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    #[test]
    fn which_matter() {
        let wide = [31_270, 32_900, 70_800, 29_200, 17_000, 79_700, 13_100, 4_600];
        let linear = (*b"gAMA", numbers(&[100_000]));
        for (chunks, expected) in [
            (vec![], false),
            (vec![linear.clone()], true),
            (vec![(*b"gAMA", numbers(&[45_000]))], false),
            (vec![(*b"cHRM", numbers(&wide))], true),
            (vec![(*b"cHRM", numbers(&SRGB_CHROMATICITIES))], false),
            (vec![linear.clone(), (*b"sRGB", vec![0])], false),
            (vec![linear.clone(), (*b"cICP", vec![1, 13, 0, 1])], false),
            (vec![(*b"sRGB", vec![0]), (*b"cICP", vec![9, 16, 0, 1])], true),
            (vec![(*b"pHYs", vec![0; 9])], false),
        ] {
            let metadata = Metadata { chunks, ..Metadata::default() };
            assert_eq!(matter(&metadata), expected, "{metadata:?}");
        }
        let metadata = Metadata { icc: Some(vec![0]), chunks: vec![linear], ..Metadata::default() };
        assert!(!matter(&metadata));
    }
}
