//! EXIF in a TIFF file is not a block but tags among the picture's own. This takes the ones that speak of the photo out of a
//! file's directories into a block, and a block apart for a TIFF writer. Maker notes are carried as they are; offsets that
//! they hold cannot be mended, which readers such as ExifTool know how to deal with.

use super::exif::{
    Directory, EXIF_DIRECTORY, Entry, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY, LONG, Order, directory, header,
    type_size,
};
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// Tags of the main directory that speak of the photo; the others say how pixels are stored.
const DESCRIPTIVE: [u16; 20] = [
    0x010d,
    0x010e,
    0x010f,
    0x0110,
    RESOLUTION[0],
    RESOLUTION[1],
    RESOLUTION[2],
    0x0131,
    0x0132,
    0x013b,
    0x013c,
    0x4746,
    0x4749,
    0x8298,
    0x83bb,
    0x9c9b,
    0x9c9c,
    0x9c9d,
    0x9c9e,
    0x9c9f,
];
/// Across, down and in which unit.
pub(super) const RESOLUTION: [u16; 3] = [0x011a, 0x011b, 0x0128];
const RESOLUTION_UNIT: u16 = 0x0128;
/// More than any camera writes, and a bound on what a hostile file can make us hold.
const MAX_BYTES: u64 = 8 << 20;

/// One tag with its value, the value's bytes in little-endian order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tag {
    pub tag: u16,
    pub kind: u16,
    pub count: u32,
    pub bytes: Vec<u8>,
}

/// What EXIF tells, by directory.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Exif {
    /// Descriptive tags of the main directory.
    pub main: Vec<Tag>,
    pub exif: Vec<Tag>,
    pub gps: Vec<Tag>,
    pub interoperability: Vec<Tag>,
    /// Whether some of it could not be followed.
    pub broken: bool,
}

/// Takes the EXIF tags out of a block or a whole TIFF file, as far as they can be followed.
pub(super) fn take(source: &mut (impl Read + Seek)) -> io::Result<Exif> {
    let (order, at) = header(source)?;
    let main = directory(source, order, at)?;
    let mut budget = MAX_BYTES;
    let mut exif = Exif::default();
    exif.main = tags(source, order, &main, &mut budget, &mut exif.broken, |tag| DESCRIPTIVE.contains(&tag));
    // Without a unit the resolution is only a ratio, which TIFF writers put there because the tag is obligatory.
    if !matches!(main.number(RESOLUTION_UNIT, order), Some(2 | 3)) {
        exif.main.retain(|t| !RESOLUTION.contains(&t.tag));
    }
    let mut below = |above: &Directory, tag: u16, broken: &mut bool| {
        let found = directory(source, order, above.number(tag, order)?).ok();
        *broken |= found.is_none();
        let inner = found?;
        let tags = tags(source, order, &inner, &mut budget, broken, |tag| tag != INTEROPERABILITY_DIRECTORY);
        Some((inner, tags))
    };
    if let Some((inner, tags)) = below(&main, EXIF_DIRECTORY, &mut exif.broken) {
        exif.exif = tags;
        exif.interoperability =
            below(&inner, INTEROPERABILITY_DIRECTORY, &mut exif.broken).map(|(_, tags)| tags).unwrap_or_default();
    }
    exif.gps = below(&main, GPS_DIRECTORY, &mut exif.broken).map(|(_, tags)| tags).unwrap_or_default();
    Ok(exif)
}

fn tags(
    source: &mut (impl Read + Seek),
    order: Order,
    directory: &Directory,
    budget: &mut u64,
    broken: &mut bool,
    wanted: impl Fn(u16) -> bool,
) -> Vec<Tag> {
    let mut tags = Vec::new();
    for entry in directory.entries.iter().filter(|e| wanted(e.tag)) {
        match value(source, order, entry, budget) {
            Ok(tag) => tags.extend(tag),
            Err(_) => *broken = true,
        }
    }
    tags.sort_by_key(|t| t.tag);
    tags.dedup_by_key(|t| t.tag);
    tags
}

/// Follows an entry; `None` for a type unknown to the specification.
fn value(source: &mut (impl Read + Seek), order: Order, entry: &Entry, budget: &mut u64) -> io::Result<Option<Tag>> {
    let Some(range) = entry.value(order) else { return Ok(None) };
    let len = range.end - range.start;
    *budget = budget.checked_sub(len).ok_or(io::ErrorKind::FileTooLarge)?;
    let mut bytes = if len <= 4 {
        entry.field[..len as usize].to_vec()
    } else {
        let mut bytes = Vec::new();
        source.seek(SeekFrom::Start(range.start))?;
        source.take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes
    };
    if order == Order::Big {
        let swapped = match entry.kind {
            5 | 10 => 4, // rationals are two numbers
            kind => type_size(kind).unwrap_or(1) as usize,
        };
        bytes.chunks_exact_mut(swapped).for_each(<[u8]>::reverse);
    }
    Ok(Some(Tag { tag: entry.tag, kind: entry.kind, count: entry.count, bytes }))
}

impl Exif {
    /// Whether there is nothing worth carrying.
    pub(super) fn is_empty(&self) -> bool {
        self.main.is_empty() && self.exif.is_empty() && self.gps.is_empty()
    }

    /// The tags as a block of its own, little-endian.
    pub(super) fn to_block(&self) -> Vec<u8> {
        let mut out = Cursor::new(b"II\x2a\0\0\0\0\0".to_vec());
        let mut pointers = Vec::new();
        let mut exif = self.exif.clone();
        if !self.interoperability.is_empty() {
            exif.push(pointer(INTEROPERABILITY_DIRECTORY, append(&mut out, &self.interoperability)));
            exif.sort_by_key(|t| t.tag);
        }
        if !exif.is_empty() {
            pointers.push(pointer(EXIF_DIRECTORY, append(&mut out, &exif)));
        }
        if !self.gps.is_empty() {
            pointers.push(pointer(GPS_DIRECTORY, append(&mut out, &self.gps)));
        }
        let mut main = self.main.clone();
        main.append(&mut pointers);
        main.sort_by_key(|t| t.tag);
        let at = append(&mut out, &main);
        let mut out = out.into_inner();
        out[4..8].copy_from_slice(&at.to_le_bytes());
        out
    }
}

/// A tag that points to a directory.
pub(super) fn pointer(tag: u16, at: u32) -> Tag {
    Tag { tag, kind: LONG, count: 1, bytes: at.to_le_bytes().to_vec() }
}

/// Appends the tags' values and then their directory; tells where the directory stands.
fn append(out: &mut Cursor<Vec<u8>>, tags: &[Tag]) -> u32 {
    let out = out.get_mut();
    let even = |out: &mut Vec<u8>| out.resize(out.len().next_multiple_of(2), 0);
    let mut entries = Vec::with_capacity(tags.len() * 12);
    for tag in tags {
        entries.extend(tag.tag.to_le_bytes());
        entries.extend(tag.kind.to_le_bytes());
        entries.extend(tag.count.to_le_bytes());
        if tag.bytes.len() <= 4 {
            let field = entries.len();
            entries.extend(&tag.bytes);
            entries.resize(field + 4, 0);
        } else {
            even(out);
            entries.extend((out.len() as u32).to_le_bytes());
            out.extend(&tag.bytes);
        }
    }
    even(out);
    let at = out.len() as u32;
    out.extend((tags.len() as u16).to_le_bytes());
    out.extend(entries);
    out.extend([0; 4]);
    at
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag() -> impl Strategy<Value = Tag> {
        (0x9000_u16..0x9fff, prop_oneof![Just(1_u16), Just(2), Just(3), Just(4), Just(5), Just(7)], 1_u32..40)
            .prop_flat_map(|(tag, kind, count)| {
                let len = type_size(kind).unwrap() as usize * count as usize;
                proptest::collection::vec(any::<u8>(), len).prop_map(move |bytes| Tag { tag, kind, count, bytes })
            })
    }

    fn directory() -> impl Strategy<Value = Vec<Tag>> {
        proptest::collection::vec(tag(), 0..6).prop_map(|mut tags| {
            tags.sort_by_key(|t| t.tag);
            tags.dedup_by_key(|t| t.tag);
            tags
        })
    }

    proptest! {
        #[test]
        fn a_block_gives_back_its_tags(exif in directory(), gps in directory(), make in "[ -~]{1,30}") {
            let main = vec![Tag { tag: 0x010f, kind: 2, count: make.len() as u32, bytes: make.into_bytes() }];
            let there = Exif { main, exif, gps, interoperability: vec![], broken: false };
            prop_assert_eq!(take(&mut Cursor::new(there.to_block())).unwrap(), there);
        }

        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [b"MM\0\x2a\0\0\0\x08".to_vec(), bytes].concat();
            if let Ok(exif) = take(&mut Cursor::new(bytes)) {
                exif.to_block();
            }
        }
    }
}
