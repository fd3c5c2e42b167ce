//! `latentd check`: all mistakes in pipelines at once.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Common, pipeline_files, terminal};
use crate::error::{Kind, Result};
use crate::pipeline::{LoadError, Loaded};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pipelines, or folders of them
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Print one JSON object for each mistake
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let models = common.models();
    let files = pipeline_files(&args.files)?;
    let mut worst = None;
    for file in &files {
        match Loaded::load(file, &models) {
            Ok(pipeline) if !args.json => {
                let (name, stages, ends) = match &pipeline {
                    Loaded::Files(files) => (&files.name, &files.stages[..], ["folder", "folder"]),
                    #[cfg(feature = "live")]
                    Loaded::Live(live) => (&live.name, &live.stages[..], ["microphone", "speaker"]),
                };
                let stages: Vec<&str> = stages.iter().map(|s| s.name()).collect();
                let chain = [&ends[..1], stages.as_slice(), &ends[1..]].concat().join(" -> ");
                say!("{}: ok, {name} ({chain})", crate::error::show_path(file));
            }
            Ok(_) => {}
            Err(LoadError::Report(report)) => {
                worst = Some(Kind::Config);
                if args.json {
                    for problem in report.to_json().as_array().into_iter().flatten() {
                        say!("{problem}");
                    }
                } else {
                    terminal::print_report(&report);
                }
            }
            Err(LoadError::Other(e)) => {
                worst = worst.or(Some(e.kind()));
                if args.json {
                    say!(
                        "{}",
                        serde_json::json!({ "file": file.to_string_lossy(), "message": e.to_string(), "mend": e.mend_text() })
                    );
                } else {
                    terminal::print_error(&e);
                }
            }
        }
    }
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}
