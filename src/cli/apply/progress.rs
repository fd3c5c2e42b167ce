//! How far `apply` is, for its bar: by the bytes of its inputs, and by how far recordings are. These are worked on as they are read, so who reads them
//! tells.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, Sender, never, unbounded};
use indicatif::ProgressBar;

use super::super::files;
use crate::error::{Result, show_path};
use crate::media::audio::{AudioRead, Block, Format};
use crate::media::{Audio, Media, MediaKind};
use crate::pipeline::{Input, Pipeline};
use crate::stage::{self, Context, Stage};

/// Steps that a file is counted in.
const STEPS: i64 = 1000;
/// What every input costs, in bytes that would take as long.
const LEAST: u64 = 1 << 14;

/// The bar, and what it counts.
pub struct Bar {
    pub bar: ProgressBar,
    takes: MediaKind,
    /// What is home.
    home: u64,
    /// Steps that were read of what is not.
    reading: i64,
    /// Weight of an input, on average.
    usual: u64,
    done: Arc<AtomicUsize>,
}

impl Bar {
    /// Over these jobs.
    pub fn over(takes: MediaKind, groups: &[Vec<Input>]) -> Bar {
        let whole = groups.iter().map(|inputs| weight(takes, inputs)).fold(0, u64::saturating_add);
        let usual = whole / (groups.iter().map(Vec::len).sum::<usize>() as u64).max(1);
        let done = Arc::new(AtomicUsize::new(0));
        let bar = files::bar_of_work(groups.len(), whole, Arc::clone(&done));
        Bar { bar, takes, home: 0, reading: 0, usual, done }
    }

    /// So many steps more of recordings were read.
    pub fn read(&mut self, steps: i64) {
        self.reading += steps;
        self.advance();
    }

    /// These inputs are over, well or not.
    pub fn over_with(&mut self, inputs: &[Input], well: bool) {
        self.home += weight(self.takes, inputs);
        self.done.fetch_add(1, Ordering::Relaxed);
        // What was refused at once is not what all wait for.
        let name = inputs.first().and_then(|input| input.path.file_name()).filter(|_| well);
        self.bar.set_message(show_path(Path::new(name.unwrap_or_default())));
        self.advance();
    }

    fn advance(&self) {
        // A recording is read before its result is safe, so the bar would go back at times.
        let reading = self.reading.max(0).unsigned_abs() as f64 / STEPS as f64 * self.usual as f64;
        self.bar.set_position(self.bar.position().max(self.home + reading as u64));
    }
}

/// How much work inputs are: about as much as they are long, where their names are of files that are worked on at all.
fn weight(takes: MediaKind, inputs: &[Input]) -> u64 {
    let weight = |input: &Input| match takes == MediaKind::Audio || takes.reads(&input.relative) {
        true => input.stamp.length.saturating_add(LEAST),
        false => LEAST,
    };
    inputs.iter().map(weight).fold(0, u64::saturating_add)
}

/// Has a pipeline for sound tell how many steps further its recordings are, where there is a terminal for a bar; they are taken back once nobody reads the
/// recording any more, since its ticket follows.
pub fn watch(pipeline: &mut Pipeline) -> Receiver<i64> {
    if pipeline.takes != MediaKind::Audio || !std::io::stderr().is_terminal() {
        return never();
    }
    let (tell, heard) = unbounded();
    let watched: Box<dyn Stage> = Box::new(Watched { stages: Arc::clone(&pipeline.stages), tell });
    pipeline.stages = vec![watched].into();
    heard
}

/// All stages of a pipeline, and in front of them one who tells.
#[derive(Debug)]
struct Watched {
    stages: Arc<[Box<dyn Stage>]>,
    tell: Sender<i64>,
}

impl Stage for Watched {
    fn name(&self) -> &'static str {
        "watched"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>> {
        let watched = |piece| match piece {
            Media::Audio(audio) => {
                let (tell, frames) = (self.tell.clone(), audio.frames());
                Media::Audio(audio.wrapped(|audio| Reading { audio, tell, frames, read: 0, told: 0 }))
            }
            other => other,
        };
        stage::process(&self.stages, media.into_iter().map(watched).collect(), &context.crew)
    }
}

/// A recording that tells how far it was read.
struct Reading {
    audio: Audio,
    tell: Sender<i64>,
    /// How long it says that it is.
    frames: Option<u64>,
    read: u64,
    told: i64,
}

impl AudioRead for Reading {
    fn format(&self) -> Format {
        self.audio.format()
    }

    fn frames(&self) -> Option<u64> {
        self.audio.frames()
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        self.audio.read(block)?;
        self.read += block.frames() as u64;
        // It may be longer than it says, and where it does not say there is nothing to tell.
        let share = self.frames.map_or(0.0, |frames| self.read as f64 / frames.max(1) as f64);
        let steps = (share.min(1.0) * STEPS as f64) as i64;
        if steps > self.told {
            // Whoever draws the bar may be gone; the work is done all the same.
            let _ = self.tell.send(steps - self.told);
            self.told = steps;
        }
        Ok(())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let _ = self.tell.send(-self.told);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crew::Crew;
    use crate::media::audio::{BLOCK, Depth, Memory};

    /// The bar stood at nothing for as long as one recording took.
    #[test]
    fn a_recording_tells_how_far_it_was_read() {
        let (tell, heard) = unbounded();
        let stage = Watched { stages: Arc::from(Vec::<Box<dyn Stage>>::new()), tell };
        let context = Context { crew: Crew::alone(), intermediate: false };
        let samples = Block::from_planes(vec![vec![0.5; 10 * BLOCK]]);
        let sound = Media::Audio(Audio::new(Memory::new(8_000, samples), Depth::Float));
        let Some(Media::Audio(mut audio)) = stage.run(vec![sound], &context).unwrap().pop() else {
            panic!("sound became something else");
        };
        let mut block = Block::new(1);
        for _ in 0..10 {
            audio.read(&mut block).unwrap();
            assert_eq!(heard.try_iter().collect::<Vec<_>>(), [STEPS / 10]);
        }
        audio.read(&mut block).unwrap();
        assert!(block.is_empty() && heard.is_empty());
        drop(audio);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [-STEPS]);
    }
}
