use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use latentd::model::DataSet;

/// Folders that are known sets: the folder's name, with that of the folder above where it is a common one; how many files it holds, which nobody's
/// own folder of that name does by chance; the set's name; its licence.
const KNOWN: &[(&str, usize, &str, &str)] = &[
    ("bsds400", 398, "BSDS500 (train and test, 398 pictures)", "research and education"),
    ("sunhays80", 80, "SunHays80 (80 web photos)", "none stated"),
    (
        "train/wallpapers",
        47,
        "wallpapers of mate-backgrounds, lomiri-wallpapers, elementary, pop-os (47 photos)",
        "GPL-2+; CC BY(-SA), CC0; Unsplash, NASA",
    ),
    ("oneills1850", 35, "O'Neill's Music of Ireland, in ABC", "tunes public domain"),
    ("ryansMammoth", 971, "Ryan's Mammoth Collection, in ABC", "tunes public domain"),
    ("airdsAirs", 5, "Aird's Airs, in ABC", "tunes public domain"),
    ("jsb_chorales", 2, "JSB Chorales (training part)", "public domain music"),
    ("groove", 1152, "Groove MIDI (its training part; its validation part is held out)", "CC BY 4.0"),
    (
        "multitrack",
        161,
        "music of Freedoom, OpenMSX and freedink (155 songs)",
        "BSD-3-Clause; GPL-2.0; mixed free licences",
    ),
    ("realsr16", 16, "NTIRE 2019 RealSR (16 photos)", "research"),
    ("kathleen48", 3, "rhasspy-kathleen (0.27 h of English, 48 kHz)", "CC0"),
    ("kerstin48", 2, "rhasspy-kerstin (0.21 h of German, 48 kHz)", "CC0"),
    ("klettres44", 21, "klettres (0.14 h of syllables in 20 languages, 44.1 kHz)", "GPL-2+, LGPL, CC0"),
    ("librispeech16", 251, "LibriSpeech train-clean-100 (0.72 h, 251 speakers, 16 kHz)", "CC BY 4.0"),
    ("picovoice16", 10, "Picovoice speech-to-intent (0.20 h of English, 16 kHz)", "Apache-2.0"),
    (
        "speech/noise",
        112,
        "110 noises of moodist, Noisekun, blanket, mechvibes, Speech Commands, Picovoice (1 h)",
        "Pixabay or CC0; CC BY; MIT; Apache-2.0",
    ),
];

/// The licence of data that are no known set.
pub const SUPPLIED: &str = "as supplied by the user";

/// The sets that the files at `paths` below `folder` come from, known ones with their licences.
pub fn data_sets<'a>(folder: &Path, paths: impl Iterator<Item = &'a Path>) -> Vec<DataSet> {
    let mut sets = BTreeMap::new();
    let mut counted: BTreeMap<PathBuf, usize> = BTreeMap::new();
    // `.` and `..` have no name of their own.
    let named = match folder.file_name() {
        Some(_) => folder.to_owned(),
        None => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
    };
    for path in paths {
        let path = path.strip_prefix(folder).map_or_else(|_| path.to_owned(), |below| named.join(below));
        let known = KNOWN.iter().find(|(name, files, ..)| {
            let place = path.ancestors().find(|folder| folder.ends_with(name));
            place.is_some_and(|place| *counted.entry(place.to_owned()).or_insert_with(|| count(place)) == *files)
        });
        let (name, licence) = match known {
            Some((.., name, licence)) => ((*name).to_owned(), *licence),
            None => {
                let name = named.file_name().unwrap_or_default().to_string_lossy();
                (format!("files in a folder `{name}`"), SUPPLIED)
            }
        };
        sets.insert(name, licence.to_owned());
    }
    sets.into_iter().map(|(name, licence)| DataSet { name, licence }).collect()
}

/// Files below a folder.
fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.file_type().is_ok_and(|kind| kind.is_dir()) { count(&entry.path()) } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The card told of files in a folder ``.
    #[test]
    fn the_folder_that_one_is_in_has_a_name() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("pictures");
        std::fs::create_dir_all(folder.join("deep")).expect("a folder");
        let above = folder.join("deep/..");
        let named = |folder: &Path, file: PathBuf| data_sets(folder, [file.as_path()].into_iter()).remove(0).name;
        assert_eq!(named(&above, above.join("a.png")), "files in a folder `pictures`");
        assert_eq!(named(&folder, folder.join("deep/a.png")), "files in a folder `pictures`");
    }
}
