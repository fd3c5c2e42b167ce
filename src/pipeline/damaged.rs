//! Components of which some settings are wrong in form: what can be told of the others all the same, so that all mistakes are told at once.

use crate::config::{Damaged, Problem};
use crate::sink::FolderSink;
use crate::stage::{self, Site};

/// What is wrong in sense with the settings that are right in form.
pub(super) fn problems(damaged: &[Damaged], site: &Site) -> Vec<Problem> {
    // Which settings are for which model cannot be told of another model.
    damaged.iter().filter(|one| !one.wrong.contains(&"model")).flat_map(|one| of(one, site)).collect()
}

fn of(Damaged { part, component, .. }: &Damaged, site: &Site) -> Vec<Problem> {
    let built = match *part {
        "stage" => stage::build(component, site).map(drop),
        "sink" if component.description.name == "folder" => FolderSink::build(component, None).map(drop),
        _ => Ok(()),
    };
    // Only of what stands in the file: of the rest there are defaults that nobody has written.
    built.err().into_iter().flatten().filter(|problem| problem.span != component.span).collect()
}
