//! `latentd plot compare`: pictures of the same names in several folders, or those of one.

use std::path::PathBuf;

use super::files;
use super::plot::{Drawn, Out};
use crate::error::{Error, Kind, Result, show_text};
use crate::media::image::resize;
use crate::media::{Image, MediaKind};
use crate::plot::manifold;
use crate::plot::sheet::{Sheet, widest};

/// How many pictures stand in a row at most, if nobody says it.
const COLUMNS: usize = 12;
/// A picture in which something can be seen has this width, or its own; no more than fit so stand in a row, if nobody says it.
const EASY: usize = 320;
/// Pictures are made no narrower than this, however many stand in a row.
const NARROWEST: usize = 48;
/// How many times larger small pictures are shown, if nobody says it.
const ZOOM: u32 = 2;
/// Letters of a folder's name beside a row.
const NAME: usize = 40;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// At most this many pictures
    #[arg(short, long, value_name = "N", default_value_t = 12)]
    number: usize,
    /// How many of one folder stand in a row; if not given, 12, and fewer of large pictures
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    columns: Option<u32>,
    /// How many times larger pictures are shown, however wide that makes the sheet; if not given, small ones twice, and large ones smaller than they are, so
    /// that the sheet has 2400 pixels at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=32))]
    zoom: Option<u32>,
    #[command(flatten)]
    pub(super) out: Out,
}

/// The sheet.
pub fn of(args: &Args) -> Result<Drawn<Sheet>> {
    let mut sheet =
        Sheet { zoom: args.zoom.unwrap_or(1), title: args.out.title.clone().unwrap_or_default(), ..Sheet::default() };
    let folders = args.folders.iter().map(|folder| files::collect(std::slice::from_ref(folder), MediaKind::Image));
    let folders = folders.collect::<Result<Vec<_>>>()?;
    folders.iter().try_for_each(|inputs| args.out.check_apart(inputs))?;
    let mut stems: Vec<String> = folders.iter().take(1).flatten().map(|input| files::stem(&input.name)).collect();
    stems.truncate(args.number.max(1));
    // Those of one folder need no name.
    let name = |folder: &PathBuf| match folders.len() {
        1 => String::new(),
        _ => show_text(&folder.file_name().unwrap_or_default().to_string_lossy(), NAME),
    };
    let names: Vec<String> = args.folders.iter().map(name).collect();
    // The pictures of one name, of each folder in turn.
    let mut same: Vec<Vec<Image>> = Vec::new();
    let (mut form, mut first) = (None, None);
    for stem in &stems {
        let find = |(folder, inputs): (&PathBuf, &Vec<files::Input>)| -> Result<Image> {
            let input = inputs.iter().find(|input| files::stem(&input.name) == *stem);
            let missing = || {
                let e = Error::new(Kind::NoInput, format!("there is no picture named `{stem}`")).at(folder);
                e.mend("name folders that hold pictures of the same names")
            };
            files::read_picture(&input.ok_or_else(missing)?.path)
        };
        // What a folder lacks, which is told, the others do not show either: a column is one picture.
        let found = match args.folders.iter().zip(&folders).map(find).collect::<Result<Vec<Image>>>() {
            Ok(found) => found,
            Err(e) => {
                files::note(&mut first, e);
                continue;
            }
        };
        let form = form.get_or_insert_with(|| Form::of(args, &names, stems.len(), &found));
        let found = found.into_iter().map(|picture| form.reduced(picture)).collect::<Result<Vec<Image>>>()?;
        // All are shown in the size of the largest, those that are smaller in larger pixels.
        for picture in &found {
            let (width, height) = sheet.picture;
            sheet.picture = (width.max(picture.width), height.max(picture.height));
        }
        sheet.check(folders.len() * stems.len().div_ceil(form.columns), form.columns)?;
        same.push(found);
    }
    let outcome = first.map_or(Ok(()), Err);
    let Some(form) = form else {
        return outcome.map(|()| (sheet, Ok(())));
    };
    if form.small(sheet.picture) {
        sheet.zoom = ZOOM;
    }
    let (width, height) = sheet.picture;
    for block in same.chunks(form.columns) {
        for (at, name) in names.iter().enumerate() {
            let row = block.iter().filter_map(|found| found.get(at));
            sheet.rows.push((name.clone(), row.map(|p| manifold::fitted(p, width, height)).collect()));
        }
    }
    Ok((sheet, outcome))
}

/// How many pictures stand in a row, and how large they may be there.
struct Form {
    columns: usize,
    /// Width and height; none where the user has said how large they are shown.
    most: Option<(usize, usize)>,
}

impl Form {
    /// By the first picture of each folder; `count` names there are.
    fn of(args: &Args, names: &[String], count: usize, pictures: &[Image]) -> Form {
        let width = pictures.iter().map(|picture| picture.width).max().unwrap_or(1);
        let wanted = (width * ZOOM as usize).min(EASY);
        let fit = |columns: &usize| args.zoom.is_some() || widest(names, *columns) >= wanted;
        let columns = match args.columns {
            Some(columns) => columns as usize,
            None => (1..=COLUMNS).rev().find(fit).unwrap_or(1),
        };
        let columns = columns.clamp(1, count.max(1));
        let wide = widest(names, columns).max(NARROWEST);
        Form { columns, most: args.zoom.is_none().then_some((wide, wide * 3 / 2)) }
    }

    /// A picture no larger than it may be, in its own shape.
    fn reduced(&self, picture: Image) -> Result<Image> {
        match self.most {
            Some(most) if picture.width > most.0 || picture.height > most.1 => {
                let (width, height) = manifold::within((picture.width, picture.height), most);
                resize(&picture, width, height)
            }
            _ => Ok(picture),
        }
    }

    /// Whether pictures of this size may be shown larger, and nobody has said how much.
    fn small(&self, (width, height): (usize, usize)) -> bool {
        let zoom = ZOOM as usize;
        self.most.is_some_and(|most| width * zoom <= most.0 && height * zoom <= most.1)
    }
}
