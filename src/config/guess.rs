//! What was probably meant by a value that does not fit, and how to write it.

use super::check::{BYTES, SECONDS, with_unit};
use super::fields::Kind;
use super::report::shown;
use super::words::{any_of, nearest};
use super::yaml::{self, Content, Node};

/// Other ways to write a unit, in small letters.
const ALSO_WRITTEN: &[(&str, &[&str])] =
    &[("megapixels", &["mp", "mpx", "mpix", "megapixel"]), ("pixels", &["px", "pixel"]), ("of 255", &["/255"])];

/// A mend for `node` as the value of the setting `name`, where what was meant can be guessed.
pub(super) fn guess(name: &str, kind: &Kind, node: &Node) -> Option<String> {
    match (kind, &node.content) {
        (Kind::Either(kinds), content) => either(name, kinds, content).or_else(|| {
            let mend = kinds.iter().find_map(|kind| guess(name, kind, node))?;
            match (content, words(kinds).as_slice()) {
                (Content::Integer(_) | Content::Number(_), others @ [_, ..]) => {
                    Some(format!("{mend}; or write {}", any_of(others)))
                }
                _ => Some(mend),
            }
        }),
        (Kind::Measured(kind, unit), Content::Text(text)) => {
            bounds(kind).and_then(|bounds| alone(text, Some(*unit), bounds)).or_else(|| guess(name, kind, node))
        }
        (Kind::Measured(kind, _), _) => guess(name, kind, node),
        (Kind::Choice(words), Content::Text(text)) => {
            nearest(text, words.iter().copied()).map(|w| format!("did you mean `{w}`?"))
        }
        (Kind::Flag, Content::Text(text)) => match text.to_lowercase().as_str() {
            "yes" | "on" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "false" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Kind::Number { .. } | Kind::Integer { .. }, content) => number(kind, content),
        (Kind::Text | Kind::Path, Content::Flag(_) | Content::Integer(_) | Content::Number(_)) => {
            Some("put it in quotes if it is meant as text".to_owned())
        }
        // `{stem}` without quotes.
        (Kind::Text | Kind::Path, Content::Mapping(entries)) => match entries.as_slice() {
            [only] if only.value.content == Content::Null => {
                Some(format!("put it in quotes: `\"{{{}}}\"`", shown(&only.key)))
            }
            _ => None,
        },
        (Kind::Duration { max, .. }, Content::Integer(n)) if *n > 0 => {
            let unit = if *n as f64 > max.as_secs_f64() { "ms" } else { "s" };
            Some(format!("write the unit: `{n}{unit}`"))
        }
        (Kind::Duration { .. }, Content::Number(n)) if *n > 0.0 => Some(format!("write the unit: `{n}s`")),
        (Kind::Duration { .. }, Content::Text(text)) if with_unit(text, SECONDS).is_some() => None,
        (Kind::Duration { .. }, _) => Some("the units are `ms`, `s`, `min` and `h`".to_owned()),
        (Kind::Size, Content::Integer(n)) if *n > 0 => Some(format!("write the unit: `{n}MB`")),
        (Kind::Size, content) => {
            let meant = if let Content::Text(text) = content { size(text) } else { None };
            meant.or_else(|| Some("the units are `kB`, `MB` and `GB`, or `KiB`, `MiB` and `GiB`".to_owned()))
        }
        (Kind::List(_), Content::Text(text)) => Some(format!("put it in brackets: `[\"{}\"]`", shown(text))),
        (Kind::List(_), Content::Integer(_) | Content::Number(_) | Content::Flag(_)) => {
            Some("put it in brackets: `[...]`".to_owned())
        }
        _ => None,
    }
}

/// A mend for a size whose unit is written another way: `5M`, `5 mb`, `5gib`.
fn size(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, written) = text.split_at(end);
    let written = written.trim().to_lowercase();
    let is = |unit: &str| {
        let unit = unit.to_lowercase();
        unit == written || (written.len() == 1 && unit.len() > 1 && unit.starts_with(&written))
    };
    let (unit, _) = BYTES.iter().find(|(unit, _)| is(unit))?;
    let meant = format!("{number}{unit}");
    with_unit(&meant, BYTES).map(|_| format!("did you mean `{meant}`?"))
}

/// A word where settings in braces are the other choice: those settings without their braces, or all that may stand there.
fn either(name: &str, kinds: &[Kind], content: &Content) -> Option<String> {
    let fields = kinds.iter().find_map(|kind| if let Kind::Map(fields) = kind { Some(*fields) } else { None })?;
    let Content::Text(text) = content else { return None };
    let (key, value) = text.split_once(':').unwrap_or((text.as_str(), "..."));
    if fields.iter().any(|field| field.name == key.trim()) {
        return Some(format!("write `{name}: {{ {}: {} }}`", key.trim(), shown(value.trim())));
    }
    let words = words(kinds);
    if nearest(text, words.iter().map(|word| word.trim_matches('`'))).is_some() {
        return None;
    }
    let mut all: Vec<String> = words.iter().map(|word| format!("`{name}: {}`", word.trim_matches('`'))).collect();
    all.extend(fields.iter().map(|field| format!("`{name}: {{ {}: ... }}`", field.name)));
    Some(format!("write {}", any_of(&all)))
}

/// The words to choose from among several kinds, in code quotes.
fn words(kinds: &[Kind]) -> Vec<String> {
    let choices = kinds.iter().filter_map(|kind| if let Kind::Choice(words) = kind { Some(*words) } else { None });
    choices.flatten().map(|word| format!("`{word}`")).collect()
}

fn number(kind: &Kind, content: &Content) -> Option<String> {
    let bounds = bounds(kind)?;
    match content {
        Content::Integer(n) => nearer(*n as f64, bounds),
        Content::Number(n) => {
            let whole = matches!(kind, Kind::Integer { .. }) && n.is_finite() && n.fract() != 0.0;
            nearer(*n, bounds).or_else(|| whole.then(|| "write a whole number".to_owned()))
        }
        Content::Text(text) => match yaml::plain(text) {
            Content::Integer(_) | Content::Number(_) => Some("remove the quotes".to_owned()),
            _ => alone(text, None, bounds)
                .or_else(|| text.contains(',').then(|| "write the decimal point as `.`".to_owned())),
        },
        _ => None,
    }
}

/// The bounds of a kind of numbers. Those of whole numbers are far below where floats have gaps.
fn bounds(kind: &Kind) -> Option<(f64, f64)> {
    match kind {
        Kind::Number { min, max } => Some((*min, *max)),
        Kind::Integer { min, max } => Some((*min as f64, *max as f64)),
        _ => None,
    }
}

/// A mend for a number out of bounds: without or with its minus, as a share of 1, or the bound itself.
fn nearer(n: f64, (min, max): (f64, f64)) -> Option<String> {
    let fits = |n: f64| (min..=max).contains(&n);
    if !n.is_finite() || fits(n) {
        return None;
    }
    Some(if fits(-n) {
        format!("did you mean `{}`?", -n)
    } else if max == 1.0 && n >= 10.0 && fits(n / 100.0) {
        format!("did you mean `{}`?", n / 100.0)
    } else if n < min {
        format!("the least is `{min}`")
    } else {
        format!("the most is `{max}`")
    })
}

/// A mend for a number with a unit or a per cent sign behind it, where numbers stand alone.
fn alone(text: &str, unit: Option<&str>, (min, max): (f64, f64)) -> Option<String> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))?;
    let (number, written) = text.split_at(end);
    let (n, written) = (number.parse::<f64>().ok()?, written.trim().to_lowercase());
    if !written.starts_with(|c: char| c.is_alphabetic() || matches!(c, '%' | '/')) {
        return None;
    }
    let fits = |n: f64| (min..=max).contains(&n);
    let meant = match written.as_str() {
        "%" if max <= 1.0 => n / 100.0,
        _ if !fits(n) && fits(-n) => -n,
        _ => n,
    };
    let is = |unit: &str| {
        let mut others = ALSO_WRITTEN.iter().filter(|(of, _)| *of == unit).flat_map(|(_, others)| others.iter());
        written == unit.to_lowercase() || others.any(|other| *other == written)
    };
    match unit {
        Some(unit) if written != "%" && !is(unit) => Some(match unit.strip_prefix("of ") {
            Some(_) => "write the number alone".to_owned(),
            None => format!("write the number alone, in {unit}"),
        }),
        _ if fits(meant) => Some(format!("write the number alone: `{meant}`")),
        _ => nearer(n, (min, max)),
    }
}
