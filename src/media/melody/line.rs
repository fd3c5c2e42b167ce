//! Lines of a piece on the grid, and how networks take them: a row of values for each step.

use serde::{Deserialize, Serialize};

use super::{DRUM_PARTS, Hits, STEP_CLASSES, Step};

/// What a line of a piece plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// One note at a time.
    Melody,
    /// One note at a time, below.
    Bass,
    /// Nine parts of a drum kit.
    Drums,
}

impl Part {
    /// Values of one step.
    pub const fn values(self) -> usize {
        match self {
            Part::Melody | Part::Bass => STEP_CLASSES,
            Part::Drums => DRUM_PARTS,
        }
    }

    /// The word in cards and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Melody => "melody",
            Part::Bass => "bass",
            Part::Drums => "drums",
        }
    }
}

/// One line on the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Of notes.
    Notes(Vec<Step>),
    /// Of drums.
    Hits(Vec<Hits>),
}

impl Line {
    /// A line of silence.
    pub fn silence(part: Part, steps: usize) -> Line {
        match part {
            Part::Melody | Part::Bass => Line::Notes(vec![Step::Hold; steps]),
            Part::Drums => Line::Hits(vec![0; steps]),
        }
    }

    /// Its steps.
    pub fn len(&self) -> usize {
        match self {
            Line::Notes(steps) => steps.len(),
            Line::Hits(hits) => hits.len(),
        }
    }

    /// Whether it has no step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `length` steps from `start` on; after the line's end there is silence. With `strike`, a note that sounds over the start is struck
    /// anew there; without, it is held.
    pub fn window(&self, start: usize, length: usize, strike: bool) -> Line {
        let range = start.min(self.len())..self.len().min(start.saturating_add(length));
        match self {
            Line::Hits(hits) => {
                let mut cut = hits[range].to_vec();
                cut.resize(length, 0);
                Line::Hits(cut)
            }
            Line::Notes(steps) => {
                let mut cut = steps[range].to_vec();
                if cut.len() < length {
                    cut.push(Step::Off);
                }
                cut.resize(length, Step::Hold);
                if strike && cut.first() == Some(&Step::Hold) {
                    let before = &steps[..start.min(steps.len())];
                    if let Some(note @ Step::Note(_)) = before.iter().rev().find(|step| **step != Step::Hold) {
                        cut[0] = *note;
                    }
                }
                Line::Notes(cut)
            }
        }
    }

    /// All of it higher or lower by half tones, drums as they are; `None` where a note would leave the grid's range.
    pub fn transposed(&self, half_tones: i32) -> Option<Line> {
        match self {
            Line::Notes(steps) => {
                steps.iter().map(|step| step.transposed(half_tones)).collect::<Option<_>>().map(Line::Notes)
            }
            Line::Hits(hits) => Some(Line::Hits(hits.clone())),
        }
    }

    /// Joins lines of one kind; those of another kind than the first are left out.
    pub fn join(lines: impl IntoIterator<Item = Line>) -> Option<Line> {
        let mut lines = lines.into_iter();
        let mut joined = lines.next()?;
        for line in lines {
            match (&mut joined, line) {
                (Line::Notes(steps), Line::Notes(more)) => steps.extend(more),
                (Line::Hits(hits), Line::Hits(more)) => hits.extend(more),
                _ => {}
            }
        }
        Some(joined)
    }

    /// Puts step `at` as values for a network: one 1 among classes, or a 1 for every drum that is hit. `values` are zeros before.
    pub fn put(&self, at: usize, values: &mut [f32]) {
        match self {
            Line::Notes(steps) => values[steps[at].class()] = 1.0,
            Line::Hits(hits) => {
                for (part, value) in values.iter_mut().enumerate().filter(|(part, _)| hits[at] & 1 << part != 0) {
                    debug_assert!(part < DRUM_PARTS);
                    *value = 1.0;
                }
            }
        }
    }

    /// The share of steps at which two lines differ, 0..=1; where one is longer, its rest differs.
    pub fn distance(&self, other: &Line) -> f64 {
        let longer = self.len().max(other.len()).max(1);
        let same = match (self, other) {
            (Line::Notes(a), Line::Notes(b)) => a.iter().zip(b).filter(|(a, b)| a == b).count(),
            (Line::Hits(a), Line::Hits(b)) => a.iter().zip(b).filter(|(a, b)| a == b).count(),
            _ => 0,
        };
        1.0 - same as f64 / longer as f64
    }
}

/// The share of steps at which the lines of two pieces differ, voice by voice, 0..=1; a line that one of them lacks is unlike any other.
pub fn distance_of(a: &[Line], b: &[Line]) -> f64 {
    let voices = a.len().max(b.len());
    let apart = |at: usize| match (a.get(at), b.get(at)) {
        (Some(a), Some(b)) => a.distance(b),
        _ => 1.0,
    };
    (0..voices).map(apart).sum::<f64>() / voices.max(1) as f64
}

/// Values of all parts of a step.
pub fn values_of(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.values()).sum()
}

/// Lines as a network takes them: `[steps, values]`, the parts' values side by side.
pub fn roll(lines: &[Line], parts: &[Part]) -> Vec<f32> {
    let steps = lines.iter().map(Line::len).max().unwrap_or(0);
    let row = values_of(parts);
    let mut values = vec![0f32; steps * row];
    for (at, row) in values.chunks_exact_mut(row.max(1)).enumerate() {
        let mut rest = row;
        for (line, part) in lines.iter().zip(parts) {
            let (own, after) = rest.split_at_mut(part.values());
            if at < line.len() {
                line.put(at, own);
            }
            rest = after;
        }
    }
    values
}

/// The likeliest lines by a network's scores `[steps, values]`: for notes logarithms of probabilities up to a constant, for drums
/// logarithms of odds.
pub fn lines(scores: &[f32], parts: &[Part]) -> Vec<Line> {
    let row = values_of(parts).max(1);
    let mut from = 0;
    let mut lines = Vec::with_capacity(parts.len());
    for part in parts {
        let own = |row: &'_ [f32]| from..from + part.values().min(row.len());
        lines.push(match part {
            Part::Melody | Part::Bass => {
                let steps = scores.chunks_exact(row).map(|row| Step::from_class(likeliest(&row[own(row)])));
                Line::Notes(steps.collect())
            }
            Part::Drums => {
                let hits = scores.chunks_exact(row).map(|row| {
                    let hit = row[own(row)].iter().enumerate().filter(|(_, score)| **score > 0.0);
                    hit.fold(0, |hits, (part, _)| hits | 1 << part)
                });
                Line::Hits(hits.collect())
            }
        });
        from += part.values();
    }
    lines
}

fn likeliest(scores: &[f32]) -> usize {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0)
}
