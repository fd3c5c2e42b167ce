//! `folder`: files that somebody puts into a folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use globset::GlobSet;

use super::patterns::{glob_set, misfit};
use crate::config::{Component, Description, Field, Kind, Presence, Problem, Value};
use crate::durable::{PARTIAL, Stamp};
use crate::media::MediaKind;
use crate::media::image::{Limits, Work};

/// Folders within folders that are looked into; deeper ones are a mistake or an attack.
const MAX_DEPTH: usize = 64;

/// Bytes of a file of sound that is read where nothing else is said: four times what a WAV file can hold, and as much as a result of FLAC may have.
const LARGEST_SOUND: u64 = 16 << 30;

/// Settings of the source `folder`.
pub const DESCRIPTION: Description = Description {
    name: "folder",
    doc: "Files that are put into a folder, those that are there at the start included.",
    takes: &[],
    gives: &[MediaKind::Image, MediaKind::Audio, MediaKind::Melody, MediaKind::Latent],
    example: "folder: { path: ../inbox, include: [\"*.jpg\", \"*.png\"] }",
    fields: &[
        Field {
            name: "path",
            doc: "The folder; made if it is not there.",
            kind: Kind::Path,
            presence: Presence::Required,
        },
        Field {
            name: "include",
            doc: "Which files to take, as patterns like `*.jpg` (a pattern with `/` is matched against the path within the folder). Case does not matter.",
            kind: Kind::List(&Kind::Text),
            presence: Presence::Default("[\"*\"]"),
        },
        Field {
            name: "exclude",
            doc: "Which files to leave alone. Hidden files are always left alone.",
            kind: Kind::List(&Kind::Text),
            presence: Presence::Default(
                "[\"*.part\", \"*.crdownload\", \"*.download\", \"*.tmp\", \"*~\", Thumbs.db, desktop.ini]",
            ),
        },
        Field {
            name: "recursive",
            doc: "Whether folders within the folder are watched too.",
            kind: Kind::Flag,
            presence: Presence::Default("true"),
        },
        Field {
            name: "group",
            doc: "How many files make one job, for stages that take several. They are grouped as they become ready, those that do together by name; a lone file waits.",
            kind: Kind::Measured(&Kind::Integer { min: 1, max: 64 }, "files"),
            presence: Presence::Default("1"),
        },
        Field {
            name: "settle",
            doc: "How long a file is left in peace after its writer has closed it.",
            kind: Kind::ANY_DURATION,
            presence: Presence::Default("30ms"),
        },
        Field {
            name: "quiet",
            doc: "How long a file must stay unchanged where nothing tells that its writer has closed it (links, network shares).",
            kind: Kind::ANY_DURATION,
            presence: Presence::Default("2s"),
        },
        Field {
            name: "poll",
            doc: "Look into the folder at this interval instead of relying on the system's messages; for network shares, which send none. Left out, the messages count.",
            kind: Kind::Duration { min: Duration::from_millis(100), max: Duration::MAX },
            presence: Presence::Optional,
        },
        Field {
            name: "max_megapixels",
            doc: "Pictures of more megapixels are refused before they are decoded.",
            kind: Kind::Measured(&Kind::Number { min: 0.001, max: 4096.0 }, "megapixels"),
            presence: Presence::Default("128"),
        },
        Field {
            name: "max_size",
            doc: "Larger files are refused; if not given, those above 1 GiB, and of sound, which is never held whole, above 16 GiB.",
            kind: Kind::Size,
            presence: Presence::Optional,
        },
        Field {
            name: "max_memory",
            doc: "Pictures that take more memory than this, by their header, to decode and to work on are refused before they are decoded.",
            kind: Kind::Size,
            presence: Presence::Default("2GiB"),
        },
        Field {
            name: "max_time",
            doc: "Work on a file that takes longer than this is given up.",
            kind: Kind::Duration { min: Duration::from_millis(100), max: Duration::MAX },
            presence: Presence::Default("1h"),
        },
        Field {
            name: "priority",
            doc: "How much of the machine this pipeline gets while others have work too: four times as much, or a quarter.",
            kind: Kind::Choice(&["low", "normal", "high"]),
            presence: Presence::Default("normal"),
        },
    ],
};

/// A watched folder.
#[derive(Debug, Clone)]
pub struct FolderSource {
    /// The folder, absolute and without links in it once it exists.
    pub root: PathBuf,
    /// See the description.
    pub recursive: bool,
    /// See the description; at least 1.
    pub group: usize,
    /// See the description.
    pub settle: Duration,
    /// See the description.
    pub quiet: Duration,
    /// See the description.
    pub poll: Option<Duration>,
    /// What a file may cost.
    pub limits: Limits,
    /// See the description.
    pub max_time: Duration,
    /// Share of the machine beside other pipelines; 1 is normal.
    pub weight: f64,
    /// Folders within the root that are none of its business: outputs, quarantine, originals moved away.
    pub keep_out: Vec<PathBuf>,
    include: GlobSet,
    exclude: GlobSet,
}

/// What a look into the folder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Absolute.
    pub path: PathBuf,
    /// Its state.
    pub stamp: Stamp,
}

impl FolderSource {
    /// Makes the source of checked settings, for media of one kind.
    ///
    /// # Errors
    /// A pattern that cannot be read.
    pub fn build(component: &Component, takes: MediaKind) -> Result<FolderSource, Vec<Problem>> {
        let settings = &component.settings;
        let recursive = settings.flag("recursive");
        let patterns = |name: &str| -> Result<GlobSet, Vec<Problem>> {
            let problem = |why, mend| vec![Problem::new(settings.span(name), why).mend(mend)];
            let patterns = settings.list_of_text(name);
            if let Some((why, mend)) = misfit(&patterns, name == "include", recursive) {
                return Err(problem(why, mend));
            }
            glob_set(&patterns).map_err(|why| problem(why, "write patterns like `*.jpg`".to_owned()))
        };
        let (include, exclude) = match (patterns("include"), patterns("exclude")) {
            (Ok(include), Ok(exclude)) => (include, exclude),
            (a, b) => return Err(a.err().into_iter().chain(b.err()).flatten().collect()),
        };
        let path = settings.path("path");
        Ok(FolderSource {
            root: resolve(path),
            recursive,
            group: usize::try_from(settings.integer("group")).unwrap_or(1),
            settle: settings.duration("settle"),
            quiet: settings.duration("quiet"),
            poll: settings.get("poll").and_then(Value::as_duration),
            limits: Limits {
                max_pixels: (settings.number("max_megapixels") * 1e6) as u64,
                max_bytes: settings.get("max_size").and_then(Value::as_size).unwrap_or(match takes {
                    MediaKind::Audio => LARGEST_SOUND,
                    _ => Limits::default().max_bytes,
                }),
                max_alloc: settings.size("max_memory"),
                work: Work::default(),
            },
            max_time: settings.duration("max_time"),
            weight: match settings.choice("priority") {
                "low" => 0.25,
                "high" => 4.0,
                _ => 1.0,
            },
            keep_out: Vec::new(),
            include,
            exclude,
        })
    }

    /// Every file in a folder, for a single pass without a pipeline's patterns.
    pub fn everything(root: &Path) -> FolderSource {
        FolderSource {
            root: root.to_path_buf(),
            recursive: true,
            group: 1,
            settle: Duration::ZERO,
            quiet: Duration::ZERO,
            poll: None,
            limits: Limits::default(),
            max_time: Duration::from_secs(3600),
            weight: 1.0,
            keep_out: Vec::new(),
            include: glob_set(&["*"]).unwrap_or_default(),
            exclude: GlobSet::empty(),
        }
    }

    /// Whether this path, somewhere under the root, is the source's to take.
    pub fn accepts(&self, path: &Path) -> bool {
        let Ok(relative) = path.strip_prefix(&self.root) else { return false };
        let Some(name) = relative.file_name() else { return false };
        let hidden = relative.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
        let unfinished = name.as_encoded_bytes().ends_with(PARTIAL.as_bytes());
        let too_deep = relative.iter().count() > if self.recursive { MAX_DEPTH } else { 1 };
        if hidden || unfinished || too_deep || self.keep_out.iter().any(|folder| path.starts_with(folder)) {
            return false;
        }
        let matches = |set: &GlobSet| set.is_match(name) || set.is_match(relative);
        matches(&self.include) && !matches(&self.exclude)
    }

    /// Whether a folder, somewhere under the root, is one that [`FolderSource::scan`] looks into.
    pub fn enters(&self, folder: &Path) -> bool {
        let Ok(relative) = folder.strip_prefix(&self.root) else { return false };
        let hidden = relative.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
        let deep = relative.iter().count() >= MAX_DEPTH;
        self.recursive && !hidden && !deep && !self.keep_out.iter().any(|out| folder.starts_with(out))
    }

    /// Looks into `folder` (the root or one below it) and hands every entry that is the source's to take to `each`: files, and what only
    /// looks like one (links, pipes), which is refused later with a reason. Folders that cannot be read are told to `unreadable`.
    pub fn scan(
        &self,
        folder: &Path,
        each: &mut impl FnMut(Found),
        unreadable: &mut impl FnMut(&Path, std::io::Error),
    ) {
        self.scan_while(folder, each, unreadable, &mut || true);
    }

    /// [`FolderSource::scan`] that asks for each entry, be it the source's to take or not, whether to go on, and ends if not. Whether it has come to the
    /// end.
    pub fn scan_while(
        &self,
        folder: &Path,
        each: &mut impl FnMut(Found),
        unreadable: &mut impl FnMut(&Path, std::io::Error),
        go_on: &mut impl FnMut() -> bool,
    ) -> bool {
        let mut folders = vec![folder.to_path_buf()];
        // The same folder twice in one pass can only come from a mount on itself.
        let mut seen = HashSet::new();
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) => {
                    unreadable(&folder, e);
                    continue;
                }
            };
            for entry in entries.flatten() {
                if !go_on() {
                    return false;
                }
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    let deep = path.strip_prefix(&self.root).map_or(0, |r| r.iter().count());
                    let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                    let ours = !hidden && self.recursive && deep < MAX_DEPTH && !self.keep_out.contains(&path);
                    if ours && identity(&path).is_some_and(|id| seen.insert(id)) {
                        folders.push(path);
                    }
                } else if self.accepts(&path)
                    && let Ok(metadata) = entry.metadata()
                {
                    each(Found { path, stamp: Stamp::from(&metadata) });
                }
            }
        }
        true
    }
}

/// The path without links, as far as it exists; so that two names of one folder are seen to be one.
pub fn resolve(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut known = path.as_path();
    let mut rest = Vec::new();
    loop {
        if let Ok(real) = std::fs::canonicalize(known) {
            return rest.into_iter().rev().fold(real, |path, part| path.join(part));
        }
        let (Some(parent), Some(name)) = (known.parent(), known.file_name()) else { return path };
        rest.push(name.to_os_string());
        known = parent;
    }
}

/// Device and inode of a folder or file, by whatever name: another one under the same name has others.
pub fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_the_same_by_any_name() {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, base.path().join("link")).unwrap();
        assert_eq!(resolve(&base.path().join("link/new/deep")), resolve(&real.join("new/deep")));
    }

    /// Nothing was heard before the last of a million files was looked at, be it hidden or another's to take.
    #[test]
    fn a_look_into_a_large_folder_ends_when_it_is_told() {
        let home = tempfile::tempdir().unwrap();
        let root = resolve(home.path());
        for n in 0..50 {
            std::fs::write(root.join(format!("{n}.png")), "").unwrap();
            std::fs::write(root.join(format!(".{n}.png")), "").unwrap();
        }
        let source = FolderSource::everything(&root);
        let (mut found, mut asked) = (0, 0);
        let mut go_on = || {
            asked += 1;
            asked <= 10
        };
        assert!(!source.scan_while(&root, &mut |_| found += 1, &mut |_, e| panic!("{e}"), &mut go_on));
        assert!(asked == 11 && found <= 10, "{found} of {asked}");
        found = 0;
        assert!(source.scan_while(&root, &mut |_| found += 1, &mut |_, e| panic!("{e}"), &mut || true));
        assert_eq!(found, 50);
    }
}
