//! What verbs share that read media and do something with each.

use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle, WeakProgressBar};

use super::terminal;
use crate::error::{Error, Kind, Result, show_path};
use crate::media::image::Limits;
use crate::media::{self, Image, Latent, Media, MediaKind, latent};
use crate::source::{identity, resolve};
use crate::stage::codec::Codec;

/// A file and what it is called in results: its path within the folder that was named, or within that of all folders if several were, or its name.
pub struct Input {
    pub path: PathBuf,
    pub name: String,
}

impl Input {
    /// The folder that the file lies in, which often tells its class.
    pub fn class(&self) -> String {
        self.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads it for a model of one kind of media.
    pub fn read(&self, kind: MediaKind) -> Result<Media> {
        read_for_model(kind, &self.path, "")
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

/// [`read`], for a model of that kind of media; `option` is what stands before a model's name on the command line. If the file is by its ending of the other
/// kind that is encoded, it is the model that does not fit.
pub fn read_for_model(kind: MediaKind, path: &Path, option: &str) -> Result<Media> {
    let is = |other: MediaKind| other != kind && other.reads(path);
    read(kind, path).map_err(|e| match e.kind() {
        Kind::Input if is(MediaKind::Image) => {
            e.mend(format!("for a picture choose a model of pictures, such as `{option}digits-vae20`"))
        }
        Kind::Input if is(MediaKind::Melody) => {
            e.mend(format!("for a MIDI file choose a model of melodies, such as `{option}melody-2bar`"))
        }
        _ => e,
    })
}

/// Whether a file of this name could hold media of some kind.
pub fn is_media(path: &Path) -> bool {
    const KINDS: [MediaKind; 4] = [MediaKind::Image, MediaKind::Audio, MediaKind::Melody, MediaKind::Latent];
    KINDS.iter().any(|kind| kind.reads(path))
}

/// Encodes what a file holds, and says what is to be known of the way there.
pub fn encode(codec: &dyn Codec, media: &Media, path: &Path) -> Result<Latent> {
    let (latent, remarks) = codec.encode_aloud(media)?;
    remark(&remarks, path);
    Ok(latent)
}

/// Says what is to be known of the way that a file goes through a model.
pub fn remark(remarks: &[String], path: &Path) {
    remarks.iter().for_each(|remark| tracing::info!("{}: {remark}", show_path(path)));
}

/// Reads a file of latents, of which there must be some.
pub fn read_latents(path: &Path) -> Result<Vec<Latent>> {
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let latents = latent::read_latents(file, path)?;
    match latents.is_empty() {
        false => Ok(latents),
        true => Err(Error::new(Kind::Input, "there is no latent in it").at(path).mend("make it by `latentd encode`")),
    }
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
    let shared = shared(named);
    let within = |folder: &Path| Some(resolve(folder).strip_prefix(shared.as_ref()?).ok()?.to_path_buf());
    let mut inputs = Vec::new();
    for path in named {
        if path.is_dir() {
            let mut found = Vec::new();
            walk(path, kind, &mut found)?;
            found.sort();
            let before = within(path).unwrap_or_default();
            inputs.extend(found.into_iter().map(|file| {
                let name = before.join(file.strip_prefix(path).unwrap_or(&file)).to_string_lossy().into_owned();
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

/// The folder that several which are named lie in, if they are several: two may hold files of one name.
fn shared(named: &[PathBuf]) -> Option<PathBuf> {
    let folders = named.iter().filter(|path| path.is_dir());
    let parents: Vec<PathBuf> = folders.filter_map(|path| Some(resolve(path).parent()?.to_path_buf())).collect();
    let first = parents.first().filter(|_| parents.len() > 1)?;
    first.ancestors().find(|folder| parents.iter().all(|parent| parent.starts_with(folder))).map(Path::to_path_buf)
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
                Ok(file) if file.is_file() && kind.reads(&path) => found.push(path),
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
            note(&mut first, naming(e, &input.path));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    first.map_or(Ok(()), Err)
}

/// Keeps the first failure, which is the verb's own and so told last, and tells any other at once.
pub fn note(first: &mut Option<Error>, e: Error) {
    match first {
        None => *first = Some(e),
        Some(_) => above_bar(|| terminal::print_error(&e)),
    }
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

/// The bar that is drawn, if one is.
static BAR: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// A progress bar on stderr, hidden by itself where that is no terminal.
pub fn bar(length: usize) -> ProgressBar {
    bar_of(length as u64, move |moved| format!("{moved}/{length}"))
}

/// [`bar`] that moves by the work, `whole` in all, while it counts pieces, of which so many are `done`.
pub fn bar_of_work(length: usize, whole: u64, done: Arc<AtomicUsize>) -> ProgressBar {
    bar_of(whole, move |_| format!("{}/{length}", done.load(Ordering::Relaxed)))
}

fn bar_of(whole: u64, told: impl Fn(u64) -> String + Clone + Send + Sync + 'static) -> ProgressBar {
    let bar = ProgressBar::new(whole);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {done} {left}  {wide_msg}") {
        let done = move |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}", told(state.pos()));
        };
        // By all that was done so far: pieces are large, and by the last ones alone it would leap. Nothing is known before the first of them.
        let left = |state: &ProgressState, out: &mut dyn Write| {
            let (moved, elapsed) = (state.pos(), state.elapsed());
            let rest = state.len().unwrap_or(moved).saturating_sub(moved);
            let left = Duration::try_from_secs_f64(elapsed.as_secs_f64() * rest as f64 / moved.max(1) as f64);
            let _ = match moved {
                0 => write!(out, "since {}", HumanDuration(elapsed)),
                _ => write!(out, "{} left", HumanDuration(left.unwrap_or_default())),
            };
        };
        bar.set_style(style.with_key("done", done).with_key("left", left));
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    drawn(bar)
}

/// A sign on stderr that something goes on of which nobody knows how long it takes.
pub fn spinner(doing: &'static str) -> ProgressBar {
    let spinner = drawn(ProgressBar::new_spinner());
    spinner.set_message(doing);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn drawn(bar: ProgressBar) -> ProgressBar {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
    bar
}

/// Writes to the terminal above the bar, where one is drawn, and not through it; not to be called within itself.
pub fn above_bar<T>(write: impl FnOnce() -> T) -> T {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(WeakProgressBar::upgrade);
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// `name` without its ending.
pub fn stem(name: &str) -> String {
    Path::new(name).with_extension("").to_string_lossy().into_owned()
}
