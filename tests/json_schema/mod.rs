//! The part of JSON Schema that our schema uses. It knows nothing of the loader, and refuses keywords that it does not know.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use serde_json::Value as Json;

pub fn accepts(schema: &Json, value: &Json) -> bool {
    schema.as_object().unwrap().iter().all(|(keyword, rule)| keyword_accepts(schema, keyword, rule, value))
}

fn keyword_accepts(schema: &Json, keyword: &str, rule: &Json, value: &Json) -> bool {
    let all = |rules: &Json| rules.as_array().unwrap().iter().filter(|rule| accepts(rule, value)).count();
    match keyword {
        "$schema" | "title" | "description" | "default" => true,
        "type" => match rule {
            Json::Array(types) => types.iter().any(|t| is(t, value)),
            one => is(one, value),
        },
        // `0.0` is `0`.
        "const" if rule.is_number() => rule.as_f64() == value.as_f64(),
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "not" => !accepts(rule, value),
        "anyOf" => all(rule) > 0,
        "oneOf" => all(rule) == 1,
        "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
        "minLength" => value.as_str().is_none_or(|s| s.chars().count() as u64 >= rule.as_u64().unwrap()),
        "maxLength" => value.as_str().is_none_or(|s| s.chars().count() as u64 <= rule.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|s| regex::Regex::new(rule.as_str().unwrap()).unwrap().is_match(s)),
        "items" => value.as_array().is_none_or(|list| list.iter().all(|item| accepts(rule, item))),
        "required" => value
            .as_object()
            .is_none_or(|map| rule.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))),
        "properties" => value
            .as_object()
            .is_none_or(|map| map.iter().all(|(key, value)| rule.get(key).is_none_or(|rule| accepts(rule, value)))),
        "additionalProperties" => {
            assert_eq!(rule, false);
            value.as_object().is_none_or(|map| map.keys().all(|key| schema["properties"].get(key).is_some()))
        }
        other => panic!("the validator does not know `{other}`"),
    }
}

fn is(name: &Json, value: &Json) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the validator does not know the type `{other}`"),
    }
}
