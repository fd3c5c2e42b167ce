//! Melodies: notes in ticks under a tempo map, as MIDI files hold them, and the same on a grid of 16th notes, as networks
//! take them.

mod bars;
mod choice;
mod drums;
mod frame;
mod grid;
mod join;
mod line;
pub mod midi;
mod qualities;
pub mod render;
mod score;
mod seam;

pub use bars::{Stretch, bar_starts, stretches};
pub use choice::{Choice, choose, choose_bass};
pub use drums::{DRUM_KIT, DRUM_PARTS, Hits, drum_notes, drum_pattern};
pub use frame::Frame;
pub use grid::{
    GRID_PER_QUARTER, HIGHEST, LOWEST, Quantised, STEP_CLASSES, Step, dequantise, nearest_step, onsets, quantise,
    quantise_aloud, tick_of,
};
pub use join::join;
pub use line::{Line, Part, distance_of, lines, roll, values_of};
pub use qualities::{DRUM_QUALITIES, NOTE_QUALITIES, qualities, quality_names};
pub use score::{Score, sounds};

use std::borrow::Cow;

/// One note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Note {
    /// When it starts, in ticks from the beginning.
    pub start: u64,
    /// When it ends, in ticks from the beginning; later than `start`.
    pub end: u64,
    /// MIDI key number, 0..=127; 60 is middle C.
    pub pitch: u8,
    /// MIDI velocity, 1..=127.
    pub velocity: u8,
}

/// From its tick on, a quarter note lasts this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tempo {
    /// In ticks from the beginning.
    pub tick: u64,
    /// Microseconds of a quarter note, 1..2^24.
    pub microseconds: u32,
}

/// From its tick on, a bar is this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// In ticks from the beginning.
    pub tick: u64,
    /// The upper number, 1..=255.
    pub beats: u8,
    /// The lower number as a power of two: 2 for quarters, 3 for eighths.
    pub unit_log2: u8,
}

/// From its tick on, the music is written in this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// In ticks from the beginning.
    pub tick: u64,
    /// Sharps, -7..=7; flats where negative.
    pub sharps: i8,
    /// Whether it is a minor key.
    pub minor: bool,
}

/// MIDI's channel of drums, counted from 0.
pub const DRUM_CHANNEL: u8 = 9;

/// The tempo where a file tells none: 120 quarters a minute.
pub const DEFAULT_TEMPO: u32 = 500_000;

/// Ticks of a quarter note that are fine enough for any rhythm on the grid.
const FINE: u16 = 96;

/// The most ticks of a quarter note that a MIDI file can tell.
const MOST_TICKS: u16 = 0x7fff;

/// The notes of one channel on one track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voice {
    /// The track it was on, counted from 0.
    pub track: usize,
    /// Its channel, 0..=15; 9 is for drums.
    pub channel: u8,
    /// The instrument of General MIDI that it starts with, 0..=127.
    pub program: u8,
    /// When it changes to which other instrument, in order.
    pub programs: Vec<(u64, u8)>,
    /// Controllers of MIDI that are set before its first note, and to what: its bank (0 and 32), loudness (7 and 11) and place (10).
    pub controls: Vec<(u8, u8)>,
    /// What the track is called.
    pub name: Option<String>,
    /// In order of their starts.
    pub notes: Vec<Note>,
}

/// A piece of music in notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Melody {
    /// Ticks of a quarter note, 1..=32767.
    pub ticks_per_quarter: u16,
    /// In order; the first at tick 0.
    pub tempos: Vec<Tempo>,
    /// In order; the first at tick 0.
    pub meters: Vec<Meter>,
    /// In order; none where nobody has told.
    pub keys: Vec<Key>,
    /// In the order of tracks and channels.
    pub voices: Vec<Voice>,
}

impl Melody {
    /// A piece without notes, at 120 quarters a minute in 4/4.
    pub fn new(ticks_per_quarter: u16) -> Melody {
        Melody {
            ticks_per_quarter: ticks_per_quarter.clamp(1, MOST_TICKS),
            tempos: vec![Tempo { tick: 0, microseconds: DEFAULT_TEMPO }],
            meters: vec![Meter { tick: 0, beats: 4, unit_log2: 2 }],
            keys: Vec::new(),
            voices: Vec::new(),
        }
    }

    /// The same piece, a quarter note of which has so many ticks.
    fn in_ticks(&self, ticks: u16) -> Melody {
        let own = u64::from(self.ticks_per_quarter.max(1));
        let scale = |tick: &mut u64| *tick = *tick * u64::from(ticks) / own;
        let mut piece = Melody { ticks_per_quarter: ticks, ..self.clone() };
        piece.tempos.iter_mut().for_each(|tempo| scale(&mut tempo.tick));
        piece.meters.iter_mut().for_each(|meter| scale(&mut meter.tick));
        piece.keys.iter_mut().for_each(|key| scale(&mut key.tick));
        for voice in &mut piece.voices {
            voice.programs.iter_mut().for_each(|(tick, _)| scale(tick));
            for note in &mut voice.notes {
                scale(&mut note.start);
                scale(&mut note.end);
                note.end = note.end.max(note.start + 1);
            }
        }
        piece
    }

    /// The same piece in ticks of which a 16th note has a whole number, and not too few; as it is where a file could not tell them.
    fn fine(&self) -> Cow<'_, Melody> {
        let finer = |factor: u16| self.ticks_per_quarter.checked_mul(factor);
        let fits =
            |ticks: &u16| (FINE..=MOST_TICKS).contains(ticks) && u64::from(*ticks).is_multiple_of(GRID_PER_QUARTER);
        match (1..=FINE).filter_map(finer).find(fits) {
            Some(ticks) if ticks != self.ticks_per_quarter => Cow::Owned(self.in_ticks(ticks)),
            _ => Cow::Borrowed(self),
        }
    }

    /// When the last note ends, in ticks.
    pub fn end(&self) -> u64 {
        self.voices.iter().flat_map(|voice| &voice.notes).map(|note| note.end).max().unwrap_or(0)
    }

    /// The share of steps of the grid at which two pieces differ, voice by voice, 0..=1.
    pub fn distance(&self, other: &Melody) -> f64 {
        distance_of(&self.lines(), &other.lines())
    }

    /// Every voice on the grid.
    pub fn lines(&self) -> Vec<Line> {
        let line = |voice: &Voice| match voice.channel {
            DRUM_CHANNEL => Line::Hits(drum_pattern(&voice.notes, self.ticks_per_quarter)),
            _ => Line::Notes(quantise(&voice.notes, self.ticks_per_quarter)),
        };
        self.voices.iter().map(line).collect()
    }

    /// The tempo at a tick, in microseconds of a quarter note.
    pub fn tempo_at(&self, tick: u64) -> u32 {
        let after = self.tempos.partition_point(|tempo| tempo.tick <= tick);
        after.checked_sub(1).map_or(DEFAULT_TEMPO, |at| self.tempos[at].microseconds)
    }

    /// How long the piece lasts, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds_at(self.end())
    }

    /// When a tick is heard, in seconds from the beginning.
    pub fn seconds_at(&self, tick: u64) -> f64 {
        let mut seconds = 0.0;
        for (at, tempo) in self.tempos.iter().enumerate() {
            let until = self.tempos.get(at + 1).map_or(tick, |next| next.tick.min(tick));
            let ticks = until.saturating_sub(tempo.tick);
            seconds += ticks as f64 * f64::from(tempo.microseconds) / f64::from(self.ticks_per_quarter) / 1e6;
        }
        seconds
    }
}
