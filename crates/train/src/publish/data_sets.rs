use std::collections::BTreeMap;
use std::path::Path;

use latentd::model::DataSet;

/// Folders that are known sets: the folder's name, with that of the folder above where it is a common one; the set's name; its licence.
const KNOWN: &[(&str, &str, &str)] = &[
    ("bsds400", "BSDS500 (train and test, 398 pictures)", "research and education"),
    ("sunhays80", "SunHays80 (80 web photos)", "none stated"),
    (
        "train/wallpapers",
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
    ("kathleen48", "rhasspy-kathleen (0.27 h of English, 48 kHz)", "CC0"),
    ("kerstin48", "rhasspy-kerstin (0.21 h of German, 48 kHz)", "CC0"),
    ("klettres44", "klettres (0.14 h of syllables in 20 languages, 44.1 kHz)", "GPL-2+, LGPL, CC0"),
    ("librispeech16", "LibriSpeech train-clean-100 (0.72 h, 251 speakers, 16 kHz)", "CC BY 4.0"),
    ("picovoice16", "Picovoice speech-to-intent (0.20 h of English, 16 kHz)", "Apache-2.0"),
    ("asterisk16", "Asterisk core sounds en, es, fr, it, ru (2.2 h of announcements, 16 kHz)", "CC BY-SA"),
    (
        "speech/noise",
        "110 noises of moodist, Noisekun, blanket, mechvibes, Speech Commands, Picovoice (1 h)",
        "Pixabay or CC0; CC BY; MIT; Apache-2.0",
    ),
];

/// The sets that the files at `paths` below `folder` come from, known ones with their licences.
pub fn data_sets<'a>(folder: &Path, paths: impl Iterator<Item = &'a Path>) -> Vec<DataSet> {
    let mut sets = BTreeMap::new();
    for path in paths {
        let known = KNOWN.iter().find(|(name, ..)| path.ancestors().any(|folder| folder.ends_with(name)));
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
