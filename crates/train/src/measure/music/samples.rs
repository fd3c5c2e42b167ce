//! What draws of the prior are like beside the tunes that were learnt, and what the directions of qualities do.

use std::collections::HashSet;

use anyhow::{Result, anyhow};
use latentd::media::melody::{Line, Step, onsets, qualities, quality_names};
use latentd::model::Draws;
use latentd::stage::codec::MelodyCodec;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::{Finding, decoded, mean, percent, points, steps};

/// Draws.
const SAMPLES: usize = 500;

/// Notes of a phrase that counts as copied.
const PHRASE: usize = 8;

/// The half tones of a major scale.
const MAJOR: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];

/// Scale consistency and every quality of draws beside the training tunes' 5th to 95th percentile; phrases copied, beside those of held-out tunes.
pub fn measure(
    (codec, draws): (&MelodyCodec, &Draws),
    training: &[Vec<Line>],
    held_out: &[Vec<Line>],
    seed: u64,
) -> Result<Vec<Finding>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let drawn: Vec<Vec<f32>> =
        (0..SAMPLES).map(|_| draws.draw(rng.random(), || StandardNormal.sample(&mut rng))).collect();
    let samples = decoded(codec, &drawn)?;
    let scales = |stretches: &[Vec<Line>]| stretches.iter().map(|lines| in_scale(steps(lines))).collect::<Vec<_>>();
    let (usual, drawn) = (scales(training), scales(&samples));
    let within = |what: &str, share: f64| percent(format!("samples: {what} within the training tunes' 5..95%"), share);
    let mut findings = vec![
        percent("samples: notes in one major scale", mean(drawn.iter().copied())),
        percent("training: notes in one major scale", mean(usual.iter().copied())),
        within("notes in one major scale", share_within(&drawn, usual)),
    ];
    for (at, name) in quality_names(&training[0][0]).iter().enumerate() {
        let column = |stretches: &[Vec<Line>]| -> Vec<f64> {
            stretches.iter().map(|lines| f64::from(qualities(&lines[0])[at])).collect()
        };
        findings.push(within(name, share_within(&column(&samples), column(training))));
    }
    let known: HashSet<Vec<(i16, usize)>> = training.iter().flat_map(|lines| phrases(steps(lines))).collect();
    let copied = |stretches: &[Vec<Line>]| {
        let all: Vec<_> = stretches.iter().flat_map(|lines| phrases(steps(lines))).collect();
        all.iter().filter(|phrase| known.contains(*phrase)).count() as f64 / all.len().max(1) as f64
    };
    findings.push(percent(format!("samples: phrases of {PHRASE} notes that training tunes have"), copied(&samples)));
    findings.push(percent(format!("held out: phrases of {PHRASE} notes that training tunes have"), copied(held_out)));
    Ok(findings)
}

/// The share of `values` between the 5th and the 95th percentile of `usual`.
fn share_within(values: &[f64], mut usual: Vec<f64>) -> f64 {
    usual.sort_by(f64::total_cmp);
    let [low, high] = [0.05, 0.95].map(|share| usual[(share * (usual.len() - 1) as f64) as usize]);
    values.iter().filter(|value| (low..=high).contains(value)).count() as f64 / values.len().max(1) as f64
}

/// Held-out stretches that directions are tried on, at most.
const MOVED: usize = 500;

/// For each quality what happens on held-out stretches when one or two deviations more of it are asked for: how far it moves on average, in
/// deviations, and in how many stretches it grows at all.
pub fn directions(codec: &MelodyCodec, stretches: &[Vec<Line>]) -> Result<Vec<Finding>> {
    let names = codec.melody().qualities.clone();
    let stretches = &stretches[..stretches.len().min(MOVED)];
    let plain = points(codec, stretches)?;
    let before: Vec<Vec<f32>> = decoded(codec, &plain)?.iter().map(|lines| qualities(&lines[0])).collect();
    let mut findings = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let centre = mean(before.iter().map(|row| f64::from(row[at])));
        let deviation = mean(before.iter().map(|row| (f64::from(row[at]) - centre).powi(2))).sqrt().max(1e-9);
        for (amount, asked) in [(1.0, "more"), (2.0, "two more")] {
            let direction = codec.direction(&[(name.clone(), amount)]).map_err(|error| anyhow!("{error}"))?;
            let moved: Vec<Vec<f32>> =
                plain.iter().map(|point| point.iter().zip(&direction).map(|(v, d)| v + d).collect()).collect();
            let after: Vec<Vec<f32>> = decoded(codec, &moved)?.iter().map(|lines| qualities(&lines[0])).collect();
            let value = mean(after.iter().map(|row| f64::from(row[at])));
            let grown = before.iter().zip(&after).filter(|(before, after)| after[at] > before[at]).count();
            findings.push(Finding {
                name: format!("{asked} {name}: change"),
                value: (value - centre) / deviation,
                unit: Some("deviations"),
            });
            let share = grown as f64 / before.len().max(1) as f64;
            findings.push(percent(format!("{asked} {name}: stretches in which it grows"), share));
        }
    }
    Ok(findings)
}

/// The largest share of notes that lies in one major scale, 0..=1.
fn in_scale(steps: &[Step]) -> f64 {
    let mut classes = [0usize; 12];
    onsets(steps).for_each(|(_, pitch)| classes[usize::from(pitch) % 12] += 1);
    let all: usize = classes.iter().sum();
    let scale = |tonic: usize| MAJOR.iter().map(|tone| classes[(tonic + tone) % 12]).sum::<usize>();
    if all == 0 { 1.0 } else { (0..12).map(scale).max().unwrap_or(0) as f64 / all as f64 }
}

/// Moves and lengths of notes that follow one another.
fn phrases(steps: &[Step]) -> Vec<Vec<(i16, usize)>> {
    let notes: Vec<(usize, i16)> = onsets(steps).map(|(at, pitch)| (at, i16::from(pitch))).collect();
    let moves: Vec<(i16, usize)> =
        notes.windows(2).map(|pair| (pair[1].1 - pair[0].1, pair[1].0 - pair[0].0)).collect();
    moves.windows(PHRASE - 1).map(<[_]>::to_vec).collect()
}
