//! One error type for the whole house. Every error has a [`Kind`], which decides what the daemon does with the input
//! (retry it, quarantine it, stop) and which exit code a script sees; most carry the mend, the thing a person can do about it.

use std::fmt::{self, Write};
use std::path::Path;

/// Characters of a message that are shown, at most: the longest path has 4,096.
const LONGEST: usize = 8_000;
/// Characters of each error underneath, which may repeat whatever a stranger's file holds.
const LONGEST_CAUSE: usize = 600;

/// What sort of thing went wrong, and so who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line was wrong.
    Usage,
    /// A pipeline, or another setting, is wrong.
    Config,
    /// The input's contents are not what they should be: truncated, mislabelled, too large, hostile.
    Input,
    /// The input is not there or cannot be read.
    NoInput,
    /// A model is missing, damaged, or does not do what its card says.
    Model,
    /// A sound device is missing or refused.
    Device,
    /// The output could not be written.
    Output,
    /// It may go well later: a full disk, a share that is away, an interrupted call.
    Transient,
    /// latentd itself is at fault.
    Bug,
}

impl Kind {
    /// All there are.
    pub const ALL: [Kind; 9] = [
        Kind::Usage,
        Kind::Config,
        Kind::Input,
        Kind::NoInput,
        Kind::Model,
        Kind::Device,
        Kind::Output,
        Kind::Transient,
        Kind::Bug,
    ];

    /// What it says, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Kind::Usage => "the command line is wrong",
            Kind::Config => "a pipeline or another setting is wrong",
            Kind::Input => "an input is not what it should be",
            Kind::NoInput => "an input is not there or cannot be read",
            Kind::Model => "a model is missing or damaged",
            Kind::Device => "a sound device is missing or refused, or no daemon answers",
            Kind::Output => "a result could not be written",
            Kind::Transient => "what may go well later: a full disk, a share that is away",
            Kind::Bug => "latentd itself is at fault",
        }
    }

    /// The exit code by the convention of `sysexits.h`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 64,
            Kind::Input => 65,
            Kind::NoInput => 66,
            Kind::Device => 69,
            Kind::Model | Kind::Bug => 70,
            Kind::Output => 73,
            Kind::Transient => 75,
            Kind::Config => 78,
        }
    }

    /// The name as logs and `--json` write it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Config => "config",
            Kind::Input => "input",
            Kind::NoInput => "no-input",
            Kind::Model => "model",
            Kind::Device => "device",
            Kind::Output => "output",
            Kind::Transient => "transient",
            Kind::Bug => "bug",
        }
    }
}

/// What happened, to what, and what to do about it.
pub struct Error {
    kind: Kind,
    message: String,
    mend: Option<String>,
    part: Option<usize>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// For people as well: it is what a `main` that returns a [`Result`] prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.kind.name())?;
        self.mend.as_ref().map_or(Ok(()), |mend| write!(f, "\nhelp: {mend}"))
    }
}

/// A result whose error is latentd's own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` says what is wrong in one plain sentence without a final stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), mend: None, part: None, source: None }
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Names the thing that it happened to by another path, where [`Error::at`] has put `from` before the message: what is known within a folder by one, is known
    /// outside by another.
    #[must_use]
    pub fn renamed(mut self, from: &Path, to: &Path) -> Self {
        if let Some(rest) = self.message.strip_prefix(&show_path(from)).filter(|rest| rest.starts_with(": ")) {
            self.message = format!("{}{rest}", show_path(to));
        }
        self
    }

    /// Tells which of several pieces it is about, counted from 0.
    #[must_use]
    pub fn of_part(mut self, part: usize) -> Self {
        self.part = Some(part);
        self
    }

    /// Tells that it is about no single one of several pieces.
    #[must_use]
    pub fn of_no_part(mut self) -> Self {
        self.part = None;
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts the thing it happened to before the message: `inbox/cat.png: the file ends in the middle of the picture`.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", show_path(path), self.message);
        self
    }

    /// An I/O error while doing `what` (`"read"`, `"write"`, ...) with `path`. Its kind follows from what the system said.
    pub fn io(what: &str, path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let reading = what == "read" || what == "open";
        let (kind, mend) = match error.kind() {
            E::NotFound if reading => (Kind::NoInput, Some("check the path; the file may have been moved or deleted")),
            E::PermissionDenied if reading => {
                (Kind::NoInput, Some("give the user that runs latentd the right to read it"))
            }
            E::IsADirectory if reading => (Kind::NoInput, Some("name a file, not a folder")),
            E::NotADirectory | E::InvalidFilename if reading => (Kind::NoInput, Some("check the path")),
            E::PermissionDenied | E::ReadOnlyFilesystem => {
                (Kind::Output, Some("give the user that runs latentd the right to write there"))
            }
            E::StorageFull | E::QuotaExceeded => (Kind::Transient, Some("make room on the disk")),
            E::FileTooLarge => {
                let mend = "raise the limit of how large files may be (`ulimit -f`, `LimitFSIZE=` of a service)";
                (Kind::Output, Some(mend))
            }
            E::Interrupted | E::TimedOut | E::WouldBlock | E::ResourceBusy | E::StaleNetworkFileHandle => {
                (Kind::Transient, None)
            }
            // A share that is away, a disk that stumbles, too many open files: not the file's fault, and it may pass.
            _ if reading => (Kind::Transient, None),
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => (
                Kind::Output,
                Some("a link stands on the way, in a folder where others may put one: put a folder there"),
            ),
            _ => (Kind::Output, None),
        };
        let e = Error::new(kind, format!("cannot {what} {}", show_path(path))).because(error);
        match mend {
            Some(mend) => e.mend(mend),
            None => e,
        }
    }

    /// Which of several pieces it is about, if it is about one.
    pub fn part(&self) -> Option<usize> {
        self.part
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong, without the mend and without the errors underneath.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What a person can do about it, where that is known.
    pub fn mend_text(&self) -> Option<&str> {
        self.mend.as_deref()
    }
}

/// The message, then the errors underneath, on one line, as [`show_text`] shows each.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tame(f, LONGEST, &self.message)?;
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            f.write_str(": ")?;
            tame(f, LONGEST_CAUSE, &error)?;
            next = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e.as_ref() as _)
    }
}

/// A path as it may be shown: a file name is a stranger's text, so control characters, those that turn the direction of writing, and invalid
/// UTF-8 are escaped.
pub fn show_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().any(is_harmful) { text.escape_debug().to_string() } else { text.into_owned() }
}

/// A stranger's text as it may be shown: on one line, `most` characters of it at most, and what could drive a terminal or turn the direction of
/// writing escaped.
pub fn show_text(text: &str, most: usize) -> String {
    let mut shown = String::new();
    // A string takes whatever is written.
    let _ = tame(&mut shown, most, &text);
    shown
}

/// Whether a character can drive a terminal, or turns the direction of the text around.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes what [`show_text`] gives, without ever holding more than that of it.
fn tame(into: &mut dyn fmt::Write, most: usize, text: &dyn fmt::Display) -> fmt::Result {
    let mut tame = Tame { into, left: most, cut: false };
    let told = write!(tame, "{text}");
    match told {
        Err(_) if tame.cut => tame.into.write_str("…"),
        told => told,
    }
}

struct Tame<'a> {
    into: &'a mut dyn fmt::Write,
    /// Characters that may still come.
    left: usize,
    /// Whether more came.
    cut: bool,
}

impl fmt::Write for Tame<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                self.cut = true;
                return Err(fmt::Error);
            }
            self.left -= 1;
            match c {
                '\n' | '\r' | '\t' => self.into.write_char(' ')?,
                c if is_harmful(c) => write!(self.into, "{}", c.escape_unicode())?,
                c => self.into.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Paths for programs, as they are.
pub fn plain_paths<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Vec<String> {
    paths.into_iter().map(|path| path.as_ref().to_string_lossy().into_owned()).collect()
}

/// Several paths, as [`show_path`] shows each.
pub fn show_paths<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> String {
    paths.into_iter().map(|path| show_path(path.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Error, Kind, show_text};

    /// 20 MB of a file's text went into the log, the note and the journal, and escapes of terminals with it.
    #[test]
    fn a_strangers_text_is_cut_and_escaped() {
        assert_eq!(show_text("plain äß", 100), "plain äß");
        assert_eq!(show_text("a\u{1b}[2Jb\nc\u{202e}d", 100), "a\\u{1b}[2Jb c\\u{202e}d");
        assert_eq!(show_text("abcdef", 3), "abc…");
        let error = Error::new(Kind::Input, "it is\u{7} damaged").because("x\u{1b}".repeat(1_000_000));
        let text = format!("{error} {error:?}");
        assert!(text.starts_with("it is\\u{7} damaged: x\\u{1b}x"), "{text}");
        assert!(text.len() < 10_000 && !text.contains('\u{1b}'), "{}", text.len());
        let long = Error::new(Kind::Input, "m".repeat(1_000_000)).to_string();
        assert!(long.len() < 10_000 && long.ends_with('…'));
    }

    #[test]
    fn all_kinds_are_listed() {
        let place = |kind| match kind {
            Kind::Usage => 0,
            Kind::Config => 1,
            Kind::Input => 2,
            Kind::NoInput => 3,
            Kind::Model => 4,
            Kind::Device => 5,
            Kind::Output => 6,
            Kind::Transient => 7,
            Kind::Bug => 8,
        };
        assert_eq!(Kind::ALL.map(place), std::array::from_fn(|index| index));
    }
}
