//! Bars on the grid, and how a long tune is cut into stretches that a network takes.

use super::Melody;
use super::grid::{GRID_PER_QUARTER, nearest_step};
use crate::error::{Error, Kind, Result};

/// Steps of a quarter note.
const QUARTER: usize = GRID_PER_QUARTER as usize;

/// Whole bars that go through a network together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first step, where a bar starts.
    pub start: usize,
    /// Its steps, at most those of the network's window.
    pub length: usize,
}

impl Stretch {
    /// The step after its last.
    pub fn end(&self) -> usize {
        self.start + self.length
    }
}

/// Cuts the first `steps` steps of a piece into stretches of as many whole bars as fit into `window` steps; a longer bar is cut at quarters,
/// into parts as long as each other where it can be. The last stretch reaches to the end of its last bar.
///
/// # Errors
/// Kind input: a bar is no whole number of 16ths.
pub fn stretches(melody: &Melody, steps: usize, window: usize) -> Result<Vec<Stretch>> {
    let window = window.max(1);
    let mut stretches: Vec<Stretch> = Vec::new();
    for (start, length) in bars(melody, steps)? {
        let end = start + length;
        let parts = length.div_ceil(window).max(1);
        let part = if parts > 1 { length.div_ceil(parts).next_multiple_of(QUARTER).min(window) } else { length };
        for start in (start..end).step_by(part.max(1)) {
            let length = part.min(end - start);
            match stretches.last_mut() {
                Some(last) if last.length + length <= window => last.length += length,
                _ => stretches.push(Stretch { start, length }),
            }
        }
    }
    Ok(stretches)
}

/// The steps at which the bars of the first `steps` steps start.
///
/// # Errors
/// Kind input: a bar is no whole number of 16ths.
pub fn bar_starts(melody: &Melody, steps: usize) -> Result<Vec<usize>> {
    Ok(bars(melody, steps)?.into_iter().map(|(start, _)| start).collect())
}

/// First step and length of each bar.
fn bars(melody: &Melody, steps: usize) -> Result<Vec<(usize, usize)>> {
    let nearest = |tick: u64| nearest_step(tick, melody.ticks_per_quarter) as usize;
    let mut bars = Vec::new();
    for (at, meter) in melody.meters.iter().enumerate() {
        let sixteenths = 16 * usize::from(meter.beats);
        let unit = 1usize << meter.unit_log2;
        let begin = nearest(meter.tick);
        let end = melody.meters.get(at + 1).map_or(usize::MAX, |next| nearest(next.tick));
        if begin >= end.min(steps) {
            continue;
        }
        if !sixteenths.is_multiple_of(unit) {
            let what = format!("a bar of {}/{unit} is no whole number of 16th notes", meter.beats);
            return Err(Error::new(Kind::Input, what).mend("write the tune in another meter"));
        }
        let bar = sixteenths / unit;
        let mut start = begin;
        while start < end.min(steps) {
            // A change of meter cuts a bar short.
            let length = bar.min(end - start);
            bars.push((start, length));
            start += length;
        }
    }
    Ok(bars)
}
