//! What a FLAC file says beside its sound: comments and pictures. They go with the sound through all stages, for a result that is FLAC as well. They are a
//! stranger's, so there are bounds, and what is damaged is left out.

use std::fs::File;
use std::io::Result;

use flac_codec::metadata::fields::CHANNEL_MASK;
use flac_codec::metadata::{Block, Picture, PictureType, read_blocks};

use super::decode::part;

/// Bytes that are kept in all. A single block of FLAC may have little more, and a result's comments have to fit into one.
const MOST: u64 = 16_000_000;
/// Blocks that are looked at, and comments that are kept, at most.
const MOST_BLOCKS: usize = 256;
const MOST_COMMENTS: usize = 10_000;

/// How a file numbers its kinds of blocks.
const COMMENTS: u8 = 4;
const PICTURE: u8 = 6;

/// What comments begin with that tell how loud the sound was, which is not what the result is.
const LOUDNESS: [&str; 2] = ["REPLAYGAIN_", "R128_"];

/// Comments and pictures.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    /// Comments as `NAME=text`.
    pub comments: Vec<String>,
    /// Covers and the like.
    pub pictures: Vec<Picture>,
    /// Which speaker each channel is for, as the channel mask of WAV tells it.
    pub speakers: Option<u32>,
    /// Whether there was more than is kept.
    pub cut: bool,
}

impl Tags {
    /// Those of a FLAC file that begins at `at`.
    ///
    /// # Errors
    /// The system's, when the file cannot be read.
    pub fn read(file: &mut File, at: u64) -> Result<Tags> {
        let mut tags = Tags::default();
        let (mut at, mut room) = (at + 4, MOST);
        for _ in 0..MOST_BLOCKS {
            let Some([kind, length @ ..]) = part(file, at, 4)?.first_chunk::<4>().copied() else { break };
            let length = u64::from(u32::from_be_bytes([0, length[0], length[1], length[2]]));
            at += 4;
            match kind & 0x7f {
                COMMENTS | PICTURE if length > room => tags.cut = true,
                COMMENTS => {
                    room -= length;
                    tags.take_comments(&part(file, at, length)?);
                }
                PICTURE => {
                    room -= length;
                    tags.take_picture(&part(file, at, length)?);
                }
                _ => {}
            }
            if kind & 0x80 != 0 {
                break;
            }
            at += length;
        }
        Ok(tags)
    }

    /// Texts with their lengths before them: whose program wrote the file, then how many comments there are, and the comments.
    fn take_comments(&mut self, block: &[u8]) {
        let mut rest = block;
        if text(&mut rest).is_none() || rest.split_off(..4).is_none() {
            return;
        }
        let texts = std::iter::from_fn(|| text(&mut rest)).filter_map(|text| std::str::from_utf8(text).ok());
        for comment in texts {
            let Some((name, value)) = comment.split_once('=') else { continue };
            let begins = |with: &&str| name.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
            let plain = !name.is_empty() && name.bytes().all(|byte| (b' '..=b'}').contains(&byte));
            if name.eq_ignore_ascii_case(CHANNEL_MASK) {
                let digits = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X"));
                self.speakers = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
            } else if plain && !LOUDNESS.iter().any(begins) {
                match self.comments.len() < MOST_COMMENTS {
                    true => self.comments.push(comment.to_owned()),
                    false => self.cut = true,
                }
            }
        }
    }

    fn take_picture(&mut self, block: &[u8]) {
        let Some(picture) = picture(block) else { return };
        let kind = picture.picture_type;
        let is_icon = matches!(kind, PictureType::Png32x32 | PictureType::GeneralFileIcon);
        // A file may have one of each.
        if !(is_icon && self.pictures.iter().any(|picture| picture.picture_type == kind)) {
            self.pictures.push(picture);
        }
    }

    /// Which speakers so many channels are for, if that is told.
    pub fn speakers_of(&self, channels: usize) -> Option<u32> {
        self.speakers.filter(|mask| mask.count_ones() as usize == channels && *mask >> 18 == 0)
    }
}

/// The next of the texts, which has its length in four bytes before it, the lowest first.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.split_off(..4)?.first_chunk::<4>().map(|length| u32::from_le_bytes(*length))?;
    rest.split_off(..usize::try_from(length).ok()?)
}

/// The picture that a block holds, unless it is damaged.
fn picture(block: &[u8]) -> Option<Picture> {
    // Blocks are read within a file alone, and that begins with what the sound is, of 34 bytes.
    let [_, length @ ..] = u32::try_from(block.len()).ok()?.to_be_bytes();
    let mut file = [b"fLaC\0\0\0\x22".as_slice(), &[0; 34], &[0x80 | PICTURE], &length].concat();
    file.extend_from_slice(block);
    match read_blocks(file.as_slice()).nth(1)? {
        Ok(Block::Picture(picture)) => Some(picture),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn of(bytes: &[u8]) -> Tags {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Tags::read(&mut file, 0).unwrap()
    }

    fn block(kind: u8, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u32).to_be_bytes();
        [&[kind, length[1], length[2], length[3]], bytes].concat()
    }

    fn comments(count: u32, texts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [4u32.to_le_bytes().as_slice(), b"made", &count.to_le_bytes()].concat();
        for text in texts {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        bytes
    }

    #[test]
    fn what_is_true_of_the_result_is_kept() {
        let texts: [&[u8]; 8] = [
            b"TITLE=a = b",
            b"replaygain_track_gain=-3 dB",
            b"R128_TRACK_GAIN=5",
            b"waveformatextensible_channel_mask=0x0107",
            b"no name",
            b"=empty",
            b"ARTIST=\xff",
            b"DATE=2026",
        ];
        let tags = of(&[b"fLaC".to_vec(), block(0, &[0; 34]), block(4 | 0x80, &comments(8, &texts))].concat());
        assert_eq!(tags.comments, ["TITLE=a = b", "DATE=2026"]);
        assert_eq!((tags.speakers_of(4), tags.speakers_of(2)), (Some(0x107), None));
        assert!(!tags.cut);
    }

    /// Numbers that promise more than there is cost nothing, and what is whole before them is kept.
    #[test]
    fn what_lies_of_its_length_is_left_out() {
        let mut lying = comments(u32::MAX, &[b"TITLE=x"]);
        lying.extend(u32::MAX.to_le_bytes());
        lying.extend_from_slice(b"ARTIST=y");
        let broken = [3u32.to_be_bytes(), u32::MAX.to_be_bytes()].concat();
        let tags =
            of(&[b"fLaC".to_vec(), block(4, &lying), block(6, &broken), block(6, &[]), vec![6, 255, 255, 255]]
                .concat());
        assert_eq!(tags.comments, ["TITLE=x"]);
        assert!(tags.pictures.is_empty() && tags.cut);
        for bytes in [b"".as_slice(), b"fLaC", b"fLaC\x04", b"fLaC\x84\0\0\x02ab"] {
            assert!(of(bytes).comments.is_empty());
        }
        let none = comments(0, &[]);
        let many = [b"fLaC".to_vec(), block(4, &none).repeat(MOST_BLOCKS), block(4, &comments(1, &[b"A=b"]))].concat();
        assert!(of(&many).comments.is_empty(), "it is read on and on");
    }

    #[test]
    fn of_icons_there_is_one() {
        let icon: Vec<u8> =
            [1u32, 0, 0, 32, 32, 24, 0, 3].iter().flat_map(|n| n.to_be_bytes()).chain(*b"png").collect();
        let cover: Vec<u8> = [3u32, 0, 0, 1, 1, 24, 0, 2].iter().flat_map(|n| n.to_be_bytes()).chain(*b"ab").collect();
        let tags = of(&[b"fLaC".to_vec(), block(6, &icon).repeat(2), block(6, &cover).repeat(2)].concat());
        let kinds: Vec<PictureType> = tags.pictures.iter().map(|picture| picture.picture_type).collect();
        assert_eq!(kinds, [PictureType::Png32x32, PictureType::FrontCover, PictureType::FrontCover]);
        assert_eq!(tags.pictures[1].data, b"ab");
    }
}
