//! What is told of a training: by its checkpoint, by its card, and where the two are not of one mind.

use std::path::Path;

use latentd::media::MediaKind;
use latentd::model::Training as Provenance;

use super::{Job, Training};
use crate::cli::init;
use crate::publish;
use crate::run::State;
use crate::tell;

impl Training {
    /// Warns of what a run goes on with that it did not begin with.
    pub(super) fn warn_of_changes(&self, state: &State, told: Option<&str>, drawn: Option<&str>, job: &Job) {
        let began = state.init.as_deref();
        match self.init.as_deref().map(name_of) {
            Some(_) if self.keep == 0.0 => {
                tell("warning: --init counts at the beginning of a run only; this one has begun");
            }
            Some(mixed) if began != Some(mixed.as_str()) => tell(format_args!(
                "warning: the run began with {}; {} of {mixed} is mixed into what is published, and the card says so",
                began.unwrap_or("weights of its own"),
                self.keep
            )),
            _ => {}
        }
        if state.seed != self.seed {
            tell(format_args!("warning: the run began with --seed {}, goes on with {}", state.seed, self.seed));
        }
        if let (Some(before), Some(now)) = (state.told.as_deref(), told)
            && before != now
        {
            tell(format_args!(
                "warning: the run was of `{before}` and goes on as `{now}`, which is all that the card will tell"
            ));
        }
        let leaks = "what is held out now may have been learnt from, and the score be too good";
        match (state.drawn.as_deref(), drawn) {
            (Some(before), Some(now)) if before != now => {
                tell(format_args!("warning: the run was of `{before}` and goes on with `{now}`: {leaks}"));
            }
            // They were drawn by their order.
            (None, _) if job.media == MediaKind::Image && state.step > 0 => {
                tell(format_args!("warning: the run began under an older program, which held out others: {leaks}"));
            }
            _ => {}
        }
    }

    /// Steps and seconds of the model to start from, if it is an earlier state of the one to publish: a card tells what a model took in all.
    pub(super) fn earlier(&self) -> (u64, f64) {
        let Some(init) = self.init.as_ref().filter(|init| init.file_name() == self.out.file_name()) else {
            return (0, 0.0);
        };
        init::card(init)
            .and_then(|card| card.training)
            .map_or((0, 0.0), |training| (training.steps, training.hours * 3600.0))
    }

    /// The recipe with the options of its training, as checkpoints have always told it.
    fn words(&self, job: &Job) -> String {
        format!("{} {} --batch {} --learning-rate {}", job.name, job.options, self.batch, self.learning_rate)
    }

    /// What makes this training another one than that of the same network by other options or from other data.
    pub(super) fn told(&self, job: &Job) -> String {
        let sets: Vec<&str> = job.data.iter().map(|set| set.name.as_str()).collect();
        format!("{} of {}", self.words(job), sets.join(", "))
    }

    /// What decides which files are held out, and what is seen of them.
    pub(super) fn drawn(&self, job: &Job) -> String {
        format!("--seed {} --held-out {}{} of {} files", self.seed, self.held_out, job.view, job.files)
    }

    pub(super) fn provenance(&self, job: Job, state: &State) -> Provenance {
        let mut recipe = format!("{}{} --seed {}", self.words(&job), job.view, self.seed);
        // Melodies have always told it among their own.
        if !job.options.contains("--held-out") {
            recipe += &format!(" --held-out {}", self.held_out);
        }
        let mixed = self.mixed_in().map(|model| name_of(model));
        if let Some(mixed) = &mixed {
            recipe += &format!(" --keep {} --init {mixed}", self.keep);
        }
        let init = match (&state.init, mixed) {
            (Some(began), Some(mixed)) if *began != mixed => Some(format!("{began} and {mixed}")),
            (began, mixed) => mixed.or_else(|| began.clone()),
        };
        Provenance {
            recipe,
            data: job.data,
            seed: state.seed,
            steps: state.earlier.0 + state.step,
            hours: ((state.earlier.1 + state.seconds) / 36.0).round() / 100.0,
            burn: publish::BURN_VERSION.to_owned(),
            commit: publish::COMMIT.to_owned(),
            init,
        }
    }
}

/// A model by the last part of its path.
pub fn name_of(model: &Path) -> String {
    model.file_name().unwrap_or(model.as_os_str()).to_string_lossy().into_owned()
}

/// Whether two are known and not the same: older checkpoints tell less.
pub fn differ(before: Option<&String>, now: Option<&String>) -> bool {
    before.zip(now).is_some_and(|(before, now)| before != now)
}
