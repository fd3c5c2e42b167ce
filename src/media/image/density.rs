//! How large a pixel is printed. Every format says it in units of its own; between them it is held in dots per inch.

use super::exif::{SHORT, directory, header};
use super::exif_block::{RESOLUTION, Tag};
use jpeg_encoder::{PixelDensity, PixelDensityUnit};
use std::io::Cursor;

/// Metres in an inch.
const INCH: f64 = 0.0254;
const RATIONAL: u16 = 5;
/// Smaller and larger ones are no print resolution: most writers that do not know one say 0.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.01..=1e7;

/// Dots per inch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Density {
    /// Across.
    pub x: f64,
    /// Down.
    pub y: f64,
}

impl Density {
    fn new(x: f64, y: f64) -> Option<Density> {
        (PLAUSIBLE.contains(&x) && PLAUSIBLE.contains(&y)).then_some(Density { x, y })
    }

    /// From pixels per metre.
    pub(super) fn per_metre(x: u32, y: u32) -> Option<Density> {
        let inches = |metres: u32| {
            let exact = f64::from(metres) * INCH;
            // 300 dots per inch are 11,811.02 per metre: what was rounded for that unit alone is whole again.
            if (exact.round() / INCH).round() == f64::from(metres) { exact.round() } else { exact }
        };
        Density::new(inches(x), inches(y))
    }

    /// Pixels per metre, at most 2^31 - 1.
    pub(super) fn to_per_metre(self) -> [u32; 2] {
        [self.x, self.y].map(|inches| (inches / INCH).round().clamp(1.0, f64::from(i32::MAX)) as u32)
    }

    /// From the content of a JPEG's APP0 segment.
    pub(super) fn of_jfif(content: &[u8]) -> Option<Density> {
        let [_, _, unit, a, b, c, d] = *content.strip_prefix(b"JFIF\0")?.first_chunk::<7>()?;
        let unit = match unit {
            1 => 1.0,
            2 => 2.54,
            // Only a ratio.
            _ => return None,
        };
        let [x, y] = [[a, b], [c, d]].map(|bytes| f64::from(u16::from_be_bytes(bytes)) * unit);
        Density::new(x, y)
    }

    /// For a JPEG; `None` where 16 bits do not hold it.
    pub(super) fn to_jfif(self) -> Option<PixelDensity> {
        let is_whole = |value: f64| (value - value.round()).abs() < 1e-6;
        let metric = [self.x / 2.54, self.y / 2.54];
        let ([x, y], unit) = if metric.into_iter().all(is_whole) && ![self.x, self.y].into_iter().all(is_whole) {
            (metric, PixelDensityUnit::Centimeters)
        } else {
            ([self.x, self.y], PixelDensityUnit::Inches)
        };
        let whole = |value: f64| {
            let value = value.round();
            (1.0..=65_535.0).contains(&value).then_some(value as u16)
        };
        Some(PixelDensity { density: (whole(x)?, whole(y)?), unit })
    }

    /// What an EXIF block without its prefix tells.
    pub(super) fn of_exif(block: &[u8]) -> Option<Density> {
        let mut source = Cursor::new(block);
        let (order, at) = header(&mut source).ok()?;
        let main = directory(&mut source, order, at).ok()?;
        let unit = match main.number(RESOLUTION[2], order)? {
            2 => 1.0,
            3 => 2.54,
            _ => return None,
        };
        let value = |tag| {
            let entry = main.find(tag).filter(|entry| (entry.kind, entry.count) == (RATIONAL, 1))?;
            let start = entry.value(order)?.start as usize;
            let [a, b, c, d, e, f, g, h] = *block.get(start..)?.first_chunk::<8>()?;
            Some(f64::from(order.u32([a, b, c, d])) / f64::from(order.u32([e, f, g, h])) * unit)
        };
        let x = value(RESOLUTION[0])?;
        Density::new(x, value(RESOLUTION[1]).unwrap_or(x))
    }

    /// A TIFF's tags, as [`Tag`] has them.
    pub(super) fn to_tags(self) -> [Tag; 3] {
        let rational = |tag, value: f64| {
            // Both numbers have 32 bits.
            let divisor = if value.fract() == 0.0 || value > 400_000.0 { 1 } else { 10_000_u32 };
            let number = (value * f64::from(divisor)).round() as u32;
            Tag { tag, kind: RATIONAL, count: 1, bytes: [number.to_le_bytes(), divisor.to_le_bytes()].concat() }
        };
        let unit = Tag { tag: RESOLUTION[2], kind: SHORT, count: 1, bytes: vec![2, 0] };
        [rational(RESOLUTION[0], self.x), rational(RESOLUTION[1], self.y), unit]
    }

    /// Of the picture turned by 90 degrees.
    pub(super) fn turned(self) -> Density {
        Density { x: self.y, y: self.x }
    }

    /// Turns what an EXIF block without its prefix tells.
    pub(super) fn turn_exif(block: &mut [u8]) {
        let mut source = Cursor::new(&*block);
        let found = header(&mut source).and_then(|(order, at)| directory(&mut source, order, at));
        let Ok(main) = found else { return };
        let [across, down, _] = RESOLUTION.map(|tag| main.find(tag).map(|entry| entry.at as usize));
        if let (Some(across), Some(down)) = (across, down) {
            // All of the two entries but their tags: type, count, and the value or where it stands.
            (2..12).for_each(|byte| block.swap(across + byte, down + byte));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_ones_are_whole() {
        for (metres, inches) in [(11_811, 300.0), (2835, 72.0), (3780, 96.0), (100, 2.54)] {
            let density = Density::per_metre(metres, metres).unwrap();
            assert!((density.x - inches).abs() < 1e-9, "{density:?}");
        }
        assert_eq!(Density::per_metre(0, 0), None);
        assert_eq!(Density::of_jfif(b"JFIF\0\x01\x01\x01\x01\x2c\0\x96").unwrap(), Density { x: 300.0, y: 150.0 });
        assert_eq!(Density::of_jfif(b"JFIF\0\x01\x01\0\0\x01\0\x01"), None);
    }

    #[test]
    fn centimetres_stay_centimetres() {
        let density = Density::of_jfif(b"JFIF\0\x01\x01\x02\0\x76\0\x76").unwrap();
        let told = density.to_jfif().unwrap();
        assert_eq!((told.density, told.unit), ((118, 118), PixelDensityUnit::Centimeters));
        assert_eq!(Density { x: 1e6, y: 1e6 }.to_jfif(), None);
    }

    proptest! {
        #[test]
        fn metres_come_back(x in 1_u32..100_000_000, y in 1_u32..100_000_000) {
            prop_assert_eq!(Density::per_metre(x, y).unwrap().to_per_metre(), [x, y]);
        }

        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            Density::of_jfif(&bytes);
            let mut block = [b"II\x2a\0\x08\0\0\0".to_vec(), bytes].concat();
            let told = Density::of_exif(&block);
            Density::turn_exif(&mut block);
            Density::turn_exif(&mut block);
            prop_assert_eq!(Density::of_exif(&block), told);
        }
    }
}
