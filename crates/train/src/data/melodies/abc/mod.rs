//! A reader for tunes in ABC notation (abcnotation.com, standard 2.1), as collections of traditional music use it: one
//! voice, with keys, meters, tuplets, broken rhythm, ties, chords (the top note counts) and grace notes (left out). Repeats
//! are not played twice: a tune is learnt from once.

mod body;
mod key;

use latentd::media::melody::Note;

/// Ticks of a quarter note: triplets, quintuplets, septuplets and 64ths are whole numbers of them.
pub const TICKS_PER_QUARTER: u16 = 1680;

/// A tune as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbcTune {
    /// Its first title.
    pub title: String,
    /// Its notes in order; none overlap.
    pub notes: Vec<Note>,
    /// Ticks at which full bars start.
    pub bars: Vec<u64>,
}

/// Reads all tunes of a file; what is no music in it is passed over.
pub fn read(text: &str) -> Vec<AbcTune> {
    let mut tunes = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with("X:") {
            continue;
        }
        let mut tune = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.trim_start().starts_with("X:")) {
            tune.push(line);
        }
        tunes.push(read_tune(&tune));
    }
    tunes
}

fn read_tune(lines: &[&str]) -> AbcTune {
    let mut title = None;
    let mut header = body::Fields::default();
    // A line that is a comment only is none at all.
    let mut lines = lines.iter().filter(|line| !line.trim_start().starts_with('%')).map(|line| without_comment(line));
    for line in lines.by_ref() {
        let Some((name, value)) = field(line) else { continue };
        match name {
            'T' if title.is_none() => title = Some(value.to_owned()),
            'M' => header.meter(value),
            'L' => header.unit(value),
            'K' => {
                header.key(value);
                break;
            }
            _ => {}
        }
    }
    let mut reader = body::Reader::new(header);
    // Text after an empty line is no part of the tune.
    for line in lines.take_while(|line| !line.is_empty()) {
        match field(line) {
            Some((name, value)) => reader.field(name, value),
            None => reader.music(line),
        }
    }
    let (notes, bars) = reader.finish();
    AbcTune { title: title.unwrap_or_default(), notes, bars }
}

fn without_comment(line: &str) -> &str {
    let line = line.split_once('%').map_or(line, |(music, _)| music);
    line.trim()
}

/// A line `X: value`. A line of music may begin with a letter and a colon too, then a bar line follows.
fn field(line: &str) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let name = chars.next().filter(char::is_ascii_alphabetic)?;
    let value = chars.as_str().strip_prefix(':')?;
    (!value.starts_with(['|', ':', ']'])).then(|| (name, value.trim()))
}
