//! Numbers that say what a stretch of music is like.

use super::{Line, onsets};

/// What is measured of notes, in the order of [`qualities`].
pub const NOTE_QUALITIES: [&str; 5] = ["density", "syncopation", "height", "range", "leaps"];

/// What is measured of drums.
pub const DRUM_QUALITIES: [&str; 2] = ["density", "syncopation"];

/// The names of what [`qualities`] measures of a line.
pub fn quality_names(line: &Line) -> &'static [&'static str] {
    match line {
        Line::Notes(_) => &NOTE_QUALITIES,
        Line::Hits(_) => &DRUM_QUALITIES,
    }
}

/// Density: onsets a step. Syncopation: see [`syncopation`]. Height: the mean pitch, in half tones. Range: from the lowest to the highest, in half tones. Leaps:
/// the mean distance of notes that follow one another, in half tones.
pub fn qualities(line: &Line) -> Vec<f32> {
    let steps = line.len().max(1) as f32;
    match line {
        Line::Hits(hits) => {
            let onsets: Vec<usize> = (0..hits.len()).filter(|at| hits[*at] != 0).collect();
            let all: u32 = hits.iter().map(|hits| hits.count_ones()).sum();
            vec![all as f32 / steps, syncopation(&onsets, hits.len())]
        }
        Line::Notes(all) => {
            let (onsets, pitches): (Vec<usize>, Vec<f32>) =
                onsets(all).map(|(at, pitch)| (at, f32::from(pitch))).unzip();
            let count = pitches.len().max(1) as f32;
            let low = pitches.iter().copied().fold(f32::INFINITY, f32::min);
            let high = pitches.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let leaps: f32 = pitches.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
            vec![
                onsets.len() as f32 / steps,
                syncopation(&onsets, all.len()),
                pitches.iter().sum::<f32>() / count,
                (high - low).max(0.0),
                leaps / (count - 1.0).max(1.0),
            ]
        }
    }
}

/// How much stress falls where no note starts, for each onset: a note that starts on a weaker step and sounds over a stronger one counts by how
/// much stronger it is (after Longuet-Higgins and Lee 1984), with weights within a quarter of 2, 0, 1, 0.
fn syncopation(onsets: &[usize], steps: usize) -> f32 {
    let weight = |at: usize| [2, 0, 1, 0][at % 4];
    let mut total = 0;
    for (at, onset) in onsets.iter().enumerate() {
        let next = onsets.get(at + 1).copied().unwrap_or(steps);
        let strongest = (onset + 1..next.min(onset + 5)).map(weight).max().unwrap_or(0);
        total += (strongest - weight(*onset)).max(0);
    }
    total as f32 / onsets.len().max(1) as f32
}
