//! A drum kit on the grid of 16th notes: nine parts, each hit or not at every step.

use super::Note;
use super::grid::{is_off_grid, nearest_step, tick_of};

/// Parts of the kit.
pub const DRUM_PARTS: usize = 9;

/// Name and key of General MIDI of each part.
pub const DRUM_KIT: [(&str, u8); DRUM_PARTS] = [
    ("bass drum", 36),
    ("snare", 38),
    ("closed hi-hat", 42),
    ("open hi-hat", 46),
    ("low tom", 45),
    ("mid tom", 48),
    ("high tom", 50),
    ("crash", 49),
    ("ride", 51),
];

/// The parts hit at a step: bit `k` for part `k` of [`DRUM_KIT`].
pub type Hits = u16;

/// The part that a key of channel 10 belongs to. Keys of General MIDI, and those that electronic kits add, go to the part that sounds most
/// alike; hand percussion goes nowhere.
fn part(key: u8) -> Option<usize> {
    Some(match key {
        35 | 36 => 0,
        37..=40 => 1,
        22 | 42 | 44 | 54 | 69 | 70 => 2,
        26 | 46 => 3,
        41 | 43 | 45 | 58 => 4,
        47 | 48 => 5,
        50 => 6,
        49 | 52 | 55 | 57 => 7,
        51 | 53 | 59 => 8,
        _ => return None,
    })
}

/// Puts hits on the grid; it ends with the last one.
pub fn drum_pattern(notes: &[Note], ticks_per_quarter: u16) -> Vec<Hits> {
    let hits = notes.iter().filter_map(|note| {
        let step = nearest_step(note.start, ticks_per_quarter);
        part(note.pitch).map(|part| (step as usize, part))
    });
    let mut pattern = Vec::new();
    for (step, part) in hits {
        if pattern.len() <= step {
            pattern.resize(step + 1, 0);
        }
        pattern[step] |= 1 << part;
    }
    pattern
}

/// What a person should know of the way of drums onto the grid, if anything.
pub fn remark_on_drums(notes: &[Note], ticks_per_quarter: u16) -> Option<String> {
    let (kit, others): (Vec<&Note>, Vec<&Note>) = notes.iter().partition(|note| part(note.pitch).is_some());
    let moved = kit.iter().filter(|note| is_off_grid(note.start, ticks_per_quarter)).count();
    let mut said = Vec::new();
    if moved > 0 {
        said.push(format!("{moved} off the grid go to the nearest 16th"));
    }
    if !others.is_empty() {
        said.push(format!("{} that are not of a drum kit are left out", others.len()));
    }
    (!said.is_empty()).then(|| format!("of {} drums {}", notes.len(), said.join(", ")))
}

/// Notes of a pattern, each a step long.
pub fn drum_notes(pattern: &[Hits], ticks_per_quarter: u16, velocity: u8) -> Vec<Note> {
    let tick = |step: usize| tick_of(step, ticks_per_quarter);
    let mut notes = Vec::new();
    for (step, hits) in pattern.iter().enumerate() {
        for (part, (_, pitch)) in DRUM_KIT.iter().enumerate() {
            if hits & 1 << part != 0 {
                notes.push(Note {
                    start: tick(step),
                    end: tick(step + 1).max(tick(step) + 1),
                    pitch: *pitch,
                    velocity,
                });
            }
        }
    }
    notes
}
