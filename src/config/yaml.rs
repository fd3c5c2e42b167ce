//! YAML to a tree with positions, under limits: a file is a stranger's until it has been read.
//!
//! Anchors, aliases and tags are refused. A pipeline is short enough to write everything out, and without aliases a small
//! file cannot unfold into a large tree.

use std::collections::HashSet;
use std::path::PathBuf;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::report::{Problem, Span, shown};
use super::syntax;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// How deep lists and mappings may nest.
pub const MAX_DEPTH: usize = 32;
/// How many values, lists and mappings a file may hold.
pub const MAX_NODES: usize = 20_000;

/// A value as it was written, before anything is known of what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub content: Content,
    /// Where it stands; empty and at the beginning for a value made in code.
    pub span: Span,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing was written, or `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// Text. Quoted scalars are always text.
    Text(String),
    /// A path handed over in code, where it need not be UTF-8. YAML has no such thing.
    Path(PathBuf),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order of the file.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A mapping made in code: `Node::mapping([("move", "done".into())])`.
    pub fn mapping<'a>(entries: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
        Content::Mapping(entries.into_iter().map(Entry::from).collect()).into()
    }
}

impl From<(&str, Node)> for Entry {
    fn from((key, value): (&str, Node)) -> Entry {
        Entry { key: key.to_owned(), key_span: Span::default(), value }
    }
}

impl From<Content> for Node {
    fn from(content: Content) -> Node {
        Node { content, span: Span::default() }
    }
}

macro_rules! node_from {
    ($($from:ty => $make:expr),+ $(,)?) => {
        $(impl From<$from> for Node {
            fn from(value: $from) -> Node {
                let make: fn($from) -> Content = $make;
                make(value).into()
            }
        })+
    };
}

node_from! {
    bool => Content::Flag,
    i32 => |n| Content::Integer(n.into()),
    u32 => |n| Content::Integer(n.into()),
    i64 => Content::Integer,
    f32 => |n| Content::Number(n.into()),
    f64 => Content::Number,
    &str => |s| Content::Text(s.to_owned()),
    String => Content::Text,
    PathBuf => Content::Path,
    &std::path::Path => |p| Content::Path(p.to_owned()),
    // Seconds with nine decimals keep every nanosecond.
    std::time::Duration => |d| Content::Text(format!("{}.{:09}s", d.as_secs(), d.subsec_nanos())),
}

impl<T: Into<Node>> From<Vec<T>> for Node {
    fn from(list: Vec<T>) -> Node {
        Content::Sequence(list.into_iter().map(Into::into).collect()).into()
    }
}

/// Reads one YAML document. What is wrong goes to `problems`; the tree comes back unless the syntax or a limit forbids it.
pub fn load(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} KiB", MAX_BYTES / 1024);
        problems
            .push(Problem::new(Span::default(), message).mend("a pipeline is a short file; is this the right one?"));
        return None;
    }
    let mut loader =
        Loader { text, offsets: Offsets::new(text), parser: Parser::new_from_str(text), nodes: 0, problems };
    match loader.document() {
        Ok(node) => Some(node),
        Err(problem) => {
            loader.problems.push(problem);
            None
        }
    }
}

struct Loader<'a, 'p> {
    text: &'a str,
    offsets: Offsets,
    parser: Parser<'a, StrInput<'a>>,
    nodes: usize,
    problems: &'p mut Vec<Problem>,
}

impl<'a> Loader<'a, '_> {
    fn document(&mut self) -> Result<Node, Problem> {
        let empty = Problem::new(Span::default(), "the file is empty")
            .mend("begin with `name:`, `source:`, `stages:` and `sink:`");
        loop {
            match self.next()? {
                (Event::DocumentStart(_), _) => break,
                (Event::StreamEnd, _) => return Err(empty),
                _ => {}
            }
        }
        let (event, span) = self.next()?;
        let node = self.node(event, span, 0)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(node),
                (Event::DocumentStart(_), span) => {
                    return Err(Problem::new(span, "a second document begins here")
                        .mend("keep each pipeline in a file of its own"));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.offsets.span(span.start, span.end))),
            Some(Err(error)) => Err(self.explain(&error)),
            None => Err(Problem::new(Span::at(self.text.len()), "the file ends too early")),
        }
    }

    fn explain(&self, error: &ScanError) -> Problem {
        syntax::explain(self.text, self.offsets.byte(*error.marker()), error.info())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Problem::new(span, format!("the file holds more than {MAX_NODES} values")));
        }
        if depth > MAX_DEPTH {
            return Err(Problem::new(span, format!("lists and settings are nested more than {MAX_DEPTH} deep")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span);
                Ok(Node {
                    content: if style == ScalarStyle::Plain { plain(&text) } else { Content::Text(text.into_owned()) },
                    span,
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span);
                self.sequence(span, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span);
                self.mapping(span, depth)
            }
            Event::Alias(_) => {
                self.problems.push(syntax::alias(self.text, span));
                // Most likely a pattern that wants quotes: taken as that, it brings no further errors.
                let text = self.text.get(span.start..span.end).unwrap_or_default();
                Ok(Node { content: Content::Text(text.to_owned()), span })
            }
            _ => Err(Problem::new(span, "this is not valid YAML")),
        }
    }

    fn sequence(&mut self, start: Span, depth: usize) -> Result<Node, Problem> {
        let mut list = Vec::new();
        let mut end = start.end;
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node { content: Content::Sequence(list), span: self.whole(start, end, span) });
            }
            let span = if is_empty(&event) { self.before(span) } else { span };
            let node = self.node(event, span, depth + 1)?;
            end = node.span.end.max(end);
            list.push(node);
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Result<Node, Problem> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        let mut end = start.end;
        loop {
            let (event, span) = self.next()?;
            let (key, key_span) = match event {
                Event::MappingEnd => {
                    return Ok(Node { content: Content::Mapping(entries), span: self.whole(start, end, span) });
                }
                Event::Scalar(key, _, anchor, tag) => {
                    self.refuse(anchor, tag.is_some(), span);
                    (Some(key.into_owned()), span)
                }
                other => {
                    let node = self.node(other, span, depth + 1)?;
                    let problem = Problem::new(node.span, "a key must be a word");
                    self.problems.push(problem.mend("put text that begins with a bracket in quotes"));
                    (None, node.span)
                }
            };
            let (event, span) = self.next()?;
            // A value that was never written has no place of its own: its key stands for it.
            let span = if is_empty(&event) { key_span } else { span };
            let value = self.node(event, span, depth + 1)?;
            end = value.span.end.max(end);
            let Some(key) = key else { continue };
            if seen.insert(key.clone()) {
                entries.push(Entry { key, key_span, value });
            } else {
                let message = format!("the key `{}` is given twice", shown(&key));
                self.problems.push(Problem::new(key_span, message).mend("keep one of the two"));
            }
        }
    }

    fn refuse(&mut self, anchor: usize, tag: bool, span: Span) {
        if anchor > 0 {
            self.problems.push(syntax::anchor(span));
        }
        if tag {
            self.problems.push(syntax::tag(span));
        }
    }

    /// From the first byte to the closing bracket or, in block style, to the end of the last child.
    fn whole(&self, start: Span, last: usize, closing: Span) -> Span {
        let closed = matches!(self.text.get(closing.start..closing.end), Some("]" | "}"))
            && matches!(self.text.as_bytes().get(start.start), Some(b'[' | b'{'));
        Span { start: start.start, end: if closed { closing.end } else { last }.max(start.start) }
    }

    /// The place of an empty list item: the `-` or `,` before it.
    fn before(&self, span: Span) -> Span {
        if span.end > span.start && self.text.as_bytes().get(span.start) == Some(&b'-') {
            return span;
        }
        let end = self.text.get(..span.start).unwrap_or_default().trim_end().len();
        let start = self.text.get(..end).and_then(|t| t.char_indices().next_back()).map_or(end, |(at, _)| at);
        Span { start, end }
    }
}

fn is_empty(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty())
}

/// A scalar without quotes, by the core schema of YAML 1.2.
pub(super) fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "true" | "True" | "TRUE" => return Content::Flag(true),
        "false" | "False" | "FALSE" => return Content::Flag(false),
        ".nan" | ".NaN" | ".NAN" => return Content::Number(f64::NAN),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Content::Number(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().and_then(|n| i64::try_from(n).ok());
    let based = match text.get(..2) {
        Some("0x") if !text[2..].starts_with('+') => radix(&text[2..], 16),
        Some("0o") if !text[2..].starts_with('+') => radix(&text[2..], 8),
        _ => None,
    };
    if let Some(n) = based {
        return Content::Integer(n);
    }
    let digit = unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let allowed = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !digit || !allowed {
        return Content::Text(text.to_owned());
    }
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(n), _) => Content::Integer(n),
        (_, Ok(n)) => Content::Number(n),
        _ => Content::Text(text.to_owned()),
    }
}

/// The parser counts characters, everything else here counts bytes.
struct Offsets(Option<Vec<usize>>, usize);

impl Offsets {
    fn new(text: &str) -> Offsets {
        Offsets((!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect()), text.len())
    }

    fn byte(&self, marker: Marker) -> usize {
        let at = marker.index();
        self.0.as_ref().map_or(at.min(self.1), |table| table.get(at).copied().unwrap_or(self.1))
    }

    fn span(&self, start: Marker, end: Marker) -> Span {
        let start = self.byte(start);
        Span { start, end: self.byte(end).max(start) }
    }
}
