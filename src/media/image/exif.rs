//! The few edits that an EXIF block needs when its picture changes, made in place: a rewritten block would break the maker
//! notes, whose offsets count from the block's start. No crate edits in place without panicking on hostile input.
//!
//! An EXIF block is a small TIFF file: a header, then directories of 12-byte entries that hold or point to values.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

pub(super) const ORIENTATION: u16 = 0x0112;
pub(super) const EXIF_DIRECTORY: u16 = 0x8769;
pub(super) const GPS_DIRECTORY: u16 = 0x8825;
pub(super) const INTEROPERABILITY_DIRECTORY: u16 = 0xa005;
const IMAGE_WIDTH: u16 = 0x0100;
const IMAGE_LENGTH: u16 = 0x0101;
const PIXEL_X_DIMENSION: u16 = 0xa002;
const PIXEL_Y_DIMENSION: u16 = 0xa003;
const STRIP_OFFSETS: u16 = 0x0111;
const STRIP_BYTE_COUNTS: u16 = 0x0117;
const THUMBNAIL_OFFSET: u16 = 0x0201;
const THUMBNAIL_LENGTH: u16 = 0x0202;
/// What JPEG puts before a block, and some writers of other formats too.
const PREFIX: &[u8] = b"Exif\0\0";
/// Bytes of the header.
const HEADER: u64 = 8;
pub(super) const SHORT: u16 = 3;
pub(super) const LONG: u16 = 4;

/// The order of bytes in a TIFF structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }

    fn put_u16(self, value: u16) -> [u8; 2] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    fn put_u32(self, value: u32) -> [u8; 4] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }
}

/// Bytes of one value of a TIFF type; `None` for a type that the specification does not know.
pub(super) const fn type_size(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}

/// One entry of a directory, not yet followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Where its 12 bytes stand.
    pub at: u64,
    pub tag: u16,
    pub kind: u16,
    pub count: u32,
    /// The last 4 bytes: the value itself, or its offset.
    pub field: [u8; 4],
}

impl Entry {
    /// Where the value's bytes stand, if the type is known.
    pub(super) fn value(&self, order: Order) -> Option<Range<u64>> {
        let len = type_size(self.kind)? * u64::from(self.count);
        let start = if len <= 4 { self.at + 8 } else { u64::from(order.u32(self.field)) };
        Some(start..start + len)
    }

    /// The value of an entry that holds one unsigned number.
    pub(super) fn number(&self, order: Order) -> Option<u32> {
        match (self.kind, self.count) {
            (SHORT, 1) => Some(u32::from(order.u16([self.field[0], self.field[1]]))),
            (LONG | 13, 1) => Some(order.u32(self.field)),
            _ => None,
        }
    }
}

/// One directory.
pub(super) struct Directory {
    pub range: Range<u64>,
    pub entries: Vec<Entry>,
    /// Where the next one stands, 0 for none.
    pub next: u32,
}

impl Directory {
    pub(super) fn find(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|e| e.tag == tag)
    }

    /// The number under `tag`.
    pub(super) fn number(&self, tag: u16, order: Order) -> Option<u32> {
        self.find(tag)?.number(order)
    }
}

/// Reads the header: the byte order and where the first directory stands.
pub(super) fn header(source: &mut (impl Read + Seek)) -> io::Result<(Order, u32)> {
    let mut head = [0; 8];
    source.seek(SeekFrom::Start(0))?;
    source.read_exact(&mut head)?;
    let order = match head {
        [b'I', b'I', 42, 0, ..] => Order::Little,
        [b'M', b'M', 0, 42, ..] => Order::Big,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a TIFF structure")),
    };
    Ok((order, order.u32([head[4], head[5], head[6], head[7]])))
}

/// Reads the directory at `at`.
pub(super) fn directory(source: &mut (impl Read + Seek), order: Order, at: u32) -> io::Result<Directory> {
    let at = u64::from(at);
    source.seek(SeekFrom::Start(at))?;
    let mut two = [0; 2];
    source.read_exact(&mut two)?;
    let count = u64::from(order.u16(two));
    let mut bytes = Vec::new();
    source.take(count * 12).read_to_end(&mut bytes)?;
    let (raw, rest) = bytes.as_chunks::<12>();
    if raw.len() as u64 != count || !rest.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let entries = (at + 2..)
        .step_by(12)
        .zip(raw)
        .map(|(at, e)| Entry {
            at,
            tag: order.u16([e[0], e[1]]),
            kind: order.u16([e[2], e[3]]),
            count: order.u32([e[4], e[5], e[6], e[7]]),
            field: [e[8], e[9], e[10], e[11]],
        })
        .collect();
    // Some writers leave the link out of the last directory.
    let mut next = [0; 4];
    let next = source.read_exact(&mut next).map_or(0, |()| order.u32(next));
    Ok(Directory { range: at..at + 2 + count * 12 + 4, entries, next })
}

/// The orientation that a block tells, 1..=8; 1 if it tells none.
pub(super) fn orientation(block: &[u8]) -> u8 {
    let mut source = Cursor::new(block.strip_prefix(PREFIX).unwrap_or(block));
    header(&mut source)
        .and_then(|(order, at)| Ok(directory(&mut source, order, at)?.number(ORIENTATION, order)))
        .ok()
        .flatten()
        .filter(|o| (1..=8).contains(o))
        .map_or(1, |o| o as u8)
}

/// The block with its orientation set to 1 and without its thumbnail, which shows the old picture; `None` if it is broken.
pub(super) fn settle(mut block: Vec<u8>) -> Option<Vec<u8>> {
    if block.starts_with(PREFIX) {
        block.drain(..PREFIX.len());
    }
    let map = Map::read(&block).ok()?;
    for entry in map.main.entries.iter().filter(|e| e.tag == ORIENTATION) {
        put_number(&mut block, map.order, entry, 1)?;
    }
    if map.main.next != 0 {
        drop_thumbnail(&mut block, &map)?;
    }
    Some(block)
}

/// Sets every statement of the picture's size in a block that [`settle`] gave.
pub(super) fn set_size(block: &mut [u8], width: usize, height: usize) {
    let Ok(map) = Map::read(block) else { return };
    let (width, height) = (width as u32, height as u32);
    for entry in map.main.entries.iter().chain(map.exif.iter().flat_map(|d| &d.entries)) {
        let value = match entry.tag {
            IMAGE_WIDTH | PIXEL_X_DIMENSION => width,
            IMAGE_LENGTH | PIXEL_Y_DIMENSION => height,
            _ => continue,
        };
        let _ = put_number(block, map.order, entry, value);
    }
}

/// The directories of a block that matter here.
struct Map {
    order: Order,
    main: Directory,
    exif: Option<Directory>,
    gps: Option<Directory>,
    interoperability: Option<Directory>,
}

impl Map {
    fn read(block: &[u8]) -> io::Result<Map> {
        let mut source = Cursor::new(block);
        let (order, at) = header(&mut source)?;
        let main = directory(&mut source, order, at)?;
        // A broken inner directory is left as it is: nothing in it is edited.
        let mut follow =
            |from: &Directory, tag| from.number(tag, order).and_then(|at| directory(&mut source, order, at).ok());
        let exif = follow(&main, EXIF_DIRECTORY);
        let gps = follow(&main, GPS_DIRECTORY);
        let interoperability = exif.as_ref().and_then(|exif| follow(exif, INTEROPERABILITY_DIRECTORY));
        Ok(Map { order, main, exif, gps, interoperability })
    }

    /// Every byte range that the block's directories own, but those of the thumbnail's.
    fn kept(&self) -> Vec<Range<u64>> {
        let mut kept = Vec::new();
        kept.push(0..HEADER);
        for directory in [Some(&self.main), self.exif.as_ref(), self.gps.as_ref(), self.interoperability.as_ref()] {
            let Some(directory) = directory else { continue };
            kept.push(directory.range.clone());
            kept.extend(directory.entries.iter().filter_map(|e| e.value(self.order)));
        }
        kept
    }
}

/// Writes one number into an entry that holds one, as LONG if it needs to be.
fn put_number(block: &mut [u8], order: Order, entry: &Entry, value: u32) -> Option<()> {
    if entry.count != 1 || !matches!(entry.kind, SHORT | LONG) {
        return None;
    }
    let bytes = block.get_mut(entry.at as usize..entry.at as usize + 12)?;
    match (entry.kind, u16::try_from(value)) {
        (SHORT, Ok(short)) => bytes[8..10].copy_from_slice(&order.put_u16(short)),
        _ => {
            bytes[2..4].copy_from_slice(&order.put_u16(LONG));
            bytes[8..12].copy_from_slice(&order.put_u32(value));
        }
    }
    Some(())
}

/// Unlinks the second directory and wipes what only it owned; at the block's end the room is given back too.
fn drop_thumbnail(block: &mut Vec<u8>, map: &Map) -> Option<()> {
    let order = map.order;
    let link = map.main.range.end as usize - 4;
    block.get_mut(link..link + 4)?.fill(0);
    let Ok(second) = directory(&mut Cursor::new(&block[..]), order, map.main.next) else { return Some(()) };
    let mut owned: Vec<_> = second.entries.iter().filter_map(|e| e.value(order)).collect();
    owned.push(second.range.clone());
    for (offset, length) in [(THUMBNAIL_OFFSET, THUMBNAIL_LENGTH), (STRIP_OFFSETS, STRIP_BYTE_COUNTS)] {
        if let (Some(at), Some(length)) = (second.number(offset, order), second.number(length, order)) {
            owned.push(u64::from(at)..u64::from(at) + u64::from(length));
        }
    }
    // What both own stays, so that a block whose ranges overlap cannot make this wipe what it needs.
    let mut owner = vec![Owner::Nobody; block.len()];
    for range in merged(owned) {
        paint(&mut owner, range, Owner::Thumbnail);
    }
    for range in merged(map.kept()) {
        paint(&mut owner, range, Owner::Picture);
    }
    for (byte, owner) in block.iter_mut().zip(&owner) {
        if *owner == Owner::Thumbnail {
            *byte = 0;
        }
    }
    let end = owner.iter().rposition(|o| *o != Owner::Thumbnail).map_or(0, |last| last + 1);
    block.truncate(end);
    Some(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    Thumbnail,
    Picture,
}

/// The same bytes by ranges that do not overlap: each of 65,535 entries may claim the whole block.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, before| {
        let overlaps = next.start <= before.end;
        if overlaps {
            before.end = before.end.max(next.end);
        }
        overlaps
    });
    ranges
}

fn paint(owner: &mut [Owner], range: Range<u64>, by: Owner) {
    let end = (range.end).min(owner.len() as u64) as usize;
    let start = (range.start).min(end as u64) as usize;
    owner[start..end].fill(by);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block with an orientation, an Exif directory with sizes, and a thumbnail at its end.
    fn block(order: Order) -> Vec<u8> {
        let mut out = match order {
            Order::Little => b"II\x2a\0".to_vec(),
            Order::Big => b"MM\0\x2a".to_vec(),
        };
        let entry = |out: &mut Vec<u8>, tag, kind, value: u32| {
            out.extend(order.put_u16(tag));
            out.extend(order.put_u16(kind));
            out.extend(order.put_u32(1));
            match kind {
                SHORT => out.extend([order.put_u16(value as u16), [0, 0]].concat()),
                _ => out.extend(order.put_u32(value)),
            }
        };
        out.extend(order.put_u32(8));
        out.extend(order.put_u16(2));
        entry(&mut out, ORIENTATION, SHORT, 6);
        entry(&mut out, EXIF_DIRECTORY, LONG, 38);
        out.extend(order.put_u32(68));
        out.extend(order.put_u16(2));
        entry(&mut out, PIXEL_X_DIMENSION, SHORT, 10);
        entry(&mut out, PIXEL_Y_DIMENSION, LONG, 20);
        out.extend(order.put_u32(0));
        out.extend(order.put_u16(2));
        entry(&mut out, THUMBNAIL_OFFSET, LONG, 98);
        entry(&mut out, THUMBNAIL_LENGTH, LONG, 9);
        out.extend(order.put_u32(0));
        out.extend(b"thumbnail");
        out
    }

    #[test]
    fn settled_and_resized() {
        for order in [Order::Little, Order::Big] {
            assert_eq!(orientation(&block(order)), 6);
            assert_eq!(orientation(&[b"Exif\0\0".to_vec(), block(order)].concat()), 6);
            let mut settled = settle([b"Exif\0\0".to_vec(), block(order)].concat()).unwrap();
            assert_eq!(orientation(&settled), 1);
            assert_eq!(settled.len(), 68, "the thumbnail is cut off");
            set_size(&mut settled, 70_000, 300);
            let exif = Map::read(&settled).unwrap().exif.unwrap();
            assert_eq!(exif.number(PIXEL_X_DIMENSION, order), Some(70_000));
            assert_eq!(exif.number(PIXEL_Y_DIMENSION, order), Some(300));
        }
    }

    proptest! {
        #[test]
        fn anything_is_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), big: bool) {
            orientation(&bytes);
            settle(bytes.clone());
            let head: &[u8] = if big { b"MM\0\x2a\0\0\0\x08" } else { b"II\x2a\0\x08\0\0\0" };
            bytes.splice(0..bytes.len().min(8), head.iter().copied());
            orientation(&bytes);
            set_size(&mut bytes, 5, 70_000);
            settle(bytes);
        }

        #[test]
        fn damage_is_survived(at in 0usize..107, value: u8, big: bool) {
            let order = if big { Order::Big } else { Order::Little };
            let mut bytes = block(order);
            bytes[at] = value;
            if let Some(mut settled) = settle(bytes) {
                prop_assert_eq!(orientation(&settled), 1);
                set_size(&mut settled, 5, 6);
            }
        }
    }
}
