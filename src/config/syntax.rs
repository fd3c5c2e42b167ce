//! What the YAML parser found wrong, in plain words. The parser speaks to those who write parsers.

use super::report::{Problem, Span, shown};
use super::slips::slip;

/// Part of the parser's message, what it means, and the mend. The first that fits is taken.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("tab", "a tab cannot be used here", "use spaces instead of tabs"),
    (
        "found unexpected end of stream",
        "a quote is opened here but never closed",
        "add the missing quote at the end of the text",
    ),
    (
        "indentation in quoted scalar",
        "a quote is opened here but not closed in time",
        "add the missing quote at the end of the text",
    ),
    (
        "unknown escape character",
        "this `\\` does not begin anything that YAML knows",
        "write `\\\\` for a backslash, or put the text in single quotes",
    ),
    (
        "hexadecimal",
        "this escape needs hexadecimal digits",
        "put the text in single quotes if the `\\` is meant as it is",
    ),
    ("escape code", "this escape is not a character", "put the text in single quotes if the `\\` is meant as it is"),
    ("trailing content", "there is something after the closing quote", "put all of the text inside the quotes"),
    (
        "mapping values are not allowed",
        "a `:` is not expected here",
        "put text that contains `: ` in quotes, and check that the line above is complete",
    ),
    ("illegal placement of ':'", "a `:` is not expected here", "put text that contains `: ` in quotes"),
    ("simple key expect", "this line has no `:`", "write `key: value`, with a space after the `:`"),
    ("expected ',' or '}'", "a `,` or `}` is missing", "separate the settings by `,` and close every `{` with a `}`"),
    ("expected ',' or ']'", "a `,` or `]` is missing", "separate the values by `,` and close every `[` with a `]`"),
    ("misplaced bracket", "this bracket does not close anything", "remove it, or put the text in quotes"),
    ("recursion limit", "there are too many brackets inside one another", "write fewer brackets"),
    (
        "flow",
        "a bracket is not closed, or the indentation is wrong",
        "close every `[` with a `]` and every `{` with a `}`",
    ),
    ("sequence entries are not allowed", "a `-` is not expected here", "begin each list item on a line of its own"),
    ("did not find expected '-'", "this line does not fit the list above it", "indent it like the lines it belongs to"),
    ("expected key", "this line does not fit the lines above it", "indent it like the lines it belongs to"),
    ("ndentation", "the indentation does not fit the lines above", "indent it like the lines it belongs to"),
    ("wrongly indented", "the indentation does not fit the lines above", "indent it like the lines it belongs to"),
    (
        "document",
        "the file should end here, or the indentation is wrong",
        "indent this line like the lines it belongs to",
    ),
    ("unprintable", "there is a character here that cannot be seen", "delete it and type the line again"),
    ("byte order mark", "there is a hidden mark in the middle of the file", "delete it and type the line again"),
    ("comment", "a comment cuts a text in two", "move the comment to the end"),
    ("node content", "a value is missing here", "write the value, or remove what stands before it"),
];

/// A problem for the parser's message `info` about the byte `at`.
pub(super) fn explain(text: &str, at: usize, info: &str) -> Problem {
    if let Some(problem) = slip(text, at) {
        return problem;
    }
    let span = if info.contains("tab") { tab(text, at) } else { word(text, at) };
    if info.contains("unknown anchor") || info.contains("anchor or alias") {
        return alias(text, span);
    }
    if info.starts_with("unexpected character") || info.contains("cannot start with") {
        let first = text.get(span.start..).and_then(|t| t.chars().next()).map(String::from).unwrap_or_default();
        return Problem::new(span, format!("text cannot begin with `{}`", shown(&first)))
            .mend("put the text in quotes");
    }
    match SENTENCES.iter().find(|(part, ..)| info.contains(part)) {
        Some((_, message, mend)) => Problem::new(span, *message).mend(*mend),
        None => Problem::new(span, format!("this is not valid YAML ({info})")),
    }
}

/// `*name`, which is most often a pattern that wants quotes.
pub(super) fn alias(text: &str, span: Span) -> Problem {
    let word = text.get(span.start..span.end).unwrap_or_default();
    if word.starts_with('&') {
        return anchor(span);
    }
    let mend = match word.starts_with('*') {
        true => format!("put it in quotes: `\"{}\"`", shown(word)),
        false => "put it in quotes".to_owned(),
    };
    Problem::new(span, "text that begins with `*` needs quotes").mend(mend)
}

pub(super) fn anchor(span: Span) -> Problem {
    Problem::new(span, "anchors (`&name`) are not supported")
        .mend("write the value out, or put text that begins with `&` in quotes")
}

pub(super) fn tag(span: Span) -> Problem {
    Problem::new(span, "tags (`!name`) are not supported").mend("remove it, or put text that begins with `!` in quotes")
}

/// The tab nearest before `at` on its line: the parser points behind it.
fn tab(text: &str, at: usize) -> Span {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    match before.get(line..).and_then(|line| line.rfind('\t')) {
        Some(tab) if text.as_bytes().get(at) != Some(&b'\t') => Span { start: line + tab, end: line + tab + 1 },
        _ => word(text, at),
    }
}

/// The word that begins at `at`, or one character where there is none, or nothing at the end of the file.
fn word(text: &str, at: usize) -> Span {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    let end = line.find(|c: char| c.is_whitespace() || ",[]{}".contains(c)).unwrap_or(line.len());
    let least = line.chars().next().map_or(0, char::len_utf8);
    Span { start: at.min(text.len()), end: at.min(text.len()) + end.max(least) }
}
