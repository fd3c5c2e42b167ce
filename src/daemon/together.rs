//! What must hold between pipelines of one daemon: names that tell them apart, and no file that goes in circles or is taken twice.

use std::path::{Path, PathBuf};

use super::Loaded;
use crate::durable::Collision;
use crate::error::show_path;
use crate::pipeline::{Pipeline, named_folder, outputs};
use crate::sink::Originals;
use crate::source::{FolderSource, resolve};

/// All that is wrong, one sentence each.
pub fn misfits(all: &[Loaded]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, a) in all.iter().enumerate() {
        if let Some(b) = all[..index].iter().find(|b| a.name() == b.name()) {
            let [one, other] = [b, a].map(|loaded| show_path(&loaded.file));
            wrong.push(format!(
                "two pipelines are called `{}`, in {one} and {other}; give each a `name` of its own",
                a.name()
            ));
        }
    }
    let pipelines: Vec<&Pipeline> = all.iter().filter_map(|loaded| Some(loaded.folder()?.as_ref())).collect();
    for (index, a) in pipelines.iter().enumerate() {
        for b in &pipelines[..index] {
            let takes = |p: &Pipeline| p.sink.originals != Originals::Keep;
            if overlap(a, b) && (takes(a) || takes(b)) {
                let text = format!(
                    "`{}` and `{}` take files from the same folder, and one of them takes the originals away; let both keep them",
                    b.name, a.name
                );
                wrong.push(text);
            }
            if replace_each_others(a, b) {
                let text = format!(
                    "`{}` and `{}` write results of the same names into the same folder, and one of them replaces what is there; write `{{pipeline}}` in their `name`s, or give each a folder",
                    b.name, a.name
                );
                wrong.push(text);
            }
        }
    }
    for pipeline in &pipelines {
        let quarantine = resolve(&pipeline.sink.quarantine);
        for other in pipelines.iter().filter(|other| watches(&other.source, &quarantine)) {
            let text = format!(
                "the quarantine of `{}` is in the folder that `{}` watches, which would take bad files as inputs; set another `quarantine`",
                pipeline.name, other.name
            );
            wrong.push(text);
        }
    }
    wrong.extend(circle(&pipelines));
    wrong
}

/// Whether another of `all` watches files of this pipeline's.
pub fn is_shared(pipeline: &Pipeline, all: &[Loaded]) -> bool {
    let others = all.iter().filter_map(Loaded::folder).filter(|other| other.name != pipeline.name);
    others.into_iter().any(|other| overlap(pipeline, other))
}

fn overlap(a: &Pipeline, b: &Pipeline) -> bool {
    watches(&a.source, &b.source.root) || watches(&b.source, &a.source.root)
}

/// Whether a result of one pipeline may take the place of one of the other: whether inputs of one name have results of one name, those in folders that
/// are mirrored into the other's sink among them.
fn replace_each_others(a: &Pipeline, b: &Pipeline) -> bool {
    let replaces = |p: &Pipeline| p.sink.collision == Collision::Replace;
    let results = |p: &Pipeline, other: &Pipeline| -> Vec<PathBuf> {
        let between = other.sink.root.strip_prefix(&p.sink.root).ok().filter(|_| p.source.recursive);
        let names = ENDINGS.map(|ending| between.unwrap_or(Path::new("")).join(format!("cat.{ending}")));
        let inputs = names.iter().map(PathBuf::as_path).filter(|name| p.takes.check_extension(name).is_ok());
        inputs.map(|input| resolve(&p.sink.named(&vec![input; p.source.group], &p.name))).collect()
    };
    let tables = a.sink.gathers() || b.sink.gathers();
    !tables && (replaces(a) || replaces(b)) && {
        let others = results(b, a);
        results(a, b).iter().any(|path| others.contains(path))
    }
}

/// Those of inputs that names are tried with.
const ENDINGS: [&str; 10] = ["png", "jpg", "jpeg", "tif", "webp", "bmp", "wav", "flac", "mid", "safetensors"];

/// A circle of pipelines, each of which writes into the folder that the next one watches.
fn circle(pipelines: &[&Pipeline]) -> Option<String> {
    let feeds = |from: usize, to: usize| {
        let (sink, source) = (&pipelines[from].sink, &pipelines[to].source);
        let (named, anywhere) = named_folder(sink);
        let mut folders = outputs(sink).into_iter().map(|(.., path)| resolve(path));
        folders.any(|folder| watches(source, &folder))
            || watches(source, &named)
            || (anywhere && source.root.starts_with(&named))
    };
    // From each, all that can be reached; few pipelines, so the plain way does.
    for start in 0..pipelines.len() {
        let (mut reached, mut next) = (vec![false; pipelines.len()], vec![start]);
        while let Some(from) = next.pop() {
            for to in (0..pipelines.len()).filter(|&to| feeds(from, to)) {
                if to == start {
                    let name = &pipelines[start].name;
                    return Some(format!(
                        "what `{name}` writes comes back to the folder that it watches, by way of other pipelines; files would go in circles"
                    ));
                }
                if !std::mem::replace(&mut reached[to], true) {
                    next.push(to);
                }
            }
        }
    }
    None
}

/// Whether files put into `folder` are in the source's reach.
fn watches(source: &FolderSource, folder: &Path) -> bool {
    let kept_out = source.keep_out.iter().any(|out| folder.starts_with(out));
    !kept_out && (*folder == source.root || (source.recursive && folder.starts_with(&source.root)))
}
