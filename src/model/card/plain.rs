//! Whether a card is plain YAML: with aliases, some hundred kilobytes of it would unfold into gigabytes, and deep lists cost more the deeper they are.

use saphyr_parser::{Event, Parser};

use crate::error::{Error, Kind, Result};

/// How deep lists and mappings may nest: cards need five.
const MAX_DEPTH: usize = 32;

/// Refuses what is not plain.
///
/// # Errors
/// Kind model.
pub(super) fn check(text: &str) -> Result<()> {
    let refuse = |what: &str, mend: &str| Err(Error::new(Kind::Model, what).mend(mend));
    let mut parser = Parser::new_from_str(text);
    let mut depth = 0usize;
    while let Some(event) = parser.next_event() {
        let (event, _) = event.map_err(|e| {
            Error::new(Kind::Model, "the card cannot be read")
                .because(e.to_string())
                .mend("docs/model-card.md tells what a card holds")
        })?;
        let anchor = match event {
            Event::Alias(anchor) | Event::Scalar(_, _, anchor, _) => anchor,
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                depth += 1;
                anchor
            }
            Event::SequenceEnd | Event::MappingEnd => {
                depth = depth.saturating_sub(1);
                0
            }
            _ => 0,
        };
        if anchor > 0 {
            return refuse("the card has anchors (`&name`) or aliases (`*name`)", "write everything out");
        }
        if depth > MAX_DEPTH {
            let what = format!("the card has lists and mappings nested more than {MAX_DEPTH} deep");
            return refuse(&what, "docs/model-card.md tells what a card holds");
        }
    }
    Ok(())
}
