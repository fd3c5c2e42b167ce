//! `latentd run`: the daemon in the foreground.

use std::path::PathBuf;
use std::process::ExitCode;

use crossbeam::channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Common, paths, pipeline_files, print_mistakes, threads};
use crate::daemon::{self, Options};
use crate::error::{Error, Kind, Result};
use crate::pipeline::Loaded;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pipelines, or folders of them; if none is named, those in the user's configuration folder (~/.config/latentd)
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Worker threads; as many as there are cores if not given
    #[arg(long, short = 'j', value_name = "N")]
    threads: Option<usize>,
    /// Work again on files that are done already and still in their folder
    #[arg(long)]
    again: bool,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let files = if args.files.is_empty() {
        let folder = paths::config();
        if !folder.is_dir() {
            return Err(Error::new(Kind::Usage, "no pipeline is named, and there is no folder of pipelines")
                .at(&folder)
                .mend("name a pipeline: `latentd run pipelines/clean-photos.yaml`"));
        }
        pipeline_files(&[folder])?
    } else {
        pipeline_files(&args.files)?
    };
    let models = common.models();
    // All mistakes in all files are told before giving up.
    let (mut pipelines, mut failed) = (Vec::new(), None);
    #[cfg(feature = "live")]
    let mut live = Vec::new();
    for file in &files {
        match Loaded::load(file, &models) {
            Ok(Loaded::Files(pipeline)) => pipelines.push(pipeline),
            #[cfg(feature = "live")]
            Ok(Loaded::Live(pipeline)) => live.push(pipeline),
            Err(e) => failed = Some(print_mistakes(e)),
        }
    }
    if let Some(e) = failed {
        return Err(e);
    }
    let stop = signals()?;
    models.tune();
    let options = Options { threads: threads(args.threads), state: paths::state(), again: args.again };
    #[cfg(feature = "live")]
    let live = daemon::live::start(live)?;
    let outcome = daemon::run(pipelines, &options, &stop);
    #[cfg(feature = "live")]
    live.stop();
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// A channel that gives a message at the first SIGINT or SIGTERM; the second ends the program at once.
fn signals() -> Result<Receiver<()>> {
    let trouble = |e: std::io::Error| Error::new(Kind::Transient, "the system's signals cannot be heard").because(e);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(trouble)?;
    let (stop, stopped) = bounded(1);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for (count, signal) in signals.forever().enumerate() {
                if count == 0 {
                    let _ = stop.try_send(());
                } else {
                    std::process::exit(128 + signal);
                }
            }
        })
        .map_err(trouble)?;
    Ok(stopped)
}
