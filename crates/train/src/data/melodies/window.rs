//! Stretches of tunes, as networks learn from them.

use latentd::media::melody::Step;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Tune;

/// Lowest and highest transposition of a training window, in half tones: every key once.
const TRANSPOSITION: std::ops::RangeInclusive<i32> = -5..=6;

/// Windows of a length over tunes.
pub struct Windows {
    tunes: Vec<Tune>,
    /// Tune and first step of each window that starts with a bar.
    starts: Vec<(usize, usize)>,
    length: usize,
}

impl Windows {
    /// All windows of `length` steps that start with a bar and lie at least half inside their tune.
    pub fn new(tunes: Vec<Tune>, length: usize) -> Self {
        let mut starts = Vec::new();
        for (at, tune) in tunes.iter().enumerate() {
            starts.extend(tune.bars.iter().filter(|bar| **bar + length / 2 <= tune.steps.len()).map(|bar| (at, *bar)));
        }
        Self { tunes, starts, length }
    }

    /// How many windows start with a bar.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Window `at` of those that start with a bar, as it is cut from its tune for itself.
    pub fn get(&self, at: usize) -> Vec<Step> {
        let (tune, start) = self.starts[at];
        window(&self.tunes[tune].steps, start, self.length, true)
    }

    /// A window in random transposition. Most start with a bar, some with a beat, few anywhere; half of those that start
    /// inside a note strike it anew, as if cut out, and half hold it, as in the middle of a tune.
    pub fn draw(&self, rng: &mut StdRng) -> Vec<Step> {
        let (tune, bar) = self.starts[rng.random_range(0..self.starts.len())];
        let steps = &self.tunes[tune].steps;
        let offset = match rng.random_range(0..10) {
            0 => rng.random_range(0..16),
            1 | 2 => 4 * rng.random_range(0..4),
            _ => 0,
        };
        let start = if bar + offset + self.length / 2 <= steps.len() { bar + offset } else { bar };
        let cut = window(steps, start, self.length, rng.random());
        let half_tones = rng.random_range(TRANSPOSITION);
        transposed(&cut, half_tones).unwrap_or(cut)
    }
}

/// `length` steps from `start` on; after the tune's end there is silence. With `strike`, a note that sounds over the start is struck
/// anew there.
pub fn window(steps: &[Step], start: usize, length: usize, strike: bool) -> Vec<Step> {
    let inside = &steps[start.min(steps.len())..steps.len().min(start + length)];
    let mut cut = inside.to_vec();
    if cut.len() < length {
        cut.push(Step::Off);
    }
    cut.resize(length, Step::Hold);
    if strike && cut[0] == Step::Hold {
        let sounding = steps[..start].iter().rev().find(|step| **step != Step::Hold);
        if let Some(note @ Step::Note(_)) = sounding {
            cut[0] = *note;
        }
    }
    cut
}

/// All of it higher or lower; `None` where a note would leave the grid's range.
pub fn transposed(steps: &[Step], half_tones: i32) -> Option<Vec<Step>> {
    steps.iter().map(|step| step.transposed(half_tones)).collect()
}
