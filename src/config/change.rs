//! One setting of a pipeline's text written anew: what `apply --set` does.
//!
//! It is the text that is changed, not what was read of it: a mistake in the new value is then told like any other, with its line and a caret.

use super::fields::{Catalog, Description};
use super::report::{Problem, shown};
use super::words::{names, nearest};
use super::yaml::{self, Content, Entry, Node};

/// The text of a pipeline with one setting of a stage, or of the sink, changed or added. `key` is the stage's name and the setting's, as `denoise.sigma`, with
/// its place among stages of that name between them where there are several, as `denoise.2.sigma`; and so on into settings that have settings of their own. The
/// value is read as YAML; what is no list, number or word of YAML is text. A text that is no pipeline comes back as it is, for whoever tells its mistakes.
///
/// # Errors
/// The pipeline has no such stage, or the key does not tell which; the problem's place is none.
pub fn change(text: &str, key: &str, value: &str, catalog: &Catalog) -> Result<String, Problem> {
    let Some(pipeline) = yaml::load(text, &mut Vec::new()) else { return Ok(text.to_owned()) };
    let parts = parts(&pipeline, catalog);
    let (name, path) = key.split_once('.').unwrap_or((key, ""));
    let (part, path) = meant(&parts, name, path)?;
    if path.is_empty() {
        return Err(no_setting(part, name));
    }
    let path: Vec<&str> = path.split('.').collect();
    part.check(name, path[0])?;
    Ok(part.with(text, &path, &written(value)))
}

/// The part that a key tells, and what of the key is left: the setting.
fn meant<'p, 'k>(parts: &'p [Part<'p>], name: &str, path: &'k str) -> Result<(&'p Part<'p>, &'k str), Problem> {
    let named: Vec<&Part> = parts.iter().filter(|part| part.called(name)).collect();
    let place = path.split_once('.').and_then(|(place, path)| Some((place.parse::<usize>().ok()?, path)));
    match (named.as_slice(), place) {
        ([], _) => Err(unknown(parts, name)),
        ([one], None) => Ok((one, path)),
        (several, None) => {
            let mend = format!("say which of them: `{name}.1.{path}` is the first");
            Err(problem(format!("the pipeline has {} stages `{name}`", several.len())).mend(mend))
        }
        (all, Some((place, path))) => match all.get(place.wrapping_sub(1)) {
            Some(part) => Ok((part, path)),
            None => {
                let there_are = if all.len() == 1 { "one".to_owned() } else { all.len().to_string() };
                Err(problem(format!("there is no `{name}` number {place}, the pipeline has {there_are}")))
            }
        },
    }
}

/// Of a key that is the name of a part alone.
fn no_setting(part: &Part, name: &str) -> Problem {
    let settings = part.description.map_or(&[][..], |description| description.fields);
    let mend = match settings.first() {
        Some(one) => {
            let all = names(settings.iter().map(|field| field.name));
            format!("write `{name}.{}=...`; its settings are {all}", one.name)
        }
        None => format!("`{name}` has no settings"),
    };
    problem(format!("`{name}` is no setting")).mend(mend)
}

/// A source, stage or sink as it stands in the text.
struct Part<'a> {
    /// `source` or `sink`; a stage has its own name alone.
    role: &'static str,
    name: &'a str,
    /// The whole of it: a word, or its name with settings.
    node: &'a Node,
    /// What stands below its name.
    settings: Option<&'a Entry>,
    description: Option<&'static Description>,
}

fn parts<'a>(pipeline: &'a Node, catalog: &Catalog) -> Vec<Part<'a>> {
    let Content::Mapping(entries) = &pipeline.content else { return Vec::new() };
    let mut parts = Vec::new();
    for (key, (role, known)) in ["source", "stages", "sink"].into_iter().zip(catalog.parts()) {
        let Some(entry) = entries.iter().find(|entry| entry.key == key) else { continue };
        let nodes = match &entry.value.content {
            Content::Sequence(list) if key == "stages" => list.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        for node in nodes {
            let (name, settings) = match &node.content {
                Content::Text(name) => (name.as_str(), None),
                Content::Mapping(entries) if entries.len() == 1 => (entries[0].key.as_str(), Some(&entries[0])),
                _ => continue,
            };
            let description = known.iter().find(|description| description.name == name);
            parts.push(Part { role, name, node, settings, description });
        }
    }
    parts
}

impl Part<'_> {
    /// Sources and sinks have the same names, and there is one of each.
    fn called(&self, name: &str) -> bool {
        name == if self.role == "stage" { self.name } else { self.role }
    }

    /// Whether it has such a setting, as far as anybody knows what it is.
    fn check(&self, name: &str, setting: &str) -> Result<(), Problem> {
        let Some(fields) = self.description.map(|description| description.fields) else { return Ok(()) };
        let settings = || fields.iter().map(|field| field.name);
        if settings().any(|known| known == setting) {
            return Ok(());
        }
        let mend = match nearest(setting, settings()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its settings are {}", names(settings())),
        };
        Err(problem(format!("`{name}` has no setting `{}`", shown(setting))).mend(mend))
    }

    fn with(&self, text: &str, path: &[&str], value: &str) -> String {
        match self.settings {
            Some(entry) => put(text, entry, path, value),
            None => replace(text, self.node, &format!("{{ {}: {} }}", self.name, nested(path, value))),
        }
    }
}

/// The text with the setting `path` below `entry` set to `value`.
fn put(text: &str, entry: &Entry, path: &[&str], value: &str) -> String {
    let node = &entry.value;
    let (Some((key, rest)), Content::Mapping(entries)) = (path.split_first(), &node.content) else {
        let value = nested(path, value);
        // A value that was never written has the place of its key, and comes after the `:` of that.
        return match node.content == Content::Null && node.span == entry.key_span {
            false => replace(text, node, &value),
            true => {
                let colon = text[node.span.end..].find(':').map_or(node.span.end, |at| node.span.end + at + 1);
                insert(text, colon, &format!(" {value}"))
            }
        };
    };
    if let Some(entry) = entries.iter().find(|entry| entry.key == *key) {
        return put(text, entry, rest, value);
    }
    let added = format!("{key}: {}", nested(rest, value));
    if text[node.span.start..].starts_with('{') {
        let comma = if entries.is_empty() { " " } else { "," };
        return insert(text, node.span.start + 1, &format!(" {added}{comma}"));
    }
    let line = text[..node.span.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = " ".repeat(text[line..node.span.start].chars().count());
    insert(text, node.span.start, &format!("{added}\n{indent}"))
}

/// A value below keys that are not there yet.
fn nested(path: &[&str], value: &str) -> String {
    path.iter().rev().fold(value.to_owned(), |inner, key| format!("{{ {key}: {inner} }}"))
}

fn replace(text: &str, node: &Node, with: &str) -> String {
    [&text[..node.span.start], with, &text[node.span.end..]].concat()
}

fn insert(text: &str, at: usize, what: &str) -> String {
    [&text[..at], what, &text[at..]].concat()
}

/// A value as it may stand anywhere in YAML.
fn written(value: &str) -> String {
    let mut problems = Vec::new();
    let node = yaml::load(value, &mut problems).filter(|_| problems.is_empty() && !value.contains(['\n', '\r', '#']));
    // `{stem}` is a setting without a value to YAML, and a name to people.
    let is_name = |content: &Content| match content {
        Content::Mapping(entries) => entries.iter().any(|entry| entry.value.content == Content::Null),
        _ => false,
    };
    match node.map(|node| node.content).filter(|content| !is_name(content)) {
        Some(Content::Sequence(_) | Content::Mapping(_)) if value.trim_start().starts_with(['[', '{']) => {
            value.trim().to_owned()
        }
        Some(Content::Flag(_) | Content::Integer(_) | Content::Number(_) | Content::Null) => value.trim().to_owned(),
        Some(Content::Text(text)) if value.trim_start().starts_with(['"', '\'']) => quoted(&text),
        _ => quoted(value),
    }
}

/// What JSON quotes, YAML reads alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn unknown(parts: &[Part<'_>], name: &str) -> Problem {
    let stages = || parts.iter().filter(|part| part.role == "stage").map(|part| part.name);
    let all = || stages().chain(["source", "sink"]);
    // A setting alone, of which it can be told whose it is.
    let has = |part: &&Part<'_>| part.description.is_some_and(|d| d.fields.iter().any(|field| field.name == name));
    if let Some(part) = parts.iter().find(has) {
        let owner = if part.role == "stage" { part.name } else { part.role };
        return problem(format!("`{name}` alone does not tell whose setting it is"))
            .mend(format!("write `{owner}.{name}=...`"));
    }
    let mend = match nearest(name, all()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names(all())),
    };
    problem(format!("the pipeline has no stage `{}`", shown(name))).mend(mend)
}

fn problem(message: String) -> Problem {
    Problem::new(Default::default(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Catalog = Catalog { sources: &[], stages: &[], sinks: &[] };

    fn changed(text: &str, key: &str, value: &str) -> String {
        let new = change(text, key, value, &NONE).unwrap();
        let mut problems = Vec::new();
        assert!(yaml::load(&new, &mut problems).is_some() && problems.is_empty(), "{new}\n{problems:?}");
        new
    }

    /// The text of the stage's line.
    fn stage(stage: &str, key: &str, value: &str) -> String {
        let text = format!("stages:\n  - {stage}\nsink:\n  folder: {{ path: out }}\n");
        let new = changed(&text, key, value);
        let (start, end) = ("stages:\n  - ", "\nsink:\n  folder: { path: out }\n");
        new.strip_prefix(start).and_then(|new| new.strip_suffix(end)).unwrap().to_owned()
    }

    #[test]
    fn a_setting_is_changed_where_it_stands() {
        assert_eq!(
            stage("denoise: { sigma: auto, model: a } # b", "denoise.sigma", "20"),
            "denoise: { sigma: 20, model: a } # b"
        );
        assert_eq!(
            stage("denoise:\n      sigma: \"auto\"\n      model: a", "denoise.sigma", "20"),
            "denoise:\n      sigma: 20\n      model: a"
        );
        assert_eq!(stage("denoise: { sigma: , model: a }", "denoise.sigma", "20"), "denoise: { sigma: 20 , model: a }");
        assert_eq!(stage("a: { b: { c: 1 } }", "a.b.c", "2"), "a: { b: { c: 2 } }");
        assert_eq!(stage("a:\n      b:\n        c: 1\n        d: 2", "a.b", "3"), "a:\n      b:\n        3");
    }

    #[test]
    fn a_setting_that_is_not_there_is_added() {
        assert_eq!(stage("denoise", "denoise.sigma", "20"), "{ denoise: { sigma: 20 } }");
        assert_eq!(stage("denoise:", "denoise.sigma", "20"), "denoise: { sigma: 20 }");
        assert_eq!(stage("denoise: {}", "denoise.sigma", "20"), "denoise: { sigma: 20 }");
        assert_eq!(stage("denoise: { model: a, }", "denoise.sigma", "20"), "denoise: { sigma: 20, model: a, }");
        assert_eq!(
            stage("denoise:\n      model: a", "denoise.sigma", "20"),
            "denoise:\n      sigma: 20\n      model: a"
        );
        assert_eq!(stage("a: { b: 1 }", "a.b.c", "2"), "a: { b: { c: 2 } }");
        assert_eq!(stage("a", "a.b.c", "2"), "{ a: { b: { c: 2 } } }");
    }

    #[test]
    fn values_are_what_yaml_makes_of_them_and_else_text() {
        for (value, written) in [
            ("20", "20"),
            (" 20 ", "20"),
            ("true", "true"),
            ("[1, 2]", "[1, 2]"),
            ("auto", "\"auto\""),
            ("{ move: done }", "{ move: done }"),
            ("{stem}", "\"{stem}\""),
            ("{stem}.{ext}", "\"{stem}.{ext}\""),
            ("'20'", "\"20\""),
            ("a: b", "\"a: b\""),
            ("a, b", "\"a, b\""),
            ("*.png", "\"*.png\""),
            ("[a", "\"[a\""),
            ("1 # 2", "\"1 # 2\""),
            ("a\nb: c", "\"a\\nb: c\""),
            ("", "\"\""),
        ] {
            assert_eq!(
                stage("denoise: { sigma: 1 }", "denoise.sigma", value).trim_end(),
                format!("denoise: {{ sigma: {written} }}")
            );
        }
    }

    #[test]
    fn stages_of_one_name_are_told_apart_by_their_place() {
        let text = "stages: [a: { b: 1 }, c, a: { b: 1 }]\nsink: { folder: { path: x } }\n";
        assert_eq!(changed(text, "a.2.b", "2"), text.replace("a: { b: 1 }]", "a: { b: 2 }]"));
        assert_eq!(changed(text, "a.1.b", "2"), text.replace("[a: { b: 1 }", "[a: { b: 2 }"));
        assert_eq!(changed(text, "sink.name", "d"), text.replace("{ path", "{ name: \"d\", path"));
        let message = |key: &str| change(text, key, "1", &NONE).unwrap_err().message;
        assert_eq!(message("a.b"), "the pipeline has 2 stages `a`");
        assert_eq!(message("a.3.b"), "there is no `a` number 3, the pipeline has 2");
        assert_eq!(message("a.0.b"), "there is no `a` number 0, the pipeline has 2");
        assert_eq!(message("d.b"), "the pipeline has no stage `d`");
        assert_eq!(message("c"), "`c` is no setting");
    }

    #[test]
    fn a_text_that_is_no_pipeline_stays() {
        assert_eq!(change("a: [", "b.c", "1", &NONE).unwrap(), "a: [");
    }
}
