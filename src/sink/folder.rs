//! `folder`: results become files in a folder, and originals go where the user wants them.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::name::{Extension, NameTemplate, Names};
use super::owners::Owners;
use super::table::Table;
use crate::config::{Component, Description, Field, Kind, Presence, Problem, Value};
use crate::durable::{self, Collision, Draft, Sealed, Stamp};
use crate::error::{Error, Result};
use crate::media::image::{Chroma, EncodeOptions, Format};
use crate::media::{self, Media, MediaKind};
use crate::source::resolve;

/// Settings of the sink `folder`.
pub const DESCRIPTION: Description = Description {
    name: "folder",
    doc: "Results become files in a folder; folders within the source's folder are mirrored.",
    takes: &[MediaKind::Image, MediaKind::Audio, MediaKind::Melody, MediaKind::Latent],
    gives: &[],
    example: "folder: { path: ../outbox, name: \"{stem}.{ext}\", originals: keep }",
    fields: &[
        Field {
            name: "path",
            doc: "The folder; made if it is not there.",
            kind: Kind::Path,
            presence: Presence::Required,
        },
        Field {
            name: "name",
            doc: "Name of each result. In braces: stem, ext, parent, pipeline, date, time, width, height, index; the stem of a group is that of all its files, joined by `+`. The ending decides the format.",
            kind: Kind::Text,
            presence: Presence::Default("\"{stem}.{ext}\""),
        },
        Field {
            name: "originals",
            doc: "What becomes of the input when its result is safe: `keep`, `delete`, or `{ move: DIR }`.",
            kind: Kind::Either(&[
                Kind::Choice(&["keep", "delete"]),
                Kind::Map(&[Field { name: "move", doc: "Where to.", kind: Kind::Path, presence: Presence::Required }]),
            ]),
            presence: Presence::Default("keep"),
        },
        Field {
            name: "overwrite",
            doc: "Whether a result may replace a file of the same name; otherwise it becomes `name-1`, `name-2`, ... Where the name tells of the input, results of different inputs never replace each other.",
            kind: Kind::Flag,
            presence: Presence::Default("false"),
        },
        Field {
            name: "quality",
            doc: "Quality of JPEG files.",
            kind: Kind::Integer { min: 1, max: 100 },
            presence: Presence::Default("92"),
        },
        Field {
            name: "chroma",
            doc: "Colour in JPEG files at `full` resolution, or at `half`, for files that are a third smaller and a little softer at edges between colours.",
            kind: Kind::Choice(&["full", "half"]),
            presence: Presence::Default("full"),
        },
        Field {
            name: "metadata",
            doc: "What pictures say beside their pixels (where and when they were taken, by whom, captions), and FLAC beside its sound (titles, covers): `keep` it, or `drop` all but what colours mean, as for the web.",
            kind: Kind::Choice(&["keep", "drop"]),
            presence: Presence::Default("keep"),
        },
        Field {
            name: "gather",
            doc: "Append results to this one CSV file below `path`, a line for each point and each latent once, instead of a file for each input; for latents.",
            kind: Kind::Text,
            presence: Presence::Optional,
        },
        Field {
            name: "quarantine",
            doc: "Where inputs go that cannot be worked on, each with an `.error.txt` beside it; `quarantine` beside the sink's folder if not given.",
            kind: Kind::Path,
            presence: Presence::Optional,
        },
    ],
};

/// What becomes of an input whose result is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Originals {
    /// It stays where it is.
    Keep,
    /// It goes here, under its own name.
    Move(PathBuf),
    /// It is deleted.
    Delete,
}

/// A result that was written.
#[derive(Debug)]
pub enum Written {
    /// A file of its own, still under a temporary name.
    Sealed(Sealed),
    /// Lines of this table, which are there once however often they are written.
    Gathered(PathBuf),
}

/// A folder for results.
#[derive(Debug)]
pub struct FolderSink {
    /// The folder.
    pub root: PathBuf,
    /// See the description.
    pub name: NameTemplate,
    /// See the description.
    pub originals: Originals,
    /// See the description.
    pub collision: Collision,
    /// See the description.
    pub options: EncodeOptions,
    /// Whether pictures go without what they say beside their pixels, but for their colours, and sound without its tags.
    pub bare: bool,
    /// Where bad inputs go.
    pub quarantine: PathBuf,
    /// The media it takes.
    pub takes: MediaKind,
    /// In the names of unfinished files, once the daemon has set it; see [`Draft::marked`].
    pub mark: OnceLock<String>,
    /// The name of the table below the folder that gathers results, and the table once it is used; without it, each gets a file of its own.
    pub gather: Option<(PathBuf, OnceLock<Table>)>,
    /// Whose the names are that results may replace.
    pub owners: Owners,
}

impl FolderSink {
    /// Makes the sink of checked settings for media of one kind; where that is not known, what depends on it is not checked.
    ///
    /// # Errors
    /// A name template that cannot be read, or an ending that is no format.
    pub fn build(component: &Component, yields: Option<MediaKind>) -> std::result::Result<FolderSink, Vec<Problem>> {
        let takes = yields.unwrap_or(MediaKind::Image);
        let settings = &component.settings;
        let span = settings.span("name");
        let name = NameTemplate::parse(settings.text("name"))
            .map_err(|(what, mend)| vec![Problem::new(span, what).mend(mend)])?;
        match name.extension() {
            Extension::Inputs => {}
            Extension::None => {
                let problem = Problem::new(span, "the name has no ending, and the ending decides the format");
                return Err(vec![problem.mend(format!(
                    "end it in `.{{ext}}` for the input's own format, or in `.{}`",
                    takes.extension()
                ))]);
            }
            Extension::Fixed(extension) => {
                let file = format!("x.{extension}");
                if let Some(Err(e)) = yields.map(|kind| kind.check_extension(Path::new(&file))) {
                    let problem = Problem::new(span, format!("`.{extension}` is no format that latentd writes"));
                    return Err(vec![problem.mend(e.mend_text().unwrap_or("choose another ending"))]);
                }
            }
        }
        let path = settings.path("path");
        let gather = settings.get("gather").and_then(Value::as_text).map(PathBuf::from);
        if let Some(table) = &gather {
            let span = settings.span("gather");
            if yields.is_some_and(|kind| kind != MediaKind::Latent) {
                let what = format!("a table gathers latents, and the last stage yields {}", takes.with_article());
                return Err(vec![Problem::new(span, what).mend("end the stages in `encode`, or leave `gather` out")]);
            }
            let plain = table.components().all(|part| matches!(part, std::path::Component::Normal(_)))
                && !table.as_os_str().as_encoded_bytes().contains(&0);
            if !plain || table.extension().is_none_or(|ending| ending != "csv") {
                let problem = Problem::new(span, "the table is a CSV file below the sink's folder");
                return Err(vec![problem.mend("write a name like `latents.csv`")]);
            }
        }
        let mut sink = FolderSink::new(&resolve(path), takes);
        sink.name = name;
        sink.gather = gather.map(|table| (table, OnceLock::new()));
        sink.originals = match settings.get("originals") {
            Some(Value::Map(map)) => Originals::Move(resolve(map.path("move"))),
            Some(Value::Choice("delete")) => Originals::Delete,
            _ => Originals::Keep,
        };
        sink.collision = if settings.flag("overwrite") { Collision::Replace } else { Collision::Rename };
        if sink.has_one_name() && sink.originals == Originals::Delete {
            let text =
                "each result takes the place of the one before, and with its original deleted nothing is left of that";
            let mend = "write `{stem}` in `name`, or keep or move the originals";
            return Err(vec![Problem::new(settings.span("originals"), text).mend(mend)]);
        }
        sink.options.quality = u8::try_from(settings.integer("quality")).unwrap_or(92);
        let is = |name: &str, choice: &str| matches!(settings.get(name), Some(Value::Choice(one)) if *one == choice);
        sink.options.chroma = if is("chroma", "half") { Chroma::Half } else { Chroma::Full };
        sink.bare = is("metadata", "drop");
        sink.quarantine = match settings.get("quarantine").and_then(Value::as_path) {
            Some(path) => resolve(path),
            None => resolve(&sink.quarantine),
        };
        Ok(sink)
    }

    /// A sink with every setting at its default.
    pub fn new(root: &Path, takes: MediaKind) -> FolderSink {
        FolderSink {
            root: root.to_path_buf(),
            name: NameTemplate::keep(),
            originals: Originals::Keep,
            collision: Collision::Rename,
            options: EncodeOptions::default(),
            bare: false,
            quarantine: root.parent().unwrap_or(root).join("quarantine"),
            takes,
            mark: OnceLock::new(),
            gather: None,
            owners: Owners::default(),
        }
    }

    /// Whether results become lines of one table and not files of their own.
    pub fn gathers(&self) -> bool {
        self.gather.is_some()
    }

    /// Whether a picture that no stage has changed may be written as the file that it came in: nothing is asked for that would make another of it.
    pub fn copies(&self) -> bool {
        self.takes == MediaKind::Image && !self.bare && !self.gathers() && self.options == EncodeOptions::default()
    }

    /// Writes a result durably under a temporary name; `original` is the file that holds the same picture, if one does, and is copied where the result has its format. `inputs` are the paths of the job's inputs within their source, of which the folder of
    /// the first is mirrored; `index` counts the results of one job from 1.
    ///
    /// # Errors
    /// Kind config: the ending is no format. Kind input: the format cannot hold the picture. Kind output or transient: it cannot be written.
    pub fn draft(
        &self,
        mut media: Media,
        original: Option<File>,
        inputs: &[&Path],
        pipeline: &str,
        index: usize,
    ) -> Result<Written> {
        if let Some((name, table)) = &self.gather {
            let table = table.get_or_init(|| Table::new(self.root.join(name)));
            table.append(media)?;
            return Ok(Written::Gathered(table.path().to_path_buf()));
        }
        let path = self.path_of(Some(media.size()), inputs, pipeline, index);
        self.takes.check_extension(&path)?;
        match &mut media {
            Media::Image(image) if self.bare => image.metadata.keep_colours(),
            Media::Audio(audio) if self.bare => audio.tags = None,
            _ => {}
        }
        let draft = Draft::marked(&path, self.mark.get().map_or("once", String::as_str))?;
        let filled = match original.and_then(|file| of_format(file, &path)) {
            Some(mut file) => draft.fill(|out| match std::io::copy(&mut file, out) {
                Ok(_) => Ok(()),
                Err(e) => Err(Error::io("write", &path, e)),
            }),
            None => draft.fill(|out| media::write(media, &path, &self.options, out)),
        };
        filled?.seal().map(Written::Sealed)
    }

    /// Where result `index` of a job, from 1, will go if the name is free; a size in the name stays in braces.
    pub fn expected(&self, inputs: &[&Path], pipeline: &str, index: usize) -> PathBuf {
        match &self.gather {
            Some((name, _)) => self.root.join(name),
            None => self.path_of(None, inputs, pipeline, index),
        }
    }

    fn path_of(&self, size: Option<(usize, usize)>, inputs: &[&Path], pipeline: &str, index: usize) -> PathBuf {
        let path = self.fill(size, inputs, pipeline, index);
        match self.tells_inputs() {
            true => self.owners.choose(path, inputs, index),
            false => path,
        }
    }

    /// What the first result of a job is called, whether the name is free or not.
    pub fn named(&self, inputs: &[&Path], pipeline: &str) -> PathBuf {
        self.fill(None, inputs, pipeline, 1)
    }

    fn fill(&self, size: Option<(usize, usize)>, inputs: &[&Path], pipeline: &str, index: usize) -> PathBuf {
        let (date, time) = now();
        let relative = inputs.first().copied().unwrap_or(Path::new(""));
        let names =
            Names { inputs, ext: self.takes.extension_for(relative), pipeline, now: (&date, &time), size, index };
        self.root.join(relative.parent().unwrap_or(Path::new(""))).join(self.name.fill(&names))
    }

    /// Whether results of different inputs have one name, and each takes the place of the one before.
    pub fn has_one_name(&self) -> bool {
        self.collision == Collision::Replace && !self.name.tells_inputs() && !self.gathers()
    }

    /// Whether results replace others, and names tell of inputs. One name for all, as of a camera's last picture, is meant to be replaced.
    fn tells_inputs(&self) -> bool {
        self.collision == Collision::Replace && self.name.tells_inputs()
    }

    /// Notes that a result was made of these inputs before, as [`FolderSink::draft`] has it.
    pub fn made(&self, result: &Path, inputs: &[&Path], index: usize) {
        if self.tells_inputs() && result.exists() {
            self.owners.note(result, inputs, index);
        }
    }

    /// Does with the input what `originals` says, now that its result is safe, if it is in this state still.
    ///
    /// # Errors
    /// Kind output or transient: it could not be moved or deleted.
    pub fn dispose(&self, input: &Path, relative: &Path, state: Stamp) -> Result<()> {
        match &self.originals {
            Originals::Keep => Ok(()),
            Originals::Move(folder) => durable::move_file(input, &folder.join(relative), Some(state)).map(drop),
            Originals::Delete => durable::delete(input, Some(state)),
        }
    }
}

/// The file at its start, if it is of the format that the name `path` asks for.
fn of_format(mut file: File, path: &Path) -> Option<File> {
    let mut head = Vec::new();
    file.rewind().ok()?;
    (&mut file).take(32).read_to_end(&mut head).ok()?;
    file.rewind().ok()?;
    (Format::from_content(&head) == Format::from_extension(path).ok()).then_some(file)
}

fn now() -> (String, String) {
    let now = jiff::Zoned::now();
    (now.strftime("%Y-%m-%d").to_string(), now.strftime("%H-%M-%S").to_string())
}
