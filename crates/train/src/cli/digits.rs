//! What concerns the digits models as a set: all of them trained, measured, probed; MNIST as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, CommandFactory, FromArgMatches};
use latentd::model::{CARD_FILE, Metric, Model};

use crate::data::SmallPictures;
use crate::data::idx::{self, Part};
use crate::digits::probe::LABELS;
use crate::digits::{self, Desk, Line};
use crate::refuse;
use crate::tell;

/// The digits models, each with the recipe and options that make it, and its share of the whole set's time.
const MODELS: [(&str, &str, f64); 9] = [
    ("digits-ae", "autoencoder --kind plain --latent 128 --dense 256", 0.05),
    ("digits-ae2", "autoencoder --kind plain --latent 2 --dense 256,128", 0.03),
    ("digits-ae16", "autoencoder --kind plain --latent 16", 0.03),
    ("digits-denoise", "restore --damage noise", 0.05),
    ("digits-upscale-x2", "restore --damage halving", 0.04),
    ("digits-vae2", "autoencoder --kind variational --latent 2 --likeness squared-error --dense 256,128", 0.22),
    ("digits-vae20", "autoencoder --kind variational --latent 20 --dense 256", 0.23),
    ("digits-cvae", "autoencoder --kind conditional --latent 3", 0.22),
    ("digits-aae", "autoencoder --kind adversarial --latent 8 --score-every 100", 0.13),
];

/// Options of all of them.
const COMMON: &str = "--batch 64 --learning-rate 0.002";

#[derive(Args)]
pub struct Digits {
    /// The folder of MNIST's files
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder of models; each is published below it under its name
    #[arg(long, value_name = "DIR", default_value = "models")]
    out: PathBuf,
    /// The folder of runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    run: PathBuf,
    /// Hours for the whole set
    #[arg(long, default_value_t = 0.9)]
    hours: f64,
    /// Only these models
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
}

impl Digits {
    /// Trains and publishes one after another. What was trained before goes on from its checkpoint, or is published again.
    pub fn run(self) -> Result<()> {
        if let Some(unknown) = self.only.iter().find(|name| MODELS.iter().all(|(own, ..)| own != name)) {
            let names: Vec<&str> = MODELS.iter().map(|(name, ..)| *name).collect();
            refuse!(Usage, "there is no model `{unknown}` in the set; there are {}", names.join(", "));
        }
        // Nine models of somebody's photos would be published as models of digits.
        if !idx::is_idx(&self.data) {
            refuse!(
                NoInput,
                "{} holds no IDX files, as MNIST comes in; `autoencoder` learns from any pictures",
                self.data.display()
            );
        }
        for (name, options, share) in MODELS {
            if !self.only.is_empty() && !self.only.iter().any(|only| only == name) {
                continue;
            }
            // By the same command line that a person would write: one way to train a model.
            let path = |path: &Path| path.display().to_string();
            let mut line: Vec<String> = vec!["latentd-train".to_owned()];
            line.extend(options.split_whitespace().chain(COMMON.split_whitespace()).map(str::to_owned));
            line.extend(["--data".to_owned(), path(&self.data)]);
            line.extend([
                "--out".to_owned(),
                path(&self.out.join(name)),
                "--run".to_owned(),
                path(&self.run.join(name)),
            ]);
            line.extend(["--hours".to_owned(), (self.hours * share).to_string()]);
            tell(line.join(" "));
            let matches = super::Cli::command().try_get_matches_from(line)?;
            super::dispatch(super::Cli::from_arg_matches(&matches)?.command).with_context(|| name.to_owned())?;
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct EvalDigits {
    /// The folder of MNIST's files
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder of models
    #[arg(long, value_name = "DIR", default_value = "models")]
    models: PathBuf,
    /// The folder of Fashion-MNIST's files, for what the digits models make of clothes
    #[arg(long, value_name = "DIR")]
    fashion: Option<PathBuf>,
    /// A folder of CIFAR-10 pictures, for enlarging and novelty
    #[arg(long, value_name = "DIR")]
    cifar: Option<PathBuf>,
    /// Only the bars, not the exercises
    #[arg(long)]
    bars_only: bool,
    /// Store the numbers in the models' cards
    #[arg(long)]
    write: bool,
}

impl EvalDigits {
    /// Measures, prints a line each, and fails if a bar is missed.
    pub fn run(self) -> Result<()> {
        let desk = Desk::open(&self.models, &self.data)?;
        let mut lines: Vec<Line> = Vec::new();
        let mut tell = |line: Line| {
            println!("{line}");
            lines.push(line);
        };
        digits::bars(&desk, &mut tell)?;
        if !self.bars_only {
            digits::exercises(&desk, self.fashion.as_deref(), self.cifar.as_deref(), &mut tell)?;
        }
        if self.write {
            store(&self.models, &lines)?;
        }
        match lines.iter().filter(|line| !line.passes()).count() {
            0 => Ok(()),
            missed => bail!("{missed} bars missed"),
        }
    }
}

/// Puts the numbers of digits models into their cards, in place of those that were there.
fn store(models: &Path, lines: &[Line]) -> Result<()> {
    let own: Vec<&Line> = lines.iter().filter(|line| line.model.starts_with("digits-")).collect();
    for group in MODELS.iter().map(|(name, ..)| *name) {
        let folder = models.join(group);
        let mut card = Model::from_path(&folder).map_err(crate::own)?.card;
        let metric = |line: &&&Line| Metric {
            name: format!("MNIST test, {}", line.what.trim_start().trim_start_matches("of that: ")),
            value: (line.value * 1e4).round() / 1e4,
            unit: None,
            command: "latentd-train eval digits --data mnist".to_owned(),
        };
        let measured: Vec<Metric> = own.iter().filter(|line| line.model == group).map(|line| metric(&line)).collect();
        if !measured.is_empty() {
            card.metrics = measured;
            let text = card.to_yaml().map_err(crate::own)?;
            std::fs::write(folder.join(CARD_FILE), text)
                .with_context(|| format!("cannot write {}", folder.display()))?;
        }
    }
    Ok(())
}

#[derive(Args)]
pub struct Probe {
    /// The folder of MNIST's files
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder of models
    #[arg(long, value_name = "DIR", default_value = "models")]
    models: PathBuf,
    /// Autoencoders of digits
    #[arg(value_name = "MODEL", default_values_t = ["digits-ae2", "digits-vae2", "digits-aae", "digits-ae16", "digits-vae20", "digits-ae"].map(String::from))]
    names: Vec<String>,
}

impl Probe {
    /// Trains the classifiers and prints the table.
    pub fn run(self) -> Result<()> {
        let desk = Desk::open(&self.models, &self.data)?;
        let heads: Vec<String> = LABELS.iter().map(|count| format!("{count} labels")).collect();
        println!("| a linear classifier on | numbers | {} |", heads.join(" | "));
        println!("|---|---|{}", "---|".repeat(LABELS.len()));
        digits::probe::probe(&desk, &self.names, &mut |row| {
            let cells: Vec<String> = row.accuracy.iter().map(|share| format!("{:.1} %", share * 100.0)).collect();
            println!("| {} | {} | {} |", row.features, row.size, cells.join(" | "));
        })
    }
}

#[derive(Args)]
pub struct Export {
    /// A folder of IDX files: MNIST, Fashion-MNIST
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where the pictures go, each into a folder named for its class
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The training part instead of the test part
    #[arg(long)]
    training: bool,
    /// The first of this many
    #[arg(short, long, value_name = "N", default_value_t = 2000)]
    number: usize,
    /// With the denoiser's noise, the same every time
    #[arg(long)]
    noisy: bool,
    /// At half the size
    #[arg(long)]
    halved: bool,
}

impl Export {
    /// Writes PNG files.
    pub fn run(self) -> Result<()> {
        use crate::recipes::restore::{halved, noisy};
        use rand::SeedableRng;
        let part = if self.training { Part::Training } else { Part::Test };
        let set = SmallPictures::from_idx(&self.data, part)?;
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        for index in 0..set.len().min(self.number) {
            let (mut picture, mut side) = (set.picture(index), set.side);
            if self.halved {
                (picture, side) = (halved(&picture, side), side / 2);
            }
            if self.noisy {
                picture = noisy(&mut rng, &picture);
            }
            let folder = self.out.join(set.labels[index].to_string());
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let bytes: Vec<u8> = picture.iter().map(|v| (v * 255.0).round() as u8).collect();
            let side = u32::try_from(side)?;
            let path = folder.join(format!("{index:05}.png"));
            let image = image::GrayImage::from_raw(side, side, bytes).context("a picture of the wrong size")?;
            image.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
