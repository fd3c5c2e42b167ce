//! Values as written -> values as the table wants them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fields::{Catalog, Description, Field, Kind, Presence};
use super::guess::guess;
use super::report::{Problem, Span, shown};
use super::settings::{Settings, Value};
use super::words::{expected, found, names, nearest};
use super::yaml::{Content, Entry, Node};

/// Checks values and collects what is wrong with them.
pub(super) struct Checker<'a> {
    /// The folder that relative paths are relative to.
    pub base: &'a Path,
    /// What is wrong so far.
    pub problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    /// The settings of `owner`, whose name stands at `span`. None if anything is wrong.
    pub fn settings(
        &mut self,
        owner: &str,
        fields: &'static [Field],
        entries: &[Entry],
        span: Span,
    ) -> Option<Settings> {
        self.as_far(owner, fields, entries, span).ok()
    }

    /// [`Checker::settings`]; where anything is wrong, what is right, with defaults in the place of what is not, and the names of the latter.
    /// Nothing where a setting that must be given has no value.
    pub fn as_far(
        &mut self,
        owner: &str,
        fields: &'static [Field],
        entries: &[Entry],
        span: Span,
    ) -> Result<Settings, Option<(Settings, Vec<&'static str>)>> {
        let before = self.problems.len();
        // A missing setting that was only misspelled is one mistake, not two.
        let meant: Vec<&'static str> =
            entries.iter().filter_map(|entry| self.unknown(owner, fields, entries, entry)).collect();
        let (mut settings, mut wrong, mut whole) = (Settings::new(fields, span), meant, true);
        for field in fields {
            if let Some(entry) = entries.iter().find(|e| e.key == field.name) {
                if let Some(value) = self.value(field.name, &field.kind, &entry.value) {
                    settings.put(field.name, value, entry.value.span);
                    continue;
                }
                wrong.push(field.name);
            }
            match field.presence {
                Presence::Default(text) => {
                    let node = super::yaml::load(text, self.problems).ok_or(None)?;
                    settings.put(field.name, self.value(field.name, &field.kind, &node).ok_or(None)?, span);
                }
                Presence::Required => {
                    whole = false;
                    if !wrong.contains(&field.name) {
                        let mend = format!("add `{}: ...`: {}", field.name, lower_first(field.doc));
                        self.problems.push(Problem::new(span, format!("`{owner}` needs `{}`", field.name)).mend(mend));
                    }
                }
                Presence::Optional => {}
            }
        }
        if self.problems.len() == before { Ok(settings) } else { Err(whole.then_some((settings, wrong))) }
    }

    /// Reports an unknown key; returns the name that was probably meant.
    fn unknown(&mut self, owner: &str, fields: &'static [Field], all: &[Entry], entry: &Entry) -> Option<&'static str> {
        if fields.iter().any(|f| f.name == entry.key) {
            return None;
        }
        let free = fields.iter().map(|f| f.name).filter(|name| all.iter().all(|e| e.key != *name));
        let joined = entry.key.split_once(':').filter(|_| entry.value.content == Content::Null);
        let joined = joined.and_then(|(name, value)| Some((free.clone().find(|free| *free == name)?, value)));
        let meant = joined.map(|(name, _)| name).or_else(|| nearest(&entry.key, free));
        let mend = match meant {
            Some(name) if joined.is_some() => {
                let value = joined.map(|(_, value)| shown(value)).unwrap_or_default();
                format!("write a space after the `:`: `{name}: {value}`")
            }
            Some(name) => format!("did you mean `{name}`?"),
            None if fields.is_empty() => format!("`{owner}` has no settings"),
            None => format!("`{owner}` has the settings {}", names(fields.iter().map(|f| f.name))),
        };
        let message = format!("unknown key `{}`", shown(&entry.key));
        self.problems
            .push(Problem::new(entry.key_span, message).label(format!("not a setting of `{owner}`")).mend(mend));
        meant
    }

    /// The value of the setting `name`. None if anything is wrong.
    pub fn value(&mut self, name: &str, kind: &'static Kind, node: &Node) -> Option<Value> {
        match (kind, &node.content) {
            (_, Content::Null) => {
                let mend = format!("write {} after the `:`", expected(kind));
                self.problems.push(Problem::new(node.span, format!("`{name}` has no value")).mend(mend));
                None
            }
            (Kind::List(item), Content::Sequence(list)) => {
                // Not short-circuited: all items that are wrong are reported.
                let values: Vec<_> = list.iter().map(|node| self.value(name, item, node)).collect();
                values.into_iter().collect::<Option<_>>().map(Value::List)
            }
            (Kind::Map(fields), Content::Mapping(entries)) => {
                self.settings(name, fields, entries, node.span).map(Value::Map)
            }
            (Kind::Either(kinds), _) => self.either(name, kind, kinds, node),
            _ => match scalar(kind, node, self.base) {
                Ok(value) => Some(value),
                Err(mend) => {
                    self.wrong(name, kind, node, mend);
                    None
                }
            },
        }
    }

    fn either(&mut self, name: &str, kind: &Kind, kinds: &'static [Kind], node: &Node) -> Option<Value> {
        let mut attempts = Vec::new();
        for kind in kinds {
            let mut problems = Vec::new();
            let value = Checker { base: self.base, problems: &mut problems }.value(name, kind, node);
            if value.is_some() {
                return value;
            }
            attempts.push((kind, problems));
        }
        // Where only one alternative has the shape of what was written, its own words help more than a list of all.
        let shaped = |kind: &Kind| match &node.content {
            Content::Sequence(_) => matches!(kind, Kind::List(_)),
            Content::Mapping(_) => matches!(kind, Kind::Map(_)),
            _ => false,
        };
        let mut shaped = attempts.into_iter().filter(|(kind, _)| shaped(kind));
        match (shaped.next(), shaped.next()) {
            (Some((_, problems)), None) => self.problems.extend(problems),
            _ => self.wrong(name, kind, node, None),
        }
        None
    }

    fn wrong(&mut self, name: &str, kind: &Kind, node: &Node, mend: Option<String>) {
        let message = format!("`{name}` must be {}, found {}", expected(kind), found(node));
        let mut problem = Problem::new(node.span, message);
        problem.mend = mend.or_else(|| guess(name, kind, node));
        self.problems.push(problem);
    }
}

/// One value that is neither a list nor settings. The error is the mend, where the general one does not do.
fn scalar(kind: &Kind, node: &Node, base: &Path) -> Result<Value, Option<String>> {
    let kind = if let Kind::Measured(kind, _) = *kind { kind } else { kind };
    let value = match (kind, &node.content) {
        (Kind::Flag, Content::Flag(flag)) => Some(Value::Flag(*flag)),
        (Kind::Text, Content::Text(text)) if !text.is_empty() => Some(Value::Text(text.clone())),
        (Kind::Choice(words), Content::Text(text)) => words.iter().find(|w| *w == text).map(|w| Value::Choice(w)),
        (Kind::Number { min, max }, Content::Number(n)) => number(*n, *min, *max),
        (Kind::Number { min, max }, Content::Integer(n)) => number(*n as f64, *min, *max),
        (Kind::Integer { min, max }, content) => {
            whole(content).filter(|n| (*min..=*max).contains(n)).map(Value::Integer)
        }
        (Kind::Duration { min, max }, content) => {
            let long = match content {
                Content::Text(text) => with_unit(text, SECONDS).and_then(|s| Duration::try_from_secs_f64(s).ok()),
                other => whole(other).filter(|n| *n == 0).map(|_| Duration::ZERO),
            };
            long.filter(|long| (*min..=*max).contains(long)).map(Value::Duration)
        }
        (Kind::Size, Content::Text(text)) => with_unit(text, BYTES).map(|bytes| Value::Size(bytes.round() as u64)),
        (Kind::Size, content) => {
            whole(content).and_then(|n| u64::try_from(n).ok()).filter(|n| *n >= Kind::LEAST_BYTES).map(Value::Size)
        }
        (Kind::Path, Content::Path(path)) => Some(Value::Path(base.join(path))),
        (Kind::Path, Content::Text(text)) if text == "~" || text.starts_with("~/") => {
            return Err(Some(
                "`~` has no meaning here; write the whole path, such as `/home/anna/Pictures`".to_owned(),
            ));
        }
        (Kind::Path, Content::Text(text)) if text.starts_with('$') => {
            return Err(Some(
                "variables have no meaning here; write the whole path, such as `/home/anna/Pictures`".to_owned(),
            ));
        }
        (Kind::Path, Content::Text(text)) if !text.is_empty() && !text.contains('\0') => {
            Some(Value::Path(join(base, text)))
        }
        _ => None,
    };
    value.ok_or(None)
}

/// `base` and `path`, without the `./` that people write for clarity.
fn join(base: &Path, path: &str) -> PathBuf {
    base.join(path).components().collect()
}

/// A whole number, also one written `2.0` or `1e9`. Beyond 2^53 floats have gaps, and nobody writes such a number that way.
fn whole(content: &Content) -> Option<i64> {
    match content {
        Content::Integer(n) => Some(*n),
        Content::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => Some(*n as i64),
        _ => None,
    }
}

fn number(n: f64, min: f64, max: f64) -> Option<Value> {
    (n.is_finite() && (min..=max).contains(&n)).then_some(Value::Number(n))
}

/// What a unit of time is in seconds.
pub(super) const SECONDS: &[(&str, f64)] = &[("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0)];

/// What a unit of size is in bytes.
pub(super) const BYTES: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
];

/// A number such as `1.5`, perhaps a space, and a unit. At most nine digits on either side keep everything finite.
pub(super) fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let whole = match number.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(number),
    };
    if !whole {
        return None;
    }
    number.parse::<f64>().ok().map(|n| n * factor)
}

/// A doc sentence as the second half of another.
pub(super) fn lower_first(doc: &str) -> String {
    let doc = doc.strip_suffix('.').unwrap_or(doc);
    let mut chars = doc.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// What is wrong with the tables themselves: names given twice, defaults and examples that do not fit. For the tests of whoever writes them.
pub fn audit(catalog: &Catalog) -> Vec<String> {
    let mut wrong = Vec::new();
    for group in [catalog.sources, catalog.stages, catalog.sinks] {
        twice(group.iter().map(|d| d.name), "the catalog", &mut wrong);
        for description in group {
            audit_fields(description.name, description.fields, &mut wrong);
            audit_example(description, &mut wrong);
        }
    }
    wrong
}

fn audit_example(description: &Description, wrong: &mut Vec<String>) {
    let Description { name, fields, example, .. } = *description;
    let mut problems = Vec::new();
    let node = super::yaml::load(example, &mut problems);
    let entries = match node.as_ref().map(|node| &node.content) {
        Some(Content::Mapping(entries)) => entries.as_slice(),
        _ => &[],
    };
    match entries {
        [Entry { key, value: Node { content: Content::Mapping(settings), .. }, .. }] if key == name => {
            Checker { base: Path::new(""), problems: &mut problems }.settings(name, fields, settings, Span::default());
        }
        _ => wrong.push(format!("{name}: its example is not `{name}: {{ ... }}`")),
    }
    wrong.extend(problems.into_iter().map(|p| format!("{name}: its example: {}", p.message)));
}

fn audit_fields(owner: &str, fields: &'static [Field], wrong: &mut Vec<String>) {
    twice(fields.iter().map(|f| f.name), owner, wrong);
    for field in fields {
        if let Presence::Default(text) = field.presence {
            let mut problems = Vec::new();
            if let Some(node) = super::yaml::load(text, &mut problems) {
                Checker { base: Path::new(""), problems: &mut problems }.value(field.name, &field.kind, &node);
            }
            wrong.extend(
                problems.into_iter().map(|p| format!("{owner}: the default of `{}`: {}", field.name, p.message)),
            );
        }
        if let Kind::Map(fields) = field.kind {
            audit_fields(field.name, fields, wrong);
        }
    }
}

fn twice<'a>(names: impl Iterator<Item = &'a str>, owner: &str, wrong: &mut Vec<String>) {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    wrong.extend(names.windows(2).filter(|w| w[0] == w[1]).map(|w| format!("{owner}: `{}` is there twice", w[0])));
}
