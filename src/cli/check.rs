//! `latentd check`: all mistakes in pipelines at once, and in what they are together.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::{Common, pipeline_files, terminal};
use crate::daemon::{self, Work, check_together};
use crate::error::{Error, Kind, Result};
use crate::pipeline::{LoadError, Loaded};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pipelines, or folders of them
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Print one JSON object for each mistake
    #[arg(long)]
    json: bool,
    /// Have models ready as well, as the first file will
    #[arg(long, hide = true)]
    ready: bool,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let models = common.models();
    let (mut all, mut worst) = (Vec::new(), None);
    for path in &args.files {
        let files = pipeline_files(std::slice::from_ref(path)).unwrap_or_else(|e| {
            worst = worst.or(Some(e.kind()));
            tell(Some(path), &e, args.json);
            Vec::new()
        });
        for file in files {
            match Loaded::load(&file, &models) {
                Ok(pipeline) => {
                    if !args.json {
                        praise(&file, &pipeline);
                    }
                    let work = match pipeline {
                        Loaded::Files(files) => Work::Folder(Arc::new(files)),
                        #[cfg(feature = "live")]
                        Loaded::Live(live) => Work::Live(Arc::new(live)),
                    };
                    all.push(daemon::Loaded { file, work });
                }
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
                    tell(Some(&file), &e, args.json);
                }
            }
        }
    }
    // What is right by itself, and would be refused by `latentd run` beside the others.
    for misfit in check_together(&all).err().into_iter().flatten() {
        worst = Some(Kind::Config);
        tell(None, &Error::new(Kind::Config, misfit), args.json);
    }
    if args.ready {
        models.make_ready();
    }
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}

fn praise(file: &Path, pipeline: &Loaded) {
    let (name, stages, ends) = match pipeline {
        Loaded::Files(files) => (&files.name, &files.stages[..], ["folder", "folder"]),
        #[cfg(feature = "live")]
        Loaded::Live(live) => (&live.name, &live.stages[..], ["microphone", "speaker"]),
    };
    let stages: Vec<&str> = stages.iter().map(|s| s.name()).collect();
    let chain = [&ends[..1], stages.as_slice(), &ends[1..]].concat().join(" -> ");
    say!("{}: ok, {name} ({chain})", crate::error::show_path(file));
}

/// A mistake without a place in a file; for programs by the same names as one that has a place.
fn tell(file: Option<&Path>, e: &Error, json: bool) {
    if !json {
        return terminal::print_error(e);
    }
    let file = file.map(Path::to_string_lossy);
    let (message, mend) = (e.to_string(), e.mend_text());
    say!("{}", serde_json::json!({ "file": file, "line": null, "column": null, "message": message, "mend": mend }));
}
