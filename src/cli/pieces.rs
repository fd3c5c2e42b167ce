//! Several pieces of media made by one verb: files, and for melodies all in a row, to be heard and to be seen.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::files;
use super::results::{check_folder, elsewhere, tell};
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::image::EncodeOptions;
use crate::media::melody::render::{Instrument, write_wav};
use crate::media::{self, Media, Melody, melody};
use crate::plot::{self, piano_roll::PianoRolls};

/// The most panels of the picture along each side: more could not be read.
const PANELS: usize = 24;

/// Where pieces go, and what is made of melodies beside them.
#[derive(Debug, clap::Args)]
pub struct Output {
    /// The folder for the results
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Make no sound file
    #[arg(long)]
    pub no_wav: bool,
    /// Make no picture
    #[arg(long)]
    pub no_png: bool,
    /// Play melodies by this SoundFont (.sf2) rather than by one found on the system
    #[arg(long, value_name = "SF2")]
    pub soundfont: Option<PathBuf>,
    /// Print one JSON object for each file
    #[arg(long)]
    pub json: bool,
}

impl Output {
    /// Sees that there is what will be asked for once all is made, and that the folder for it can be one.
    pub fn check(&self) -> Result<()> {
        if let Some(path) = self.soundfont.as_deref().filter(|_| !self.no_wav) {
            Instrument::find(Some(path))?;
            check_soundfont(path)?;
        }
        check_folder(&self.out)
    }

    /// Writes pieces as `NAME-01.mid` and so on (never over a file that is there), and for melodies `NAME-all.mid`, `NAME-all.wav` and `NAME.png`; `columns` to a row of the picture.
    pub fn write(&self, name: &str, pieces: Vec<Media>, labels: &[String], columns: usize) -> Result<()> {
        self.write_beside(None, name, pieces, labels, columns)
    }

    /// [`Output::write`], where the picture shows first, under its label, what the pieces are to be compared with.
    pub fn write_beside(
        &self,
        original: Option<(String, &Melody)>,
        name: &str,
        pieces: Vec<Media>,
        labels: &[String],
        columns: usize,
    ) -> Result<()> {
        let digits = pieces.len().to_string().len().max(2);
        let mut melodies: Vec<Melody> = Vec::new();
        for (at, piece) in pieces.into_iter().enumerate() {
            let path = self.out.join(format!("{name}-{:0digits$}.{}", at + 1, piece.kind().extension()));
            if let Media::Melody(melody) = &piece {
                melodies.push(melody.clone());
            }
            self.file(&path, labels.get(at).map(String::as_str), |out| {
                media::write(piece, &path, &EncodeOptions::default(), out)
            })?;
        }
        let Some(all) = melody::join(&melodies) else { return Ok(()) };
        if melodies.len() > 1 {
            let path = self.out.join(format!("{name}-all.mid"));
            self.file(&path, Some("all in a row"), |out| melody::midi::write(&all, out))?;
        }
        if !self.no_png {
            let path = self.out.join(format!("{name}.png"));
            let (down, across) = (some_of(melodies.len().div_ceil(columns)), some_of(columns));
            let places = down.iter().flat_map(|line| across.iter().map(move |column| line * columns + column));
            let shown: Vec<usize> = places.filter(|at| *at < melodies.len()).collect();
            let panels = shown.iter().map(|&at| (labels.get(at).cloned().unwrap_or_default(), &melodies[at]));
            let picture = PianoRolls::new(original.into_iter().chain(panels), across.len());
            let bytes = plot::render(&picture, plot::Format::from_extension(&path)?)?;
            let what = match shown.len() < melodies.len() {
                true => format!("to look at: {} of {}", shown.len(), melodies.len()),
                false => "to look at".to_owned(),
            };
            self.file(&path, Some(&what), |out| out.write_all(&bytes).map_err(|e| Error::io("write", &path, e)))?;
        }
        if !self.no_wav && all.seconds() > melody::render::LONGEST {
            tracing::warn!("all in a row is longer than two hours, the most that is rendered: there is no WAV file");
        } else if !self.no_wav {
            let instrument = Instrument::find(self.soundfont.as_deref())?;
            if instrument == Instrument::Plain {
                tracing::info!("no SoundFont found: a plain voice plays (--soundfont names one)");
            }
            let path = self.out.join(format!("{name}-all.wav"));
            let play = |instrument: &Instrument| {
                let _spinner = files::spinner("playing all in a row");
                self.file(&path, Some("to listen to"), |out| write_wav(&all, instrument, out))
            };
            match play(&instrument) {
                // One that nobody asked for shall keep nobody from his tunes.
                Err(e) if self.soundfont.is_none() && instrument != Instrument::Plain => {
                    tracing::warn!("a plain voice plays: {e}");
                    play(&Instrument::Plain)?;
                }
                played => played?,
            }
        }
        Ok(())
    }

    fn file(
        &self,
        path: &Path,
        what: Option<&str>,
        write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
    ) -> Result<()> {
        let written = Draft::new(path).and_then(|draft| draft.fill(write)).and_then(|d| d.publish(Collision::Rename));
        let path = written.map_err(elsewhere)?;
        match what.filter(|what| !what.is_empty()) {
            // A label is the name of a file, which may be a stranger's.
            Some(what) if !self.json => {
                files::above_bar(|| say!("{}  {}", show_path(&path), show_path(Path::new(what))));
            }
            what => tell(&path, what, self.json),
        }
        Ok(())
    }
}

/// Refuses what is no SoundFont by its first bytes: whether all of it is whole is seen when it plays.
fn check_soundfont(path: &Path) -> Result<()> {
    let mut start = [0; 12];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Err(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(Error::io("read", path, e)),
        Ok(()) if start.starts_with(b"RIFF") && start.ends_with(b"sfbk") => Ok(()),
        _ => Err(Error::new(Kind::Input, "no SoundFont: it does not start as one")
            .at(path)
            .mend("give another .sf2 file")),
    }
}

/// Places among `count`, from the first to the last and evenly between, no more than [`PANELS`].
fn some_of(count: usize) -> Vec<usize> {
    let some = count.min(PANELS);
    (0..some).map(|at| at * (count - 1) / (some - 1).max(1)).collect()
}

/// The stem of a file's name, for names of what is made of it.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
