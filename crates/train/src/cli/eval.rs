use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use latentd::media::MediaKind;
use latentd::model::{CARD_FILE, Card, Metric, Model, Task};

use crate::data::{self, Picture};
use crate::measure::{self, Score};

#[derive(Args)]
pub struct Eval {
    /// The model's folder
    model: PathBuf,
    /// A folder of clean pictures, or the folder of tunes that a model of melodies learnt from: it is measured on those that were held out
    #[arg(long, value_name = "DIR")]
    set: PathBuf,
    /// The deviation of the noise to add, of 255 (for a denoiser)
    #[arg(long, default_value_t = 25.0)]
    sigma: f64,
    /// Measure a denoiser on gray pictures: one noisy plane, given three times
    #[arg(long)]
    gray: bool,
    /// Store the means in the model's card
    #[arg(long)]
    write: bool,
}

impl Eval {
    /// Measures, prints a line a picture and the means.
    pub fn run(self) -> Result<()> {
        let model = Model::from_path(&self.model).map_err(|error| anyhow!("{error}"))?;
        if model.card.media == MediaKind::Melody {
            return super::eval_music::run(model, &self.model, &self.set, self.write);
        }
        let files = data::find(&self.set)?;
        if files.is_empty() {
            bail!("no pictures below {}", self.set.display());
        }
        let mut scores = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let picture = Picture::open(file)?;
            let score = match model.card.task {
                Task::Denoise if self.gray => measure::denoise_gray(&model, &picture, self.sigma, index as u64)?,
                Task::Denoise => measure::denoise(&model, &picture, self.sigma, index as u64)?,
                Task::Upscale => measure::upscale(&model, &picture)?,
                Task::Autoencode => bail!("there is no protocol of papers for pictures and autoencoders"),
            };
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            println!("{name:>20}  {:8.4} dB -> {:8.4} dB  SSIM {:.4}", score.before, score.psnr, score.ssim);
            scores.push(score);
        }
        let mean = |of: fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
        let (psnr, ssim) = (mean(|s| s.psnr), mean(|s| s.ssim));
        println!("mean of {}: {:.4} dB -> {psnr:.4} dB  SSIM {ssim:.4}", scores.len(), mean(|s| s.before));
        if self.write { self.store(model, psnr, ssim) } else { Ok(()) }
    }

    fn store(&self, model: Model, psnr: f64, ssim: f64) -> Result<()> {
        let mut card = model.card;
        let set = self.set.file_name().context("--set must end in the set's name")?.to_string_lossy();
        let (what, options) = match card.task {
            Task::Denoise if self.gray => {
                (format!("{set} gray sigma {}", self.sigma), format!(" --sigma {} --gray", self.sigma))
            }
            Task::Denoise => (format!("{set} sigma {}", self.sigma), format!(" --sigma {}", self.sigma)),
            Task::Upscale | Task::Autoencode => (format!("{set} x{}, Y", card.scale), String::new()),
        };
        let command = format!("latentd-train eval models/{} --set {set}{options}", card.name);
        let round = |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
        for (measure, value, unit) in [("PSNR", round(psnr, 2), Some("dB".to_owned())), ("SSIM", round(ssim, 4), None)]
        {
            let metric = Metric { name: format!("{what}, {measure}"), value, unit, command: command.clone() };
            put(&mut card, metric);
        }
        write_card(&card, &self.model)
    }
}

/// Puts a metric into a card, over an older one of that name.
pub fn put(card: &mut Card, metric: Metric) {
    match card.metrics.iter_mut().find(|old| old.name == metric.name) {
        Some(old) => *old = metric,
        None => card.metrics.push(metric),
    }
}

/// Writes the card of the model in `folder`.
pub fn write_card(card: &Card, folder: &Path) -> Result<()> {
    let text = card.to_yaml().map_err(|error| anyhow!("{error}"))?;
    let mut draft = latentd::durable::Draft::new(&folder.join(CARD_FILE)).map_err(|error| anyhow!("{error}"))?;
    std::io::Write::write_all(draft.file(), text.as_bytes())?;
    draft.publish(latentd::durable::Collision::Replace).map_err(|error| anyhow!("{error}"))?;
    Ok(())
}
