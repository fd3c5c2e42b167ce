//! Slips of those who write pipelines that the YAML parser notices too late, and calls by other names.

use super::report::{Problem, Span, shown};

/// The slip that has led to an error at the byte `at`, if it is a usual one.
pub(super) fn slip(text: &str, at: usize) -> Option<Problem> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next().unwrap_or_default();
    if line.trim_start().starts_with('#') {
        return None;
    }
    template(line, start).or_else(|| nested(line, start, at - start)).or_else(|| joined(text, start))
}

/// `name: {stem}.jpg`: a template without quotes begins like settings in braces.
fn template(line: &str, start: usize) -> Option<Problem> {
    let glued = |at: usize, end: usize| {
        let before = line.get(..at).and_then(|t| t.chars().next_back());
        let after = line.get(end..).and_then(|t| t.chars().next());
        let apart = |c: char, others: &[char]| c.is_whitespace() || others.contains(&c);
        before.is_some_and(|c| !apart(c, &[',', '{', '[', ':']))
            || after.is_some_and(|c| !apart(c, &[',', '}', ']', '#']))
    };
    let braces = line.match_indices('{').filter_map(|(at, _)| Some((at, at + 1 + variable(line.get(at + 1..)?)?)));
    let (open, _) = braces.filter(|(at, _)| !is_quoted(line, *at)).find(|(at, end)| glued(*at, *end))?;
    let from = line.get(..open)?.rfind(": ")? + 2;
    let mut end = from;
    while let Some(next) = line.get(end..).and_then(|t| t.chars().next()) {
        match next {
            '{' => end += 1 + variable(line.get(end + 1..)?)?,
            ',' | '}' | ']' => break,
            c if c.is_whitespace() => break,
            c => end += c.len_utf8(),
        }
    }
    let span = Span { start: start + from, end: start + end };
    let problem = Problem::new(span, "text with braces needs quotes");
    // With spaces in it, only its writer knows where it ends.
    let value = line.get(from..end).filter(|value| value.contains('{'))?;
    Some(problem.mend(format!("put it in quotes: `\"{}\"`", shown(value))))
}

/// The length of `stem}` at the beginning of `text`.
fn variable(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_lowercase())?;
    (end > 0 && text.get(end..)?.starts_with('}')).then_some(end + 1)
}

/// Whether the byte `at` of a line stands within quotes.
fn is_quoted(line: &str, at: usize) -> bool {
    let mut open = None;
    for c in line.get(..at).unwrap_or_default().chars() {
        open = match (open, c) {
            (None, '"' | '\'') => Some(c),
            (Some(quote), c) if quote == c => None,
            (open, _) => open,
        };
    }
    open.is_some()
}

/// `originals: move: done`: settings in one line without braces. The parser stops at the second `:`, the byte `at` of the line.
fn nested(line: &str, start: usize, at: usize) -> Option<Problem> {
    let value = line.get(at..)?.strip_prefix(": ")?;
    let is_key = |c: char| c.is_ascii_lowercase() || c == '_';
    let before = line.get(..at)?;
    let from = before.trim_end_matches(is_key).len();
    let inner = before.get(from..).filter(|key| !key.is_empty())?;
    let outer = before.get(..from)?.trim_end().strip_suffix(':')?;
    let outer = outer.get(outer.trim_end_matches(is_key).len()..).filter(|key| !key.is_empty())?;
    let length = value.find([',', '}', ']', '#']).unwrap_or(value.len());
    let value = value.get(..length)?.trim();
    let mend = format!(
        "for settings write `{outer}: {{ {inner}: {} }}`, and put text that contains `: ` in quotes",
        shown(value)
    );
    let span = Span { start: start + at, end: start + at + 1 };
    (!value.is_empty()).then(|| Problem::new(span, "a `:` is not expected here").mend(mend))
}

/// `path:../inbox` in the line above the one that begins at `start`.
fn joined(text: &str, start: usize) -> Option<Problem> {
    let above = text.get(..start)?.trim_end();
    let begin = above.rfind('\n').map_or(0, |end| end + 1);
    let line = above.get(begin..)?;
    let written = line.trim_start().trim_start_matches("- ");
    let (key, value) = written.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if !is_key || value.is_empty() || value.starts_with([' ', '\t', '\\']) || value.starts_with("//") {
        return None;
    }
    let from = begin + line.len() - written.len();
    let span = Span { start: from, end: from + written.len() };
    let mend = format!("write `{key}: {}`", shown(value));
    Some(Problem::new(span, "there is no space after the `:`").mend(mend))
}
