//! `latentd plot`: pictures of sounds, latent spaces, reconstructions and training runs, as PNG or SVG.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::results::elsewhere;
use super::voice::Voice;
use super::{Common, files, models, plot_compare, plot_sound};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::MediaKind;
use crate::media::latent::LatentFormat;
use crate::plot::components::Components;
use crate::plot::curves::{Curves, Entry};
use crate::plot::manifold;
use crate::plot::scatter::Scatter;
use crate::plot::sheet::Sheet;
use crate::plot::{self, Format};
use crate::stage::codec::{self, Codec, ImageCodec};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    sound: plot_sound::Args,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    match &args.verb {
        Some(verb) => draw(verb, common),
        None => match args.sound.sounds.first().filter(|first| !first.exists()).and_then(|first| mistyped(first)) {
            Some(e) => Err(e),
            None => plot_sound::run(&args.sound, common),
        },
    }
}

/// What is wrong where a recording is not there, and one of the other plots was meant.
fn mistyped(recording: &Path) -> Option<Error> {
    let (name, plots) = (show_path(recording), Verb::augment_subcommands(clap::Command::new("plot")));
    let near = crate::did_you_mean(&name, plots.get_subcommands().map(clap::Command::get_name))?;
    let e = Error::new(Kind::Usage, format!("there is no recording, and no other plot, called `{name}`"));
    Some(e.mend(format!("did you mean `latentd plot {near}`?")))
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Points of a latent space in the plane, in colours by class
    Scatter(ScatterArgs),
    /// The space decoded over a grid of points
    Grid(GridArgs),
    /// Originals above what an autoencoder, or several, keep of them
    Reconstruct(ReconstructArgs),
    /// Pictures of the same names in several folders, a row for each folder; those of one folder in as many rows as they need
    Compare(plot_compare::Args),
    /// Loss and scores over the steps of training runs
    Curves(CurvesArgs),
}

/// Where the picture goes.
#[derive(Debug, clap::Args)]
pub struct Out {
    /// The picture: .png or .svg
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// What stands above it
    #[arg(long)]
    pub title: Option<String>,
}

/// How large the pictures of a sheet are.
#[derive(Debug, clap::Args)]
struct Zoom {
    /// How many times larger small pictures are shown
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=32))]
    zoom: u32,
}

impl Out {
    /// Refuses to put the picture in the place of one of these.
    pub fn check_apart(&self, inputs: &[files::Input]) -> Result<()> {
        files::check_apart(&self.out, inputs.iter().map(|input| input.path.as_path()))
    }
}

#[derive(Debug, clap::Args)]
pub struct ScatterArgs {
    /// An autoencoder: name or path
    model: String,
    /// Folders and files to encode, or a file of latents
    #[arg(required = true, value_name = "DATA")]
    data: Vec<PathBuf>,
    /// Colours by class: the name of the folder that a file lies in
    #[arg(long)]
    labels: bool,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
    #[command(flatten)]
    voice: Voice,
    #[command(flatten)]
    out: Out,
}

#[derive(Debug, clap::Args)]
pub struct GridArgs {
    /// An autoencoder of pictures: name or path
    model: String,
    /// Points along each side
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=100))]
    steps: u32,
    /// Equal steps from minus this to this; without it, equal shares of the prior, through the inverse of its distribution
    #[arg(long, value_name = "R")]
    range: Option<f64>,
    /// The two numbers of the latent that vary, all others being 0
    #[arg(long, value_delimiter = ',', default_value = "0,1")]
    axes: Vec<usize>,
    /// The class that a conditional model is told; all its classes in rows if not given
    #[arg(long, value_name = "N")]
    class: Option<usize>,
    #[command(flatten)]
    size: Zoom,
    #[command(flatten)]
    out: Out,
}

#[derive(Debug, clap::Args)]
pub struct ReconstructArgs {
    /// Autoencoders of pictures: names or paths, with commas between them
    // One value: a list here would take the inputs too.
    #[arg(value_name = "MODEL,..")]
    autoencoders: String,
    /// Files and folders
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// At most this many
    #[arg(short, long, value_name = "N", default_value_t = 12)]
    number: usize,
    /// Show the latents too, as small pictures
    #[arg(long)]
    latents: bool,
    /// The class that conditional models are told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
    #[command(flatten)]
    size: Zoom,
    #[command(flatten)]
    out: Out,
}

#[derive(Debug, clap::Args)]
pub struct CurvesArgs {
    /// Folders of runs, as latentd-train leaves them
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    out: Out,
}

fn draw(verb: &Verb, common: &Common) -> Result<ExitCode> {
    let out = match verb {
        Verb::Scatter(args) => &args.out,
        Verb::Grid(args) => &args.out,
        Verb::Reconstruct(args) => &args.out,
        Verb::Compare(args) => &args.out,
        Verb::Curves(args) => &args.out,
    };
    // Told before the work, not after it.
    Format::from_extension(&out.out)?;
    match verb {
        Verb::Scatter(args) => write(scatter(args, common)?, out),
        Verb::Grid(args) => write((grid(args, common)?, Ok(())), out),
        Verb::Reconstruct(args) => write(reconstruct(args, common)?, out),
        Verb::Compare(args) => write(plot_compare::of(args)?, out),
        Verb::Curves(args) => write((curves(args)?, Ok(())), out),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// A picture of what there is, and the first failure of the rest.
pub type Drawn<T> = (T, Result<()>);

fn write<T: plot::Picture>((picture, outcome): Drawn<T>, out: &Out) -> Result<()> {
    plot::write(&picture, &out.out).map_err(elsewhere)?;
    say!("{}", show_path(&out.out));
    outcome
}

fn scatter(args: &ScatterArgs, common: &Common) -> Result<Drawn<Scatter>> {
    let model = models::find(common, &args.model)?;
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    let outcome = match args.data.as_slice() {
        [file] if LatentFormat::from_extension(file).is_ok() => {
            files::check_apart(&args.out.out, [file.as_path()])?;
            for mut latent in files::read_latents(file)? {
                codec::adopt(&model, &mut latent).map_err(|e| e.at(file))?;
                let class =
                    latent.source.as_deref().and_then(|s| Path::new(s).parent()?.file_name().map(|n| n.to_owned()));
                labels.extend(latent.rows().map(|_| class.clone().unwrap_or_default().to_string_lossy().into_owned()));
                points.extend(latent.rows().map(<[f32]>::to_vec));
            }
            Ok(())
        }
        data => {
            let codec = codec::open_choosing(&model, args.class, args.voice.choice())?;
            let inputs = files::collect(data, codec.media())?;
            args.out.check_apart(&inputs)?;
            files::each(&inputs, |input| {
                let latent = files::encode(codec.as_ref(), &input.read(codec.media())?, &input.path)?;
                labels.extend(latent.rows().map(|_| input.class()));
                points.extend(latent.rows().map(<[f32]>::to_vec));
                Ok(())
            })
        }
    };
    let Some(size) = points.first().map(Vec::len) else {
        return outcome.and(Err(Error::new(Kind::NoInput, "there is nothing to draw")));
    };
    let rows: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
    let (points, axes) = match size {
        1 => (points.iter().map(|p| (p[0], 0.0)).collect(), ("z 0".to_owned(), String::new())),
        2 => (points.iter().map(|p| (p[0], p[1])).collect(), ("z 0".to_owned(), "z 1".to_owned())),
        _ => {
            let components = Components::of(&rows, 2);
            let axis = |k: usize| {
                format!("principal component {} ({:.0} % of the variance)", k + 1, components.shares[k] * 100.0)
            };
            let place = |row: &&[f32]| {
                let place = components.project(row);
                (place[0], place[1])
            };
            (rows.iter().map(place).collect(), (axis(0), axis(1)))
        }
    };
    let mut names = if args.labels { labels.clone() } else { Vec::new() };
    names.sort();
    names.dedup();
    let classes = if args.labels {
        labels.iter().filter_map(|label| names.binary_search(label).ok()).collect()
    } else {
        Vec::new()
    };
    let title = args.out.title.clone().unwrap_or_else(|| format!("{}: {} points", model.card.name, rows.len()));
    Ok((Scatter { title, axes, points, classes, names }, outcome))
}

fn grid(args: &GridArgs, common: &Common) -> Result<Sheet> {
    let model = models::find(common, &args.model)?;
    let classes = model.card.latent.as_ref().map_or(0, |space| space.classes);
    // Whether it is an autoencoder at all is told first.
    let codec = ImageCodec::open(&model, args.class.or((classes > 0).then_some(0)))?;
    let (size, [_, height, width]) = (codec.space().size, codec.shape());
    let (first, second) = match args.axes.as_slice() {
        &[first, second] if first != second => (first, second),
        _ => {
            let e = Error::new(Kind::Usage, "`--axes` names two different numbers of the latent");
            return Err(e.mend("write `--axes 0,1`"));
        }
    };
    if first >= size || second >= size {
        let what = format!("`--axes` names numbers of the latent from 0 to {}", size - 1);
        return Err(Error::new(Kind::Usage, what).mend("write `--axes 0,1`"));
    }
    if args.range.is_some_and(|range| !(range.is_finite() && range > 0.0)) {
        return Err(Error::new(Kind::Usage, "`--range` is a number above 0").mend("write `--range 3`"));
    }
    let values = manifold::values(args.steps as usize, args.range);
    let caption = match args.range {
        Some(range) => format!("z {first} and z {second} from -{range} to {range}"),
        None => format!("z {first} and z {second} in equal shares of the prior"),
    };
    let picture = (width, height);
    let mut sheet = Sheet { zoom: args.size.zoom, seamless: true, caption, picture, ..Sheet::default() };
    // A conditional model is shown with a class a row, along the first axis only.
    let rows: Vec<(Option<usize>, Option<f64>)> = match args.class {
        None if classes > 0 => (0..classes).map(|class| (Some(class), None)).collect(),
        class => values.iter().rev().map(|&value| (class, Some(value))).collect(),
    };
    sheet.check(rows.len(), values.len())?;
    for (class, along_second) in rows {
        let codec = ImageCodec::open(&model, class)?;
        let decode = |&value: &f64| {
            let mut point = vec![0.0; size];
            point[first] = value as f32;
            if let Some(value) = along_second {
                point[second] = value as f32;
            }
            codec.planes(&point)
        };
        let name = if along_second.is_none() { class.map_or(String::new(), |c| c.to_string()) } else { String::new() };
        sheet.rows.push((name, values.iter().map(decode).collect::<Result<_>>()?));
    }
    sheet.title = args.out.title.clone().unwrap_or_else(|| model.card.name.clone());
    Ok(sheet)
}

fn reconstruct(args: &ReconstructArgs, common: &Common) -> Result<Drawn<Sheet>> {
    let mut inputs = files::collect(&args.inputs, MediaKind::Image)?;
    args.out.check_apart(&inputs)?;
    inputs.truncate(args.number.max(1));
    let mut pictures = Vec::new();
    let outcome = files::each(&inputs, |input| {
        pictures.push(files::read_picture(&input.path)?);
        Ok(())
    });
    if pictures.is_empty() {
        return outcome.map(|()| (Sheet::default(), Ok(())));
    }
    let mut sheet =
        Sheet { zoom: args.size.zoom, title: args.out.title.clone().unwrap_or_default(), ..Sheet::default() };
    let autoencoders: Vec<&str> = args.autoencoders.split(',').filter(|name| !name.is_empty()).collect();
    if autoencoders.is_empty() {
        return Err(Error::new(Kind::Usage, "no model is named").mend("write one, such as `digits-ae`"));
    }
    for name in &autoencoders {
        let model = models::find(common, name)?;
        // Beside others that are told none.
        let conditional = model.card.latent.as_ref().is_some_and(|space| space.classes > 0);
        let codec = ImageCodec::open(&model, args.class.filter(|_| conditional))?;
        let [_, height, width] = codec.shape();
        if sheet.rows.is_empty() {
            sheet.picture = (width, height);
            let below = autoencoders.len() * if args.latents { 2 } else { 1 };
            sheet.check(1 + below, pictures.len())?;
            let views = pictures.iter().map(|picture| codec.view(picture)).collect::<Result<_>>()?;
            sheet.rows.push(("original".to_owned(), views));
        } else if sheet.picture != (width, height) {
            return Err(Error::new(
                Kind::Usage,
                format!("`{name}` takes pictures of another size than the model before it"),
            ));
        }
        let (mut latents, mut reconstructions) = (Vec::new(), Vec::new());
        for picture in &pictures {
            let point = codec.posterior(&codec.view(picture)?)?.mean;
            reconstructions.push(codec.planes(&point)?);
            latents.push(manifold::as_picture(&point, width, height));
        }
        if args.latents {
            sheet.rows.push(("latent".to_owned(), latents));
        }
        sheet.rows.push((model.card.name.clone(), reconstructions));
    }
    Ok((sheet, outcome))
}

fn curves(args: &CurvesArgs) -> Result<Curves> {
    let mut runs = Vec::new();
    for folder in &args.runs {
        let path = folder.join("log.jsonl");
        files::check_apart(&args.out.out, [path.as_path()])?;
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, e))?;
        // The last line may be one that is being written.
        let entries: Vec<Entry> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if entries.is_empty() {
            return Err(Error::new(Kind::Input, "the log tells of no step")
                .at(&path)
                .mend("name a run's folder of latentd-train"));
        }
        runs.push((folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), entries));
    }
    let names: Vec<&str> = runs.iter().map(|(name, _)| name.as_str()).collect();
    let title = args.out.title.clone().unwrap_or_else(|| names.join(", "));
    Ok(Curves::of_runs(&title, "score", &runs))
}
