//! What verbs share that read media, do something with each, and write media.

use std::fs::File;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::image::{EncodeOptions, Limits};
use crate::media::{self, Image, Media, MediaKind};
use crate::source::identity;

/// A file and what it is called in results: its path within the folder that was named, or its name.
pub struct Input {
    pub path: PathBuf,
    pub name: String,
}

impl Input {
    /// The folder that the file lies in, which often tells its class.
    pub fn class(&self) -> String {
        self.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads it.
    pub fn read(&self, kind: MediaKind) -> Result<Media> {
        read(kind, &self.path)
    }
}

/// Reads a file as media of one kind.
pub fn read(kind: MediaKind, path: &Path) -> Result<Media> {
    let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::new(Kind::NoInput, "not a file").at(path).mend("name the file itself"));
    }
    media::read(kind, file, path, &Limits::default())
}

/// Reads a file as a picture.
pub fn read_picture(path: &Path) -> Result<Image> {
    match read(MediaKind::Image, path)? {
        Media::Image(image) => Ok(image),
        other => Err(Error::new(Kind::Bug, format!("{} was read as a picture", other.kind().with_article()))),
    }
}

/// All files that are named, those in folders included, in the order of their names.
pub fn collect(named: &[PathBuf], kind: MediaKind) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in named {
        if path.is_dir() {
            let mut found = Vec::new();
            walk(path, kind, &mut found)?;
            found.sort();
            inputs.extend(found.into_iter().map(|file| {
                let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
                Input { path: file, name }
            }));
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            inputs.push(Input { path: path.clone(), name });
        }
    }
    match inputs.is_empty() {
        false => Ok(inputs),
        true => Err(Error::new(Kind::NoInput, format!("there is no file that could be {}", kind.with_article()))),
    }
}

fn walk(folder: &Path, kind: MediaKind, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| Error::io("read", &folder, e))?;
        for entry in entries.flatten() {
            let path = entry.path();
            // Links within a folder are not followed: they may lead in circles.
            match entry.file_type() {
                _ if entry.file_name().to_string_lossy().starts_with('.') => {}
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(file) if file.is_file() && kind.check_extension(&path).is_ok() => found.push(path),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Does something with each input, under a bar on a terminal. What fails is told, and the rest is done all the same; the first failure is the
/// verb's own in the end.
pub fn each(inputs: &[Input], mut work: impl FnMut(&Input) -> Result<()>) -> Result<()> {
    let bar = bar(inputs.len());
    let mut first = None;
    for input in inputs {
        if let Err(e) = work(input) {
            let e = naming(e, &input.path);
            if first.is_none() {
                first = Some(e);
            } else {
                bar.suspend(|| super::terminal::print_error(&e));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    first.map_or(Ok(()), Err)
}

/// The error with the file that it is about, unless its message names that already: a stage knows media, and not where they came from.
pub fn naming(error: Error, path: &Path) -> Error {
    let name = path.file_name().unwrap_or(path.as_os_str());
    if error.to_string().contains(&*show_path(Path::new(name))) { error } else { error.at(path) }
}

/// Refuses an output that is one of the inputs, by whatever path or link: what the user has would be lost.
pub fn check_apart<'a>(out: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let Some(taken) = identity(out) else { return Ok(()) };
    match inputs.into_iter().find(|input| identity(input) == Some(taken)) {
        Some(input) => {
            Err(Error::new(Kind::Usage, format!("it would take the place of the input {}", show_path(input)))
                .at(out)
                .mend("name another file after `--out`"))
        }
        None => Ok(()),
    }
}

/// A progress bar on stderr, hidden by itself where that is no terminal.
pub fn bar(length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} left  {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// Writes a piece of media below `folder` as `name`, with its kind's ending, and tells the path that it got.
pub fn write(media: Media, folder: &Path, name: &str) -> Result<PathBuf> {
    // A name comes from a file of latents, which may be a stranger's: nothing of it may lead out of the folder.
    let name: PathBuf = Path::new(name).components().filter(|c| matches!(c, std::path::Component::Normal(_))).collect();
    let name = if name.as_os_str().is_empty() { Path::new("unnamed") } else { &name };
    let path = folder.join(name).with_added_extension(media.kind().extension());
    let draft = Draft::new(&path)?.fill(|out| media::write(media, &path, &EncodeOptions::default(), out))?;
    draft.publish(Collision::Rename)
}

/// `name` without its ending.
pub fn stem(name: &str) -> String {
    Path::new(name).with_extension("").to_string_lossy().into_owned()
}
