//! What a pipeline may be called: files are named after it.

use super::report::{Problem, Span, shown};

/// The longest name of a pipeline, in characters: with four bytes each, its journal's file, `NAME-0123456789ab.redb`, can still be named after it.
pub(super) const MAX_NAME: usize = 59;

/// What makes a name unfit, if anything does. The schema's pattern says the same.
pub(super) fn check_name(name: &str, span: Span) -> Option<Problem> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = |c: char| c.is_alphanumeric() || c == '_';
    let message = if name.is_empty() {
        "the name of the pipeline is empty".to_owned()
    } else if name.chars().count() > MAX_NAME {
        format!("the name of the pipeline is longer than {MAX_NAME} characters")
    } else if let Some(bad) = name.chars().find(|c| !fits(*c)) {
        format!("the name of the pipeline contains `{}`, but files are named after it", shown(&bad.to_string()))
    } else if !name.starts_with(begins) {
        "the name of the pipeline must begin with a letter or a digit".to_owned()
    } else {
        return None;
    };
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let better: String = words.join("-").to_lowercase().chars().take(MAX_NAME).collect();
    let example = if better.is_empty() { "my-pipeline" } else { &better };
    Some(Problem::new(span, message).mend(format!("use letters, digits, `-`, `_` and `.`, such as `{example}`")))
}
