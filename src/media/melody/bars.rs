//! Bars on the grid, and how a long tune is cut into stretches that a network takes.

use super::Melody;
use super::grid::nearest_step;
use crate::error::{Error, Kind, Result};

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

/// Cuts the first `steps` steps of a piece into stretches of as many whole bars as fit into `window` steps. The last reaches to the end
/// of its last bar, or to `window` steps.
///
/// # Errors
/// Kind input: a bar is no whole number of 16ths, or longer than the window.
pub fn stretches(melody: &Melody, steps: usize, window: usize) -> Result<Vec<Stretch>> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (start, length) in bars(melody, steps, window)? {
        match stretches.last_mut() {
            Some(last) if last.length + length <= window => last.length += length,
            _ => stretches.push(Stretch { start, length }),
        }
    }
    Ok(stretches)
}

/// The steps at which the bars of the first `steps` steps start.
///
/// # Errors
/// Kind input: a bar is no whole number of 16ths.
pub fn bar_starts(melody: &Melody, steps: usize) -> Result<Vec<usize>> {
    Ok(bars(melody, steps, usize::MAX)?.into_iter().map(|(start, _)| start).collect())
}

/// First step and length of each bar.
fn bars(melody: &Melody, steps: usize, window: usize) -> Result<Vec<(usize, usize)>> {
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
        let (bar, name) = (sixteenths / unit, format!("{}/{unit}", meter.beats));
        if !sixteenths.is_multiple_of(unit) {
            return Err(Error::new(Kind::Input, format!("a bar of {name} is no whole number of 16th notes"))
                .mend("write the tune in another meter"));
        }
        if bar > window {
            return Err(Error::new(
                Kind::Input,
                format!("a bar of {name} has {bar} 16th notes, and the model takes {window} at once"),
            )
            .mend("write the tune in shorter bars, or choose a model of more bars"));
        }
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
