//! A published model to start from.

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use latentd::media::MediaKind;
use latentd::model::{CARD_FILE, Card, Task};

use super::train::Job;
use crate::onnx::{Loaded, Weights};
use crate::refuse;

/// The network of a recipe with the weights of a published model, and what became of each. A model of another kind, of which some tensors fit by chance,
/// is refused.
pub fn load<M: Module>(model: &Path, network: M, job: &Job) -> Result<(M, Loaded)> {
    if let Some(card) = card(model)
        && (card.task, card.media) != (job.task, job.media)
    {
        let to = |task: Task, media: MediaKind| format!("to {} {}", task.name(), media.with_article());
        refuse!(
            Usage,
            "{} is a model {}, and {} makes one {}; start from one of that kind",
            model.display(),
            to(card.task, card.media),
            job.name,
            to(job.task, job.media)
        );
    }
    let (network, report) = Weights::read(model)?.load_into(network);
    if let Some(larger) = report.larger.first() {
        let mend = match mend(model, job) {
            Some(options) => format!("add {options}"),
            None => "give the options that it was trained with".to_owned(),
        };
        refuse!(Usage, "{} is wider than this network ({larger}); {mend}", model.display());
    }
    if report.copied + report.widened == 0 {
        refuse!(Usage, "{} has no tensor in common with {}", model.display(), job.name);
    }
    // A network that is wider or deeper takes all of a smaller one, and one that is shallower is filled by a part of a deeper one.
    if 2 * report.taken < report.there.min(report.here) {
        let (model, Loaded { taken, there, here, .. }) = (model.display(), &report);
        refuse!(
            Usage,
            "{model} is another network than that of {}: of its {there} values only {taken} fit into the {here} here; leave --init out, or give the \
             options that it was trained with",
            job.name
        );
    }
    Ok((network, report))
}

/// The card of a published model, if it has one that can be read.
pub fn card(model: &Path) -> Option<Card> {
    Card::from_yaml(&std::fs::read_to_string(model.join(CARD_FILE)).ok()?).ok()
}

/// The options that the model was trained with where this training has others.
fn mend(model: &Path, job: &Job) -> Option<String> {
    let options = other_options(&card(model)?.training?.recipe, &job.options);
    (!options.is_empty()).then_some(options)
}

fn other_options(there: &str, here: &str) -> String {
    let names = here.split_whitespace().filter(|word| word.starts_with("--"));
    let others = names.filter_map(|name| {
        let value = option(there, name)?;
        (option(here, name) != Some(value)).then(|| format!("{name} {value}"))
    });
    others.collect::<Vec<_>>().join(" ")
}

/// The value that follows an option in a recipe's words.
pub fn option<'a>(recipe: &'a str, name: &str) -> Option<&'a str> {
    let mut words = recipe.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()
}

#[cfg(test)]
mod tests {
    use super::{option, other_options};

    #[test]
    fn only_the_options_that_differ_are_named() {
        let there = "denoise-photo --widths 48,96,128 --blocks 1,2,2 --patch 64 --batch 16 --learning-rate 0.0008";
        let here = "--widths 32,64,96 --blocks 1,1,2 --patch 64";
        assert_eq!(other_options(there, here), "--widths 48,96,128 --blocks 1,2,2");
        assert_eq!(other_options("a recipe of somebody else's", here), "");
        assert_eq!((option(there, "--batch"), option(there, "--game")), (Some("16"), None));
    }
}
