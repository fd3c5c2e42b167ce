use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use latentd::media::MediaKind;
use latentd::model::{CARD_FILE, Card, Metric, Model, Task};

use super::digits::EvalDigits;
use super::eval_protocol::Protocol;
use crate::data::speech::EXTENSIONS;
use crate::data::{self, Picture};
use crate::measure::{self, Score};
use crate::recipes::denoise_speech::Listener;
use crate::refuse;
use crate::tell;

/// Files that are named where some are missing, at most.
const NAMED: usize = 5;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Eval {
    #[command(subcommand)]
    set: Option<Set>,
    #[command(flatten)]
    photos: Option<Photos>,
}

/// Sets of models that are measured together.
#[derive(Subcommand)]
enum Set {
    /// The digits models on MNIST's test digits: every bar, and what the lesson asks
    Digits(EvalDigits),
}

impl Eval {
    /// Measures and prints.
    pub fn run(self) -> Result<()> {
        match (self.set, self.photos) {
            (Some(Set::Digits(digits)), _) => digits.run(),
            (None, Some(photos)) => photos.run(),
            (None, None) => refuse!(Usage, "name a model's folder and a --set of pictures, or a set of models: digits"),
        }
    }
}

#[derive(Args)]
// What is flattened into it keeps its group empty, by which `Eval` finds out whether there is any of it.
#[group(arg = "model")]
struct Photos {
    /// The model's folder
    model: PathBuf,
    /// A folder of clean pictures, or of noisy speech; for a model of melodies the folder of tunes it learnt from: it is measured on those held out
    #[arg(long, value_name = "DIR")]
    set: PathBuf,
    #[command(flatten)]
    protocol: Protocol,
    /// For a model of speech: the folder for what it makes of the noisy files, as WAV files of the same names
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For a model of speech: a folder of the clean files, of the same names
    #[arg(long, value_name = "DIR")]
    clean: Option<PathBuf>,
    /// For a model of speech: DNSMOS's sig_bak_ovr.onnx, to tell how it rates each file before and after
    #[arg(long, value_name = "ONNX")]
    listener: Option<PathBuf>,
    /// Store the means in the model's card
    #[arg(long)]
    write: bool,
}

impl Photos {
    /// Measures, prints a line a picture and the means.
    fn run(self) -> Result<()> {
        let model = Model::from_path(&self.model).map_err(crate::own)?;
        self.protocol.check(&model.card)?;
        match model.card.media {
            MediaKind::Audio => return self.speech(model),
            MediaKind::Melody => return super::eval_music::run(model, &self.model, &self.set, self.write),
            _ => {}
        }
        self.check(&model.card)?;
        let files = self.files()?;
        let smallest = measure::smallest(model.card.scale);
        let mut scores = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let opened = self.open(file).inspect_err(|error| tell(format_args!("warning: {error:#}: passed over")));
            let Ok((picture, clean)) = opened else { continue };
            if picture.width.min(picture.height) < smallest {
                let (file, width, height) = (file.display(), picture.width, picture.height);
                tell(format_args!(
                    "warning: {file} is only {width}x{height}, less than {smallest}x{smallest}: passed over"
                ));
                continue;
            }
            let score = self.protocol.measure(&model, &picture, clean.as_ref(), index as u64)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let measured = score.measured.map(|sigma| format!("  sigma {sigma:.2}")).unwrap_or_default();
            println!("{name:>20}  {:8.4} dB -> {:8.4} dB  SSIM {:.4}{measured}", score.before, score.psnr, score.ssim);
            scores.push(score);
        }
        if scores.is_empty() {
            refuse!(
                NoInput,
                "no picture below {} can be measured: each must decode and be at least {smallest}x{smallest}",
                self.set.display()
            );
        }
        if scores.len() < files.len() {
            tell(format_args!("warning: {} of {} pictures were passed over", files.len() - scores.len(), files.len()));
        }
        let clean = scores.iter().filter(|score| score.measured == Some(0.0)).count();
        if clean > 0 {
            tell(format_args!("{clean} of {} pictures measure clean and stay as they are", scores.len()));
        }
        let mean = |of: fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
        let (psnr, ssim) = (mean(|s| s.psnr), mean(|s| s.ssim));
        println!("mean of {}: {:.4} dB -> {psnr:.4} dB  SSIM {ssim:.4}", scores.len(), mean(|s| s.before));
        if !psnr.is_finite() || !ssim.is_finite() {
            bail!(
                "a mean is no number: leave out of --set the pictures whose scores are none, or that come back without any error"
            );
        }
        if self.write { self.store(model, psnr, ssim) } else { Ok(()) }
    }

    /// Refuses, before work that takes minutes, what cannot be measured or stored.
    fn check(&self, card: &Card) -> Result<()> {
        if card.task == Task::Autoencode {
            refuse!(Usage, "there is no protocol of papers for pictures and autoencoders");
        }
        self.set_name().map(drop)
    }

    /// The set's name, as cards tell it.
    fn set_name(&self) -> Result<String> {
        // `.` and `..` have no name of their own.
        let whole =
            self.set.canonicalize().with_context(|| format!("cannot read the folder {}", self.set.display()))?;
        let name = self.set.file_name().or(whole.file_name()).context("--set must be a folder with a name")?;
        Ok(name.to_string_lossy().into_owned())
    }

    /// The pictures to measure; of pairs the noisy ones whose clean ones are there.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = data::find(&self.set)?;
        if files.is_empty() {
            refuse!(NoInput, "no pictures below {}", self.set.display());
        }
        let Some(endings) = &self.protocol.pairs else { return Ok(files) };
        files.retain(|file| file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(endings.0.as_str())));
        let mut missing = Vec::new();
        files.retain(|file| {
            let whole = counterpart(file, endings).is_ok_and(|clean| clean.is_file());
            missing.extend((!whole).then(|| file.clone()));
            whole
        });
        if files.is_empty() {
            let (noisy, clean) = endings;
            refuse!(
                NoInput,
                "there is no picture below {} that ends in {noisy} beside one in {clean}",
                self.set.display()
            );
        }
        warn_of_missing(missing.iter().map(PathBuf::as_path));
        Ok(files)
    }

    /// A picture, and the clean one that makes a pair with it.
    fn open(&self, file: &Path) -> Result<(Picture, Option<Picture>)> {
        let picture = Picture::open(file)?;
        let Some(endings) = &self.protocol.pairs else { return Ok((picture, None)) };
        let clean = Picture::open(&counterpart(file, endings)?)?;
        if (clean.width, clean.height) != (picture.width, picture.height) {
            bail!("{} and {} differ in size", file.display(), clean.path.display());
        }
        Ok((picture, Some(clean)))
    }

    /// Cleans a folder of noisy speech, and measures by how much where the clean files are there.
    fn speech(&self, model: Model) -> Result<()> {
        if self.write && self.clean.is_none() {
            refuse!(Usage, "--write stores what is measured against clean files: give their folder by --clean");
        }
        let out = self.out.as_deref().context("a model of speech needs --out, a folder for what it makes")?;
        std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        let whole = |folder: &Path| folder.canonicalize().with_context(|| format!("cannot read {}", folder.display()));
        let (set, place) = (whole(&self.set)?, whole(out)?);
        if place.starts_with(&set) || set.starts_with(&place) {
            refuse!(Usage, "--out must lie apart from --set: what is made has the names of what it is made of");
        }
        let files = data::find_files(&self.set, &EXTENSIONS)?;
        if files.is_empty() {
            refuse!(NoInput, "no audio files below {}", self.set.display());
        }
        let clean = self.clean.as_ref().map(|folder| data::find_files(folder, &EXTENSIONS)).transpose()?;
        let partners: Vec<Option<&Path>> =
            files.iter().map(|file| self.partner(file, clean.as_deref().unwrap_or_default())).collect();
        if let Some(folder) = &self.clean {
            if partners.iter().all(Option::is_none) {
                refuse!(NoInput, "no file below {} has the name of one below {}", folder.display(), self.set.display());
            }
            let missing = files.iter().zip(&partners).filter(|(_, clean)| clean.is_none());
            warn_of_missing(missing.map(|(file, _)| file.as_path()));
        }
        let listener = self.listener.as_deref().map(Listener::read).transpose()?;
        let (mut scores, mut ratings) = (Vec::new(), Vec::new());
        for (file, clean) in files.iter().zip(partners) {
            let name = file.file_stem().unwrap_or_default();
            let folder = out.join(self.below(file));
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let enhanced = folder.join(name).with_added_extension("wav");
            measure::speech::enhance(&model, file, &enhanced)?;
            if let Some(listener) = &listener {
                let [before, after] = measure::speech::rate(listener, file, &enhanced)?;
                println!("{:>20}  OVRL {before:.2} -> {after:.2}", name.to_string_lossy());
                ratings.push([before, after]);
            }
            let Some(clean) = clean else {
                println!("{}", enhanced.display());
                continue;
            };
            let [before, after] = measure::speech::compare(clean, file, &enhanced)?;
            println!("{:>20}  SI-SDR {before:6.2} dB -> {after:6.2} dB", name.to_string_lossy());
            scores.push([before, after]);
        }
        let mean = |of: &[[f64; 2]], which: usize| of.iter().map(|one| one[which]).sum::<f64>() / of.len() as f64;
        if !ratings.is_empty() {
            println!("mean of {}: OVRL {:.3} -> {:.3}", ratings.len(), mean(&ratings, 0), mean(&ratings, 1));
        }
        if scores.is_empty() {
            return Ok(());
        }
        let reached = mean(&scores, 1);
        println!("mean of {}: SI-SDR {:.2} dB -> {reached:.2} dB", scores.len(), mean(&scores, 0));
        if !self.write {
            return Ok(());
        }
        let set = self.set_name()?;
        let command = format!("latentd-train eval models/{} --set {set} --clean clean --out out", model.card.name);
        let metric = |value: f64, digits: f64| (value * digits).round() / digits;
        let name = format!("{set}, {} files, SI-SDR", scores.len());
        let metric = Metric { name, value: metric(reached, 100.0), unit: Some("dB".to_owned()), command };
        self.store_metrics(model, vec![metric])
    }

    /// The folder of a file below the set.
    fn below<'a>(&self, file: &'a Path) -> &'a Path {
        file.strip_prefix(&self.set).ok().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// The clean file of a noisy one: of files of one name in several folders that in the same one.
    fn partner<'a>(&self, file: &Path, clean: &'a [PathBuf]) -> Option<&'a Path> {
        let mut alike = clean.iter().map(PathBuf::as_path).filter(|clean| clean.file_stem() == file.file_stem());
        let same = |clean: &&Path| clean.parent().is_some_and(|folder| folder.ends_with(self.below(file)));
        alike.clone().find(same).or_else(|| alike.next())
    }

    fn store(&self, model: Model, psnr: f64, ssim: f64) -> Result<()> {
        let card = &model.card;
        let set = self.set_name()?;
        let (what, options) = self.protocol.name(card, &set);
        let command = format!("latentd-train eval models/{} --set {set}{options}", card.name);
        let round = |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
        let scores = [("PSNR", round(psnr, 2), Some("dB".to_owned())), ("SSIM", round(ssim, 4), None)];
        let metric = |(measure, value, unit)| Metric {
            name: format!("{what}, {measure}"),
            value,
            unit,
            command: command.clone(),
        };
        self.store_metrics(model, scores.map(metric).into())
    }

    fn store_metrics(&self, model: Model, metrics: Vec<Metric>) -> Result<()> {
        let mut card = model.card;
        for metric in metrics {
            put(&mut card, metric);
        }
        write_card(&card, &self.model)
    }
}

/// Tells which files cannot be measured, for want of clean ones.
fn warn_of_missing<'a>(files: impl Iterator<Item = &'a Path>) {
    let names: Vec<_> = files.map(|file| file.file_name().unwrap_or_default().to_string_lossy()).collect();
    if let Some(first) = names.get(..names.len().min(NAMED)).filter(|first| !first.is_empty()) {
        let more = if names.len() > NAMED { ", ..." } else { "" };
        let (count, first) = (names.len(), first.join(", "));
        tell(format_args!("warning: {count} files have no clean one and are not measured: {first}{more}"));
    }
}

/// The clean file beside a noisy one.
fn counterpart(file: &Path, (noisy, clean): &(String, String)) -> Result<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let parts = name.rsplit_once('.').and_then(|(stem, ending)| Some((stem.strip_suffix(noisy.as_str())?, ending)));
    let (stem, ending) = parts.with_context(|| format!("{name} does not end in {noisy}"))?;
    Ok(file.with_file_name(format!("{stem}{clean}.{ending}")))
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
    let text = card.to_yaml().map_err(crate::own)?;
    latentd::durable::write(&folder.join(CARD_FILE), text.as_bytes()).map_err(crate::own)
}
