//! `latentd quarantine`: what could not be worked on, and another try at it. Works on the folders alone, whether a daemon runs or not; one that
//! runs is asked for nothing but its pipelines' files, where none is named.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;

use super::daemon::Which;
use super::{Common, run, terminal};
use crate::daemon::Loaded;
use crate::durable;
use crate::error::{Error, Kind, Result, show_path, show_text};
use crate::pipeline::Pipeline;
use crate::sink::{Kept, Quarantine};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List what is in quarantine, and why
    List {
        /// Print one JSON object for each file
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Print the whole reason of a file
    Show {
        /// Its name, as `list` shows it
        name: PathBuf,
        #[command(flatten)]
        of: Of,
    },
    /// Put files back into the folder they came from
    Retry {
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        of: Of,
    },
    /// Delete files and their reasons for good
    Purge {
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        of: Of,
    },
}

/// Bytes of a note that are shown, at most: it lies in a folder that strangers' files come to.
const LONGEST_NOTE: u64 = 1 << 16;
/// Characters of a reason in the list, at most.
const LONGEST_REASON: usize = 1_000;

/// How a pipeline is named.
const EXAMPLE: &str = "latentd quarantine list -p pipelines/clean-photos.yaml";

/// Whose quarantine.
#[derive(Debug, clap::Args)]
pub struct Of {
    /// Pipelines, or folders of them; if none is named, those in the user's configuration folder, or else those of a running daemon
    #[arg(long = "pipeline", short = 'p', value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
}

/// Which of its files.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct What {
    /// Names, as `list` shows them
    names: Vec<PathBuf>,
    /// All of them
    #[arg(long)]
    all: bool,
}

pub fn run(verb: &Verb, common: &Common) -> Result<ExitCode> {
    match verb {
        Verb::List { json, of } => {
            let (read, failed) = run::load_some(&given(of)?, common)?;
            for (pipeline, kept) in kept_by(&read.pipelines) {
                if *json {
                    let (name, file) = (kept.name.to_string_lossy(), kept.file.as_deref().map(Path::to_string_lossy));
                    let value = serde_json::json!({
                        "pipeline": pipeline.name, "name": name, "file": file, "reason": kept.reason
                    });
                    say!("{value}");
                } else {
                    let gone = if kept.file.is_some() { "" } else { " (not here)" };
                    say!(
                        "{}: {}{gone}: {}",
                        pipeline.name,
                        show_path(&kept.name),
                        show_text(without_name(&kept), LONGEST_REASON)
                    );
                }
            }
            failed.iter().for_each(terminal::print_error);
            return Ok(failed.first().map_or(ExitCode::SUCCESS, |e| e.kind().exit_code().into()));
        }
        Verb::Show { name, of } => {
            for (_, kept) in chosen(of, common, std::slice::from_ref(name))? {
                let mut text = Vec::new();
                let read = File::open(&kept.note).and_then(|file| file.take(LONGEST_NOTE).read_to_end(&mut text));
                read.map_err(|e| Error::io("read", &kept.note, e))?;
                for line in String::from_utf8_lossy(&text).trim_end().lines() {
                    say!("{}", show_text(line, usize::MAX));
                }
            }
        }
        Verb::Retry { what, of } => {
            return each(what, of, common, |pipeline, kept| {
                let back = quarantine(pipeline).put_back(kept, &pipeline.source.root)?;
                say!("{} is tried again: {}", show_path(&kept.name), show_path(&back));
                Ok(())
            });
        }
        Verb::Purge { what, of } => {
            return each(what, of, common, |pipeline, kept| {
                quarantine(pipeline).purge(kept)?;
                say!("{} is deleted", show_path(&kept.name));
                Ok(())
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The pipelines that are named, or those in the user's folder, or else those that a running daemon has.
fn given(of: &Of) -> Result<Vec<PathBuf>> {
    run::given(&of.files, EXAMPLE).or_else(|none| {
        let Ok(status) = Which::default().client().status() else { return Err(none) };
        // It may have been started in another folder, from which it was told of them.
        let folder = std::fs::read_link(format!("/proc/{}/cwd", status.pid)).unwrap_or_default();
        let pipelines = status.pipelines.iter().filter(|pipeline| pipeline.kind == "folder");
        let files: Vec<PathBuf> = pipelines.map(|pipeline| folder.join(&pipeline.file)).collect();
        if files.is_empty() { Err(none) } else { Ok(files) }
    })
}

/// The reason without the name of the file at its beginning: the line that it stands in has told that.
fn without_name(kept: &Kept) -> &str {
    let mut ends = kept.reason.match_indices(": ");
    // As it was called when it came: by its name alone, or with the folders that it lay in.
    let end = ends.find(|(at, _)| *at > 0 && kept.from.ends_with(&kept.reason[..*at]));
    end.map_or(kept.reason.as_str(), |(at, colon)| &kept.reason[at + colon.len()..])
}

/// Whether a file is meant by its name, or by the path that `list --json` tells.
fn is_named(kept: &Kept, name: &Path) -> bool {
    kept.name == name || kept.file.as_deref() == Some(name)
}

fn quarantine(pipeline: &Pipeline) -> Quarantine<'_> {
    Quarantine(&pipeline.sink.quarantine)
}

/// Everything in quarantine. Whoever moves or deletes it must know all pipelines: of a folder that several share, one that cannot be read would seem
/// to have nothing.
fn everything(of: &Of, common: &Common) -> Result<Vec<(Arc<Pipeline>, Kept)>> {
    Ok(kept_by(&run::first_load(&given(of)?, common)?.pipelines))
}

/// What pipelines have in quarantine. In a folder that several share each file is that pipeline's whose source it came from; what came from
/// none of them is not theirs to see.
fn kept_by(pipelines: &[Loaded]) -> Vec<(Arc<Pipeline>, Kept)> {
    let pipelines: Vec<_> = pipelines.iter().filter_map(|loaded| loaded.folder()).collect();
    // A quarantine may lie within a source.
    pipelines.iter().for_each(|pipeline| durable::guard(&pipeline.source.root));
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for folder in pipelines.iter().map(|pipeline| &pipeline.sink.quarantine) {
        if seen.contains(&folder) {
            continue;
        }
        seen.push(folder);
        let sharing = || pipelines.iter().filter(|pipeline| pipeline.sink.quarantine == *folder);
        for kept in Quarantine(folder).list() {
            let own = sharing().filter(|pipeline| kept.from.starts_with(&pipeline.source.root));
            // The first of those that lie deepest.
            let depth = |pipeline: &&&Arc<Pipeline>| std::cmp::Reverse(pipeline.source.root.components().count());
            all.extend(own.min_by_key(depth).map(|pipeline| (Arc::clone(pipeline), kept)));
        }
    }
    all
}

fn chosen(of: &Of, common: &Common, names: &[PathBuf]) -> Result<Vec<(Arc<Pipeline>, Kept)>> {
    let all = everything(of, common)?;
    let is_there = |name: &Path| all.iter().any(|(_, kept)| is_named(kept, name));
    if let Some(missing) = names.iter().find(|name| !is_there(name)) {
        let e = Error::new(Kind::NoInput, "it is not in quarantine").at(missing);
        return Err(e.mend("`latentd quarantine list` shows what is"));
    }
    Ok(all.into_iter().filter(|(_, kept)| names.iter().any(|name| is_named(kept, name))).collect())
}

/// Does something to each; goes on when one fails, and tells the first failure in the end.
fn each(what: &What, of: &Of, common: &Common, work: impl Fn(&Pipeline, &Kept) -> Result<()>) -> Result<ExitCode> {
    let files = if what.all { everything(of, common)? } else { chosen(of, common, &what.names)? };
    let mut first = None;
    for (pipeline, kept) in &files {
        if let Err(e) = work(pipeline, kept) {
            terminal::print_error(&e);
            first = first.or(Some(e));
        }
    }
    Ok(first.map_or(ExitCode::SUCCESS, |e| e.kind().exit_code().into()))
}
