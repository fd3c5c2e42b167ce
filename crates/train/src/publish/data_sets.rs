use std::collections::BTreeMap;
use std::path::Path;

use latentd::model::DataSet;

/// Folders that are known sets of pictures: the folder's name, the set's name, its licence.
const KNOWN: [(&str, &str, &str); 4] = [
    ("bsds400", "BSDS500 (train and test, 398 pictures)", "research and education"),
    ("sunhays80", "SunHays80 (80 web photos)", "none stated"),
    (
        "wallpapers",
        "wallpapers of mate-backgrounds, lomiri-wallpapers, elementary, pop-os (47 photos)",
        "GPL-2+; CC BY(-SA), CC0; Unsplash, NASA",
    ),
    ("realsr16", "NTIRE 2019 RealSR (16 photos)", "research"),
];

/// The sets that the pictures at `paths` below `folder` come from, known ones with their licences.
pub fn data_sets<'a>(folder: &Path, paths: impl Iterator<Item = &'a Path>) -> Vec<DataSet> {
    let mut sets = BTreeMap::new();
    for path in paths {
        let known = KNOWN.iter().find(|(name, ..)| path.iter().any(|part| part == *name));
        let (name, licence) = match known {
            Some((_, name, licence)) => ((*name).to_owned(), *licence),
            None => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                (format!("pictures in a folder `{name}`"), "as supplied by the user")
            }
        };
        sets.insert(name, licence.to_owned());
    }
    sets.into_iter().map(|(name, licence)| DataSet { name, licence }).collect()
}
