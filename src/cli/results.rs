//! Where verbs put what they make of one thing after another, and how they tell of it.

use std::path::{Component, Path, PathBuf};

use super::files;
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::image::EncodeOptions;
use crate::media::{self, Media};

/// A folder for results.
#[derive(Debug, clap::Args)]
pub struct Results {
    /// Where the results go
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object for each file
    #[arg(long)]
    json: bool,
}

impl Results {
    /// Refuses a folder that cannot be one, before the work.
    pub fn check(&self) -> Result<()> {
        check_folder(&self.out)
    }

    /// Writes a piece of media as `name`, with its kind's ending, and tells of it; `what` it is, is for programs.
    pub fn write(&self, media: Media, name: &str, what: Option<&str>) -> Result<()> {
        // A name comes from a file of latents, which may be a stranger's: nothing of it may lead out of the folder.
        let name: PathBuf = Path::new(name).components().filter(|c| matches!(c, Component::Normal(_))).collect();
        let name = if name.as_os_str().is_empty() { Path::new("unnamed") } else { &name };
        let path = self.out.join(name).with_added_extension(media.kind().extension());
        let fill = |draft: Draft| draft.fill(|out| media::write(media, &path, &EncodeOptions::default(), out));
        let written = Draft::new(&path).and_then(fill).and_then(|draft| draft.publish(Collision::Rename));
        tell(&written.map_err(elsewhere)?, what, self.json);
        Ok(())
    }
}

/// Tells that a file is there now: its path alone, or with `--json` what it is too.
pub fn tell(path: &Path, what: Option<&str>, json: bool) {
    files::above_bar(|| match json {
        true => say!("{}", serde_json::json!({ "file": path.to_string_lossy(), "what": what })),
        false => say!("{}", show_path(path)),
    });
}

/// Refuses a folder for results that cannot be one, a file or in a file, or that was hardly meant to be one.
pub fn check_folder(folder: &Path) -> Result<()> {
    if !folder.exists() && files::is_media(folder) {
        let e = Error::new(Kind::Usage, "results go into a folder, and this is called like a file").at(folder);
        return Err(e.mend("name a folder after `--out`; one that is to have such a name must be there before"));
    }
    match folder.ancestors().find(|path| path.exists()) {
        Some(path) if !path.is_dir() => Err(Error::new(Kind::Usage, "a file, and results go into a folder")
            .at(path)
            .mend("name a folder after `--out`")),
        _ => Ok(()),
    }
}

/// An error of writing with its mend, where it has none of its own.
pub fn elsewhere(e: Error) -> Error {
    match (e.kind(), e.mend_text()) {
        (Kind::Output, None) => e.mend("name another place after `--out`"),
        _ => e,
    }
}
