//! Pieces one after another.

use super::{DRUM_CHANNEL, GRID_PER_QUARTER, Key, MOST_TICKS, Melody, Meter, Note, Tempo, Voice};

/// Channels of MIDI.
const CHANNELS: u8 = 16;

/// All pieces in one, each from the first bar after the one before; voices of the same part on the same instrument share a track.
pub fn join(pieces: &[Melody]) -> Option<Melody> {
    let first = pieces.first()?;
    let ticks = ticks_for(pieces);
    let mut joined = Melody {
        tempos: Vec::new(),
        meters: Vec::new(),
        keys: Vec::new(),
        voices: Vec::new(),
        ..first.in_ticks(ticks)
    };
    // Of each joined voice the part that it is.
    let mut parts = Vec::new();
    let mut offset = 0;
    for piece in pieces {
        let piece = piece.in_ticks(ticks);
        let at = |tick: u64| offset + tick;
        // What changes after a piece's last bar would change the next one.
        let next = next_bar(&piece);
        let tempos = piece.tempos.iter().filter(|tempo| tempo.tick < next);
        joined.tempos.extend(tempos.map(|tempo| Tempo { tick: at(tempo.tick), ..*tempo }));
        let meters = piece.meters.iter().filter(|meter| meter.tick < next);
        joined.meters.extend(meters.map(|meter| Meter { tick: at(meter.tick), ..*meter }));
        let keys = piece.keys.iter().filter(|key| key.tick < next);
        joined.keys.extend(keys.map(|key| Key { tick: at(key.tick), ..*key }));
        for (place, voice) in piece.voices.iter().enumerate() {
            let part = (place, voice.channel == DRUM_CHANNEL, voice.program, voice.controls.clone());
            let known = parts.iter().position(|known| *known == part);
            let known = known.unwrap_or_else(|| {
                let (channel, track) = (channel_for(voice, &joined.voices), joined.voices.len() + 1);
                let (notes, programs) = (Vec::new(), Vec::new());
                joined.voices.push(Voice { channel, track, notes, programs, ..voice.clone() });
                parts.push(part);
                parts.len() - 1
            });
            let joined = &mut joined.voices[known];
            let notes = voice.notes.iter().map(|note| Note { start: at(note.start), end: at(note.end), ..*note });
            joined.notes.extend(notes);
            // The piece before may have ended on another instrument.
            if joined.programs.last().is_some_and(|(_, program)| *program != voice.program) {
                joined.programs.push((offset, voice.program));
            }
            let programs = voice.programs.iter().filter(|(tick, _)| *tick < next);
            joined.programs.extend(programs.map(|(tick, program)| (at(*tick), *program)));
        }
        offset = at(next);
    }
    Some(joined)
}

/// Ticks of a quarter note in which all pieces lie on whole ones, or the most that any of them has.
fn ticks_for(pieces: &[Melody]) -> u16 {
    let all = || pieces.iter().map(|piece| piece.ticks_per_quarter.max(1));
    let common = all().try_fold(1u16, |common, ticks| (common / gcd(common, ticks)).checked_mul(ticks));
    common.filter(|ticks| *ticks <= MOST_TICKS).or(all().max()).unwrap_or(1)
}

fn gcd(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The channel for a voice beside others: its own, unless another instrument plays there or it is set otherwise, since a channel has one.
fn channel_for(voice: &Voice, others: &[Voice]) -> u8 {
    let is_free = |channel: &u8| others.iter().all(|other| other.channel != *channel);
    let like = |other: &Voice| other.program == voice.program && other.controls == voice.controls;
    let shares = others.iter().any(|other| other.channel == voice.channel && like(other));
    if voice.channel == DRUM_CHANNEL || shares || is_free(&voice.channel) {
        return voice.channel;
    }
    (0..CHANNELS).find(|channel| *channel != DRUM_CHANNEL && is_free(channel)).unwrap_or(voice.channel)
}

/// The first tick at or after the end of a piece at which one of its bars starts.
fn next_bar(piece: &Melody) -> u64 {
    let end = piece.end();
    let Some(meter) = piece.meters.iter().rev().find(|meter| meter.tick <= end) else { return end };
    let whole = 4 * u64::from(piece.ticks_per_quarter);
    let bar = whole * u64::from(meter.beats) / (1u64 << meter.unit_log2);
    let bar = bar.max(u64::from(piece.ticks_per_quarter) / GRID_PER_QUARTER).max(1);
    meter.tick + (end - meter.tick).div_ceil(bar) * bar
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of a walk was played on the instruments of its first piece.
    #[test]
    fn each_piece_keeps_its_instrument() {
        let piece = |program: u8| {
            let mut piece = Melody::new(480);
            let notes = vec![Note { start: 0, end: 1920, pitch: 60, velocity: 80 }];
            piece.voices.push(Voice { notes: notes.clone(), program, ..Voice::default() });
            piece.voices.push(Voice { notes, channel: DRUM_CHANNEL, ..Voice::default() });
            piece
        };
        let joined = join(&[piece(40), piece(73), piece(40)]).map(|all| all.voices).unwrap_or_default();
        let told: Vec<_> = joined.iter().map(|voice| (voice.channel, voice.program, voice.notes.len())).collect();
        assert_eq!(told, [(0, 40, 2), (DRUM_CHANNEL, 0, 3), (1, 73, 1)]);
    }

    /// Ticks were those of the first piece: a finer one after a coarse one lost its rhythm.
    #[test]
    fn pieces_in_other_ticks_keep_their_rhythm() {
        let piece = |ticks: u16| {
            let mut piece = Melody::new(ticks);
            let sixteenth = u64::from(ticks) / 4;
            let note = |at: u64| Note { start: at * sixteenth, end: (at + 1) * sixteenth, pitch: 60, velocity: 80 };
            piece.voices.push(Voice { notes: (0..16).map(note).collect(), ..Voice::default() });
            piece
        };
        let joined = join(&[piece(100), piece(480)]).expect("a piece");
        assert_eq!(joined.ticks_per_quarter, 2400);
        let starts: Vec<u64> = joined.voices[0].notes.iter().map(|note| note.start).collect();
        assert_eq!(starts, (0..32).map(|at| at * 600).collect::<Vec<_>>());
        // Where no file could tell their common ticks, the finest are taken.
        assert_eq!(join(&[piece(100), piece(32_764)]).map(|all| all.ticks_per_quarter), Some(32_764));
    }

    /// What follows a change of instrument was played on the new one.
    #[test]
    fn each_piece_begins_on_its_own_instrument() {
        let mut piece = Melody::new(480);
        let notes = vec![Note { start: 0, end: 1920, pitch: 60, velocity: 80 }];
        piece.voices.push(Voice { notes, program: 40, programs: vec![(960, 73), (5000, 1)], ..Voice::default() });
        piece.keys = vec![Key { tick: 0, sharps: 2, minor: false }];
        let joined = join(&[piece.clone(), piece]).expect("a piece");
        assert_eq!(joined.voices[0].programs, [(960, 73), (1920, 40), (2880, 73)]);
        assert_eq!(joined.keys.iter().map(|key| key.tick).collect::<Vec<_>>(), [0, 1920]);
    }

    /// They fell into the next piece, out of order.
    #[test]
    fn what_changes_after_the_last_note_is_left_out() {
        let mut piece = Melody::new(480);
        let notes = vec![Note { start: 0, end: 1920, pitch: 60, velocity: 80 }];
        piece.voices.push(Voice { notes, ..Voice::default() });
        piece.tempos.push(Tempo { tick: 5000, microseconds: 2_000_000 });
        piece.meters.push(Meter { tick: 5000, beats: 3, unit_log2: 2 });
        let joined = join(&[piece.clone(), piece]).map(|all| (all.tempos, all.meters, all.voices[0].notes[1].start));
        let (tempos, meters, second) = joined.unwrap_or_default();
        assert_eq!(tempos.iter().map(|tempo| tempo.tick).collect::<Vec<_>>(), [0, 1920]);
        assert_eq!(meters.iter().map(|meter| meter.tick).collect::<Vec<_>>(), [0, 1920]);
        assert_eq!(second, 1920);
    }
}
