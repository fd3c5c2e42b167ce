//! Latents as text: CSV, a line a point, and JSON lines, an object a point.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::{Latent, check_count, check_model, damaged, one_size};
use crate::error::{Error, Kind, Result, show_text};
use crate::media::melody::Frame;

/// Columns before the numbers.
const COLUMNS: [&str; 3] = ["source", "model", "row"];
/// Characters of a file's text that messages repeat, at most.
const SHOWN: usize = 40;

/// One point as an object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default)]
    model: String,
    /// Its number within its piece of media, from 0.
    #[serde(default)]
    row: usize,
    /// Of the first point of a melody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame: Option<Frame>,
    values: Vec<f32>,
}

pub fn write_csv(latents: &[Latent], out: &mut impl Write) -> Result<()> {
    let mut lines = csv_header(one_size(latents)?.0)?;
    for latent in latents {
        lines.extend(csv_rows(latent)?);
    }
    out.write_all(&lines).map_err(unwritten)
}

/// The line of column names for points of `size` numbers.
pub fn csv_header(size: usize) -> Result<Vec<u8>> {
    csv_lines(|writer| {
        writer.write_record(COLUMNS.iter().map(|&c| c.to_owned()).chain((0..size).map(|k| format!("z{k}"))))
    })
}

/// The lines of one latent, one for each point, without column names.
pub fn csv_rows(latent: &Latent) -> Result<Vec<u8>> {
    csv_lines(|writer| {
        for (row, values) in latent.rows().enumerate() {
            let source = latent.source.clone().unwrap_or_default();
            let fixed = [source, latent.model.clone(), row.to_string()];
            writer.write_record(fixed.into_iter().chain(values.iter().map(f32::to_string)))?;
        }
        Ok(())
    })
}

fn csv_lines(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer).map_err(unwritten)?;
    writer.into_inner().map_err(|e| unwritten(e.into_error()))
}

pub fn read_csv(bytes: &[u8]) -> Result<Vec<Latent>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|e| damaged(e.to_string()))?;
    if header.len() <= COLUMNS.len() || header.iter().zip(COLUMNS).any(|(found, expected)| found != expected) {
        return Err(damaged("its first line does not begin with `source,model,row` and go on with numbers' names"));
    }
    let mut latents = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| damaged(e.to_string()))?;
        let place = record.position().map_or(0, csv::Position::line);
        let number = |text: &str| {
            text.trim()
                .parse::<f32>()
                .map_err(|_| damaged(format!("line {place}: `{}` is no number", show_text(text, SHOWN))))
        };
        let values = record.iter().skip(COLUMNS.len()).map(number).collect::<Result<Vec<f32>>>()?;
        let no_row = || damaged(format!("line {place}: `{}` is no row", show_text(&record[2], SHOWN)));
        let row = record[2].trim().parse().map_err(|_| no_row())?;
        let source = Some(record[0].to_owned()).filter(|source| !source.is_empty());
        add(&mut latents, Line { source, model: record[1].to_owned(), row, frame: None, values })?;
    }
    Ok(latents)
}

pub fn write_json_lines(latents: &[Latent], out: &mut impl Write) -> Result<()> {
    for latent in latents {
        for (row, values) in latent.rows().enumerate() {
            let (source, model) = (latent.source.clone(), latent.model.clone());
            let frame = latent.frame.clone().filter(|_| row == 0);
            let line = Line { source, model, row, frame, values: values.to_vec() };
            let text = serde_json::to_string(&line).map_err(unwritten)?;
            writeln!(out, "{text}").map_err(unwritten)?;
        }
    }
    Ok(())
}

pub fn read_json_lines(bytes: &[u8]) -> Result<Vec<Latent>> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text in UTF-8"))?;
    let mut latents = Vec::new();
    for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line = serde_json::from_str(text).map_err(|e| damaged(format!("line {}: {e}", index + 1)))?;
        add(&mut latents, line)?;
    }
    Ok(latents)
}

/// Puts a point to the piece of media before it, or begins a new one.
fn add(latents: &mut Vec<Latent>, line: Line) -> Result<()> {
    let Line { source, model, row, frame, values } = line;
    if values.is_empty() {
        return Err(damaged("a point without numbers"));
    }
    check_model(&model)?;
    match latents.last_mut() {
        Some(last) if row > 0 => {
            if last.rows().len() != row || last.size != values.len() || last.source != source || last.model != model {
                return Err(damaged(format!("row {row} does not follow on the row before it")));
            }
            last.values.extend(values);
        }
        _ if row > 0 => return Err(damaged(format!("row {row} comes first"))),
        _ => {
            latents.push(Latent { size: values.len(), values, model, source, frame });
            check_count(latents.len())?;
        }
    }
    Ok(())
}

fn unwritten(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Output, "latents cannot be written").because(e)
}
