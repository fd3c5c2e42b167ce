//! What the user has named, folders included, and what lies in these that is not taken.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::durable::{Stamp, open_to_read};
use crate::error::{Error, Kind, Result, show_text};
use crate::media::{self, MediaKind};
use crate::pipeline::{Input, Pipeline};
use crate::source::{FolderSource, resolve};

/// Endings that are told, at most.
const MOST_ENDINGS: usize = 8;
/// Characters of one that are told, at most.
const LONGEST_ENDING: usize = 12;

/// All inputs, those in folders included. What is named but not there, or cannot be read, is a failure among others; what is passed over is told.
pub fn inputs(named: &[PathBuf], pipeline: &Pipeline, failures: &mut Vec<(PathBuf, Error)>) -> Vec<Input> {
    let (mut inputs, mut unfit, mut unknown) = (Vec::new(), Passed::default(), Passed::default());
    for named in named {
        if named.is_dir() {
            let source = source(pipeline, named);
            let mut all = FolderSource::everything(&source.root);
            all.keep_out = source.keep_out.clone();
            let mut found = Vec::new();
            all.scan(&all.root, &mut |f| found.push(f.path), &mut |path, e| {
                failures.push((path.to_path_buf(), Error::io("read", path, e)));
            });
            found.sort();
            for path in found {
                if !source.accepts(&path) {
                    unfit.add(&path);
                } else if is_foreign(pipeline.takes, &path) {
                    unknown.add(&path);
                } else {
                    let relative = path.strip_prefix(&source.root).unwrap_or(&path).to_path_buf();
                    inputs.push(input(named.join(&relative), relative));
                }
            }
        } else {
            // A link that the user names means where it leads; those within folders may be a stranger's, and are refused.
            let path = if named.is_symlink() { std::fs::canonicalize(named) } else { Ok(named.clone()) };
            match path.and_then(|path| Stamp::of(&path).map(|_| path)) {
                Ok(path) => {
                    let relative = named.file_name().map_or_else(|| path.clone(), PathBuf::from);
                    inputs.push(input(path, relative));
                }
                Err(_) if named.as_os_str() == "-" => {
                    let e = Error::new(Kind::NoInput, "there is no file `-`, and standard input is not read");
                    failures.push((named.clone(), e.mend("save it to a file, and name that")));
                }
                Err(e) => failures.push((named.clone(), Error::io("read", named, e))),
            }
        }
    }
    // Of a group the same file may well be two.
    if named.len() > 1 && pipeline.source.group == 1 {
        let (count, mut seen) = (inputs.len(), HashSet::new());
        inputs.retain(|input| seen.insert(resolve(&input.path)));
        if inputs.len() < count {
            tracing::info!("{} named more than once, and worked on once", count - inputs.len());
        }
    }
    if unfit.count > 0 {
        tracing::info!("{unfit}: no pattern of the pipeline fits");
    }
    if unknown.count > 0 {
        tracing::info!("{unknown}: the content is not {} that latentd reads", pipeline.takes.with_article());
    }
    inputs
}

fn input(path: PathBuf, relative: PathBuf) -> Input {
    let stamp = Stamp::of(&path).unwrap_or_default();
    Input { path, relative, stamp }
}

/// A folder that is named, as the pipeline's source would take from it.
fn source(pipeline: &Pipeline, named: &Path) -> FolderSource {
    let mut source: FolderSource = pipeline.source.clone();
    (source.root, source.recursive) = (resolve(named), true);
    // An output folder within an input folder must not be taken as input.
    source.keep_out = vec![resolve(&pipeline.sink.root)];
    source.keep_out.retain(|path| *path != source.root);
    source
}

/// Whether neither name nor content of a file are of this kind. What is no file, or cannot be read, is refused later with a reason.
fn is_foreign(kind: MediaKind, path: &Path) -> bool {
    // Without a name, whose ending could contradict the content: that is a mistake to be told.
    let glance = |mut file| media::glance(kind, &mut file, Path::new("file")).is_err_and(|e| e.kind() == Kind::Input);
    let file = || open_to_read(path).ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()));
    !kind.reads(path) && file().is_some_and(glance)
}

/// The error with the pipeline that takes the file, if this one does not for what the file is.
pub fn elsewhere(error: Error, kind: MediaKind, path: &Path) -> Error {
    const TAKERS: [(MediaKind, &str); 3] = [
        (MediaKind::Image, "it is a picture, which `denoise-photos` takes, for one"),
        (MediaKind::Audio, "it is sound, which `clean-recordings` takes, for one"),
        (MediaKind::Melody, "it is a melody, which `melody-reconstruct` takes, for one"),
    ];
    let holds = |kind: MediaKind| match kind {
        // Without a name, whose ending could contradict the content.
        MediaKind::Image | MediaKind::Audio => {
            open_to_read(path).is_ok_and(|mut file| media::glance(kind, &mut file, Path::new("file")).is_ok())
        }
        MediaKind::Melody | MediaKind::Latent => kind.reads(path),
    };
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    if error.kind() != Kind::Input || !is_file || holds(kind) {
        return error;
    }
    match TAKERS.into_iter().find(|(other, _)| *other != kind && holds(*other)) {
        Some((_, mend)) => error.mend(mend),
        None => error,
    }
}

/// Why an input will be refused, as far as its first bytes tell.
pub fn refusal(kind: MediaKind, input: &Input) -> Option<Error> {
    let mut file = open_to_read(&input.path).ok().filter(|file| file.metadata().is_ok_and(|m| m.is_file()))?;
    match input.stamp.length {
        0 => Some(Error::new(Kind::Input, "the file is empty").at(&input.relative)),
        _ => media::glance(kind, &mut file, &input.relative).err(),
    }
}

/// Refuses the folder of the inputs as that of results which the next run would take as inputs.
///
/// # Errors
/// Kind usage: it is.
pub fn check_out(named: &[PathBuf], pipeline: &Pipeline, results: impl Fn() -> Vec<PathBuf>) -> Result<()> {
    let out = resolve(&pipeline.sink.root);
    for named in named.iter().filter(|named| named.is_dir() && resolve(named) == out) {
        let source = source(pipeline, named);
        let within = |result: &PathBuf| result.strip_prefix(&pipeline.sink.root).map(|below| out.join(below));
        if results().iter().any(|result| within(result).is_ok_and(|path| source.accepts(&path))) {
            let e = Error::new(Kind::Usage, "results would lie among the inputs, and be taken as inputs the next time");
            return Err(e.at(named).mend("name another folder after `--out`; one below it is left out of the inputs"));
        }
    }
    Ok(())
}

/// Files that are not taken.
#[derive(Debug, Default)]
struct Passed {
    count: usize,
    endings: BTreeSet<String>,
    more: bool,
}

impl Passed {
    fn add(&mut self, path: &Path) {
        self.count += 1;
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let ending = ending.map_or("no ending".to_owned(), |text| format!(".{}", show_text(&text, LONGEST_ENDING)));
        if self.endings.len() < MOST_ENDINGS {
            self.endings.insert(ending);
        } else {
            self.more |= !self.endings.contains(&ending);
        }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endings = self.endings.iter().map(String::as_str).chain(self.more.then_some("..."));
        write!(f, "{} passed over ({})", self.count, endings.collect::<Vec<_>>().join(", "))
    }
}
