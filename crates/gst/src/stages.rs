//! From an element's properties to stages: one stage of given settings, or those of a pipeline's file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use gst::glib;
use latentd::config::{self, Node, Problem};
use latentd::media::MediaKind;
use latentd::model::{Models, is_path};
use latentd::stage::{self, DESCRIPTIONS, Site, Stage};
use latentd::{Error, Kind, Result};

use crate::object::lock;

/// The folder of the user's own models, which the program `latentd` takes too.
fn own_models() -> PathBuf {
    glib::user_data_dir().join("latentd/models")
}

/// Finds models: the user's own, those that were installed for everybody, then those built in. What `latentd` has measured of them on this
/// machine is used; nothing is measured here, since that would hold up the start. All elements that play share what is loaded, and the last
/// one to stop frees it.
pub fn models() -> Arc<Models> {
    static PLAYING: Mutex<Weak<Models>> = Mutex::new(Weak::new());
    let mut playing = lock(&PLAYING);
    playing.upgrade().unwrap_or_else(|| {
        let shared = glib::system_data_dirs().into_iter().map(|base| base.join("latentd/models"));
        let models = Models::new(std::iter::once(own_models()).chain(shared).collect()).with_projects();
        let models = Arc::new(models.remembering(glib::user_cache_dir().join("latentd")));
        *playing = Arc::downgrade(&models);
        models
    })
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

/// The share of the sound as it was, 0..1, that a model of sound leaves in what it gives.
///
/// # Errors
/// Kind model: there is none of that name.
pub fn keeps(model: &str, models: &Models) -> Result<f64> {
    Ok(models.get(&place(model), &own_models())?.card.keeps())
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
    // Whole, since models are kept by their path, and the program may go to another folder.
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let site = Site { models, folder: whole.parent().unwrap_or(Path::new("/")) };
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
    if problems.is_empty() {
        let mend = "leave it out of the pipeline of an element, which works on one piece at a time";
        problems.extend(stage::check_pieces(&stages, &read.list, 1).err().map(|problem| problem.mend(mend)));
    }
    // The report itself, not how many mistakes there are: an element has no `latentd check` to offer.
    read.check(problems).map_err(|report| Error::new(Kind::Config, report.to_string().trim_end()))?;
    models.recall();
    Ok(stages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bug: each element loaded a network of its own.
    #[test]
    fn elements_share_networks_and_the_last_to_stop_frees_them() {
        let (one, other) = (models(), models());
        let load = |models: &Models| Arc::downgrade(&models.get("denoise-photo-fast", Path::new("/")).unwrap());
        let loaded = load(&one);
        assert!(Weak::ptr_eq(&loaded, &load(&other)));
        drop(one);
        assert!(loaded.strong_count() > 0, "another element still plays");
        drop(other);
        assert_eq!(loaded.strong_count(), 0);
    }
}
