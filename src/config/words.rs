//! What was expected and what was found, in words.

use std::time::Duration;

use super::fields::{Field, Kind};
use super::report::shown;
use super::yaml::{Content, Node};

/// `a`, `b` or `c`.
pub(super) fn any_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Names in code quotes, separated by commas.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The values that `kind` takes.
pub(super) fn expected(kind: &Kind) -> String {
    let mut words = Vec::new();
    alternatives(kind, &mut words);
    any_of(&words)
}

fn alternatives(kind: &Kind, out: &mut Vec<String>) {
    match kind {
        Kind::Either(kinds) => kinds.iter().for_each(|k| alternatives(k, out)),
        Kind::Choice(words) => out.extend(words.iter().map(|w| format!("`{w}`"))),
        Kind::Flag => out.extend(["`true`".to_owned(), "`false`".to_owned()]),
        Kind::Text => out.push("text".to_owned()),
        Kind::Path => out.push("a path".to_owned()),
        Kind::Number { min, max } => out.push(bounded("a number", *min, *max)),
        Kind::Integer { min, max } => out.push(whole(*min, *max)),
        Kind::Measured(kind, unit) => out.push(format!("{} {unit}", expected(kind))),
        Kind::Duration { min, max } if *max < Duration::MAX => {
            let least = if min.is_zero() { String::new() } else { format!("from `{min:?}` ") };
            out.push(format!("a length of time {least}up to `{max:?}`"));
        }
        Kind::Duration { min, .. } => {
            let least = if min.is_zero() { String::new() } else { format!(", `{min:?}` or more") };
            out.push(format!("a length of time such as `500ms` or `5s`{least}"));
        }
        Kind::Size => out.push("a size such as `100MB` or `2GiB`".to_owned()),
        Kind::List(item) => out.push(match item {
            Kind::Text => "a list of texts".to_owned(),
            Kind::Path => "a list of paths".to_owned(),
            other => format!("a list, each of it {}", expected(other)),
        }),
        Kind::Map(fields) => out.push(settings(fields)),
    }
}

fn settings(fields: &[Field]) -> String {
    let one = |f: &Field| format!("`{}: ...`", f.name);
    match fields {
        [only] => format!("`{{ {}: ... }}`", only.name),
        many => format!("settings ({})", many.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

fn whole(min: i64, max: i64) -> String {
    let what = "a whole number";
    match (min, max) {
        (i64::MIN, i64::MAX) => what.to_owned(),
        (i64::MIN, max) => format!("{what} up to {max}"),
        (min, i64::MAX) => format!("{what} from {min} up"),
        (min, max) => format!("{what} from {min} to {max}"),
    }
}

fn bounded(what: &str, min: f64, max: f64) -> String {
    match (min.is_finite(), max.is_finite()) {
        (false, false) => what.to_owned(),
        (false, true) => format!("{what} up to {max}"),
        (true, false) => format!("{what} from {min} up"),
        (true, true) => format!("{what} from {min} to {max}"),
    }
}

/// What was written.
pub(super) fn found(node: &Node) -> String {
    match &node.content {
        Content::Null => "nothing".to_owned(),
        Content::Flag(flag) => format!("`{flag}`"),
        Content::Integer(n) => format!("`{n}`"),
        Content::Number(n) => format!("`{n}`"),
        Content::Text(text) if text.is_empty() => "an empty text".to_owned(),
        Content::Text(text) if !matches!(super::yaml::plain(text), Content::Text(_)) => {
            format!("the text `\"{}\"`", shown(text))
        }
        Content::Text(text) => format!("`{}`", shown(text)),
        Content::Path(path) => format!("`{}`", crate::error::show_path(path)),
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "settings".to_owned(),
    }
}

/// The one of `candidates` that was probably meant by `word`.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A longer word is nobody's slip of the fingers, and comparing costs time.
    if word.len() > 40 {
        return None;
    }
    let plain = |s: &str| s.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    let distance = |candidate: &'a str| {
        let plain = plain(candidate);
        let prefix = word.len() >= 3 && (plain.starts_with(&word) || word.starts_with(&plain) && plain.len() >= 3);
        let distance = if prefix { 1 } else { strsim::osa_distance(&word, &plain) };
        (distance <= plain.chars().count().max(word.chars().count()) / 3 + usize::from(plain.len() < 3))
            .then_some((distance, candidate))
    };
    candidates.into_iter().filter_map(distance).min_by_key(|(d, _)| *d).map(|(_, candidate)| candidate)
}
