//! The JSON Schema of a pipeline, for editors. It says the same as the checks, and a test holds it to that.

use serde_json::{Map, Value as Json, json};

use super::check::{BYTES, SECONDS};
use super::fields::{Catalog, Description, Field, Kind, Presence};
use super::name::MAX_NAME;
use super::yaml::{self, Content, Node};

/// The schema (draft 2020-12) of every pipeline that can be written with `catalog`.
pub fn schema(catalog: &Catalog) -> Json {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "latentd pipeline",
        "description": "Media flow from a source through stages to a sink.",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "source", "stages", "sink"],
        "properties": {
            "name": {
                "description": "The name of the pipeline; files are named after it.",
                "type": "string",
                "maxLength": MAX_NAME,
                "pattern": r"^[\p{Alphabetic}\p{N}_][\p{Alphabetic}\p{N}_.\-]*$"
            },
            "source": component("Where the media come from.", catalog.sources),
            "stages": {
                "description": "What is done to the media, in this order.",
                "type": "array",
                "items": component("One step.", catalog.stages)
            },
            "sink": component("Where the media go.", catalog.sinks)
        }
    })
}

fn component(doc: &str, known: &[Description]) -> Json {
    let choices: Vec<Json> = known.iter().flat_map(|d| [Some(long(d)), short(d)]).flatten().collect();
    json!({ "description": doc, "oneOf": choices })
}

fn needs_nothing(description: &Description) -> bool {
    !description.fields.iter().any(|f| matches!(f.presence, Presence::Required))
}

/// `denoise: { model: ... }`
fn long(description: &Description) -> Json {
    let mut settings = object(description.fields);
    settings["description"] = description.doc.into();
    if needs_nothing(description) {
        settings["type"] = json!(["object", "null"]);
    }
    json!({
        "type": "object",
        "description": description.doc,
        "additionalProperties": false,
        "required": [description.name],
        "properties": { description.name: settings }
    })
}

/// `denoise` alone, where everything has a default.
fn short(description: &Description) -> Option<Json> {
    needs_nothing(description).then(|| json!({ "const": description.name, "description": description.doc }))
}

fn object(fields: &[Field]) -> Json {
    let properties: Map<String, Json> = fields.iter().map(|f| (f.name.to_owned(), setting(f))).collect();
    let required: Vec<_> = fields.iter().filter(|f| matches!(f.presence, Presence::Required)).map(|f| f.name).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

/// The schema of one setting: what values it takes, `description` and, if it has one, `default`.
pub fn setting(field: &Field) -> Json {
    let mut schema = kind(&field.kind);
    schema["description"] = field.doc.into();
    if let Presence::Default(text) = field.presence
        && let Some(node) = yaml::load(text, &mut Vec::new())
    {
        schema["default"] = to_json(&node);
    }
    schema
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Path => json!({ "type": "string", "pattern": r"^[^\u0000]+$", "not": { "pattern": "^~(/|$)" } }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number { min, max } => {
            let mut schema = json!({ "type": "number" });
            for (key, bound) in [("minimum", min), ("maximum", max)] {
                if bound.is_finite() {
                    schema[key] = json!(bound);
                }
            }
            schema
        }
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Measured(kind, _) => self::kind(kind),
        // Bounds of a text that holds a unit are beyond what JSON Schema says.
        Kind::Duration { min, .. } => {
            let text = json!({ "type": "string", "pattern": unit_pattern(SECONDS) });
            if min.is_zero() { json!({ "anyOf": [{ "const": 0 }, text] }) } else { text }
        }
        Kind::Size => {
            json!({ "anyOf": [{ "type": "integer", "minimum": Kind::LEAST_BYTES }, { "type": "string", "pattern": unit_pattern(BYTES) }] })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::List(item) => json!({ "type": "array", "items": self::kind(item) }),
        Kind::Map(fields) => object(fields),
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(self::kind).collect::<Vec<_>>() }),
    }
}

fn unit_pattern(units: &[(&str, f64)]) -> String {
    let units: Vec<_> = units.iter().map(|(name, _)| *name).collect();
    format!(r"^[0-9]{{1,9}}(\.[0-9]{{1,9}})? ?({})$", units.join("|"))
}

/// A value as written, as JSON.
pub fn to_json(node: &Node) -> Json {
    match &node.content {
        Content::Null => Json::Null,
        Content::Flag(flag) => (*flag).into(),
        Content::Integer(n) => (*n).into(),
        Content::Number(n) => (*n).into(),
        Content::Text(text) => text.as_str().into(),
        Content::Path(path) => path.to_string_lossy().into(),
        Content::Sequence(list) => list.iter().map(to_json).collect(),
        Content::Mapping(entries) => {
            entries.iter().map(|e| (e.key.clone(), to_json(&e.value))).collect::<Map<_, _>>().into()
        }
    }
}
