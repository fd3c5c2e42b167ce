//! What the start finds in the journal: results that were about to get their names when the program ended get them now, and inputs that it
//! ended with are counted.

use std::path::Path;
use std::time::Duration;

use super::record::{Record, State};
use super::store::{Change, KEPT, ago};
use super::{Found, sign};
use crate::durable::{self, Collision, Publication};
use crate::error::{Result, show_path};
use crate::pipeline::{Key, Pipeline};

/// A record whose files are there is renewed when it is as old as this.
const RENEWED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Goes through all records once.
///
/// # Errors
/// Kind transient: the journal cannot be written.
pub fn recover(change: &Change, pipeline: &Pipeline) -> Result<Found> {
    let root = &pipeline.source.root;
    let mut found = Found { run: change.number("runs", |n| n + 1)?, ..Found::default() };
    prune(change, root)?;
    for (key, mut record) in change.all()? {
        if let State::Publishing(publications) = &record.state {
            record.state = match finish(publications, pipeline.sink.collision) {
                Some(results) => State::Done { results, settled: false },
                None => State::Claimed,
            };
            change.put(&key, &record)?;
        }
        if let State::Done { results, .. } = &record.state {
            let inputs: Vec<&Path> = record.inputs.iter().map(|input| input.path.as_path()).collect();
            results.iter().enumerate().for_each(|(index, made)| pipeline.sink.made(&made.target, &inputs, index + 1));
        }
        if let State::Claimed = record.state {
            record.interrupted += 1;
            record.state = State::Failed("latentd ended while it worked on it".into());
            change.put(&key, &record)?;
        }
        if record.fingerprint != pipeline.fingerprint.results {
            continue;
        }
        let signs = record.inputs.iter().map(|input| sign(&root.join(&input.path), input.stamp));
        match &record.state {
            State::Done { settled: false, .. } => {
                let paths = record.inputs.iter().map(|input| root.join(&input.path));
                found.unsettled.push((key, paths.zip(signs).collect()));
            }
            State::Done { .. } | State::Refused => found.done.extend(signs),
            State::Failed(_) if record.interrupted > 0 => found.interrupted.extend(signs),
            _ => {}
        }
    }
    Ok(found)
}

/// Forgets what is old and whose files are gone. What is old and still there counts from now on as new, so that a share that is away for once does
/// not cost its files their records.
///
/// # Errors
/// Kind transient: the journal cannot be written.
pub fn prune(change: &Change, root: &Path) -> Result<()> {
    let mut gone = Vec::new();
    for (key, record) in change.all()? {
        let is_there = || record.inputs.iter().any(|i| std::fs::symlink_metadata(root.join(&i.path)).is_ok());
        // What is about to be published is never old.
        if matches!(record.state, State::Publishing(_)) || record.time >= ago(RENEWED) {
            continue;
        }
        if is_there() {
            change.put(&key, &Record { time: ago(Duration::ZERO), ..record })?;
        } else if record.time < ago(KEPT) {
            gone.push(key);
        }
    }
    change.forget(&gone)?;
    change.forget_old_events()
}

/// Gives results the names they were about to get. Nothing if one of them is lost, so that the work is to be done anew.
fn finish(publications: &[Publication], collision: Collision) -> Option<Vec<Publication>> {
    let mut results = Vec::new();
    for publication in publications {
        let Publication { draft, target, digest } = publication;
        let holds = |path: &Path| durable::digest_of(path).is_ok_and(|d| d == *digest);
        // First, since where a file system can only link and unlink, a crash between the two leaves both names.
        let path = if holds(target) {
            let _ = std::fs::remove_file(draft);
            target.clone()
        } else if holds(draft) {
            let given = match collision {
                Collision::Rename if durable::is_reservation(draft, target) => {
                    durable::replace(draft, target).map(|()| target.clone())
                }
                Collision::Rename => durable::rename_to_free_name(draft, target),
                Collision::Replace => durable::replace(draft, target).map(|()| target.clone()),
            };
            match given {
                Ok(path) => path,
                Err(e) => {
                    tracing::warn!(mend = e.mend_text(), "{e}; it is made anew");
                    return None;
                }
            }
        } else {
            return None;
        };
        tracing::info!("{} was finished before the last end of the program", show_path(&path));
        results.push(Publication { target: path, ..publication.clone() });
    }
    Some(results)
}

/// For records that have no key of their own.
pub fn key_of_sign(sign: u128) -> Key {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&sign.to_le_bytes());
    key
}
