//! The chorales of the JSB data set: four voices on a grid of 16th notes, held notes and repeated ones alike.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use latentd::media::melody::{HIGHEST, LOWEST, Line, Step};

use super::Tune;

/// The file's name in lower case.
pub const FILE: &str = "jsb16thseparated.json";

/// Steps of a bar of 4/4.
const BAR: usize = 16;

/// Reads the training part's voices; the parts for validation and test are left alone.
///
/// # Errors
/// When the file cannot be read or is not of this form.
pub fn read(path: &Path) -> Result<Vec<Tune>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts: BTreeMap<String, Vec<Vec<Vec<f64>>>> =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    let mut tunes = Vec::new();
    for (number, chorale) in parts.get("train").into_iter().flatten().enumerate() {
        let voices = chorale.first().map_or(0, Vec::len);
        for voice in 0..voices {
            let steps = steps(chorale.iter().map(|chord| chord.get(voice).copied().unwrap_or(-1.0)));
            let bars = (0..steps.len()).step_by(BAR).collect();
            let lines = vec![Line::Notes(steps)];
            tunes.push(Tune { piece: format!("chorale {number}"), path: path.to_owned(), lines, bars, held_out: None });
        }
    }
    Ok(tunes)
}

/// Pitches sounding, or -1, to what happens at each step.
fn steps(sounding: impl Iterator<Item = f64>) -> Vec<Step> {
    let mut before = None;
    sounding
        .map(|pitch| {
            let pitch = (f64::from(LOWEST)..=f64::from(HIGHEST)).contains(&pitch).then_some(pitch as u8);
            let step = match (before, pitch) {
                (same, now) if same == now => Step::Hold,
                (_, Some(pitch)) => Step::Note(pitch),
                (_, None) => Step::Off,
            };
            before = pitch;
            step
        })
        .collect()
}
