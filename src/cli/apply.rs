//! `latentd apply`: a pipeline once over files and folders.

mod collect;
mod interrupt;
mod plan;
mod progress;
mod report;
mod set;

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};
use plan::{Inputs, Turns};
use report::{Summary, report};

use super::{Common, apart, files, find_models_apart, results, stdout, terminal, threads};
use crate::config;
use crate::durable::{self, Collision, names};
use crate::error::{Error, Kind, Result, plain_paths, show_path, show_paths};
use crate::model::Models;
use crate::pipeline::{Forgetful, Input, Job, Lane, Pipeline, Pool, SHIPPED, Shipped, Ticket};
use crate::sink::Originals;

pub use plan::expected;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipeline's file, or the name of one that `latentd new` lists; of its source only patterns, limits and `group` count, and originals are always kept
    pipeline: PathBuf,
    /// Files and folders; folders are mirrored
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Where results go; the pipeline's sink if not given
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Another value for a setting of a stage or the sink, this once: `denoise.sigma=20`, `sink.quality=90`; of the second stage of a name `denoise.2.sigma=20`
    /// (may be given more than once; paths begin where those in the file do)
    #[arg(long, value_name = "KEY=VALUE", value_parser = set::parse)]
    set: Vec<set::Set>,
    /// Worker threads; as many as there are cores if not given
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Pass over inputs whose results are there, as of a run that was interrupted; what was changed after its result was made is worked on again, and what
    /// the pipeline was when it was made is not asked
    #[arg(long)]
    skip_existing: bool,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object for each input
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let (mut pipeline, models) = read(args, common)?;
    pipeline.sink.originals = Originals::Keep;
    if let Some(out) = &args.out {
        pipeline.sink.root = out.clone();
    }
    results::check_folder(&pipeline.sink.root)?;
    if let Some(out) = &args.out {
        // Folders below it are named like those of the inputs: where others may write there too, a link in place of one leads out.
        durable::guard(out);
    }
    let mut failures = Vec::new();
    let inputs = collect::inputs(&args.inputs, &pipeline, &mut failures);
    let nothing = inputs.is_empty();
    let mut groups = group(inputs, pipeline.source.group)?;
    plan::order(&pipeline, &mut groups);
    let heard = progress::watch(&mut pipeline);
    let pipeline = Arc::new(pipeline);
    if args.skip_existing {
        plan::pass_over(&pipeline, &mut groups);
    }
    if !pipeline.sink.gathers() {
        if pipeline.sink.collision == Collision::Replace {
            check_names(&groups)?;
            apart::check(&pipeline, &groups)?;
        }
        let wanted = || groups.iter().map(|inputs| expected(&pipeline, inputs, 1)).collect::<Vec<_>>();
        collect::check_out(&args.inputs, &pipeline, wanted)?;
    }
    let (mark, count) = (interrupt::mark(), groups.len());
    let mut summary = Summary::default();
    let mut refused = None;
    if args.dry_run {
        refused = foretell(args, &pipeline, &groups);
    } else if count > 0 {
        models.tune();
        // By which files are known that are half-written when it is interrupted.
        let _ = pipeline.sink.mark.set(mark.clone());
        summary = work(args, &pipeline, &groups, &heard, &mut failures)?;
    }
    for (path, error) in &failures {
        if args.json {
            say!("{}", failure([path], error));
        }
        terminal::print_error(error);
    }
    summary.tell_of_names(args.skip_existing);
    let done = summary.done;
    if let Some(signal) = summary.interrupted {
        let goes_on = match (plan::names_tell_nothing(&pipeline), args.skip_existing) {
            (Some(_), _) => "",
            (None, true) => "; the same again goes on",
            (None, false) => "; the same with `--skip-existing` goes on",
        };
        terminal::note(&format!("interrupted, {done} of {count} done{goes_on}"));
        let _ = stdout::finish();
        interrupt::clear(&mark, groups.iter().map(|inputs| expected(&pipeline, inputs, 1)));
        // Those under way may take long, and nobody waits for them.
        std::process::exit(128 + signal);
    }
    match failures.first().map(|(_, error)| error).or(refused.as_ref()) {
        None if nothing => {
            Err(Error::new(Kind::NoInput, "there is nothing to do: no file fits the pipeline's patterns"))
        }
        Some(error) if args.dry_run => Ok(error.kind().exit_code().into()),
        None => {
            if !args.dry_run {
                tracing::info!("{done} done, in {}", show_path(&pipeline.sink.root));
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(error) => {
            let there = if done > 0 { format!(", in {}", show_path(&pipeline.sink.root)) } else { String::new() };
            terminal::note(&format!("{done} done{there}, {} failed", failures.len()));
            Ok(error.kind().exit_code().into())
        }
    }
}

/// What `--json` tells of inputs that failed, or will.
fn failure<'a>(paths: impl IntoIterator<Item = &'a PathBuf>, error: &Error) -> serde_json::Value {
    let (what, kind, mend) = (error.to_string(), error.kind().name(), error.mend_text());
    serde_json::json!({ "inputs": plain_paths(paths), "error": what, "kind": kind, "mend": mend })
}

/// Refuses inputs of one name where results replace what has their name.
fn check_names(groups: &[Inputs]) -> Result<()> {
    let mut seen = HashSet::new();
    for inputs in groups {
        if !seen.insert(inputs.iter().map(|input| &input.relative).collect::<Vec<_>>()) {
            let e = Error::new(Kind::Usage, "the results of two inputs of one name would replace each other");
            let e = e.at(&inputs[0].path).mend("leave `overwrite` out, or name the folder that they are in");
            return Err(e);
        }
    }
    Ok(())
}

/// The pipeline that is named: a file, or one that the program carries.
fn read(args: &Args, common: &Common) -> Result<(Pipeline, Models)> {
    let name = args.pipeline.to_string_lossy();
    // A folder of that name is one that the pipeline has watched.
    let missing = args.pipeline.symlink_metadata().map_or(true, |metadata| metadata.is_dir());
    let Some(shipped) = Shipped::find(&name).filter(|_| missing) else {
        if !missing && files::is_media(&args.pipeline) {
            return Err(swapped(args));
        }
        let models = common.models();
        let text = config::read(&args.pipeline).map_err(|e| if missing { e.mend(meant_by(&name)) } else { e })?;
        return Ok((set::load(&args.pipeline, text, &args.set, &models)?, models));
    };
    // It lies in no folder, beside which models or results could be.
    if args.out.is_none() {
        let e = Error::new(Kind::Usage, format!("`{name}` comes with the program, and has no folder for results"));
        return Err(e.mend(format!("say where they go by `--out DIR`, or make it your own by `latentd new {name}`")));
    }
    let models = find_models_apart(&common.models);
    Ok((set::load(&shipped.file(), shipped.text.to_owned(), &args.set, &models)?, models))
}

/// The mend for a pipeline that is not there.
fn meant_by(name: &str) -> String {
    let known = || SHIPPED.iter().map(|shipped| shipped.name);
    let bare = name.strip_suffix(".yaml").or(name.strip_suffix(".yml")).unwrap_or(name);
    match crate::did_you_mean(bare, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("name a file, or one that the program carries: {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// What is wrong where an input stands in the pipeline's place.
fn swapped(args: &Args) -> Error {
    let is_pipeline = |path: &&PathBuf| super::is_yaml(path) || path.to_str().and_then(Shipped::find).is_some();
    let meant = args.inputs.iter().find(is_pipeline).map_or("PIPELINE".into(), |path| show_path(path));
    let e = Error::new(Kind::Usage, "the pipeline is named first, and this is called like an input").at(&args.pipeline);
    e.mend(format!("write `latentd apply {meant} {}`", show_path(&args.pipeline)))
}

/// Inputs in the order in which they were named, `size` to a job.
fn group(inputs: Vec<Input>, size: usize) -> Result<Vec<Inputs>> {
    let (count, rest) = (inputs.len(), inputs.len() % size);
    if rest > 0 {
        let what = format!("the pipeline takes inputs in groups of {size}, and there are {count}");
        let mend =
            format!("leave out {rest}, or add {}; they are grouped in the order in which they are named", size - rest);
        return Err(Error::new(Kind::Usage, what).mend(mend));
    }
    Ok(inputs.chunks(size).map(<[Input]>::to_vec).collect())
}

/// Tells where results would go: under names that are free, also of one another, unless older ones are written over; and which inputs would be refused, as far
/// as their first bytes tell, the first of these errors in the end.
fn foretell(args: &Args, pipeline: &Pipeline, groups: &[Inputs]) -> Option<Error> {
    let sink = &pipeline.sink;
    let mut chosen: HashSet<PathBuf> = HashSet::new();
    let (mut open, mut first) = (false, None);
    for inputs in groups {
        let refused = inputs.iter().find_map(|input| Some((input, collect::refusal(pipeline.takes, input)?)));
        if let Some((input, error)) = refused {
            let paths = inputs.iter().map(|input| &input.path);
            if args.json {
                say!("{}", failure(paths, &error));
            } else {
                let what = error.to_string();
                let name = format!("{}: ", show_path(&input.relative));
                // Of a group it is to be told which.
                let what = if inputs.len() == 1 { what.strip_prefix(&name).unwrap_or(&what) } else { what.as_str() };
                say!("{} -> nothing: {what}", show_paths(paths));
            }
            first.get_or_insert(error);
            continue;
        }
        let mut result = expected(pipeline, inputs, 1);
        open |= apart::is_sized(&result);
        if sink.collision == Collision::Rename && !sink.gathers() && !apart::is_sized(&result) {
            let is_free = |path: &PathBuf| !chosen.contains(path) && std::fs::symlink_metadata(path).is_err();
            let free = names(&result).find(is_free);
            result = free.unwrap_or(result);
            chosen.insert(result.clone());
        }
        let paths = inputs.iter().map(|input| &input.path);
        if args.json {
            say!("{}", serde_json::json!({ "inputs": plain_paths(paths), "results": plain_paths([&result]) }));
        } else {
            say!("{} -> {}", show_paths(paths), show_path(&result));
        }
    }
    if open {
        tracing::info!(
            "sizes in braces are known when the results are; one whose name is taken then gets another, as `-1`"
        );
    }
    first
}

fn work(
    args: &Args,
    pipeline: &Arc<Pipeline>,
    groups: &[Inputs],
    heard: &Receiver<i64>,
    failures: &mut Vec<(PathBuf, Error)>,
) -> Result<Summary> {
    let signals = interrupt::listen()?;
    let pool = Pool::new(threads(args.threads.map(usize::from)))?;
    let lane = pool.lane(1.0);
    let (home, tickets) = unbounded();
    let (first, turns) = Turns::of(pipeline, groups.to_vec());
    let mut queue = Queue { pipeline, lane, home: Some(home), turns };
    first.into_iter().for_each(|inputs| queue.push(inputs));
    queue.close();
    let summary = report(args, groups, &mut queue, (&tickets, heard, &signals), failures);
    match summary.interrupted {
        Some(_) => pool.stop(),
        None => pool.finish(),
    }
    Ok(summary)
}

/// Where jobs go in, each when it is its turn.
struct Queue<'a> {
    pipeline: &'a Arc<Pipeline>,
    lane: Lane,
    /// Where tickets go; nobody holds it any more once no job is to come.
    home: Option<Sender<Ticket>>,
    turns: Turns,
}

impl Queue<'_> {
    fn push(&self, inputs: Inputs) {
        if let Some(home) = self.home.clone() {
            let (pipeline, ledger) = (Arc::clone(self.pipeline), Arc::new(Forgetful));
            self.lane.push(Job { pipeline, inputs, ledger, home });
        }
    }

    /// Lets those begin that have waited for these inputs.
    fn go_on_after(&mut self, inputs: &[Input]) {
        if let Some(next) = self.turns.after(inputs) {
            self.push(next);
        }
        self.close();
    }

    fn close(&mut self) {
        if self.turns.are_over() {
            self.home = None;
        }
    }
}
