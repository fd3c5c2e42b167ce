//! `latentd apply`: a pipeline once over files and folders.

mod progress;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crossbeam::channel::{Receiver, select, unbounded};
use progress::STEPS;

use super::{Common, apart, files, find_models_apart, load, print_mistakes, terminal, threads};
use crate::durable::{self, Collision, Stamp, names};
use crate::error::{Error, Kind, Result, plain_paths, show_path, show_paths};
use crate::model::Models;
use crate::pipeline::{Forgetful, Input, Job, Outcome, Pipeline, Pool, SHIPPED, Shipped, Ticket};
use crate::sink::Originals;
use crate::source::{FolderSource, resolve};

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
    /// Worker threads; as many as there are cores if not given
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Pass over inputs whose results are there, as of a run that was interrupted
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
        // Folders below it are named like those of the inputs: where others may write there too, a link in place of one leads out.
        durable::guard(out);
    }
    let mut failures = Vec::new();
    let inputs = collect(args, &pipeline, &mut failures);
    let nothing = inputs.is_empty();
    let mut groups = group(inputs, pipeline.source.group)?;
    let heard = progress::watch(&mut pipeline);
    let pipeline = Arc::new(pipeline);
    if args.skip_existing {
        let count = groups.len();
        groups.retain(|inputs| expected(&pipeline, inputs, 1).symlink_metadata().is_err());
        if groups.len() < count {
            tracing::info!("{} passed over: their results are there", count - groups.len());
        }
    }
    let mut done = 0;
    if pipeline.sink.collision == Collision::Replace && !pipeline.sink.gathers() {
        let mut seen = HashSet::new();
        for inputs in &groups {
            if !seen.insert(inputs.iter().map(|input| &input.relative).collect::<Vec<_>>()) {
                let e = Error::new(Kind::Usage, "the results of two inputs of one name would replace each other");
                let e = e.at(&inputs[0].path).mend("leave `overwrite` out, or name the folder that they are in");
                return Err(e);
            }
        }
        apart::check(&pipeline, &groups)?;
    }
    if args.dry_run {
        foretell(args, &pipeline, &groups);
    } else if !nothing {
        models.tune();
        done = work(args, &pipeline, groups, &heard, &mut failures)?;
    }
    for (path, error) in &failures {
        if args.json {
            let json = serde_json::json!({ "inputs": plain_paths([path]), "error": error.to_string(), "kind": error.kind().name(), "mend": error.mend_text() });
            say!("{json}");
        }
        terminal::print_error(error);
    }
    match failures.first() {
        None if nothing => {
            Err(Error::new(Kind::NoInput, "there is nothing to do: no file fits the pipeline's patterns"))
        }
        None => {
            if !args.dry_run {
                tracing::info!("{done} done, in {}", show_path(&pipeline.sink.root));
            }
            Ok(ExitCode::SUCCESS)
        }
        Some((_, error)) => {
            terminal::note(&format!("{done} done, {} failed", failures.len()));
            Ok(error.kind().exit_code().into())
        }
    }
}

/// The pipeline that is named: a file, or one that the program carries.
fn read(args: &Args, common: &Common) -> Result<(Pipeline, Models)> {
    let name = args.pipeline.to_string_lossy();
    // A folder of that name is one that the pipeline has watched.
    let missing = args.pipeline.symlink_metadata().map_or(true, |metadata| metadata.is_dir());
    let Some(shipped) = Shipped::find(&name).filter(|_| missing) else {
        let models = common.models();
        let near = crate::did_you_mean(&name, SHIPPED.iter().map(|shipped| shipped.name));
        return match (load(&args.pipeline, &models), near) {
            (Err(e), Some(near)) if missing => Err(e.mend(format!("did you mean `{near}`?"))),
            (pipeline, _) => Ok((pipeline?, models)),
        };
    };
    // It lies in no folder, beside which models or results could be.
    if args.out.is_none() {
        let e = Error::new(Kind::Usage, format!("`{name}` comes with the program, and has no folder for results"));
        return Err(e.mend(format!("say where they go by `--out DIR`, or make it your own by `latentd new {name}`")));
    }
    let models = find_models_apart(&common.models);
    Ok((shipped.pipeline(&models).map_err(print_mistakes)?, models))
}

/// All inputs, those in folders included. What is named but not there, or cannot be read, is a failure among others.
fn collect(args: &Args, pipeline: &Pipeline, failures: &mut Vec<(PathBuf, Error)>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for named in &args.inputs {
        if named.is_dir() {
            // An output folder within an input folder must not be taken as input.
            let mut source: FolderSource = pipeline.source.clone();
            (source.root, source.recursive) = (resolve(named), true);
            source.keep_out = vec![resolve(&pipeline.sink.root)];
            source.keep_out.retain(|path| *path != source.root);
            let mut found = Vec::new();
            source.scan(&source.root, &mut |f| found.push(f.path), &mut |path, e| {
                failures.push((path.to_path_buf(), Error::io("read", path, e)));
            });
            found.sort();
            inputs.extend(found.into_iter().map(|path| {
                let relative = path.strip_prefix(&source.root).unwrap_or(&path).to_path_buf();
                input(named.join(&relative), relative)
            }));
        } else {
            // A link that the user names means where it leads; those within folders may be a stranger's, and are refused.
            let path = if named.is_symlink() { std::fs::canonicalize(named) } else { Ok(named.clone()) };
            match path.and_then(|path| Stamp::of(&path).map(|_| path)) {
                Ok(path) => {
                    let relative = named.file_name().map_or_else(|| path.clone(), PathBuf::from);
                    inputs.push(input(path, relative));
                }
                Err(e) => failures.push((named.clone(), Error::io("read", named, e))),
            }
        }
    }
    inputs
}

fn input(path: PathBuf, relative: PathBuf) -> Input {
    let stamp = Stamp::of(&path).unwrap_or_default();
    Input { path, relative, stamp }
}

/// Inputs in the order in which they were named, `size` to a job.
fn group(inputs: Vec<Input>, size: usize) -> Result<Vec<Vec<Input>>> {
    let (count, rest) = (inputs.len(), inputs.len() % size);
    if rest > 0 {
        let what = format!("the pipeline takes inputs in groups of {size}, and there are {count}");
        let mend =
            format!("leave out {rest}, or add {}; they are grouped in the order in which they are named", size - rest);
        return Err(Error::new(Kind::Usage, what).mend(mend));
    }
    Ok(inputs.chunks(size).map(<[Input]>::to_vec).collect())
}

/// Where result `index` of a job, from 1, would go if nothing else had its name.
pub fn expected(pipeline: &Pipeline, inputs: &[Input], index: usize) -> PathBuf {
    let relative: Vec<&Path> = inputs.iter().map(|input| input.relative.as_path()).collect();
    pipeline.sink.expected(&relative, &pipeline.name, index)
}

/// Tells where results would go: under names that are free, also of one another, unless older ones are written over.
fn foretell(args: &Args, pipeline: &Pipeline, groups: &[Vec<Input>]) {
    let sink = &pipeline.sink;
    let mut chosen: HashSet<PathBuf> = HashSet::new();
    let mut open = false;
    for inputs in groups {
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
}

fn work(
    args: &Args,
    pipeline: &Arc<Pipeline>,
    groups: Vec<Vec<Input>>,
    heard: &Receiver<i64>,
    failures: &mut Vec<(PathBuf, Error)>,
) -> Result<usize> {
    let (count, group) = (groups.len(), pipeline.source.group);
    let pool = Pool::new(threads(args.threads.map(usize::from)))?;
    let (home, tickets) = unbounded();
    let lane = pool.lane(1.0);
    for inputs in groups {
        let (pipeline, ledger) = (Arc::clone(pipeline), Arc::new(Forgetful));
        lane.push(Job { pipeline, inputs, ledger, home: home.clone() });
    }
    drop(home);
    let done = report(args, (count, group), heard, &tickets, failures);
    pool.finish();
    Ok(done)
}

/// Tells of each ticket of `count` jobs with `group` inputs each.
fn report(
    args: &Args,
    (count, group): (usize, usize),
    heard: &Receiver<i64>,
    tickets: &Receiver<Ticket>,
    failures: &mut Vec<(PathBuf, Error)>,
) -> usize {
    let bar = files::bar_in_steps(count, STEPS.unsigned_abs());
    // Steps of those that are home, and of what the others have read. A recording is read before its result is safe, so the bar would go back at times.
    let (mut home, mut reading, mut done) = (0, 0, 0);
    let advance = |steps: i64| bar.set_position(bar.position().max(steps.unsigned_abs()));
    loop {
        let ticket = select! {
            recv(heard) -> steps => {
                reading += steps.unwrap_or(0);
                advance(home + reading / group.max(1) as i64);
                continue;
            }
            recv(tickets) -> ticket => ticket,
        };
        let Ok(ticket) = ticket else { break };
        let Ticket { inputs, outcome, elapsed, .. } = ticket;
        let path = inputs.first().map(|input| input.path.clone()).unwrap_or_default();
        bar.set_message(show_path(Path::new(path.file_name().unwrap_or_default())));
        home += STEPS;
        reading += heard.try_iter().sum::<i64>();
        advance(home + reading / group.max(1) as i64);
        match outcome {
            Outcome::Done(results) | Outcome::Known(results) => {
                done += 1;
                if args.json {
                    let inputs = plain_paths(inputs.iter().map(|input| &input.path));
                    let json = serde_json::json!({ "inputs": inputs, "results": plain_paths(&results), "seconds": elapsed.as_secs_f64() });
                    bar.suspend(|| say!("{json}"));
                }
            }
            Outcome::Failed { error, culprit } => {
                let path = culprit.and_then(|i| inputs.get(i)).map_or(path, |input| input.path.clone());
                let error = files::naming(error, &path);
                failures.push((path, error));
            }
            Outcome::Vanished | Outcome::Dropped => {
                let e = Error::new(Kind::NoInput, "it was moved or changed while it was read").at(&path);
                failures.push((path, e));
            }
        }
    }
    bar.finish_and_clear();
    done
}
