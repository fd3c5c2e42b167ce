//! How good a model of melodies is: what survives the way through it, how smooth its space is, what its samples are like, what its
//! directions do.

mod ngram;
mod rebuilt;
mod samples;
mod smooth;

use anyhow::{Result, anyhow};
use latentd::media::melody::{Line, Part, Step};
use latentd::model::{Draws, Model};
use latentd::stage::codec::{Codec, MelodyCodec};
use std::sync::Arc;

use crate::data::melodies::Windows;

/// One number, its name and unit, and what it should reach where there is a goal.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was measured.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: Option<&'static str>,
}

/// Everything that can be measured of a model on held-out tunes, beside those that it learnt from. `seed` chooses pairs and draws.
///
/// # Errors
/// When the model cannot be run.
pub fn measure(model: &Arc<Model>, training: &Windows, held_out: &Windows, seed: u64) -> Result<Vec<Finding>> {
    let codec = MelodyCodec::open(model).map_err(|error| anyhow!("{error}"))?;
    let stretches = spread(held_out, REBUILT);
    let mut findings = rebuilt::measure(&codec, &stretches)?;
    if codec.melody().parts == [Part::Melody] {
        let draws = Draws::of(model).map_err(|error| anyhow!("{error}"))?;
        let ngrams = ngram::Ngrams::learn(&spread(training, LEARNT));
        findings.extend(smooth::measure(&codec, &stretches, &ngrams, seed)?);
        findings.extend(samples::measure((&codec, &draws), &spread(training, LEARNT), &stretches, seed)?);
    }
    findings.extend(samples::directions(&codec, &stretches)?);
    Ok(findings)
}

/// Held-out stretches that are rebuilt, at most.
const REBUILT: usize = 1000;

/// Training stretches that statistics are made of, at most.
const LEARNT: usize = 20_000;

/// Where stretches lie in the space of a model, as far as 20,000 of them tell.
///
/// # Errors
/// When the model cannot be run.
pub fn draws(model: &Arc<Model>, stretches: &Windows) -> Result<Draws> {
    let codec = MelodyCodec::open(model).map_err(|error| anyhow!("{error}"))?;
    Ok(super::mixture(&points(&codec, &spread(stretches, LEARNT))?.concat(), codec.space().size))
}

/// At most `count` stretches, equally spaced over all.
fn spread(windows: &Windows, count: usize) -> Vec<Vec<Line>> {
    let stride = windows.len().div_ceil(count).max(1);
    (0..windows.len()).step_by(stride).map(|at| windows.get(at)).collect()
}

/// The points of stretches as they are.
fn points(codec: &MelodyCodec, stretches: &[Vec<Line>]) -> Result<Vec<Vec<f32>>> {
    codec.encode_lines(stretches).map_err(|error| anyhow!("{error}"))
}

/// The stretches that points stand for.
fn decoded(codec: &MelodyCodec, points: &[Vec<f32>]) -> Result<Vec<Vec<Line>>> {
    let windows = codec.windows(points).map_err(|error| anyhow!("{error}"))?;
    let join = |group: &[Vec<Line>]| {
        let part = |at: usize| Line::join(group.iter().filter_map(|lines| lines.get(at).cloned()));
        (0..group.first().map_or(0, Vec::len)).filter_map(part).collect()
    };
    Ok(windows.chunks(codec.melody().windows).map(join).collect())
}

fn steps(lines: &[Line]) -> &[Step] {
    match lines.first() {
        Some(Line::Notes(steps)) => steps,
        _ => &[],
    }
}

fn finding(name: impl Into<String>, value: f64) -> Finding {
    Finding { name: name.into(), value, unit: None }
}

fn percent(name: impl Into<String>, share: f64) -> Finding {
    Finding { name: name.into(), value: 100.0 * share, unit: Some("%") }
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}
