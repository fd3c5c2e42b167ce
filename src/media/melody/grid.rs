//! One voice on a grid of 16th notes: each step starts a note, starts a silence, or holds what was before.

use std::collections::BTreeMap;

use super::Note;

/// Steps of the grid in a quarter note.
pub const GRID_PER_QUARTER: u64 = 4;

/// The lowest pitch of the grid: the lowest key of a piano, A0.
pub const LOWEST: u8 = 21;

/// The highest pitch of the grid: the highest key of a piano, C8.
pub const HIGHEST: u8 = 108;

/// What a step can be: 88 pitches, hold, off.
pub const STEP_CLASSES: usize = 90;

/// What happens at one step of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A note of this pitch starts, [`LOWEST`]..=[`HIGHEST`].
    Note(u8),
    /// The note or silence before goes on.
    Hold,
    /// Silence starts.
    Off,
}

impl Step {
    /// Its class as networks count them: pitches 0..88, hold 88, off 89.
    pub fn class(self) -> usize {
        match self {
            Step::Note(pitch) => usize::from(pitch.clamp(LOWEST, HIGHEST) - LOWEST),
            Step::Hold => STEP_CLASSES - 2,
            Step::Off => STEP_CLASSES - 1,
        }
    }

    /// The step of a class below [`STEP_CLASSES`]; larger ones count as hold.
    pub fn from_class(class: usize) -> Self {
        match class {
            pitch if pitch <= usize::from(HIGHEST - LOWEST) => Step::Note(LOWEST + pitch as u8),
            off if off == STEP_CLASSES - 1 => Step::Off,
            _ => Step::Hold,
        }
    }

    /// Higher or lower by half tones; `None` where that leaves the grid's range.
    pub fn transposed(self, half_tones: i32) -> Option<Self> {
        match self {
            Step::Note(pitch) => {
                let moved = u8::try_from(i32::from(pitch) + half_tones).ok()?;
                (LOWEST..=HIGHEST).contains(&moved).then_some(Step::Note(moved))
            }
            other => Some(other),
        }
    }
}

/// The step that is nearest to a tick, halves up.
pub fn nearest_step(tick: u64, ticks_per_quarter: u16) -> u64 {
    let unit = u64::from(ticks_per_quarter.max(1));
    tick.saturating_mul(2 * GRID_PER_QUARTER).saturating_add(unit) / (2 * unit)
}

/// The tick at which a step begins.
pub fn tick_of(step: usize, ticks_per_quarter: u16) -> u64 {
    step as u64 * u64::from(ticks_per_quarter) / GRID_PER_QUARTER
}

/// Where notes start, and their pitches.
pub fn onsets(steps: &[Step]) -> impl Iterator<Item = (usize, u8)> {
    steps.iter().enumerate().filter_map(|(at, step)| match step {
        Step::Note(pitch) => Some((at, *pitch)),
        _ => None,
    })
}

/// Puts notes on the grid: starts and ends go to the nearest step (halves up), a note lasts at least one step, and where
/// notes sound together the higher one is heard from its start on (the skyline). A lower one that outlasts a higher one takes over where it
/// starts, as players bind tones; one that does not accompanies it and is left out. Of notes that come one after the other and share a step the longest is
/// heard: the others ornament it. The grid ends with the last note.
///
/// Pitches beyond the grid's range are moved into it by octaves.
pub fn quantise(notes: &[Note], ticks_per_quarter: u16) -> Vec<Step> {
    skyline(notes, ticks_per_quarter).0
}

/// [`quantise`], and how many notes were left out for others that share their step and do not sound with them.
fn skyline(notes: &[Note], ticks_per_quarter: u16) -> (Vec<Step>, usize) {
    let nearest = |tick: u64| nearest_step(tick, ticks_per_quarter);
    let mut sharing: BTreeMap<u64, Vec<&Note>> = BTreeMap::new();
    notes.iter().for_each(|note| sharing.entry(nearest(note.start)).or_default().push(note));
    let mut ornaments = 0;
    let mut heard: BTreeMap<u64, (u8, u64)> = BTreeMap::new();
    for (start, notes) in sharing {
        let end = |note: &Note| nearest(note.end).max(start + 1);
        let Some(longest) = notes.iter().max_by_key(|note| (lasts(note), note.pitch)) else { continue };
        let together = notes.iter().filter(|note| sound_together(note, longest));
        ornaments += notes.len() - together.clone().count();
        heard.extend(together.map(|note| (note.pitch, end(note))).max().map(|top| (start, top)));
    }
    let mut above: Option<(u8, u64)> = None;
    heard.retain(|_, &mut (pitch, end)| {
        let accompanies = above.is_some_and(|(top, until)| pitch < top && end <= until);
        if !accompanies {
            above = Some((pitch, end));
        }
        !accompanies
    });
    let length = heard.values().map(|(_, end)| *end).max().unwrap_or(0);
    let mut steps = vec![Step::Hold; length as usize];
    let mut next = heard.keys().copied().skip(1);
    for (start, (pitch, end)) in &heard {
        steps[*start as usize] = Step::Note(into_range(*pitch));
        let following = next.next().unwrap_or(length);
        if *end < following {
            steps[*end as usize] = Step::Off;
        }
    }
    (steps, ornaments)
}

/// How many ticks it lasts, at least one.
fn lasts(note: &Note) -> u64 {
    note.end.saturating_sub(note.start).max(1)
}

/// Whether one sounds while the other does, for more than half of the shorter: players bind what comes one after the other by a little more than nothing.
fn sound_together(a: &Note, b: &Note) -> bool {
    let end = |note: &Note| note.start.saturating_add(lasts(note));
    let both = end(a).min(end(b)).saturating_sub(a.start.max(b.start));
    both > lasts(a).min(lasts(b)) / 2
}

/// What [`quantise`] made of notes, and what was lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quantised {
    /// The grid.
    pub steps: Vec<Step>,
    /// Notes in all.
    pub notes: usize,
    /// Notes that do not start on the grid by more than an eighth of a step.
    pub moved: usize,
    /// Those of them that start on a grid of triplets.
    pub triplets: usize,
    /// Notes that sound below a higher one and are not heard.
    pub hidden: usize,
    /// Notes that share a step with a longer one, before or after it, and are not heard.
    pub ornaments: usize,
}

impl Quantised {
    /// What a person should know of it, if anything.
    pub fn remark(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.triplets > 0 {
            said.push(format!("{} of triplets go to the nearest 16th", self.triplets));
        }
        if self.moved > self.triplets {
            said.push(format!("{} off the grid go to the nearest 16th", self.moved - self.triplets));
        }
        if self.hidden > 0 {
            said.push(format!("{} below others that sound with them are left out", self.hidden));
        }
        if self.ornaments > 0 {
            said.push(format!("{} that share a 16th with a longer one are left out", self.ornaments));
        }
        (!said.is_empty()).then(|| format!("of {} notes {}", self.notes, said.join(", ")))
    }
}

/// [`quantise`], and an account of what it changed.
pub fn quantise_aloud(notes: &[Note], ticks_per_quarter: u16) -> Quantised {
    let (steps, ornaments) = skyline(notes, ticks_per_quarter);
    let heard = onsets(&steps).count();
    let moved: Vec<&Note> = notes.iter().filter(|note| is_off_grid(note.start, ticks_per_quarter)).collect();
    let triplets = moved.iter().filter(|note| off(note.start, ticks_per_quarter, 6) < 1.0 / 64.0).count();
    Quantised {
        notes: notes.len(),
        moved: moved.len(),
        triplets,
        hidden: notes.len() - heard - ornaments,
        ornaments,
        steps,
    }
}

/// Whether a tick lies off the grid by more than an eighth of a step.
pub fn is_off_grid(tick: u64, ticks_per_quarter: u16) -> bool {
    off(tick, ticks_per_quarter, GRID_PER_QUARTER as u32) > 1.0 / 32.0
}

/// How far a tick lies off the nearest of so many places in a quarter note, in quarter notes.
fn off(tick: u64, ticks_per_quarter: u16, parts: u32) -> f64 {
    let place = tick as f64 / f64::from(ticks_per_quarter.max(1)) * f64::from(parts);
    (place - place.round()).abs() / f64::from(parts)
}

/// Notes of a grid, in ticks; what is still held at the end ends there.
pub fn dequantise(steps: &[Step], ticks_per_quarter: u16, velocity: u8) -> Vec<Note> {
    let tick = |step: usize| tick_of(step, ticks_per_quarter);
    let mut notes = Vec::new();
    let mut sounding: Option<(usize, u8)> = None;
    for (at, step) in steps.iter().chain([&Step::Off]).enumerate() {
        if *step == Step::Hold {
            continue;
        }
        if let Some((start, pitch)) = sounding.take() {
            notes.push(Note { start: tick(start), end: tick(at), pitch, velocity });
        }
        if let Step::Note(pitch) = step {
            sounding = Some((at, *pitch));
        }
    }
    notes
}

fn into_range(pitch: u8) -> u8 {
    match pitch {
        low if low < LOWEST => low + (LOWEST - low).div_ceil(12) * 12,
        high if high > HIGHEST => high - (high - HIGHEST).div_ceil(12) * 12,
        inside => inside,
    }
}
