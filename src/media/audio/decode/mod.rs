//! Files to streams of sound, under limits. What is wrong with a file is told when it is opened where that can be seen, else when the reader comes
//! to the place.

mod compressed;
mod edits;
mod opus;
mod ration;
mod riff;
mod wav;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::tags::Tags;
use super::{Audio, AudioRead, Block, Depth, Format, LOUDEST, RATES};
use crate::error::{Error, Kind, Result};

/// Channels that files may have at most.
const MOST_CHANNELS: usize = 32;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Wav,
    Flac,
    Ogg,
    Mp3,
    Mp4,
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Container::Wav => "WAV",
            Container::Flac => "FLAC",
            Container::Ogg => "Ogg",
            Container::Mp3 => "MP3",
            Container::Mp4 => "MP4",
        }
    }

    fn endings(self) -> &'static [&'static str] {
        match self {
            Container::Wav => &["wav", "wave"],
            Container::Flac => &["flac"],
            Container::Ogg => &["ogg", "oga", "opus"],
            Container::Mp3 => &["mp3"],
            Container::Mp4 => &["m4a", "mp4", "aac"],
        }
    }

    const ALL: [Container; 5] = [Container::Wav, Container::Flac, Container::Ogg, Container::Mp3, Container::Mp4];

    /// What the first bytes of a file tell.
    fn of(head: &[u8]) -> Option<Container> {
        let at = |from: usize, what: &[u8]| head.get(from..from + what.len()) == Some(what);
        if at(0, b"RIFF") && at(8, b"WAVE") {
            Some(Container::Wav)
        } else if at(0, b"fLaC") {
            Some(Container::Flac)
        } else if at(0, b"OggS") {
            Some(Container::Ogg)
        } else if at(4, b"ftyp") {
            Some(Container::Mp4)
        } else if at(0, b"ID3") || matches!(head, [0xff, second, ..] if second & 0xe0 == 0xe0 && second & 0x06 != 0) {
            Some(Container::Mp3)
        } else {
            None
        }
    }
}

/// Opens a file of at most `max_bytes`. `name` is for messages, and its ending must tell the truth.
///
/// # Errors
/// Kind input: it is no sound that latentd reads, is damaged or absurd. Kind transient: it cannot be read now.
pub fn read(mut file: File, name: &Path, max_bytes: u64) -> Result<Audio> {
    let io = |e| Error::io("read", name, e);
    let size = file.metadata().map_err(io)?.len();
    if size > max_bytes {
        let what = format!("the file has {} MB, more than `max_size` allows", size / 1_000_000);
        return Err(Error::new(Kind::Input, what)
            .at(name)
            .mend("raise `max_size` of the source, if the file is meant"));
    }
    if size == 0 {
        return Err(Error::new(Kind::Input, "the file is empty")
            .at(name)
            .mend("copy it again; its writer may have failed"));
    }
    let container = identify(&mut file, name)?;
    let tags = match container {
        Container::Flac => {
            let begin = tag_end(&part(&mut file, 0, HEAD).map_err(io)?).unwrap_or(0);
            Some(Tags::read(&mut file, begin).map_err(io)?)
        }
        _ => None,
    };
    let opened = guarded(|| match container {
        Container::Wav => wav::open(file, size),
        _ => compressed::open(file, size, container),
    });
    let Opened { reader, depth, speakers } = opened.map_err(|e| e.at(name))?;
    check_format(reader.format()).map_err(|e| e.at(name))?;
    let mut audio = Audio::new(Checked { reader, name: name.to_path_buf(), at: 0 }, depth);
    let channels = audio.format().channels;
    audio.speakers = tags.as_ref().and_then(|tags| tags.speakers_of(channels)).or(speakers);
    audio.tags = tags.map(Box::new);
    Ok(audio)
}

/// Refuses a file whose first bytes are of no sound, or of another than its name says.
///
/// # Errors
/// As for [`read`].
pub(crate) fn glance(file: &mut File, name: &Path) -> Result<()> {
    identify(file, name).map(drop)
}

fn identify(file: &mut File, name: &Path) -> Result<Container> {
    let io = |e| Error::io("read", name, e);
    let head = part(file, 0, HEAD).map_err(io)?;
    let Some(mut container) = Container::of(&head) else { return Err(unknown(&head).at(name)) };
    // Programs that tag everything as if it were MP3 do so to FLAC. Symphonia passes over the tag.
    if let Some(end) = tag_end(&head)
        && Container::of(&part(file, end, HEAD).map_err(io)?) == Some(Container::Flac)
    {
        container = Container::Flac;
    }
    check_ending(container, name)?;
    Ok(container)
}

/// A file whose first bytes were understood.
struct Opened {
    reader: Box<dyn AudioRead>,
    depth: Depth,
    /// The channel mask of WAV.
    speakers: Option<u32>,
}

/// Bytes that tell what a file is.
const HEAD: u64 = 16;

/// Up to `count` bytes of a file from `at` on.
pub(super) fn part(file: &mut File, at: u64, count: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where an ID3v2 tag at the start of a file ends; its length has 7 bits a byte, and counts neither header nor footer.
fn tag_end(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', _, _, flags, rest @ ..] = head else { return None };
    let length = rest.get(..4)?.iter().fold(0u64, |length, byte| (length << 7) | u64::from(*byte & 0x7f));
    Some(length + if *flags & 0x10 == 0 { 10 } else { 20 })
}

fn unknown(head: &[u8]) -> Error {
    let what = match head {
        [b'R', b'F', b'6', b'4', ..] => "an RF64 file, which latentd does not read",
        [b'F', b'O', b'R', b'M', ..] => "an AIFF file, which latentd does not read",
        [b'R', b'I', b'F', b'X', ..] => "a WAV file of a big-endian machine, which latentd does not read",
        _ => "not a sound that latentd reads",
    };
    Error::new(Kind::Input, what)
        .mend("latentd reads WAV, FLAC, MP3, Ogg Vorbis, Ogg Opus and M4A; convert it: `ffmpeg -i FILE new.wav`")
}

/// A name that lies about its file misleads every other program as well; one that tells nothing does no harm.
fn check_ending(container: Container, name: &Path) -> Result<()> {
    let ending = name.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let claimed = Container::ALL.into_iter().find(|c| c.endings().contains(&ending.as_str()));
    match claimed {
        Some(claimed) if claimed != container => {
            let what = format!("the file is {}, but its name says {}", container.name(), claimed.name());
            Err(Error::new(Kind::Input, what).at(name).mend(format!("rename it to end in .{}", container.endings()[0])))
        }
        _ => Ok(()),
    }
}

fn check_format(format: Format) -> Result<()> {
    if !RATES.contains(&format.rate) {
        let what = format!("a sample rate of {} Hz; latentd takes 1,000 to 768,000", format.rate);
        return Err(Error::new(Kind::Input, what).mend("the header is damaged; export the file again"));
    }
    if format.channels == 0 || format.channels > MOST_CHANNELS {
        let what = format!("{} channels; latentd takes 1 to {MOST_CHANNELS}", format.channels);
        return Err(Error::new(Kind::Input, what).mend("the header is damaged, or the file wants to be split"));
    }
    Ok(())
}

/// What decoders make of damaged files may be a panic; that is an error of the file like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(Kind::Input, "the decoder stumbles over this file").mend(REPAIR)))
}

const REPAIR: &str = "export the file again, or repair it: `ffmpeg -i FILE new.wav`";

/// The error of a file that is damaged.
fn damaged(what: impl Into<String>) -> Error {
    Error::new(Kind::Input, what).mend(REPAIR)
}

/// The error of a file that the system does not read now.
fn unreadable(error: std::io::Error) -> Error {
    Error::new(Kind::Transient, "the file cannot be read").because(error)
}

/// A reader whose samples are looked at, and whose errors tell file and time.
struct Checked {
    reader: Box<dyn AudioRead>,
    name: std::path::PathBuf,
    /// Frames read so far.
    at: u64,
}

impl Checked {
    fn check(&self, block: &Block) -> Result<()> {
        let wrong = block.planes().iter().flatten().find(|v| !v.is_finite() || v.abs() > LOUDEST);
        match wrong {
            None => Ok(()),
            Some(v) if v.is_finite() => Err(damaged(format!("samples of {v:.1e}, where full scale is 1"))),
            Some(_) => Err(damaged("samples that are no numbers")),
        }
    }
}

impl AudioRead for Checked {
    fn format(&self) -> Format {
        self.reader.format()
    }

    fn frames(&self) -> Option<u64> {
        self.reader.frames()
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        let read = guarded(|| self.reader.read(block)).and_then(|()| self.check(block));
        let rate = f64::from(self.format().rate);
        self.at += block.frames() as u64;
        read.map_err(|e| {
            let at = self.at as f64 / rate;
            let told = Error::new(e.kind(), format!("{}, about {at:.1} s from the start", e.message())).at(&self.name);
            match e.mend_text() {
                Some(mend) => told.mend(mend.to_owned()),
                None => told,
            }
        })
    }
}
