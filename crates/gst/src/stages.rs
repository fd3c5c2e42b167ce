//! From an element's properties to stages: one stage of given settings, or those of a pipeline's file.

use std::path::{Path, PathBuf};

use gst::glib;
use latentd::config::{self, Node, Problem};
use latentd::media::MediaKind;
use latentd::model::{Models, is_path};
use latentd::stage::{self, DESCRIPTIONS, Site, Stage};
use latentd::{Error, Kind, Result};

/// The folder of the user's own models, which the program `latentd` takes too.
fn own_models() -> PathBuf {
    glib::user_data_dir().join("latentd/models")
}

/// Finds models: the user's own, those that were installed for everybody, then those built in. What `latentd` has measured of them on this
/// machine is used; nothing is measured here, since that would hold up the start.
pub fn models() -> Models {
    let shared = glib::system_data_dirs().into_iter().map(|base| base.join("latentd/models"));
    Models::new(std::iter::once(own_models()).chain(shared).collect())
        .remembering(glib::user_cache_dir().join("latentd"))
}

/// The stage `name` with this model and these settings, for media of `kind`.
///
/// # Errors
/// Kind config or model: what is wrong with the settings or the model.
pub fn one(
    name: &str,
    model: &str,
    settings: Vec<(&str, Node)>,
    kind: MediaKind,
    models: &Models,
) -> Result<Box<dyn Stage>> {
    let model = place(model);
    let all = std::iter::once(("model", model.as_str().into())).chain(settings);
    // A pipeline's models may lie beside it; an element is nowhere, and must not take what lies about in the current folder.
    let stage = stage::named(name, all, &Site { models, folder: &own_models() })?;
    if stage.takes() != kind {
        let (made, asked) = (stage.takes().with_article(), kind.with_article());
        let what = format!("`{model}` is a model for {made}, and this element works on {asked}");
        return Err(Error::new(Kind::Config, what).mend("choose another model; `latentd models list` shows them"));
    }
    models.recall();
    Ok(stage)
}

/// A model's name as it is; a path, which is relative to where the program runs, whole.
fn place(model: &str) -> String {
    match is_path(model).then(|| std::path::absolute(model)) {
        Some(Ok(path)) => path.to_string_lossy().into_owned(),
        _ => model.to_owned(),
    }
}

/// The stages of a pipeline's file, all for media of `kind`; `misfit` tells what else an element cannot use about a stage.
///
/// # Errors
/// Kind config, with every mistake and its place; or the file cannot be read.
pub fn of_pipeline(
    file: &Path,
    kind: MediaKind,
    models: &Models,
    misfit: impl Fn(&dyn Stage) -> Option<(String, String)>,
) -> Result<Vec<Box<dyn Stage>>> {
    let read = config::read_stages(file, config::read(file)?, DESCRIPTIONS);
    let site = Site { models, folder: file.parent().unwrap_or(Path::new(".")) };
    let (stages, mut problems) = stage::build_chain(&read.list, read.problems.is_empty(), &site);
    // Stages that do not fit one another would be told of twice.
    if problems.is_empty() {
        for (component, stage) in read.list.iter().zip(&stages) {
            let stray = [stage.takes(), stage.yields()].into_iter().find(|k| *k != kind);
            let wrong = match stray {
                Some(other) => Some((
                    format!(
                        "`{}` is for {}, and this element works on {}",
                        stage.name(),
                        other.with_article(),
                        kind.with_article()
                    ),
                    "use a pipeline whose stages fit the element".to_owned(),
                )),
                None => misfit(stage.as_ref()),
            };
            if let Some((what, mend)) = wrong {
                problems.push(Problem::new(component.span, what).mend(mend));
            }
        }
    }
    // The report itself, not how many mistakes there are: an element has no `latentd check` to offer.
    read.check(problems).map_err(|report| Error::new(Kind::Config, report.to_string().trim_end()))?;
    models.recall();
    Ok(stages)
}
