use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustysynth::{MidiFile, MidiFileSequencer, SoundFont, Synthesizer, SynthesizerSettings};

use super::{Player, RATE};
use crate::error::{Error, Kind, Result};
use crate::media::melody::{Melody, midi};

/// Folders in which distributions install SoundFonts; the second is Arch's and Fedora's.
const FOLDERS: [&str; 3] = ["/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/sounds/sf2"];

/// Names that are tried before any other: the system's choice, then small ones before large ones.
const FIRST: [&str; 4] = ["default-GM.sf2", "default.sf2", "TimGM6mb.sf2", "FluidR3_GM.sf2"];

/// Seconds after the last note, for it to fade.
const FADE: f64 = 1.5;

/// A SoundFont where systems keep them.
pub fn usual() -> Option<PathBuf> {
    for folder in FOLDERS.map(Path::new) {
        if let Some(found) = FIRST.iter().map(|name| folder.join(name)).find(|path| path.is_file()) {
            return Some(found);
        }
        let mut others: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        others.retain(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("sf2")) && path.is_file());
        others.sort();
        if let Some(found) = others.into_iter().next() {
            return Some(found);
        }
    }
    None
}

/// A piece that a SoundFont plays.
pub struct Played {
    sequencer: MidiFileSequencer,
    font: PathBuf,
    length: usize,
}

impl Played {
    /// The piece from its beginning.
    ///
    /// # Errors
    /// Kind input: the SoundFont cannot be read.
    pub fn new(piece: &Melody, font: &Path) -> Result<Played> {
        let length = ((piece.seconds() + FADE) * f64::from(RATE)) as usize;
        Ok(Played { sequencer: guarded(font, || begin(piece, font))?, font: font.to_owned(), length })
    }
}

impl Player for Played {
    fn length(&self) -> usize {
        self.length
    }

    fn play(&mut self, left: &mut [f32], right: &mut [f32]) -> Result<()> {
        guarded(&self.font, || {
            self.sequencer.render(left, right);
            Ok(())
        })
    }
}

/// rustysynth indexes by what a SoundFont says, and panics where one is damaged.
fn guarded<T>(font: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let e = Error::new(Kind::Input, "the SoundFont is damaged").at(font);
        Err(e.mend("give another .sf2 file"))
    })
}

fn begin(piece: &Melody, font: &Path) -> Result<MidiFileSequencer> {
    let wrong = |e: &dyn std::fmt::Display| {
        Error::new(Kind::Input, "the SoundFont cannot be read")
            .at(font)
            .because(e.to_string())
            .mend("give another .sf2 file")
    };
    let mut file = std::io::BufReader::new(std::fs::File::open(font).map_err(|e| Error::io("open", font, e))?);
    let font = Arc::new(SoundFont::new(&mut file).map_err(|e| wrong(&e))?);
    let synthesizer = Synthesizer::new(&font, &SynthesizerSettings::new(RATE as i32)).map_err(|e| wrong(&e))?;
    let mut bytes = Vec::new();
    midi::write(piece, &mut bytes)?;
    let unplayable =
        |e: &dyn std::fmt::Display| Error::new(Kind::Bug, "a melody cannot be played").because(e.to_string());
    let song = Arc::new(MidiFile::new(&mut bytes.as_slice()).map_err(|e| unplayable(&e))?);
    let mut sequencer = MidiFileSequencer::new(synthesizer);
    sequencer.play(&song, false);
    Ok(sequencer)
}
