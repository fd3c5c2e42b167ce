//! `latentd plot compare`: pictures of the same names in several folders, or those of one.

use std::path::PathBuf;

use super::files;
use super::plot::{Drawn, Out};
use crate::error::{Error, Kind, Result};
use crate::media::{Image, MediaKind};
use crate::plot::manifold;
use crate::plot::sheet::Sheet;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// At most this many pictures
    #[arg(short, long, value_name = "N", default_value_t = 12)]
    number: usize,
    /// How many of one folder stand in a row
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1000))]
    columns: u32,
    #[command(flatten)]
    pub(super) out: Out,
}

/// The sheet.
pub fn of(args: &Args) -> Result<Drawn<Sheet>> {
    let mut sheet =
        Sheet { zoom: args.out.zoom, title: args.out.title.clone().unwrap_or_default(), ..Sheet::default() };
    let folders = args.folders.iter().map(|folder| files::collect(std::slice::from_ref(folder), MediaKind::Image));
    let folders = folders.collect::<Result<Vec<_>>>()?;
    folders.iter().try_for_each(|inputs| args.out.check_apart(inputs))?;
    let mut stems: Vec<String> = folders.iter().take(1).flatten().map(|input| files::stem(&input.name)).collect();
    stems.truncate(args.number.max(1));
    // Those of one folder in as many rows as they need.
    let columns = if folders.len() == 1 { stems.len().min(args.columns as usize) } else { stems.len() };
    let lines = folders.len() * stems.len().div_ceil(columns.max(1));
    let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut rows: Vec<(String, Vec<Image>)> = args.folders.iter().map(|folder| (name(folder), Vec::new())).collect();
    let mut first = None;
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
        let column = match args.folders.iter().zip(&folders).map(find).collect::<Result<Vec<Image>>>() {
            Ok(column) => column,
            Err(e) => {
                files::note(&mut first, e);
                continue;
            }
        };
        for (picture, (_, row)) in column.into_iter().zip(&mut rows) {
            // All are shown in the size of the largest, those that are smaller in larger pixels.
            let (width, height) = sheet.picture;
            sheet.picture = (width.max(picture.width), height.max(picture.height));
            row.push(picture);
        }
        sheet.check(lines, columns)?;
    }
    let outcome = first.map_or(Ok(()), Err);
    if rows.iter().all(|(_, pictures)| pictures.is_empty()) {
        return outcome.map(|()| (sheet, Ok(())));
    }
    let (width, height) = sheet.picture;
    let shown = rows.iter().map(|(name, pictures)| {
        (name.clone(), pictures.iter().map(|p| manifold::stretched(p, width, height)).collect::<Vec<_>>())
    });
    sheet.rows = shown.collect();
    if let [(_, pictures)] = sheet.rows.as_slice() {
        sheet.rows = pictures.chunks(columns).map(|row| (String::new(), row.to_vec())).collect();
    }
    Ok((sheet, outcome))
}
