//! The checked settings of one component, as its code reads them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fields::Field;
use super::report::Span;

/// A value that fits the table of its component.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// For `Kind::Flag`.
    Flag(bool),
    /// For `Kind::Integer`.
    Integer(i64),
    /// For `Kind::Number`, also if a whole number was written.
    Number(f64),
    /// For `Kind::Text`.
    Text(String),
    /// For `Kind::Path`: relative to the YAML file's folder no more.
    Path(PathBuf),
    /// For `Kind::Duration`.
    Duration(Duration),
    /// For `Kind::Size`, in bytes.
    Size(u64),
    /// For `Kind::Choice`: the word as the table has it.
    Choice(&'static str),
    /// For `Kind::List`.
    List(Vec<Value>),
    /// For `Kind::Map`.
    Map(Settings),
}

/// One getter a variant.
macro_rules! as_variant {
    ($($(#[$doc:meta])* $name:ident, $variant:ident -> $type:ty = $value:ident => $get:expr;)+) => {
        impl Value {
            $($(#[$doc])*
            pub fn $name(&self) -> Option<$type> {
                if let Value::$variant($value) = self { Some($get) } else { None }
            })+
        }
    };
}

as_variant! {
    /// The flag, if it is one.
    as_flag, Flag -> bool = v => *v;
    /// The whole number, if it is one.
    as_integer, Integer -> i64 = v => *v;
    /// The number, if it is one.
    as_number, Number -> f64 = v => *v;
    /// The text, if it is one.
    as_text, Text -> &str = v => v;
    /// The path, if it is one.
    as_path, Path -> &Path = v => v;
    /// The length of time, if it is one.
    as_duration, Duration -> Duration = v => *v;
    /// The number of bytes, if it is one.
    as_size, Size -> u64 = v => *v;
    /// The chosen word, if it is one.
    as_choice, Choice -> &'static str = v => v;
    /// The list, if it is one.
    as_list, List -> &[Value] = v => v;
    /// The nested settings, if it is some.
    as_map, Map -> &Settings = v => v;
}

/// The checked settings of one component.
///
/// The typed getters are for settings that the table declares required or gives a default: after checking, those have a
/// value of the declared kind. A getter that does not fit the table is a mistake in the component's code and **panics**,
/// as a wrong index does; nothing that stands in a file can cause that. For optional settings and `Kind::Either` use
/// [`Settings::get`] and the `as_...` of [`Value`].
#[derive(Clone, PartialEq)]
pub struct Settings {
    fields: Fields,
    values: Vec<Setting>,
    span: Span,
}

#[derive(Debug, Clone, PartialEq)]
struct Setting {
    name: &'static str,
    value: Value,
    span: Span,
}

/// What is set, without the places in the file: fingerprints are made of this, and a comment above changes no pipeline.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The table's rows, which two settings share if they share the memory.
#[derive(Debug, Clone, Copy)]
struct Fields(&'static [Field]);

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        self.0.iter().map(|f| f.name).eq(other.0.iter().map(|f| f.name))
    }
}

impl Settings {
    pub(super) fn new(fields: &'static [Field], span: Span) -> Settings {
        Settings { fields: Fields(fields), values: Vec::new(), span }
    }

    pub(super) fn put(&mut self, name: &'static str, value: Value, span: Span) {
        self.values.push(Setting { name, value, span });
    }

    /// The value of `name`, if it has one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        debug_assert!(self.fields.0.iter().any(|f| f.name == name), "there is no setting `{name}` in the table");
        self.values.iter().find(|s| s.name == name).map(|s| &s.value)
    }

    /// Where the value of `name` stands; for a value that was not written, where the component's name stands.
    pub fn span(&self, name: &str) -> Span {
        self.values.iter().find(|s| s.name == name).map_or(self.span, |s| s.span)
    }

    /// The names and values, defaults included, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.values.iter().map(|s| (s.name, &s.value))
    }

    fn must<'a, T>(&'a self, name: &str, kind: &str, get: impl FnOnce(&'a Value) -> Option<T>) -> T {
        match self.get(name).and_then(get) {
            Some(value) => value,
            None => panic!("the table of this component does not promise {kind} `{name}`"),
        }
    }

    /// The flag `name`.
    pub fn flag(&self, name: &str) -> bool {
        self.must(name, "a flag", Value::as_flag)
    }

    /// The whole number `name`.
    pub fn integer(&self, name: &str) -> i64 {
        self.must(name, "a whole number", Value::as_integer)
    }

    /// The number `name`.
    pub fn number(&self, name: &str) -> f64 {
        self.must(name, "a number", Value::as_number)
    }

    /// The text `name`.
    pub fn text(&self, name: &str) -> &str {
        self.must(name, "a text", Value::as_text)
    }

    /// The path `name`; a relative one is relative to where the program runs.
    pub fn path(&self, name: &str) -> &Path {
        self.must(name, "a path", Value::as_path)
    }

    /// The length of time `name`.
    pub fn duration(&self, name: &str) -> Duration {
        self.must(name, "a length of time", Value::as_duration)
    }

    /// The number of bytes `name`.
    pub fn size(&self, name: &str) -> u64 {
        self.must(name, "a size", Value::as_size)
    }

    /// The word chosen for `name`.
    pub fn choice(&self, name: &str) -> &'static str {
        self.must(name, "a choice", Value::as_choice)
    }

    /// The list `name`.
    pub fn list(&self, name: &str) -> &[Value] {
        self.must(name, "a list", Value::as_list)
    }

    /// The list of text `name`.
    pub fn list_of_text(&self, name: &str) -> Vec<&str> {
        self.must(name, "a list of text", |v| v.as_list()?.iter().map(Value::as_text).collect())
    }

    /// The nested settings `name`.
    pub fn map(&self, name: &str) -> &Settings {
        self.must(name, "settings", Value::as_map)
    }
}
