//! What a pipeline may do to media: one stage a file, and the registry that lists them.

pub mod codec;
mod cut;
mod decode;
mod denoise;
mod encode;
mod ensemble;
mod high_pass;
pub mod interpolate;
mod level;
mod noise;
mod novelty;
mod reconstruct;
mod resample;
mod resize;
pub mod spacing;
mod tiles;
mod upscale;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Component, Description, Node, Problem, Report};
use crate::crew::Crew;
use crate::error::{Error, Kind, Result};
use crate::media::audio::{Chain, Format, Process};
use crate::media::image::{Depth, Header};
use crate::media::{Audio, Image, Media, MediaKind};
use crate::model::{Model, Models, Task};

pub use denoise::share;
pub use ensemble::Ensemble;
pub use noise::estimate_sigma;

/// A stage, built and ready: shared by all workers.
pub trait Stage: Send + Sync + std::fmt::Debug {
    /// Its key in YAML.
    fn name(&self) -> &'static str;

    /// The media it takes.
    fn takes(&self) -> MediaKind;

    /// The media it gives.
    fn yields(&self) -> MediaKind {
        self.takes()
    }

    /// Columns and rows of what it makes of a picture of so many columns and rows.
    fn size(&self, width: usize, height: usize) -> (usize, usize) {
        (width, height)
    }

    /// How many pieces come out of it when so many go in.
    ///
    /// # Errors
    /// Kind config: it works on another number.
    fn pieces(&self, given: usize) -> Result<usize> {
        Ok(given)
    }

    /// The model whose latents it takes or yields, if it does.
    fn space(&self) -> Option<&str> {
        None
    }

    /// Is told once, before it works, which stages follow it in its chain.
    fn foresee(&mut self, _later: &[Component]) {}

    /// Lets go of what it can make again, such as plans for sizes that it has met: nothing has happened for a while.
    fn rest(&self) {}

    /// Does its work on the media of one job, most often a single piece.
    ///
    /// # Errors
    /// Kind model if the model fails, kind input if the media cannot be worked on.
    fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>>;

    /// The same work on sound that never ends, such as a microphone's; nothing if it cannot be done so.
    ///
    /// # Errors
    /// Kind model: the model cannot run on this format.
    fn live(&self, _format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(None)
    }
}

/// What a stage may use while it works.
#[derive(Debug)]
pub struct Context {
    /// Threads that help with large pictures.
    pub crew: Crew,
    /// Whether another stage follows: pictures between stages are held at 16 bits, so that rounding does not add up.
    pub intermediate: bool,
}

/// What a stage may use while it is built.
#[derive(Debug)]
pub struct Site<'a> {
    /// Finds models.
    pub models: &'a Models,
    /// The folder of the pipeline's file, from which paths count.
    pub folder: &'a Path,
}

/// How to make a stage of its settings. All that is wrong with them beyond their form is told at once.
pub type Build = fn(&Component, &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>>;

/// All stages.
pub const STAGES: &[(Description, Build)] = &[
    (denoise::DESCRIPTION, denoise::build),
    (upscale::DESCRIPTION, upscale::build),
    (resize::DESCRIPTION, resize::build),
    (encode::DESCRIPTION, encode::build),
    (decode::DESCRIPTION, decode::build),
    (reconstruct::DESCRIPTION, reconstruct::build),
    (novelty::DESCRIPTION, novelty::build),
    (high_pass::DESCRIPTION, high_pass::build),
    (level::DESCRIPTION, level::build),
    (resample::DESCRIPTION, resample::build),
    (interpolate::DESCRIPTION, interpolate::build),
];

/// Their descriptions alone.
pub const DESCRIPTIONS: &[Description] = &[
    denoise::DESCRIPTION,
    upscale::DESCRIPTION,
    resize::DESCRIPTION,
    encode::DESCRIPTION,
    decode::DESCRIPTION,
    reconstruct::DESCRIPTION,
    novelty::DESCRIPTION,
    high_pass::DESCRIPTION,
    level::DESCRIPTION,
    resample::DESCRIPTION,
    interpolate::DESCRIPTION,
];

/// Builds one stage from its settings; library users build chains of their own with it.
///
/// # Errors
/// All problems at once.
pub fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let name = component.description.name;
    match STAGES.iter().find(|(description, _)| description.name == name) {
        Some((_, build)) => build(component, site),
        None => Err(vec![Problem::new(component.span, format!("there is no stage `{name}`"))]),
    }
}

/// Builds the stage `name` with these settings, for whoever has no pipeline's file.
///
/// # Errors
/// Kind config: all that is wrong with the settings or the model. Kind bug: there is no such stage.
pub fn named<'a>(
    name: &str,
    settings: impl IntoIterator<Item = (&'a str, Node)>,
    site: &Site,
) -> Result<Box<dyn Stage>> {
    let description = DESCRIPTIONS.iter().find(|d| d.name == name);
    let description = description.ok_or_else(|| Error::new(Kind::Bug, format!("there is no stage `{name}`")))?;
    let component = Component::new(description, settings)?;
    Ok(build(&component, site).map_err(|problems| Report::new("", "", problems))?)
}

/// The stages as one process for sound of this format that never ends.
///
/// # Errors
/// Kind model: a model cannot run on it. Kind config: a stage takes whole files only.
pub fn live_chain(stages: &[Box<dyn Stage>], format: Format) -> Result<Chain> {
    let mut chain = Chain::new(format);
    for stage in stages {
        let process = stage.live(chain.output())?;
        chain.push(process.ok_or_else(|| Error::new(Kind::Config, endless(stage.name())))?);
    }
    Ok(chain)
}

/// What to tell of the stage `name`, which has no live form.
pub fn endless(name: &str) -> String {
    format!("`{name}` cannot work on sound that never ends")
}

/// Builds a chain and sees that each stage takes what the one before it yields, which is not asked where it is not `complete`: where a stage in
/// between could not be read. Those that could be built, and all that is wrong.
pub fn build_chain(components: &[Component], complete: bool, site: &Site) -> (Vec<Box<dyn Stage>>, Vec<Problem>) {
    let (mut stages, mut problems) = (Vec::new(), Vec::new());
    for component in components {
        match build(component, site) {
            Ok(stage) => stages.push(stage),
            Err(more) => problems.extend(more),
        }
    }
    if complete && stages.len() == components.len() {
        for (index, stage) in stages.iter_mut().enumerate() {
            stage.foresee(&components[index + 1..]);
        }
        for (index, pair) in stages.windows(2).enumerate() {
            let (before, after) = (&pair[0], &pair[1]);
            if before.yields() != after.takes() {
                let takes = format!("stage {} `{}` takes {}", index + 2, after.name(), after.takes().with_article());
                let yields =
                    format!("stage {} `{}` yields {}", index + 1, before.name(), before.yields().with_article());
                let problem = Problem::new(components[index + 1].span, format!("{takes}, {yields}"));
                problems.push(problem.mend("change the order of the stages, or leave one out"));
            } else if let (MediaKind::Latent, Some(from), Some(to)) = (after.takes(), before.space(), after.space())
                && from != to
            {
                let what = format!("latents of `{from}` mean nothing to `{to}`");
                let problem = Problem::new(components[index + 1].settings.span("model"), what);
                problems.push(problem.mend("encode and decode by one model"));
            }
        }
    }
    (stages, problems)
}

/// Sees that each stage can work on as many pieces as reach it when a job has `given`.
///
/// # Errors
/// The first that cannot.
pub fn check_pieces(stages: &[Box<dyn Stage>], components: &[Component], given: usize) -> Result<(), Problem> {
    stages.iter().zip(components).try_fold(given, |given, (stage, component)| {
        stage.pieces(given).map_err(|e| Problem::of(component.span, &e))
    })?;
    Ok(())
}

/// Runs media through stages, one after another.
///
/// # Errors
/// The first error of a stage; where one of the given pieces is to blame, it tells which.
pub fn process(stages: &[Box<dyn Stage>], media: Vec<Media>, crew: &Crew) -> Result<Vec<Media>> {
    process_watched(stages, media, crew, &mut |_, _| Ok(()))
}

/// What is told of each stage when it is done: its name, and how long it took. An error ends the work.
pub type Observer<'a> = &'a mut dyn FnMut(&'static str, Duration) -> Result<()>;

/// [`process`] with somebody who watches.
///
/// # Errors
/// The first error of a stage, as for [`process`], or of the observer.
pub fn process_watched(
    stages: &[Box<dyn Stage>],
    mut media: Vec<Media>,
    crew: &Crew,
    observe: Observer,
) -> Result<Vec<Media>> {
    let given = media.len();
    for (index, stage) in stages.iter().enumerate() {
        let context = Context { crew: crew.clone(), intermediate: index + 1 < stages.len() };
        let begin = Instant::now();
        // Behind a stage that makes five pieces of two none is a given one any more; and a model that fails is no piece's fault.
        let are_given = media.len() == given;
        media = stage.run(media, &context).map_err(|e| match are_given && e.kind() == Kind::Input {
            true => e,
            false => e.of_no_part(),
        })?;
        observe(stage.name(), begin.elapsed())?;
    }
    Ok(media)
}

/// The most memory that a chain of stages takes for a picture with this header, in bytes: what a stage takes and what it gives, at 16 bits
/// between stages.
pub fn memory(stages: &[Box<dyn Stage>], picture: Header) -> u64 {
    let (mut before, mut most) = (picture, picture.bytes());
    for (index, stage) in stages.iter().enumerate() {
        let (width, height) = stage.size(before.width, before.height);
        let depth = if index + 1 == stages.len() { picture.depth } else { Depth::Sixteen };
        let after = Header { width, height, depth, ..picture };
        most = most.max(before.bytes().saturating_add(after.bytes()));
        before = after;
    }
    most
}

/// The most megapixels that a stage makes: 2.3 GB at 8 bits. The source's limits bound what comes in, this what becomes of it.
const MAX_MEGAPIXELS: usize = 800;

/// Refuses a result that would be too large, before any memory is taken for it.
fn check_size(width: usize, height: usize) -> Result<()> {
    if width.saturating_mul(height) <= MAX_MEGAPIXELS * 1_000_000 {
        return Ok(());
    }
    let what = format!("the result would be {width} x {height}; a stage makes at most {MAX_MEGAPIXELS} megapixels");
    Err(Error::new(Kind::Input, what).mend("put a `resize` stage before the one that enlarges"))
}

/// Applies `work` to each picture of a job.
fn each_image(media: Vec<Media>, mut work: impl FnMut(Image) -> Result<Image>) -> Result<Vec<Media>> {
    each(media, |piece| match piece {
        Media::Image(image) => image.check().and_then(|()| work(image)).map(Media::Image),
        other => Err(Error::new(Kind::Bug, format!("a stage for pictures was given {}", other.kind().with_article()))),
    })
}

/// Applies `work` to each stretch of sound of a job.
fn each_audio(media: Vec<Media>, mut work: impl FnMut(Audio) -> Result<Audio>) -> Result<Vec<Media>> {
    each(media, |piece| match piece {
        Media::Audio(audio) => work(audio).map(Media::Audio),
        other => Err(Error::new(Kind::Bug, format!("a stage for sound was given {}", other.kind().with_article()))),
    })
}

/// Applies `work` to each piece of a job; an error tells which piece it is about.
fn each(media: Vec<Media>, mut work: impl FnMut(Media) -> Result<Media>) -> Result<Vec<Media>> {
    media.into_iter().enumerate().map(|(part, piece)| work(piece).map_err(|e| e.of_part(part))).collect()
}

/// Finds the model that a stage's `model` names, and sees that it was made for the stage.
fn model_for(component: &Component, task: Task, site: &Site) -> std::result::Result<Arc<Model>, Vec<Problem>> {
    let settings = &component.settings;
    let name = settings.text("model");
    let span = settings.span("model");
    let model = site.models.get_for(task, name, site.folder).map_err(|e| vec![Problem::of(span, &e)])?;
    if model.card.task != task {
        let (made, asked) = (model.card.task.name(), task.name());
        return Err(vec![
            Problem::new(span, format!("`{name}` is a model for `{made}`, and this stage is `{asked}`"))
                .mend(format!("choose a model for `{asked}`; `latentd models list` shows them")),
        ]);
    }
    Ok(model)
}
