//! What notes on the grid do not tell of a piece, in a form that files of latents keep: bars, tempo, and where it ends.

use serde::{Deserialize, Serialize};

use super::{Melody, Meter, Tempo, tick_of};

/// Steps of a piece, at most: more than four hours at 120 a minute.
const MOST_STEPS: usize = 1 << 17;

/// Changes of tempo, and of meter, at most.
const MOST_CHANGES: usize = 10_000;

/// Meter, tempo and length of a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Steps of the grid, up to the end of its last note.
    pub steps: usize,
    /// Ticks of a quarter note.
    pub ticks: u16,
    /// Ticks from the beginning, and how many microseconds a quarter note lasts from there on; rising, the first at 0.
    pub tempos: Vec<(u64, u32)>,
    /// Ticks from the beginning, and the two numbers of the meter from there on; rising, the first at 0.
    pub meters: Vec<(u64, u8, u8)>,
}

impl Frame {
    /// Of a piece that ends after so many steps.
    pub fn of(piece: &Melody, steps: usize) -> Frame {
        let end = tick_of(steps, piece.ticks_per_quarter);
        let within = |tick: u64| tick == 0 || tick < end;
        let tempos = piece.tempos.iter().filter(|tempo| within(tempo.tick));
        let meters = piece.meters.iter().filter(|meter| within(meter.tick));
        Frame {
            steps,
            ticks: piece.ticks_per_quarter,
            tempos: tempos.map(|tempo| (tempo.tick, tempo.microseconds)).collect(),
            meters: meters.map(|meter| (meter.tick, meter.beats, 1 << meter.unit_log2.min(7))).collect(),
        }
    }

    /// A piece of no notes with this meter and tempo; `None` where a stranger's frame tells none that there can be.
    pub fn piece(&self) -> Option<Melody> {
        let blank = Melody::new(self.ticks);
        let end = tick_of(self.steps.min(MOST_STEPS), self.ticks);
        let rising = |ticks: Vec<u64>| {
            let ordered = ticks.first() == Some(&0) && ticks.is_sorted_by(|a, b| a < b);
            ordered && ticks.len() <= MOST_CHANGES && ticks.last().is_none_or(|last| *last <= end)
        };
        let tempo = |(tick, microseconds): (u64, u32)| {
            (1..1 << 24).contains(&microseconds).then_some(Tempo { tick, microseconds })
        };
        let meter = |(tick, beats, unit): (u64, u8, u8)| {
            let fits = beats > 0 && unit.is_power_of_two() && unit <= 64;
            fits.then(|| Meter { tick, beats, unit_log2: unit.trailing_zeros() as u8 })
        };
        let sound = blank.ticks_per_quarter == self.ticks
            && (1..=MOST_STEPS).contains(&self.steps)
            && rising(self.tempos.iter().map(|tempo| tempo.0).collect())
            && rising(self.meters.iter().map(|meter| meter.0).collect());
        if !sound {
            return None;
        }
        Some(Melody {
            tempos: self.tempos.iter().copied().map(tempo).collect::<Option<_>>()?,
            meters: self.meters.iter().copied().map(meter).collect::<Option<_>>()?,
            ..blank
        })
    }
}
