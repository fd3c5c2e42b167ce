//! How far `apply` is, for its bar: by the bytes of its inputs, and by how far those are that are worked on. A recording is worked on as it is read, so
//! who reads it tells; of a picture its stages and their tiles do.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

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
    /// Steps that were done of what is not.
    under_way: i64,
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
        Bar { bar, takes, home: 0, under_way: 0, usual, done }
    }

    /// So many steps more were done of what is worked on.
    pub fn further(&mut self, steps: i64) {
        self.under_way += steps;
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
        // Work is done before its result is safe, so the bar would go back at times.
        let under_way = self.under_way.max(0).unsigned_abs() as f64 / STEPS as f64 * self.usual as f64;
        self.bar.set_position(self.bar.position().max(self.home + under_way as u64));
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

/// Has a pipeline for sound or pictures tell how many steps further its inputs are, where there is a terminal for a bar; they are taken back once the work
/// is done, since its ticket follows.
pub fn watch(pipeline: &mut Pipeline) -> Receiver<i64> {
    if !matches!(pipeline.takes, MediaKind::Audio | MediaKind::Image) || !std::io::stderr().is_terminal() {
        return never();
    }
    let (tell, heard) = unbounded();
    let watched: Box<dyn Stage> =
        Box::new(Watched { stages: Arc::clone(&pipeline.stages), takes: pipeline.takes, tell });
    pipeline.stages = vec![watched].into();
    heard
}

/// All stages of a pipeline, and one who tells how far they are.
#[derive(Debug)]
struct Watched {
    stages: Arc<[Box<dyn Stage>]>,
    takes: MediaKind,
    tell: Sender<i64>,
}

impl Stage for Watched {
    fn name(&self) -> &'static str {
        "watched"
    }

    fn takes(&self) -> MediaKind {
        self.takes
    }

    fn yields(&self) -> MediaKind {
        self.stages.last().map_or(self.takes, |stage| stage.yields())
    }

    fn size(&self, width: usize, height: usize) -> (usize, usize) {
        self.stages.iter().fold((width, height), |(width, height), stage| stage.size(width, height))
    }

    fn pieces(&self, given: usize) -> Result<usize> {
        self.stages.iter().try_fold(given, |given, stage| stage.pieces(given))
    }

    fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>> {
        let watched = |piece| match piece {
            Media::Audio(audio) => {
                let (told, frames) = (Told::nothing(&self.tell), audio.frames());
                Media::Audio(audio.wrapped(|audio| Reading { audio, told, frames, read: 0 }))
            }
            other => other,
        };
        if self.takes == MediaKind::Audio {
            return stage::process(&self.stages, media.into_iter().map(watched).collect(), &context.crew);
        }
        // Each stage counts as much as any other: how many tiles those to come will have, none can tell.
        let (told, over) = (Arc::new(Told::nothing(&self.tell)), Arc::new(AtomicUsize::new(0)));
        let (stages, hears, behind) = (self.stages.len() as f64, Arc::clone(&told), Arc::clone(&over));
        let crew = context.crew.heard_by(move |done, of| {
            hears.share((behind.load(Ordering::Relaxed) as f64 + done as f64 / of as f64) / stages);
        });
        stage::process_watched(&self.stages, media, &crew, &mut |_, _| {
            told.share((over.fetch_add(1, Ordering::Relaxed) + 1) as f64 / stages);
            Ok(())
        })
    }
}

/// What was told of an input's steps; it is taken back in the end.
#[derive(Debug)]
struct Told {
    tell: Sender<i64>,
    steps: AtomicI64,
}

impl Told {
    fn nothing(tell: &Sender<i64>) -> Told {
        Told { tell: tell.clone(), steps: AtomicI64::new(0) }
    }

    /// This share of the input is done, if no more was told before.
    fn share(&self, share: f64) {
        let steps = (share.min(1.0) * STEPS as f64) as i64;
        let before = self.steps.fetch_max(steps, Ordering::Relaxed);
        if steps > before {
            // Whoever draws the bar may be gone; the work is done all the same.
            let _ = self.tell.send(steps - before);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.tell.send(-self.steps.load(Ordering::Relaxed));
    }
}

/// A recording that tells how far it was read.
struct Reading {
    audio: Audio,
    told: Told,
    /// How long it says that it is.
    frames: Option<u64>,
    read: u64,
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
        self.told.share(share);
        Ok(())
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
        let stage = Watched { stages: Arc::from(Vec::<Box<dyn Stage>>::new()), takes: MediaKind::Audio, tell };
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
    /// Does its work in so many pieces.
    #[derive(Debug)]
    struct Pieces(usize);

    impl Stage for Pieces {
        fn name(&self) -> &'static str {
            "pieces"
        }

        fn takes(&self) -> MediaKind {
            MediaKind::Image
        }

        fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>> {
            context.crew.share(self.0, |_| Ok(()), |_, ()| Ok(()))?;
            Ok(media)
        }
    }

    /// The bar stood still for as long as a picture took.
    #[test]
    fn a_picture_tells_how_many_of_its_tiles_are_done() {
        let (tell, heard) = unbounded();
        let stages: Vec<Box<dyn Stage>> = vec![Box::new(Pieces(4)), Box::new(Pieces(0)), Box::new(Pieces(1))];
        let stage = Watched { stages: stages.into(), takes: MediaKind::Image, tell };
        stage.run(Vec::new(), &Context { crew: Crew::alone(), intermediate: false }).unwrap();
        let told: Vec<i64> = heard.try_iter().collect();
        assert_eq!(told, [83, 83, 84, 83, 333, 334, -1000]);
    }
}
