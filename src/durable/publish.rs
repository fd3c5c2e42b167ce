//! Results get their names in one step each, after somebody has noted which.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use super::ground;
use super::moving::{names, open_regular, rename_noreplace, too_many};
use super::{Collision, any_path, folder_of, sync_after};
use crate::error::{Error, Kind, Result};

/// A file that is whole and durable, still under a temporary name; gone if dropped.
#[derive(Debug)]
pub struct Sealed {
    pub(super) draft: TempPath,
    pub(super) target: PathBuf,
    pub(super) digest: [u8; 32],
}

impl Sealed {
    /// The name that it is to get, if that is free or may be taken.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

/// A result that is about to get its true name, or has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The temporary name.
    #[serde(with = "any_path")]
    pub draft: PathBuf,
    /// The true name.
    #[serde(with = "any_path")]
    pub target: PathBuf,
    /// SHA-256 of the contents.
    pub digest: [u8; 32],
}

/// Gives all of `sealed` their names, or none. `intend` is told the names before a file gets one, and again if a name is taken by somebody
/// else in between; its error ends it.
///
/// # Errors
/// That of `intend`; kind output or transient if a name cannot be given.
pub fn publish(
    sealed: Vec<Sealed>,
    collision: Collision,
    mut intend: impl FnMut(&[Publication]) -> Result<()>,
) -> Result<Vec<Publication>> {
    let mut waiting: Vec<Sealed> = sealed;
    let mut published: Vec<Publication> = Vec::new();
    let outcome = (|| {
        while !waiting.is_empty() {
            let planned = plan(&waiting, collision)?;
            intend(&[published.clone(), planned.clone()].concat())?;
            let mut planned = planned.into_iter();
            for mut next in std::mem::take(&mut waiting) {
                let Some(publication) = planned.next().filter(|_| waiting.is_empty()) else {
                    waiting.push(next);
                    continue;
                };
                let given = match collision {
                    Collision::Replace => {
                        replaceable(&publication.target)?;
                        ground::rename(&next.draft, &publication.target)
                    }
                    Collision::Rename => rename_noreplace(&next.draft, &publication.target),
                };
                match given {
                    Ok(()) => {
                        // Nothing has the temporary name any more.
                        next.draft.disable_cleanup(true);
                        published.push(publication);
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && collision == Collision::Rename => {
                        waiting.push(next);
                    }
                    Err(e) => return Err(Error::io("write", &publication.target, e)),
                }
            }
        }
        Ok(())
    })();
    match outcome {
        Ok(()) => {
            for folder in published.iter().map(|p| folder_of(&p.target)).collect::<BTreeSet<_>>() {
                sync_after(folder);
            }
            Ok(published)
        }
        Err(e) => {
            // The work will be done again; half of its results would then be there twice.
            for publication in published.iter().filter(|_| collision == Collision::Rename) {
                let _ = ground::unlink(&publication.target);
            }
            Err(e)
        }
    }
}

/// Sees that what has the name is a file, or a link, or nothing. A pipe or a device such as `/dev/null` is nobody's older result, and would be gone for all
/// programs that use it.
fn replaceable(target: &Path) -> Result<()> {
    match ground::look(target) {
        Ok(there) if !(there.is_file() || there.is_symlink() || there.is_dir()) => {
            let e = Error::new(Kind::Output, "what has that name is no file, and stays").at(target);
            Err(e.mend("choose another name"))
        }
        _ => Ok(()),
    }
}

/// A name for each: a free one, or one that no other of them has.
fn plan(waiting: &[Sealed], collision: Collision) -> Result<Vec<Publication>> {
    let mut chosen: BTreeSet<PathBuf> = BTreeSet::new();
    let mut plan = Vec::new();
    for sealed in waiting {
        let free = |path: &PathBuf| !chosen.contains(path) && ground::look(path).is_err();
        let target = match collision {
            Collision::Replace => names(&sealed.target).find(|path| !chosen.contains(path)),
            Collision::Rename => names(&sealed.target).find(free),
        };
        let target = target.ok_or_else(|| too_many(&sealed.target))?;
        chosen.insert(target.clone());
        plan.push(Publication { draft: sealed.draft.to_path_buf(), target, digest: sealed.digest });
    }
    Ok(plan)
}

/// SHA-256 of what is left to read.
///
/// # Errors
/// It cannot be read.
pub fn digest(file: &mut impl std::io::Read) -> std::io::Result<[u8; 32]> {
    use sha2::Digest;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The first half of the SHA-256 of something short: as good as the thing itself where many are to be known again.
pub fn sign(bytes: &[u8]) -> u128 {
    use sha2::Digest;
    let digest: [u8; 32] = sha2::Sha256::digest(bytes).into();
    u128::from_le_bytes(std::array::from_fn(|i| digest[i]))
}

/// SHA-256 of a regular file.
///
/// # Errors
/// It is none, or cannot be read.
pub fn digest_of(path: &Path) -> Result<[u8; 32]> {
    digest(&mut open_regular(path)?).map_err(|e| Error::io("read", path, e))
}
