//! A YAML file, or calls in code -> a [`Pipeline`] whose every setting fits its table.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::durable;
use crate::error::{self, Error, show_path};

use super::check::{Checker, lower_first};
use super::fields::{self, Catalog, Description, Presence};
use super::name::check_name;
use super::report::{Lines, Problem, Report, Span, shown};
use super::settings::Settings;
use super::words::{found, names, nearest};
use super::yaml::{self, Content, Entry, Node};

const KEYS: [&str; 4] = ["name", "source", "stages", "sink"];

const ADD_STAGES: &str = "add `stages:` and below it what is to be done, or `stages: []` for nothing";

/// A pipeline whose settings are all known and right, as far as can be told without looking at models and devices.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name, fit for a file name.
    pub name: String,
    /// The file it was read from; empty for one made in code.
    pub file: PathBuf,
    /// The file's text, into which all spans point; empty for one made in code.
    pub text: Arc<str>,
    /// Where the media come from.
    pub source: Component,
    /// What is done to them. Without stages they pass unchanged: `photo.jpg` becomes `photo.png`.
    pub stages: Vec<Component>,
    /// Where they go.
    pub sink: Component,
}

/// What could be read of a file, and what is wrong with the rest; later checks can look into the right parts all the same.
#[derive(Debug)]
pub struct Parsed {
    /// The file's text, into which all spans point.
    pub text: Arc<str>,
    /// The name, if it is right.
    pub name: Option<String>,
    /// The source, if it is right.
    pub source: Option<Component>,
    /// Those stages that are right, in their order.
    pub stages: Vec<Component>,
    /// The sink, if it is right.
    pub sink: Option<Component>,
    /// Components that are none of the parts above, since some of their settings are wrong.
    pub damaged: Vec<Damaged>,
    /// What is wrong; nothing if all parts are there.
    pub problems: Vec<Problem>,
}

/// A component of which some settings are wrong: what is right can be looked into all the same.
#[derive(Debug, Clone)]
pub struct Damaged {
    /// Which part of a pipeline it stands in, by the words of [`Catalog::parts`].
    pub part: &'static str,
    /// It, with defaults in the place of what is wrong.
    pub component: Component,
    /// The names of the settings that are wrong.
    pub wrong: Vec<&'static str>,
}

impl Parsed {
    /// Reads `text`, the contents of `file`.
    pub fn new(file: &Path, text: impl Into<Arc<str>>, catalog: &Catalog) -> Parsed {
        let text = text.into();
        let mut problems = Vec::new();
        let base = file.parent().unwrap_or(Path::new(""));
        let node = yaml::load(&text, &mut problems);
        let mut decoder = Decoder::new(Checker { base, problems: &mut problems }, catalog);
        let (name, source, stages, sink) = node.and_then(|node| decoder.pipeline(&node)).unwrap_or_default();
        let damaged = decoder.damaged;
        Parsed { text, name, source, stages, sink, damaged, problems }
    }
}

/// A source, stage or sink with its settings.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its table.
    pub description: &'static Description,
    /// Its settings, all checked by the table.
    pub settings: Settings,
    /// Where its name stands.
    pub span: Span,
}

impl Component {
    /// A component made in code, checked like one in a file. Relative paths are relative to where the program runs.
    pub fn new<'a>(
        description: &'static Description,
        settings: impl IntoIterator<Item = (&'a str, Node)>,
    ) -> Result<Component, Report> {
        let entries: Vec<Entry> = settings.into_iter().map(Entry::from).collect();
        let mut problems = Vec::new();
        let mut checker = Checker { base: Path::new(""), problems: &mut problems };
        let settings = checker.settings(description.name, description.fields, &entries, Span::default());
        match settings {
            Some(settings) => Ok(Component { description, settings, span: Span::default() }),
            None => Err(Report::new("", "", problems)),
        }
    }
}

impl Pipeline {
    /// A pipeline made in code.
    pub fn new(
        name: impl Into<String>,
        source: Component,
        stages: impl IntoIterator<Item = Component>,
        sink: Component,
    ) -> Result<Pipeline, Report> {
        let name = name.into();
        match check_name(&name, Span::default()) {
            Some(problem) => Err(Report::new("", "", vec![problem])),
            None => {
                let stages = stages.into_iter().collect();
                Ok(Pipeline { name, file: PathBuf::new(), text: "".into(), source, stages, sink })
            }
        }
    }

    /// The pipeline that `text`, the contents of `file`, describes, or everything that is wrong with it.
    pub fn decode(file: &Path, text: impl Into<Arc<str>>, catalog: &Catalog) -> Result<Pipeline, Report> {
        let parsed = Parsed::new(file, text, catalog);
        match (parsed.name, parsed.source, parsed.sink) {
            (Some(name), Some(source), Some(sink)) if parsed.problems.is_empty() => {
                Ok(Pipeline { name, file: file.to_owned(), text: parsed.text, source, stages: parsed.stages, sink })
            }
            _ => Err(Report::new(file, parsed.text, parsed.problems)),
        }
    }

    /// A report of what later checks found wrong with this pipeline: a missing model, stages that do not fit.
    pub fn report(&self, problems: Vec<Problem>) -> Report {
        Report::new(self.file.clone(), self.text.clone(), problems)
    }
}

/// The text of a pipeline's file, read under the size limit.
pub fn read(file: &Path) -> error::Result<String> {
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidInput => {
            let e = Error::new(error::Kind::Config, "a pipeline is a file, and this is something else").at(file);
            e.because(error).mend("write the pipeline into a file, and name that")
        }
        _ => Error::io("read", file, error),
    };
    let mut bytes = Vec::new();
    let opened = durable::open_file(file).map_err(io)?;
    // One byte more than allowed lets the loader tell that the file is too large.
    opened.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    let too_large = bytes.len() > yaml::MAX_BYTES;
    String::from_utf8(bytes).or_else(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        if too_large {
            return Ok(text);
        }
        let place = Lines::new(&text).place(good);
        let message = format!("{}:{}:{}: the file is not UTF-8 text", show_path(file), place.line, place.column);
        Err(Error::new(error::Kind::Config, message).mend("save it as UTF-8 in your editor"))
    })
}

/// Which part of a pipeline a component stands in.
#[derive(Clone, Copy)]
struct Role {
    name: &'static str,
    known: &'static [Description],
}

type Parts = (Option<String>, Option<Component>, Vec<Component>, Option<Component>);

pub(super) struct Decoder<'a> {
    checker: Checker<'a>,
    catalog: &'a Catalog,
    damaged: Vec<Damaged>,
}

impl<'a> Decoder<'a> {
    pub fn new(checker: Checker<'a>, catalog: &'a Catalog) -> Decoder<'a> {
        Decoder { checker, catalog, damaged: Vec::new() }
    }

    fn problem(&mut self, problem: Problem) {
        self.checker.problems.push(problem);
    }

    fn roles(&self) -> [Role; 3] {
        self.catalog.parts().map(|(name, known)| Role { name, known })
    }

    fn pipeline(&mut self, node: &Node) -> Option<Parts> {
        let (entries, meant) = self.keys(node)?;
        let mut find = |key, mend: &str| self.find(node, entries, &meant, key, mend);
        let name = find("name", "add `name: my-pipeline`");
        let source = find("source", "add `source:` and below it where the media come from");
        let stages = find("stages", ADD_STAGES);
        let sink = find("sink", "add `sink:` and below it where the media go");

        let [source_role, stage_role, sink_role] = self.roles();
        let name = name.and_then(|entry| self.name(entry));
        let source = source.and_then(|entry| self.component(source_role, &entry.value));
        let stages = stages.map(|entry| self.stages(stage_role, entry)).unwrap_or_default();
        let sink = sink.and_then(|entry| self.component(sink_role, &entry.value));
        Some((name, source, stages, sink))
    }

    /// The entries of a pipeline, and the keys that were probably meant by unknown ones, which are reported.
    fn keys<'n>(&mut self, node: &'n Node) -> Option<(&'n [Entry], Vec<&'static str>)> {
        let Content::Mapping(entries) = &node.content else {
            let message = format!("a pipeline must have the keys {}, found {}", names(KEYS), found(node));
            self.problem(Problem::new(node.span, message).mend("begin with `name: my-pipeline`"));
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|e| !KEYS.contains(&e.key.as_str())) {
            let free = KEYS.into_iter().filter(|key| entries.iter().all(|e| e.key != *key));
            let guess = nearest(&entry.key, free);
            let mend = match guess {
                Some(key) => format!("did you mean `{key}`?"),
                None => format!("a pipeline has the keys {}", names(KEYS)),
            };
            meant.extend(guess);
            self.problem(Problem::new(entry.key_span, format!("unknown key `{}`", shown(&entry.key))).mend(mend));
        }
        Some((entries, meant))
    }

    /// The entry `key`; its absence is reported, unless it was only misspelled.
    fn find<'n>(
        &mut self,
        node: &Node,
        entries: &'n [Entry],
        meant: &[&str],
        key: &str,
        mend: &str,
    ) -> Option<&'n Entry> {
        let entry = entries.iter().find(|e| e.key == key);
        if entry.is_none() && !meant.contains(&key) {
            self.problem(Problem::new(Span::at(node.span.start), format!("the pipeline has no `{key}`")).mend(mend));
        }
        entry
    }

    /// The stages alone; what stands under the other keys is not looked into.
    pub fn only_stages(&mut self, node: &Node) -> Option<Vec<Component>> {
        let (entries, meant) = self.keys(node)?;
        let entry = self.find(node, entries, &meant, "stages", ADD_STAGES)?;
        let [_, role, _] = self.roles();
        Some(self.stages(role, entry))
    }

    fn name(&mut self, entry: &Entry) -> Option<String> {
        let name = match self.checker.value("name", &fields::Kind::Text, &entry.value)? {
            super::settings::Value::Text(name) => name,
            _ => return None,
        };
        match check_name(&name, entry.value.span) {
            Some(problem) => {
                self.problem(problem);
                None
            }
            None => Some(name),
        }
    }

    fn stages(&mut self, role: Role, entry: &Entry) -> Vec<Component> {
        match &entry.value.content {
            Content::Sequence(list) => return list.iter().filter_map(|node| self.component(role, node)).collect(),
            Content::Null => {
                let mend = "write the stages below it, each after a `-`, or `stages: []` for none";
                self.problem(Problem::new(entry.value.span, "`stages` has no value").mend(mend));
            }
            _ => {
                let message = format!("`stages` must be a list, found {}", found(&entry.value));
                self.problem(Problem::new(entry.value.span, message).mend("begin each stage with `- `"));
            }
        }
        Vec::new()
    }

    fn component(&mut self, role: Role, node: &Node) -> Option<Component> {
        let nothing = Node { content: Content::Null, span: node.span };
        let (key, span, settings) = match &node.content {
            Content::Text(word) => (word, node.span, &nothing),
            Content::Mapping(entries) => match &entries[..] {
                [one] => (&one.key, one.key_span, &one.value),
                [] => return self.missing(role, node),
                [first, rest @ ..] => return self.several(role, first, rest),
            },
            _ => return self.missing(role, node),
        };
        let Some(description) = role.known.iter().find(|d| d.name == key) else {
            let problem = self.unknown(role, key, span);
            self.problem(problem);
            return None;
        };
        let settings = match &settings.content {
            Content::Null => self.checker.as_far(description.name, description.fields, &[], span),
            Content::Mapping(entries) => self.checker.as_far(description.name, description.fields, entries, span),
            _ => {
                let message = format!("`{key}` must have settings, found {}", found(settings));
                self.problem(Problem::new(settings.span, message).mend(example(description, &settings.content)));
                Err(None)
            }
        };
        match settings {
            Ok(settings) => Some(Component { description, settings, span }),
            Err(rest) => {
                self.damaged.extend(rest.map(|(settings, wrong)| {
                    let component = Component { description, settings, span };
                    Damaged { part: role.name, component, wrong }
                }));
                None
            }
        }
    }

    fn missing(&mut self, role: Role, node: &Node) -> Option<Component> {
        let Role { name, known } = role;
        let message = format!("a {name} must stand here, found {}", found(node));
        let mend = format!("the {name}s are {}", names(known.iter().map(|d| d.name)));
        self.problem(Problem::new(node.span, message).mend(mend));
        None
    }

    fn unknown(&self, role: Role, key: &str, span: Span) -> Problem {
        let Role { name, known } = role;
        let problem = Problem::new(span, format!("unknown {name} `{}`", shown(key)));
        let there_are = format!("The {name}s are {}", names(known.iter().map(|d| d.name)));
        if let Some(near) = nearest(key, known.iter().map(|d| d.name)) {
            return problem.mend(format!("did you mean `{near}`? {there_are}"));
        }
        // A path alone, or settings without the name of what they are for.
        let is_path = key.contains('/') || key.starts_with(['.', '~']);
        if let Some(description) = known.iter().find(|d| is_path && takes_path(d)) {
            return problem.mend(example(description, &Content::Text(key.to_owned())));
        }
        let mut having = known.iter().filter(|d| d.fields.iter().any(|f| f.name == key));
        if let (Some(Description { name, .. }), None) = (having.next(), having.next()) {
            return problem.mend(format!("`{key}` is a setting of `{name}`: write `{name}: {{ {key}: ... }}`"));
        }
        match self.roles().into_iter().find(|r| r.name != name && r.known.iter().any(|d| d.name == key)) {
            Some(other) => problem.label(format!("this is a {}", other.name)).mend(lower_first(&there_are)),
            None => problem.mend(lower_first(&there_are)),
        }
    }

    /// More than one key where one component should be: most often its settings are not indented.
    fn several(&mut self, role: Role, first: &Entry, rest: &[Entry]) -> Option<Component> {
        let Role { name, known } = role;
        let description = known.iter().find(|d| d.name == first.key);
        let Some(description) = description else {
            let problem = self.unknown(role, &first.key, first.key_span);
            self.problem(problem);
            return None;
        };
        let is_field = |key: &str| description.fields.iter().any(|f| f.name == key);
        if let Some(setting) = rest.iter().find(|e| is_field(&e.key)) {
            let message = format!("`{}` is a setting of `{}`, but is not indented below it", setting.key, first.key);
            self.problem(Problem::new(setting.key_span, message).mend("begin the line with two more spaces"));
            return None;
        }
        let second = &rest[0];
        let message = format!("two {name}s in one place: `{}` and `{}`", shown(&first.key), shown(&second.key));
        let mend = match name {
            "stage" => "begin each stage with a `-` of its own".to_owned(),
            _ => format!("a pipeline has one {name}; write another pipeline for the other"),
        };
        self.problem(Problem::new(second.key_span, message).mend(mend));
        None
    }
}

/// How to write a component that was given `written` in the place of settings.
fn example(description: &Description, written: &Content) -> String {
    let required = description.fields.iter().find(|f| matches!(f.presence, Presence::Required));
    match (required.or(description.fields.first()), written) {
        (Some(field), Content::Text(text)) if takes_path(description) => {
            format!("write `{}: {{ {}: {} }}`", description.name, field.name, shown(text))
        }
        (Some(field), _) => format!("write `{}: {{ {}: ... }}`", description.name, field.name),
        (None, _) => format!("write `{}` alone; it has no settings", description.name),
    }
}

/// Whether what it needs first is a path.
fn takes_path(description: &Description) -> bool {
    let required = description.fields.iter().find(|f| matches!(f.presence, Presence::Required));
    required.is_some_and(|field| matches!(field.kind, fields::Kind::Path))
}
