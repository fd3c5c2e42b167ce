//! How smooth the way from one held-out stretch to another is.

use anyhow::{Result, anyhow};
use latentd::media::melody::{Line, Step};
use latentd::stage::codec::MelodyCodec;
use latentd::stage::interpolate::lines_between;
use latentd::stage::spacing::LARGEST;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::ngram::Ngrams;
use super::{Finding, finding, mean, percent, points, steps};

/// Pairs, and pieces from one to the other.
const PAIRS: usize = 200;
const STEPS: usize = 9;

/// Distances along the way, and what the middle is like.
pub fn measure(codec: &MelodyCodec, stretches: &[Vec<Line>], ngrams: &Ngrams, seed: u64) -> Result<Vec<Finding>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..stretches.len()).collect();
    order.shuffle(&mut rng);
    let all = points(codec, stretches)?;
    let (mut rising, mut largest, mut middle, mut blended, mut ends) = (vec![], vec![], vec![], vec![], vec![]);
    for pair in order.chunks_exact(2).take(PAIRS) {
        let between = [&all[pair[0]][..], &all[pair[1]][..]];
        let pieces = lines_between(codec, between, STEPS).map_err(|error| anyhow!("{error}"))?;
        let whole = pieces[0][0].distance(&pieces[STEPS - 1][0]);
        if whole < 0.1 {
            continue;
        }
        let from_a: Vec<f64> = pieces.iter().map(|lines| lines[0].distance(&pieces[0][0])).collect();
        rising.push(spearman(&from_a));
        let moves = pieces.windows(2).map(|pair| pair[0][0].distance(&pair[1][0]) / whole);
        largest.push(moves.fold(0.0, f64::max));
        let blend: Vec<Step> = steps(&pieces[0])
            .iter()
            .zip(steps(&pieces[STEPS - 1]))
            .map(|(a, b)| if rng.random() { *a } else { *b })
            .collect();
        middle.push(ngrams.cost(steps(&pieces[STEPS / 2])));
        blended.push(ngrams.cost(&blend));
        ends.push((ngrams.cost(steps(&pieces[0])) + ngrams.cost(steps(&pieces[STEPS - 1]))) / 2.0);
    }
    let within = largest.iter().filter(|step| **step <= LARGEST).count() as f64 / largest.len().max(1) as f64;
    Ok(vec![
        finding("interpolation: Spearman of distance from the start", mean(rising)),
        finding("interpolation: largest step as a share of the way, mean", mean(largest.iter().copied())),
        percent("interpolation: ways without a step above a third", within),
        finding("interpolation: n-gram cost of the ends, nats a step", mean(ends)),
        finding("interpolation: n-gram cost of the middle, nats a step", mean(middle)),
        finding("interpolation: n-gram cost of naive blending, nats a step", mean(blended)),
    ])
}

/// Spearman's rank correlation of values with their order; equal ones share their mean rank.
fn spearman(values: &[f64]) -> f64 {
    let rank = |value: f64| {
        let below = values.iter().filter(|other| **other < value).count() as f64;
        let equal = values.iter().filter(|other| **other == value).count() as f64;
        below + (equal - 1.0) / 2.0
    };
    let ranks: Vec<f64> = values.iter().map(|value| rank(*value)).collect();
    let centre = (values.len() as f64 - 1.0) / 2.0;
    let (mut product, mut of_ranks, mut of_order) = (0.0, 0.0, 0.0);
    for (at, rank) in ranks.iter().enumerate() {
        let (x, y) = (at as f64 - centre, rank - centre);
        product += x * y;
        of_order += x * x;
        of_ranks += y * y;
    }
    if of_ranks > 0.0 { product / (of_order * of_ranks).sqrt() } else { 0.0 }
}
