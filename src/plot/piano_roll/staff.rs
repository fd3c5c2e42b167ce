//! The rows of a piano roll: pitches, and below them the drums that are played.

use std::ops::Range;

use super::Bar;
use crate::media::melody::{DRUM_CHANNEL, DRUM_KIT, Melody, Note, Voice, drum_pattern};

/// Rows of a drum, of which its notes take all but one.
const DRUM: f64 = 3.0;

/// Where pitches and drums lie.
pub(super) struct Staff {
    /// The lowest and the highest pitch, if there is any.
    pitches: Option<(u8, u8)>,
    /// Parts of the kit that are played, from below, each as its place in [`DRUM_KIT`]; those that are none of it as one more.
    pub(super) parts: Vec<usize>,
    /// All rows, with some room.
    pub(super) rows: Range<f64>,
}

impl Staff {
    pub(super) fn of(pieces: &[(String, &Melody)]) -> Staff {
        let voices = || pieces.iter().flat_map(|(_, piece)| &piece.voices);
        let of = |drums: bool| {
            voices().filter(move |voice| (voice.channel == DRUM_CHANNEL) == drums).flat_map(|voice| &voice.notes)
        };
        let pitches = of(false).map(|note| note.pitch).min().zip(of(false).map(|note| note.pitch).max());
        let mut parts: Vec<usize> = of(true).map(part).collect();
        parts.sort_unstable();
        parts.dedup();
        let mut staff = Staff { pitches, parts, rows: 59.0..73.0 };
        let drums = staff.parts.len() as f64 * DRUM;
        staff.rows = match pitches {
            Some((low, high)) => f64::from(low) - 1.0 - drums..f64::from(high) + 2.0,
            None if drums > 0.0 => staff.floor() - drums - 1.0..staff.floor(),
            None => staff.rows,
        };
        staff
    }

    /// Drums lie below this row: below the lowest pitch.
    fn floor(&self) -> f64 {
        self.pitches.map_or(0.0, |(low, _)| f64::from(low))
    }

    /// The rows of a part of the kit.
    fn rows_of(&self, part: usize) -> Range<f64> {
        let at = self.parts.iter().position(|own| *own == part).unwrap_or(0);
        let from = self.floor() - DRUM * (self.parts.len() - at.min(self.parts.len())) as f64;
        from..from + DRUM - 1.0
    }

    /// A voice as it is drawn, the one at `at` of its piece.
    pub(super) fn notes(&self, piece: &Melody, at: usize, voice: &Voice) -> Vec<Bar> {
        let quarter = |tick: u64| tick as f64 / f64::from(piece.ticks_per_quarter.max(1));
        let bar = |note: &Note| Bar {
            start: quarter(note.start),
            end: quarter(note.end),
            rows: match voice.channel {
                DRUM_CHANNEL => self.rows_of(part(note)),
                _ => f64::from(note.pitch)..f64::from(note.pitch) + 1.0,
            },
            voice: at,
            loud: f64::from(note.velocity) / 127.0,
        };
        voice.notes.iter().map(bar).collect()
    }

    /// The rows of C.
    pub(super) fn octaves(&self) -> Vec<f64> {
        self.pitches.iter().flat_map(|(low, high)| octaves(*low, *high)).map(f64::from).collect()
    }

    /// What is written beside which row: octaves, or the lowest pitch where there is no C, and drums.
    pub(super) fn names(&self) -> Vec<(f64, String)> {
        let mut names = Vec::new();
        if let Some((low, high)) = self.pitches {
            let octaves: Vec<u8> = octaves(low, high).collect();
            let named = if octaves.is_empty() { vec![low] } else { octaves };
            names.extend(named.into_iter().map(|pitch| (f64::from(pitch) + 0.5, pitch_name(pitch))));
        }
        for &part in &self.parts {
            let rows = self.rows_of(part);
            let name = DRUM_KIT.get(part).map_or("other", |(name, _)| *name);
            names.push(((rows.start + rows.end) / 2.0, name.to_owned()));
        }
        names
    }
}

/// The part of the kit that a drum belongs to, as its place in [`DRUM_KIT`]; of those that belong to none, the place after the last.
fn part(note: &Note) -> usize {
    let alone = drum_pattern(&[Note { start: 0, end: 1, ..*note }], 1);
    alone.first().filter(|hits| **hits > 0).map_or(DRUM_KIT.len(), |hits| hits.trailing_zeros() as usize)
}

/// Every C between two pitches.
fn octaves(low: u8, high: u8) -> impl Iterator<Item = u8> {
    (low..=high).filter(|pitch| pitch.is_multiple_of(12))
}

/// A pitch's name; 60 is C4.
fn pitch_name(pitch: u8) -> String {
    const NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    format!("{}{}", NAMES[usize::from(pitch % 12)], i32::from(pitch / 12) - 1)
}
