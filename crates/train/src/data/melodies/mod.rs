//! Tunes: read from ABC, MIDI and chorale files, split by tune, cut into windows.

pub mod abc;
mod chorales;
mod likeness;
mod midi;
mod window;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use latentd::media::melody::{GRID_PER_QUARTER, Line, Note, Part, quantise};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

pub use window::Windows;

use crate::data::find_files;
use crate::refuse;

/// A tune on the grid of 16th notes.
#[derive(Clone, Debug)]
pub struct Tune {
    /// What it is called; voices of one piece share it.
    pub piece: String,
    /// The file it comes from.
    pub path: PathBuf,
    /// A line for each part that the network takes.
    pub lines: Vec<Line>,
    /// Steps at which full bars start.
    pub bars: Vec<usize>,
    /// Whether its data set wants it held out, where it tells.
    pub held_out: Option<bool>,
}

impl Tune {
    /// Steps of its longest line.
    pub fn len(&self) -> usize {
        self.lines.iter().map(Line::len).max().unwrap_or(0)
    }

    /// Whether it has no step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads every tune below `folder` that has the parts asked for: MIDI files, and for melodies alone also ABC files and chorales.
///
/// # Errors
/// When the folder cannot be read, a file of chorales is damaged, or there is no tune at all.
pub fn load(folder: &Path, parts: &[Part]) -> Result<Vec<Tune>> {
    let mut tunes = Vec::new();
    let files = find_files(folder, &["mid", "midi", "abc", "csv", "json"])?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let alone = parts == [Part::Melody];
    let mut splits = midi::Splits::default();
    files.iter().filter(|path| name(path) == "info.csv").for_each(|path| splits.add(path));
    for path in &files {
        let name = name(path);
        if name.ends_with(".mid") || name.ends_with(".midi") {
            tunes.extend(midi::read(path, parts, &splits));
        } else if alone && name.ends_with(".abc") {
            // Old collections are in Latin-1; only titles have letters beyond ASCII. Some editors mark UTF-8 before all else.
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            tunes.extend(abc::read(&text).into_iter().map(|tune| from_abc(tune, path)));
        } else if alone && name == chorales::FILE {
            tunes.extend(chorales::read(path)?);
        }
    }
    tunes.retain(|tune| tune.bars.len() >= 2);
    if tunes.is_empty() {
        let parts: Vec<&str> = parts.iter().map(|part| part.name()).collect();
        refuse!(
            NoInput,
            "there is nothing in {} with {}: MIDI files and ABC files are read",
            folder.display(),
            parts.join(", ")
        );
    }
    Ok(tunes)
}

/// Splits tunes into those to learn from and about `held_out` others, a quarter of all at most. Whole pieces go to one side, and with them all
/// pieces that are nearly the same.
pub fn split(tunes: Vec<Tune>, held_out: usize, seed: u64) -> (Vec<Tune>, Vec<Tune>) {
    let held_out = held_out.min(tunes.len() / 4);
    let families = likeness::families(&tunes);
    let mut order: Vec<usize> =
        families.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    let mut size = vec![0usize; tunes.len()];
    families.iter().for_each(|family| size[*family] += 1);
    let mut chosen = std::collections::BTreeSet::new();
    let mut count = 0;
    // A data set that tells its own split is held to it.
    let told = |family: usize| tunes.iter().zip(&families).any(|(tune, of)| *of == family && tune.held_out.is_some());
    for family in order {
        // A family of many versions stays whole among those to learn from.
        if count < held_out && size[family] <= 1 + held_out / 20 && !told(family) {
            count += size[family];
            chosen.insert(family);
        }
    }
    let (mut training, mut development) = (Vec::new(), Vec::new());
    for (tune, family) in tunes.into_iter().zip(families) {
        let held_out = tune.held_out.unwrap_or_else(|| chosen.contains(&family));
        if held_out { development.push(tune) } else { training.push(tune) }
    }
    (training, development)
}

fn from_abc(tune: abc::AbcTune, path: &Path) -> Tune {
    let first = tune.notes.first().map_or(0, |note| note.start);
    let step = u64::from(abc::TICKS_PER_QUARTER) / GRID_PER_QUARTER;
    let notes: Vec<_> =
        tune.notes.iter().map(|note| Note { start: note.start - first, end: note.end - first, ..*note }).collect();
    let bars = tune.bars.iter().filter(|bar| **bar >= first).map(|bar| ((bar - first + step / 2) / step) as usize);
    Tune {
        piece: format!("{}: {}", path.display(), tune.title),
        path: path.to_owned(),
        lines: vec![Line::Notes(quantise(&notes, abc::TICKS_PER_QUARTER))],
        bars: bars.collect(),
        held_out: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mark hid the first tune, mostly the only one.
    #[test]
    fn abc_files_may_begin_with_the_mark_of_utf_8() {
        let folder = tempfile::tempdir().expect("a folder");
        let tune = "\u{feff}X:1\nT:Marked\nM:4/4\nL:1/8\nK:C\nCDEF GABc|CDEF GABc|CDEF GABc|\n";
        std::fs::write(folder.path().join("marked.abc"), tune).expect("a file");
        assert_eq!(load(folder.path(), &[Part::Melody]).expect("a tune").len(), 1);
    }
}
