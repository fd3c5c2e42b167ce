//! What is wrong with a pipeline, for people and for programs.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::error::{Error, Kind, is_harmful, show_path};

/// How many problems a rendered report shows. [`Report::to_json`] gives them all.
const SHOWN: usize = 100;

/// A stretch of a file's text in bytes, the end not included. Empty and at the beginning for what was made in code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The empty span at `byte`.
    pub const fn at(byte: usize) -> Span {
        Span { start: byte, end: byte }
    }
}

/// One thing that is wrong, where, and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong, in one sentence that can be understood without the source line.
    pub message: String,
    /// A few words beside the marked place.
    pub label: Option<String>,
    /// What a person can do about it.
    pub mend: Option<String>,
}

impl Problem {
    /// A problem at `span`; `message` is one plain sentence without a final stop.
    pub fn new(span: Span, message: impl Into<String>) -> Problem {
        Problem { span, message: message.into(), label: None, mend: None }
    }

    /// An error that what stands at `span` has led to, with the error's mend if it has one.
    pub fn of(span: Span, error: &Error) -> Problem {
        Problem { mend: error.mend_text().map(str::to_owned), ..Problem::new(span, error.to_string()) }
    }

    /// Adds a few words beside the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = Some(label.into());
        self
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Problem {
        self.mend = Some(mend.into());
        self
    }
}

/// All that is wrong with one file, or with a component made in code (then the file's name and text are empty).
#[derive(Debug, Clone)]
pub struct Report {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The file's text.
    pub text: Arc<str>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

/// A place in a file as people count: both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Report {
    /// A report; the problems are put in the order of the file.
    pub fn new(file: impl Into<PathBuf>, text: impl Into<Arc<str>>, mut problems: Vec<Problem>) -> Report {
        problems.sort_by_key(|p| p.span);
        Report { file: file.into(), text: text.into(), problems }
    }

    /// The report as text: like rustc's where latentd is built with its `daemon` feature, one line a problem otherwise.
    pub fn render(&self, colour: bool) -> String {
        let lines = Lines::new(&self.text);
        let mut out: String = self.problems.iter().take(SHOWN).map(|p| self.render_one(p, &lines, colour)).collect();
        if self.problems.len() > SHOWN {
            out += &format!("and {} more\n", self.problems.len() - SHOWN);
        }
        out
    }

    #[cfg(feature = "daemon")]
    fn render_one(&self, problem: &Problem, lines: &Lines<'_>, colour: bool) -> String {
        use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
        if self.file.as_os_str().is_empty() {
            return self.line(problem, lines);
        }
        let (number, start, line) = lines.of(problem.span.start);
        // Only the first line of a span that goes over several: the place matters, not the extent.
        let line = harmless(line);
        let from = (problem.span.start - start).min(line.len());
        let to = problem.span.end.saturating_sub(start).clamp(from, line.len());
        let mark = AnnotationKind::Primary.span(from..to).label(problem.label.as_deref().map(harmless_line));
        let path = show_path(&self.file);
        let snippet = Snippet::source(line).line_start(number).path(&*path).annotation(mark);
        let mut group = Level::ERROR.primary_title(harmless_line(&problem.message)).element(snippet);
        if let Some(mend) = &problem.mend {
            group = group.element(Level::HELP.message(harmless_line(mend)));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group]) + "\n\n"
    }

    #[cfg(not(feature = "daemon"))]
    fn render_one(&self, problem: &Problem, lines: &Lines<'_>, _colour: bool) -> String {
        self.line(problem, lines)
    }

    /// `FILE:LINE:COLUMN: error: MESSAGE (MEND)`
    fn line(&self, problem: &Problem, lines: &Lines<'_>) -> String {
        let mut out = String::new();
        if !self.file.as_os_str().is_empty() {
            let place = lines.place(problem.span.start);
            out += &format!("{}:{}:{}: ", show_path(&self.file), place.line, place.column);
        }
        out += &format!("error: {}", harmless_line(&problem.message));
        if let Some(mend) = &problem.mend {
            out += &format!(" ({})", harmless_line(mend));
        }
        out + "\n"
    }

    /// One object a problem: `file`, `line`, `column`, `message`, `mend`.
    pub fn to_json(&self) -> Json {
        let lines = Lines::new(&self.text);
        let file = self.file.to_string_lossy();
        let one = |p: &Problem| {
            let Place { line, column } = lines.place(p.span.start);
            json!({ "file": file, "line": line, "column": column, "message": p.message, "mend": p.mend })
        };
        self.problems.iter().map(one).collect()
    }
}

/// One line a problem, without colour.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = Lines::new(&self.text);
        self.problems.iter().take(SHOWN).try_for_each(|p| f.write_str(&self.line(p, &lines)))
    }
}

impl std::error::Error for Report {}

impl From<Report> for Error {
    fn from(report: Report) -> Error {
        let messages: Vec<_> = report.problems.iter().map(|p| harmless_line(&p.message)).collect();
        if report.file.as_os_str().is_empty() {
            let error = Error::new(Kind::Config, messages.join("; "));
            return match report.problems.iter().find_map(|p| p.mend.as_deref()) {
                Some(mend) => error.mend(harmless_line(mend)),
                None => error,
            };
        }
        let file = show_path(&report.file);
        let message = match &messages[..] {
            [one] => format!("1 error in {file}: {one}"),
            many => format!("{} errors in {file}", many.len()),
        };
        Error::new(Kind::Config, message).mend(format!("`latentd check {file}` shows the place and the mend"))
    }
}

/// Where each line of a text begins. Lines end at `\n`, as in editors.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Lines { text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line that holds `byte`: its number from 1, where it begins, and its text without the line end.
    fn of(&self, byte: usize) -> (usize, usize, &'a str) {
        let number = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts[number - 1];
        let line = self.text[start..].split('\n').next().unwrap_or_default();
        (number, start, line.strip_suffix('\r').unwrap_or(line))
    }

    pub(super) fn place(&self, byte: usize) -> Place {
        let (line, start, text) = self.of(byte);
        let before = text.char_indices().take_while(|(at, _)| start + at < byte).count();
        Place { line, column: before + 1 }
    }
}

/// The text without harmful characters, every byte where it was.
#[cfg(feature = "daemon")]
fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\t' && is_harmful(c)) {
        return text.into();
    }
    let stand_in = |c: char| match c.len_utf8() {
        _ if c == '\t' || !is_harmful(c) => c,
        1 => '?',
        2 => '¿',
        _ => '\u{fffd}',
    };
    text.chars().map(stand_in).collect()
}

fn harmless_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) { Cow::Owned(escape(text.chars())) } else { text.into() }
}

fn escape(chars: impl Iterator<Item = char>) -> String {
    chars
        .flat_map(|c| {
            if is_harmful(c) { c.escape_unicode().to_string() } else { c.to_string() }.chars().collect::<Vec<_>>()
        })
        .collect()
}

/// A stranger's text as it may stand in a message: short, and without control characters.
pub fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut out = escape(text.chars().take(MOST));
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}
