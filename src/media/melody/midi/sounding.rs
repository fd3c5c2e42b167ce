//! Which note-off lets go of which note-on, also where some are missing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use midly::{MetaMessage, MidiMessage, TrackEvent, TrackEventKind};

/// A channel, 0..=15, and a key, 0..=127.
pub type Place = (u8, u8);

/// When a note begins, in ticks, and its velocity.
pub type Begun = (u64, u8);

/// Quarter notes that a note lasts at most which nobody lets go of, if another of its channel follows.
const LONGEST: u64 = 4;

/// The notes of a track that sound. Where each key is let go of as often as it is struck, or more often, the note that has sounded longest ends first.
/// Where one is struck more often (programs strike a key twice and let go of it once, or lose a note-off), a note-off belongs to the last strike
/// before it, and what was struck earlier ends with the next note of its channel.
#[derive(Debug, Default)]
pub struct Sounding {
    notes: BTreeMap<Place, VecDeque<Begun>>,
    /// Keys that are struck more often than let go of.
    unanswered: BTreeSet<Place>,
    /// Notes of theirs that no note-off belongs to.
    lost: Vec<(Place, Begun)>,
    /// When notes begin, by channel; rising.
    strikes: [Vec<u64>; 16],
}

impl Sounding {
    /// For the notes of a track.
    pub fn of(events: &[TrackEvent]) -> Sounding {
        let mut struck: BTreeMap<Place, i64> = BTreeMap::new();
        for event in events {
            match event.kind {
                TrackEventKind::Midi { channel, message: MidiMessage::NoteOn { key, vel } } if vel > 0 => {
                    *struck.entry((channel.as_int(), key.as_int())).or_default() += 1;
                }
                TrackEventKind::Midi {
                    channel,
                    message: MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. },
                } => *struck.entry((channel.as_int(), key.as_int())).or_default() -= 1,
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => break,
                _ => {}
            }
        }
        let unanswered = struck.into_iter().filter(|(_, left)| *left > 0).map(|(place, _)| place).collect();
        Sounding { unanswered, ..Sounding::default() }
    }

    /// A note begins, not before any that has begun.
    pub fn strike(&mut self, place: Place, begun: Begun) {
        self.notes.entry(place).or_default().push_back(begun);
        self.strikes[usize::from(place.0)].push(begun.0);
    }

    /// A key is let go of: the note that ends, if one does.
    pub fn release(&mut self, place: Place, now: u64) -> Option<Begun> {
        let begun = self.notes.get_mut(&place)?;
        if !self.unanswered.contains(&place) {
            return begun.pop_front();
        }
        // What begins at this very tick goes on, if there is anything else to end.
        let before = begun.partition_point(|(start, _)| *start < now);
        let count = if before == 0 { begun.len() } else { before };
        let mut ends: Option<Begun> = None;
        for next in begun.drain(..count) {
            ends = match ends {
                Some((start, velocity)) if start == next.0 => Some((start, velocity.max(next.1))),
                earlier => {
                    self.lost.extend(earlier.map(|earlier| (place, earlier)));
                    Some(next)
                }
            };
        }
        ends
    }

    /// The notes that nobody has let go of, and when they end: with the next note of their channel, but after a whole note at the latest; the last ones
    /// with the track, at `end`. A quarter note has `quarter` ticks.
    pub fn rest(self, end: u64, quarter: u64) -> impl Iterator<Item = (Place, Begun, u64)> {
        let Sounding { notes, lost, strikes, .. } = self;
        let left = notes.into_iter().flat_map(|(place, begun)| begun.into_iter().map(move |begun| (place, begun)));
        lost.into_iter().chain(left).map(move |(place, begun)| {
            let strikes = &strikes[usize::from(place.0)];
            let next = strikes.get(strikes.partition_point(|strike| *strike <= begun.0));
            (place, begun, next.map_or(end, |next| (*next).min(begun.0 + LONGEST * quarter)))
        })
    }
}
