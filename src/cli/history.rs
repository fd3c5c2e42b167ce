//! `latentd history`: what happened to files.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use super::daemon::{Which, ago};
use crate::daemon::control::encode;
use crate::daemon::status::now;
use crate::error::{Error, Kind, Result, show_paths};
use crate::source::resolve;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only files with this in their path, or at this path or below it
    file: Option<PathBuf>,
    /// Only what happened in this time, as in 30min, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    since: Option<u64>,
    /// At most so many events, newest first
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print one JSON object for each event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

fn seconds(text: &str) -> std::result::Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "begin with a number, as in 12h".to_owned())?;
    let factor = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("end in s, min, h or d, as in 12h".to_owned()),
    };
    Ok(number.saturating_mul(factor))
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let mut url = format!("/v1/history?limit={}", args.limit);
    if let Some(since) = args.since {
        url += &format!("&since={since}");
    }
    if let Some(file) = &args.file {
        // `.` alone would be a part of nearly every name.
        let named = file.components().any(|part| matches!(part, Component::Normal(_)));
        for file in std::iter::once(&full(file)).chain(named.then_some(file)) {
            url += &format!("&file={}", encode(&file.to_string_lossy()));
        }
    }
    let answer = args.which.client().get(&url)?;
    let events = answer["events"].as_array().cloned().unwrap_or_default();
    for event in &events {
        if args.json {
            say!("{event}");
            continue;
        }
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let list = |name: &str| -> String {
            let paths = event[name].as_array().into_iter().flatten().filter_map(|path| path.as_str());
            show_paths(paths)
        };
        let time = ago(now().saturating_sub(event["time"].as_u64().unwrap_or_default() / 1_000_000));
        let outcome = match (text("what").as_str(), list("results")) {
            ("done", results) => format!("-> {results} ({:.2} s)", event["seconds"].as_f64().unwrap_or_default()),
            (what, _) => format!("{what}: {}", text("reason")),
        };
        say!("{time} ago  {}  {} {outcome}", text("pipeline"), list("inputs"));
    }
    match events.is_empty() {
        true => Err(Error::new(Kind::NoInput, "nothing of the kind has happened in the last 90 days")),
        false => Ok(ExitCode::SUCCESS),
    }
}

/// The path as the journal knows it, whether the file is still there or not.
fn full(file: &Path) -> PathBuf {
    match std::fs::read_link(file) {
        Ok(to) => resolve(&file.with_file_name(to)),
        Err(_) => resolve(file),
    }
}
