//! Pieces one after another.

use super::{GRID_PER_QUARTER, Melody, Meter, Note, Tempo, Voice};

/// All pieces in one, each from the first bar after the one before; voices of the same part share a track and keep the first one's instrument.
pub fn join(pieces: &[Melody]) -> Option<Melody> {
    let first = pieces.first()?;
    let ticks = first.ticks_per_quarter;
    let mut joined = Melody { tempos: Vec::new(), meters: Vec::new(), ..first.clone() };
    joined.voices.iter_mut().for_each(|voice| voice.notes.clear());
    let mut offset = 0;
    for piece in pieces {
        let at = |tick: u64| offset + tick * u64::from(ticks) / u64::from(piece.ticks_per_quarter);
        joined.tempos.extend(piece.tempos.iter().map(|tempo| Tempo { tick: at(tempo.tick), ..*tempo }));
        joined.meters.extend(piece.meters.iter().map(|meter| Meter { tick: at(meter.tick), ..*meter }));
        for (place, voice) in piece.voices.iter().enumerate() {
            if joined.voices.len() <= place {
                joined.voices.push(Voice { notes: Vec::new(), ..voice.clone() });
            }
            let notes = voice.notes.iter().map(|note| Note { start: at(note.start), end: at(note.end), ..*note });
            joined.voices[place].notes.extend(notes);
        }
        offset = at(next_bar(piece));
    }
    Some(joined)
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
