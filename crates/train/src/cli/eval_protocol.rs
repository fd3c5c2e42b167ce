//! How `eval` measures pictures: what is done to them first, what the model is told, and what cards call that.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use latentd::media::MediaKind;
use latentd::model::{Card, Model, Role, Task};

use crate::data::Picture;
use crate::measure::{self, Score, Sigma, Way, WhiteNoise};
use crate::refuse;

/// What the noise to add is where nobody says otherwise.
const NOISE: f64 = 25.0;

#[derive(Args)]
pub struct Protocol {
    /// The deviation of the noise to add, of 255, which a denoiser is told [default: 25]; `auto`: it is told what the program measures, and a picture that
    /// measures clean stays as it is
    #[arg(long, value_name = "N|auto", value_parser = sigma)]
    sigma: Option<Sigma>,
    /// The deviation of the noise to add, which --sigma (then `auto` unless given) tells a denoiser of; the noisy picture and the cleaned one become what a
    /// file of 8 bits holds, as with `--sigma auto` [default there: 25]
    #[arg(long, value_name = "N", value_parser = deviation, conflicts_with_all = ["pairs", "camera"])]
    noise: Option<f64>,
    /// Measure a denoiser on gray pictures: one noisy plane, given three times
    #[arg(long)]
    gray: bool,
    /// Measure a denoiser on photos of which the noisy and the clean one lie side by side, by these two endings of their names; nothing is added then, and
    /// --sigma is what the model is told
    #[arg(long, value_name = "NOISY,CLEAN", value_parser = endings, conflicts_with = "gray")]
    pub pairs: Option<(String, String)>,
    /// Do to the pictures what cameras and JPEG files do, in place of white noise for a denoiser, which is told --sigma, or 0; of each picture the middle
    /// square is measured
    #[arg(long, conflicts_with_all = ["gray", "pairs"])]
    camera: bool,
    /// Take the mean of what the model makes of a picture in all eight orientations, as a stage does with `ensemble: true`
    #[arg(long)]
    ensemble: bool,
}

impl Protocol {
    /// Refuses what means nothing to the model.
    pub fn check(&self, card: &Card) -> Result<()> {
        let for_denoisers = self.sigma.is_some() || self.noise.is_some() || self.gray || self.pairs.is_some();
        if card.task != Task::Denoise && for_denoisers {
            refuse!(Usage, "--sigma, --noise, --gray and --pairs are for denoisers, and `{}` is none", card.name);
        }
        if card.media != MediaKind::Image && (for_denoisers || self.camera || self.ensemble) {
            refuse!(Usage, "`{}` is no model of pictures, and takes none of the options for those", card.name);
        }
        Ok(())
    }

    /// Measures one picture, and what makes a pair with it; `seed` draws what is done to it.
    pub fn measure(&self, model: &Model, picture: &Picture, clean: Option<&Picture>, seed: u64) -> Result<Score> {
        let (way, noise) = (Way { sigma: self.sigma(), ensemble: self.ensemble }, self.added());
        match (model.card.task, clean) {
            (Task::Denoise, Some(clean)) => measure::denoise_pair(model, picture, clean, way),
            (Task::Denoise, None) if self.camera => measure::denoise_camera(model, picture, way, seed),
            (Task::Denoise, None) if self.gray => measure::denoise_gray(model, picture, noise, way, seed),
            (Task::Denoise, None) => measure::denoise(model, picture, noise, way, seed),
            (Task::Upscale, _) => measure::upscale(model, picture, self.camera.then_some(seed), self.ensemble),
            (Task::Autoencode, _) => refuse!(Usage, "there is no protocol of papers for pictures and autoencoders"),
        }
    }

    /// What a card calls the scores of `set`, and the options that they are measured with again.
    pub fn name(&self, card: &Card, set: &str) -> (String, String) {
        let (sigma, told) = (self.sigma(), card.input(Role::Sigma).is_some());
        let (mut what, mut options) = match (card.task, &self.pairs) {
            (Task::Denoise, Some((noisy, clean))) if told => {
                (format!("{set} pairs sigma {sigma}"), format!(" --pairs {noisy},{clean} --sigma {sigma}"))
            }
            (Task::Denoise, Some((noisy, clean))) => (format!("{set} pairs"), format!(" --pairs {noisy},{clean}")),
            (Task::Denoise, None) if self.camera && told && self.sigma.is_some() => {
                (format!("{set} as cameras make it sigma {sigma}"), format!(" --camera --sigma {sigma}"))
            }
            (Task::Denoise, None) if self.camera => (format!("{set} as cameras make it"), " --camera".to_owned()),
            (Task::Upscale, _) if self.camera => {
                (format!("{set} as cameras make it x{}, Y", card.scale), " --camera".to_owned())
            }
            (Task::Denoise, None) => self.name_of_noise(set),
            (Task::Upscale | Task::Autoencode, _) => (format!("{set} x{}, Y", card.scale), String::new()),
        };
        if self.ensemble {
            what.push_str(", ensemble");
            options.push_str(" --ensemble");
        }
        (what, options)
    }

    fn name_of_noise(&self, set: &str) -> (String, String) {
        let (WhiteNoise { sigma: noise, stored }, sigma) = (self.added(), self.sigma());
        let (gray, option) = if self.gray { (" gray", " --gray") } else { ("", "") };
        if stored {
            let what = format!("{set}{gray} in 8 bits noise {noise} sigma {sigma}");
            return (what, format!(" --noise {noise} --sigma {sigma}{option}"));
        }
        (format!("{set}{gray} sigma {sigma}"), format!(" --sigma {sigma}{option}"))
    }

    /// What a denoiser is told.
    fn sigma(&self) -> Sigma {
        self.sigma.unwrap_or(match (self.noise, self.camera) {
            (Some(_), _) => Sigma::Auto,
            (None, true) => Sigma::Told(0.0),
            (None, false) => Sigma::Told(NOISE),
        })
    }

    /// What is added to clean pictures.
    fn added(&self) -> WhiteNoise {
        match (self.noise, self.sigma()) {
            (Some(sigma), _) => WhiteNoise { sigma, stored: true },
            (None, Sigma::Told(sigma)) => WhiteNoise { sigma, stored: false },
            (None, Sigma::Auto) => WhiteNoise { sigma: NOISE, stored: true },
        }
    }
}

/// What `--noise` tells.
fn deviation(text: &str) -> Result<f64> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=255.0).contains(&number) => Ok(number),
        _ => bail!("it must be a number of 0 to 255"),
    }
}

/// What `--sigma` tells.
fn sigma(text: &str) -> Result<Sigma> {
    match text {
        "auto" => Ok(Sigma::Auto),
        _ => deviation(text).map(Sigma::Told).map_err(|error| anyhow!("{error}, or `auto`")),
    }
}

/// What `--pairs` tells: the endings of noisy and of clean files.
fn endings(text: &str) -> Result<(String, String)> {
    let (noisy, clean) = text.split_once(',').context("give two endings, as in _real,_mean")?;
    Ok((noisy.to_owned(), clean.to_owned()))
}
