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
        // What changes after a piece's last bar would change the next one.
        let next = next_bar(piece);
        let tempos = piece.tempos.iter().filter(|tempo| tempo.tick < next);
        joined.tempos.extend(tempos.map(|tempo| Tempo { tick: at(tempo.tick), ..*tempo }));
        let meters = piece.meters.iter().filter(|meter| meter.tick < next);
        joined.meters.extend(meters.map(|meter| Meter { tick: at(meter.tick), ..*meter }));
        for (place, voice) in piece.voices.iter().enumerate() {
            if joined.voices.len() <= place {
                joined.voices.push(Voice { notes: Vec::new(), ..voice.clone() });
            }
            let notes = voice.notes.iter().map(|note| Note { start: at(note.start), end: at(note.end), ..*note });
            joined.voices[place].notes.extend(notes);
        }
        offset = at(next);
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

#[cfg(test)]
mod tests {
    use super::*;

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
