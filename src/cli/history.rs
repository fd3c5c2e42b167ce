//! `latentd history`: what happened to files.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::daemon::{Which, ago};
use super::paths;
use crate::daemon::control::encode;
use crate::daemon::journal;
use crate::daemon::status::now;
use crate::error::{Error, Kind, Result, show_paths, show_text};
use crate::source::resolve;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only files with this in their path, or at this path or below it
    file: Option<PathBuf>,
    /// Only what happened in this time, as in 30min, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = period)]
    since: Option<Period>,
    /// At most so many events, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print one JSON object for each event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

/// A time back from now.
#[derive(Debug, Clone)]
struct Period {
    seconds: u64,
    /// As the user wrote it.
    text: String,
}

fn period(text: &str) -> std::result::Result<Period, String> {
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
    Ok(Period { seconds: number.saturating_mul(factor), text: text.to_owned() })
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let events = events(args)?;
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
        let time = ago(now().saturating_sub(event["time"].as_f64().unwrap_or_default() as u64));
        let outcome = match (text("what").as_str(), list("results")) {
            ("done", results) => format!("-> {results} ({:.2} s)", event["seconds"].as_f64().unwrap_or_default()),
            (what, _) => format!("{what}: {}", show_text(&text("reason"), 2_000)),
        };
        say!("{time} ago  {}  {} {outcome}", text("pipeline"), list("inputs"));
    }
    match events.is_empty() {
        true => {
            let period = args.since.as_ref().map_or("90 days", |since| since.text.as_str());
            Err(Error::new(Kind::NoInput, format!("nothing of the kind has happened in the last {period}")))
        }
        false => Ok(ExitCode::SUCCESS),
    }
}

/// From the daemon, or from the journals it has left when none runs.
fn events(args: &Args) -> Result<Vec<Value>> {
    let files: Vec<String> =
        args.file.iter().flat_map(|file| names(file)).map(|file| file.to_string_lossy().into_owned()).collect();
    let mut url = format!("/v1/history?limit={}", args.limit);
    if let Some(since) = &args.since {
        url += &format!("&since={}", since.seconds);
    }
    for file in &files {
        url += &format!("&file={}", encode(file));
    }
    match args.which.client().get(&url) {
        Ok(mut answer) => Ok(answer["events"].as_array_mut().map(std::mem::take).unwrap_or_default()),
        Err(e) if e.kind() == Kind::Device && args.which.is_usual() => {
            let since = args.since.as_ref().map_or(0, |since| journal::ago(Duration::from_secs(since.seconds)));
            let left = journal::history(&paths::state(), since, args.limit as usize, &files)?;
            left.ok_or_else(|| {
                let none = "nothing has happened yet: no daemon runs, and none has left a journal";
                Error::new(Kind::NoInput, none).mend("start one: `latentd run PIPELINE`")
            })
        }
        Err(e) => Err(e),
    }
}

/// What a file is looked for by.
fn names(file: &Path) -> Vec<PathBuf> {
    // `.` alone would be a part of nearly every name.
    let named = file.components().any(|part| matches!(part, Component::Normal(_)));
    std::iter::once(full(file)).chain(named.then(|| file.to_path_buf())).collect()
}

/// The path as the journal knows it, whether the file is still there or not.
fn full(file: &Path) -> PathBuf {
    match std::fs::read_link(file) {
        Ok(to) => resolve(&file.with_file_name(to)),
        Err(_) => resolve(file),
    }
}
