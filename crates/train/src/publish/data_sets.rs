use std::collections::BTreeMap;
use std::path::Path;

use latentd::model::DataSet;

/// Folders that are known sets: the folder's name, the set's name, its licence.
const KNOWN: [(&str, &str, &str); 10] = [
    ("bsds400", "BSDS500 (train and test, 398 pictures)", "research and education"),
    ("sunhays80", "SunHays80 (80 web photos)", "none stated"),
    (
        "wallpapers",
        "wallpapers of mate-backgrounds, lomiri-wallpapers, elementary, pop-os (47 photos)",
        "GPL-2+; CC BY(-SA), CC0; Unsplash, NASA",
    ),
    ("oneills1850", "O'Neill's Music of Ireland, in ABC", "tunes public domain"),
    ("ryansMammoth", "Ryan's Mammoth Collection, in ABC", "tunes public domain"),
    ("airdsAirs", "Aird's Airs, in ABC", "tunes public domain"),
    ("jsb_chorales", "JSB Chorales (training part)", "public domain music"),
    ("groove", "Groove MIDI (training and validation parts)", "CC BY 4.0"),
    ("multitrack", "music of Freedoom, OpenMSX and freedink (155 songs)", "BSD-3-Clause; GPL-2.0; mixed free licences"),
    ("realsr16", "NTIRE 2019 RealSR (16 photos)", "research"),
];

/// The sets that the files at `paths` below `folder` come from, known ones with their licences.
pub fn data_sets<'a>(folder: &Path, paths: impl Iterator<Item = &'a Path>) -> Vec<DataSet> {
    let mut sets = BTreeMap::new();
    for path in paths {
        let known = KNOWN.iter().find(|(name, ..)| path.iter().any(|part| part == *name));
        let (name, licence) = match known {
            Some((_, name, licence)) => ((*name).to_owned(), *licence),
            None => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                (format!("files in a folder `{name}`"), "as supplied by the user")
            }
        };
        sets.insert(name, licence.to_owned());
    }
    sets.into_iter().map(|(name, licence)| DataSet { name, licence }).collect()
}
