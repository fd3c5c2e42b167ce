//! What the edit lists of an MP4 file keep of its tracks: not the delay of the encoder at the start, nor what fills the last packet. Symphonia
//! passes over them.

use std::fs::File;
use std::io::Result;
use std::ops::Range;

use super::part;

/// Boxes that are looked at in one place, at most.
const MOST_BOXES: usize = 256;
/// Bytes of a box that are read: more than a list of one edit has.
const MOST_BYTES: u64 = 64;

/// What a list keeps of a track.
pub(super) struct Edit {
    /// The track's number.
    pub track: u32,
    /// Where the sound begins, on the track's clock.
    pub start: u64,
    /// How long it goes on, on the movie's clock, where that is told.
    pub duration: Option<u64>,
}

/// The edits in a file of `size` bytes. Lists of several are montages, which latentd does not follow.
pub(super) fn of(file: &mut File, size: u64) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    let Some(mut movie) = find(file, 0..size, b"moov")? else { return Ok(edits) };
    // In a file of fragments the list may tell of the first one only.
    let whole = find(file, movie.clone(), b"mvex")?.is_none();
    for _ in 0..MOST_BOXES {
        let Some(track) = find(file, movie.clone(), b"trak")? else { break };
        movie.start = track.end;
        edits.extend(edit(file, track, whole)?);
    }
    Ok(edits)
}

fn edit(file: &mut File, track: Range<u64>, whole: bool) -> Result<Option<Edit>> {
    let Some(header) = find(file, track.clone(), b"tkhd")? else { return Ok(None) };
    let Some(edits) = find(file, track, b"edts")? else { return Ok(None) };
    let Some(list) = find(file, edits, b"elst")? else { return Ok(None) };
    let header = part(file, header.start, MOST_BYTES.min(header.end - header.start))?;
    let list = part(file, list.start, MOST_BYTES.min(list.end - list.start))?;
    Ok(understood(&header, &list, whole))
}

fn understood(header: &[u8], list: &[u8], whole: bool) -> Option<Edit> {
    // The first byte is the version; in version 1 times are of 64 bits.
    let wide = |bytes: &[u8]| bytes.first() == Some(&1);
    let track = u32::try_from(number(header, if wide(header) { 20 } else { 12 }, 4)?).ok()?;
    let length = if wide(list) { 8 } else { 4 };
    let (duration, start) = (number(list, 8, length)?, number(list, 8 + length, length)?);
    let one = number(list, 4, 4)? == 1 && number(list, 8 + 2 * length, 4)? == 0x1_0000;
    // A negative start is a pause.
    let pause = start >> (8 * length - 1) == 1;
    (one && !pause).then(|| Edit { track, start, duration: Some(duration).filter(|d| whole && *d > 0) })
}

/// What the first box of a kind holds.
fn find(file: &mut File, within: Range<u64>, kind: &[u8; 4]) -> Result<Option<Range<u64>>> {
    let mut at = within.start;
    for _ in 0..MOST_BOXES {
        let head = part(file, at, 16)?;
        let left = within.end.saturating_sub(at);
        let (header, length) = match number(&head, 0, 4) {
            Some(0) => (8, left),
            Some(1) => (16, number(&head, 8, 8).unwrap_or(0)),
            Some(length) => (8, length),
            None => break,
        };
        if length < header || length > left {
            break;
        }
        if head.get(4..8) == Some(kind.as_slice()) {
            return Ok(Some(at + header..at + length));
        }
        at += length;
    }
    Ok(None)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(bytes.get(at..at + length)?.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte)))
}
