//! `latentd doctor`: what could keep a pipeline from working here, before it does.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

#[cfg(feature = "live")]
use super::Work;
use super::{Loaded, check_together};
#[cfg(feature = "live")]
use crate::device::{Devices, Direction, Wanted};
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, show_path};
#[cfg(feature = "live")]
use crate::pipeline::live::LivePipeline;
use crate::pipeline::outputs;
use crate::sink::Originals;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and might not later.
    Doubtful,
    /// It does not work.
    Bad,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do.
    pub mend: Option<String>,
}

impl Check {
    /// Something that is as it should be.
    pub fn good(what: impl Into<String>, found: impl Into<String>) -> Check {
        Check { what: what.into(), verdict: Verdict::Good, found: found.into(), mend: None }
    }

    fn doubtful(what: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Check {
        Check { what: what.into(), verdict: Verdict::Doubtful, found: found.into(), mend: Some(mend.into()) }
    }

    /// Something that does not work.
    pub fn bad(what: impl Into<String>, error: &Error) -> Check {
        let (found, mend) = (error.to_string(), error.mend_text().map(str::to_owned));
        Check { what: what.into(), verdict: Verdict::Bad, found, mend }
    }
}

/// Looks at everything that these pipelines need, and at the state folder. The devices of those live pipelines that are `at_work` already are not tried:
/// a device may be held by them.
#[cfg_attr(not(feature = "live"), expect(unused_variables, reason = "nothing else is held"))]
pub fn examine(pipelines: &[Loaded], state: &Path, at_work: &[&str]) -> Vec<Check> {
    let mut checks = vec![writable("state folder", state), open_files()];
    for loaded in pipelines {
        let name = loaded.name();
        let file = show_path(&loaded.file);
        checks.push(Check::good(format!("{name}: models"), format!("those of {file} are whole")));
        #[cfg(feature = "live")]
        if let Work::Live(pipeline) = &loaded.work {
            checks.extend(devices(pipeline, at_work.contains(&name)));
        }
        let Some(pipeline) = loaded.folder() else { continue };
        checks.push(readable(&format!("{name}: source"), &pipeline.source.root));
        if pipeline.source.poll.is_none() {
            checks.push(watches(name, &pipeline.source.root, pipeline.source.recursive));
            checks.push(network(name, &pipeline.source.root));
        }
        for (what, _, folder) in outputs(&pipeline.sink) {
            checks.push(writable(&format!("{name}: {}", what.trim_matches('`')), folder));
        }
        if pipeline.sink.originals != Originals::Keep {
            checks.push(writable(&format!("{name}: originals are taken away"), &pipeline.source.root));
        }
        checks.push(room(name, &pipeline.sink.root));
    }
    if let Err(wrong) = check_together(pipelines) {
        checks.extend(wrong.into_iter().map(|found| Check {
            what: "pipelines together".into(),
            verdict: Verdict::Bad,
            found,
            mend: Some("change one of them".into()),
        }));
    }
    checks
}

fn readable(what: &str, folder: &Path) -> Check {
    match std::fs::read_dir(folder) {
        Ok(entries) => Check::good(what, format!("{} holds {} entries", show_path(folder), entries.count())),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let found = format!("{} is not there", show_path(folder));
            Check::doubtful(what, found, "it is made at the start; if it is a share, mount it before")
        }
        Err(e) => Check::bad(what, &Error::io("read", folder, e)),
    }
}

/// Writes, renames and deletes a file there. A folder that is not there yet is left so.
fn writable(what: &str, folder: &Path) -> Check {
    if std::fs::metadata(folder).is_ok_and(|m| !m.is_dir()) {
        let e = Error::new(Kind::Output, "it is a file, and a folder is wanted").at(folder);
        return Check::bad(what, &e.mend("move it away, or name another folder in the pipeline"));
    }
    let existing = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let probe = existing.join(format!(".latentd-doctor-{}", std::process::id()));
    let written = Draft::new(&probe).and_then(|draft| draft.publish(Collision::Replace));
    match written.and_then(|path| std::fs::remove_file(&path).map_err(|e| Error::io("delete", &path, e))) {
        Ok(()) if existing == folder => Check::good(what, format!("{} can be written", show_path(folder))),
        Ok(()) => Check::good(what, format!("{} can be made", show_path(folder))),
        Err(e) => Check::bad(what, &e),
    }
}

fn number(path: &str) -> Option<usize> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Each folder that is watched costs one of the user's watches.
fn watches(name: &str, root: &Path, recursive: bool) -> Check {
    let what = format!("{name}: folder watches");
    let Some(most) = number("/proc/sys/fs/inotify/max_user_watches") else {
        return Check::good(what, "this system has no limit that is known");
    };
    let folders = if recursive { count_folders(root, most) } else { 1 };
    let plural = if folders == 1 { "" } else { "s" };
    let found = format!("{folders} folder{plural} to watch, and the system allows {most}");
    match folders.saturating_mul(2) {
        twice if twice <= most => Check::good(what, found),
        _ => Check::doubtful(
            what,
            found,
            "raise the limit: `sysctl fs.inotify.max_user_watches=1048576`; or set `poll: 5s` in the source",
        ),
    }
}

fn count_folders(root: &Path, most: usize) -> usize {
    let (mut count, mut next) = (0, vec![root.to_path_buf()]);
    while let Some(folder) = next.pop() {
        count += 1;
        if count > most {
            break;
        }
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        next.extend(entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
    }
    count
}

/// Shares send no messages of what other machines do.
fn network(name: &str, root: &Path) -> Check {
    let what = format!("{name}: kind of disk");
    match file_system(root) {
        Some(kind) if ["nfs", "cifs", "smb3", "fuse.sshfs", "9p", "afs"].iter().any(|n| kind.starts_with(n)) => {
            Check::doubtful(what, format!("the source is on a share ({kind})"), "set `poll: 5s` in the source")
        }
        Some(kind) => Check::good(what, kind),
        None => Check::good(what, "not known"),
    }
}

/// By the longest mount point that is a beginning of the path.
fn file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let parsed = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((PathBuf::from(unescaped(words.next()?)), words.next()?.to_owned()))
    });
    let around = parsed.filter(|(mount, _)| path.starts_with(mount));
    around.max_by_key(|(mount, _)| mount.as_os_str().len()).map(|(_, kind)| kind)
}

/// A mount point as it is: the system writes what would part the words of a line, and the backslash itself, as octal numbers (proc_pid_mounts(5)).
fn unescaped(word: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(word.to_owned(), |word, (octal, plain)| word.replace(octal, plain))
}

fn room(name: &str, folder: &Path) -> Check {
    let what = format!("{name}: room for results");
    let existing = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{:.1} GB free", free as f64 / 1e9);
            match free {
                0..1_000_000_000 => Check::doubtful(what, found, "make room; when the disk is full, work waits"),
                _ => Check::good(what, found),
            }
        }
        Err(e) => Check::bad(what, &Error::io("look at", existing, e.into())),
    }
}

fn open_files() -> Check {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit =
        text.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    match limit {
        Some(most @ 0..256u64) => Check::doubtful("open files", format!("only {most} at once"), "`ulimit -n 4096`"),
        Some(most) => Check::good("open files", format!("{most} at once")),
        None => Check::good("open files", "no limit that is known"),
    }
}

/// Whether a live pipeline's devices are there, and can be opened unless it has done so. A device may come later, so none is no mistake.
#[cfg(feature = "live")]
fn devices(pipeline: &LivePipeline, at_work: bool) -> Vec<Check> {
    let name = &pipeline.name;
    let devices = match Devices::system() {
        Ok(devices) => devices,
        Err(e) => {
            let mend = e.mend_text().unwrap_or_default().to_owned();
            return vec![Check::doubtful(format!("{name}: sound"), e.to_string(), mend)];
        }
    };
    let ends = [(Direction::Microphone, &pipeline.microphone.wanted), (Direction::Speaker, &pipeline.speaker.wanted)];
    let check = |(direction, wanted): (Direction, &Wanted)| {
        let what = format!("{name}: {}", direction.name());
        let found = if at_work {
            devices.named(direction, &wanted.device).map(|(id, name)| format!("{name} ({id}), at work"))
        } else {
            let tried = devices.tried(direction, wanted);
            tried.map(|opened| format!("{} ({}), {} Hz", opened.name, opened.id, opened.rate))
        };
        match found {
            Ok(found) => Check::good(what, found),
            Err(e) => {
                let mend = e.mend_text().unwrap_or_default().to_owned();
                Check::doubtful(what, format!("{e}; the pipeline would wait for it"), mend)
            }
        }
    };
    ends.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    /// A share mounted at a path with a space was not found among the mounts, and so taken for what lies around it.
    #[test]
    fn mount_points_are_read_as_they_are() {
        assert_eq!(unescaped("/mnt/my\\040photos"), "/mnt/my photos");
        assert_eq!(unescaped("/mnt/a\\134040b"), "/mnt/a\\040b");
    }
}
