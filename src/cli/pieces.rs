//! Several pieces of media made by one verb: files, and for melodies all in a row, to be heard and to be seen.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::durable::{Collision, Draft};
use crate::error::{Error, Result};
use crate::media::image::EncodeOptions;
use crate::media::melody::render::{Instrument, write_wav};
use crate::media::{self, Media, Melody, melody};
use crate::plot::{self, piano_roll::PianoRolls};

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
    /// Writes pieces as `NAME-01.mid` and so on (never over a file that is there), and for melodies `NAME-all.mid`, `NAME-all.wav` and `NAME.png`; `columns` to a row of the picture.
    pub fn write(&self, name: &str, pieces: Vec<Media>, labels: &[String], columns: usize) -> Result<()> {
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
            let panels = melodies.iter().zip(labels.iter().cloned().chain(std::iter::repeat(String::new())));
            let picture = PianoRolls::new(panels.map(|(melody, label)| (label, melody)), columns);
            let bytes = plot::render(&picture, plot::Format::from_extension(&path)?)?;
            self.file(&path, Some("to look at"), |out| {
                out.write_all(&bytes).map_err(|e| Error::io("write", &path, e))
            })?;
        }
        if !self.no_wav && all.seconds() > melody::render::LONGEST {
            tracing::warn!("all in a row is longer than two hours, the most that is rendered: there is no WAV file");
        } else if !self.no_wav {
            let instrument = Instrument::find(self.soundfont.as_deref())?;
            if instrument == Instrument::Plain {
                tracing::info!("no SoundFont found: a plain voice plays (--soundfont names one)");
            }
            let path = self.out.join(format!("{name}-all.wav"));
            self.file(&path, Some("to listen to"), |out| write_wav(&all, &instrument, out))?;
        }
        Ok(())
    }

    fn file(
        &self,
        path: &Path,
        what: Option<&str>,
        write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
    ) -> Result<()> {
        let path = Draft::new(path)?.fill(write)?.publish(Collision::Rename)?;
        self.tell(&path, what);
        Ok(())
    }

    fn tell(&self, path: &Path, what: Option<&str>) {
        let shown = crate::error::show_path(path);
        if self.json {
            say!("{}", serde_json::json!({ "file": shown, "what": what }));
        } else {
            say!("{shown}{}", what.filter(|what| !what.is_empty()).map(|what| format!("  {what}")).unwrap_or_default());
        }
    }
}

/// The stem of a file's name, for names of what is made of it.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
