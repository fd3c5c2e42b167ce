//! Stretches of tunes, as networks learn from them.

use latentd::media::melody::Line;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Tune;

/// Lowest and highest transposition of a training window, in half tones: every key once.
const TRANSPOSITION: std::ops::RangeInclusive<i32> = -5..=6;

/// Notes or hits that the first line of a window has at least: silence teaches nothing.
const LEAST: usize = 3;

/// Stretches of several windows over tunes.
pub struct Windows {
    tunes: Vec<Tune>,
    /// Tune and bar that each stretch starts with.
    starts: Vec<(usize, usize)>,
    steps: usize,
    windows: usize,
}

impl Windows {
    /// All stretches of `windows` windows of `steps` steps that start with a bar and lie at least half inside their tune.
    pub fn new(tunes: Vec<Tune>, steps: usize, windows: usize) -> Self {
        let mut all = Self { tunes, starts: Vec::new(), steps, windows };
        let mut starts = Vec::new();
        for (at, tune) in all.tunes.iter().enumerate() {
            let half = steps * windows / 2;
            for (bar, start) in tune.bars.iter().enumerate() {
                if start + half <= tune.len() && all.is_music(tune, *start) {
                    starts.push((at, bar));
                }
            }
        }
        all.starts = starts;
        all
    }

    /// How many stretches there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The tunes.
    pub fn tunes(&self) -> &[Tune] {
        &self.tunes
    }

    /// Stretch `at`, as it is cut from its tune for itself.
    pub fn get(&self, at: usize) -> Vec<Line> {
        let (tune, bar) = self.starts[at];
        let tune = &self.tunes[tune];
        self.cut(tune, tune.bars[bar], true)
    }

    /// A stretch in random transposition. Most start with a bar, some with a beat, few anywhere; half of those that start inside a note strike
    /// it anew, as if cut out, and half hold it, as in the middle of a tune.
    pub fn draw(&self, rng: &mut StdRng) -> Vec<Line> {
        let (tune, bar) = self.starts[rng.random_range(0..self.starts.len())];
        let tune = &self.tunes[tune];
        let offset = match rng.random_range(0..10) {
            0 => rng.random_range(0..16),
            1 | 2 => 4 * rng.random_range(0..4),
            _ => 0,
        };
        let mut start = tune.bars[bar];
        if start + offset + self.steps * self.windows / 2 <= tune.len() {
            start += offset;
        }
        let lines = self.cut(tune, start, rng.random());
        let half_tones = rng.random_range(TRANSPOSITION);
        let transposed: Option<Vec<Line>> = lines.iter().map(|line| line.transposed(half_tones)).collect();
        transposed.unwrap_or(lines)
    }

    /// Windows one after another, each from the first bar that was not whole in the one before.
    fn cut(&self, tune: &Tune, start: usize, strike: bool) -> Vec<Line> {
        let mut starts = vec![start];
        while starts.len() < self.windows {
            let from = starts[starts.len() - 1];
            let next = tune.bars.iter().rev().find(|bar| **bar <= from + self.steps);
            starts.push(next.copied().filter(|bar| *bar > from).unwrap_or(from + self.steps));
        }
        let line = |line: &Line| {
            let windows =
                starts.iter().enumerate().map(|(at, start)| line.window(*start, self.steps, strike && at == 0));
            Line::join(windows)
        };
        tune.lines.iter().filter_map(line).collect()
    }

    fn is_music(&self, tune: &Tune, start: usize) -> bool {
        tune.lines.iter().all(|line| match line.window(start, self.steps * self.windows, true) {
            Line::Notes(steps) => {
                steps.iter().filter(|step| matches!(step, latentd::media::melody::Step::Note(_))).count() >= LEAST
            }
            Line::Hits(hits) => hits.iter().filter(|hits| **hits != 0).count() >= LEAST,
        })
    }
}
