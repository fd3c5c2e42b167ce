//! MIDI files as training data: the melody of a song, its drums, or melody, bass and drums together.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use latentd::media::melody::{
    self, Choice, DRUM_CHANNEL, Line, Melody, Note, Part, bar_starts, choose, choose_bass, drum_pattern, quantise,
};

use super::Tune;
use crate::tell;

/// The lines of a file that a network of `parts` learns from; `None` for a file that has them not, or, with a warning, cannot be read.
pub fn read(path: &Path, parts: &[Part], splits: &Splits) -> Option<Tune> {
    let held_out = splits.held_out(path)?;
    let song = open(path).inspect_err(|error| tell(format_args!("warning: {error:#}: passed over"))).ok()?;
    let lines = parts.iter().map(|part| line(&song, *part)).collect::<Option<Vec<_>>>()?;
    let steps = lines.iter().map(Line::len).max()?;
    let bars = bar_starts(&song, steps).ok()?;
    let piece = path.to_string_lossy().into_owned();
    Some(Tune { piece, path: path.to_owned(), lines, bars, held_out })
}

fn open(path: &Path) -> Result<Melody> {
    let cannot_read = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot_read)?;
    melody::midi::read(file).map_err(|error| anyhow!("{error}")).with_context(cannot_read)
}

fn line(song: &Melody, part: Part) -> Option<Line> {
    let melody = || choose(song, Choice::Auto).ok().map(|(voice, _)| voice);
    match part {
        Part::Melody => Some(Line::Notes(quantise(&melody()?.notes, song.ticks_per_quarter))),
        Part::Bass => Some(Line::Notes(quantise(&choose_bass(song, melody()?)?.notes, song.ticks_per_quarter))),
        Part::Drums => {
            let drums = song.voices.iter().filter(|voice| voice.channel == DRUM_CHANNEL);
            let notes: Vec<Note> = drums.flat_map(|voice| &voice.notes).copied().collect();
            let hits = drum_pattern(&notes, song.ticks_per_quarter);
            (!hits.is_empty()).then_some(Line::Hits(hits))
        }
    }
}

/// The split that a data set itself tells in an `info.csv` (the Groove data set does): a file's path, and `train`, `validation` or `test`.
#[derive(Debug, Default)]
pub struct Splits(BTreeMap<String, String>);

impl Splits {
    /// Adds what the `info.csv` at `path` tells.
    pub fn add(&mut self, path: &Path) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap_or_default();
        let column = |name: &str| header.iter().position(|column| *column == name);
        if let (Some(file), Some(split)) = (column("midi_filename"), column("split")) {
            self.0
                .extend(lines.filter_map(|line| Some(((*line.get(file)?).to_owned(), (*line.get(split)?).to_owned()))));
        }
    }

    /// Whether a file is held out, if its data set tells; `None` for one that is for tests only.
    fn held_out(&self, path: &Path) -> Option<Option<bool>> {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let told = (0..parts.len()).find_map(|from| self.0.get(&parts[from..].join("/")));
        match told.map(String::as_str) {
            None => Some(None),
            Some("test") => None,
            Some(other) => Some(Some(other != "train")),
        }
    }
}
