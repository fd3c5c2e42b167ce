//! Clearing away what a crash left half-written.

use std::path::Path;
use std::time::Duration;

use super::{PARTIAL, PREFIX, ground};

/// What somebody else began may be work in progress for this long.
const STALE: Duration = Duration::from_secs(86_400);

/// Removes unfinished files below `folder`: those of earlier runs of the owner of `mark` (`OWNER.RUN`) at once, those of anybody else, a later run among
/// them, when they are a day old. Links are not followed.
pub fn sweep(folder: &Path, mark: &str) {
    // Of a probe at the start there is no number, and it is before all of them.
    let parts = |mark: &str| -> (String, u64) {
        let (owner, run) = mark.split_once('.').unwrap_or((mark, ""));
        (owner.to_owned(), run.parse().unwrap_or(0))
    };
    let (owner, run) = parts(mark);
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {}
                _ => continue,
            }
            let name = entry.file_name();
            let Some(own) = name.to_str().and_then(|n| n.strip_prefix(PREFIX)).filter(|n| n.ends_with(PARTIAL)) else {
                continue;
            };
            let theirs = parts(own.split('-').next().unwrap_or_default());
            let ours = theirs.0 == owner && theirs.1 < run;
            let old = || {
                let changed = entry.metadata().and_then(|m| m.modified());
                changed.is_ok_and(|time| time.elapsed().unwrap_or_default() > STALE)
            };
            if ours || old() {
                // Whatever cannot be removed does no harm.
                let _ = ground::unlink(&entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_earlier_runs_and_old_files_are_swept() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        // One that began while this one was still under way is at work.
        for name in ["x.1", "x.2", "x.3", "x.4", "x.probe", "y.1"] {
            std::fs::write(deep.join(format!(".latentd-{name}-q8f.partial")), "").unwrap();
        }
        std::fs::write(deep.join("result.partial"), "").unwrap();
        sweep(home.path(), "x.3");
        let mut left: Vec<_> = std::fs::read_dir(&deep).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        let stays =
            [".latentd-x.3-q8f.partial", ".latentd-x.4-q8f.partial", ".latentd-y.1-q8f.partial", "result.partial"];
        assert_eq!(left, stays);
    }
}
