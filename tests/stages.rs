//! A stage that fails, even one that panics, costs its own input and nothing else.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use crossbeam::channel::unbounded;
use latentd::crew::Crew;
use latentd::durable::Stamp;
use latentd::media::image::{Depth, Image, Layout};
use latentd::media::{Media, MediaKind};
use latentd::pipeline::{Forgetful, Input, Job, Outcome, Pipeline, Pool};
use latentd::sink::FolderSink;
use latentd::source::FolderSource;
use latentd::stage::{self, Context, Stage};
use latentd::{Error, Kind};

/// Panics at pictures of odd width.
#[derive(Debug)]
struct Stumbles;

impl Stage for Stumbles {
    fn name(&self) -> &'static str {
        "stumbles"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> latentd::Result<Vec<Media>> {
        let Media::Image(image) = &media[0] else { panic!("a picture") };
        assert!(image.width.is_multiple_of(2), "made to fail");
        Ok(media)
    }
}

#[test]
fn a_panicking_stage_fails_its_input_and_the_workers_go_on() {
    let home = common::Home::new();
    let inbox = home.folder("inbox");
    let sink = FolderSink::new(&home.path("outbox"), MediaKind::Image);
    let source = FolderSource::everything(&inbox);
    let pipeline = Arc::new(Pipeline::new("test", source, vec![Box::new(Stumbles)], sink));
    let pool = Pool::new(2).unwrap();
    let lane = pool.lane(1.0);
    let (home_sender, tickets) = unbounded();
    for n in 1..=40u32 {
        let path = inbox.join(format!("{n}.png"));
        std::fs::write(&path, common::png(n, 3)).unwrap();
        let stamp = Stamp::of(&path).unwrap();
        let relative = Path::new(&format!("{n}.png")).to_path_buf();
        lane.push(Job {
            pipeline: Arc::clone(&pipeline),
            inputs: vec![Input { path, relative, stamp }],
            ledger: Arc::new(Forgetful),
            home: home_sender.clone(),
        });
    }
    drop(home_sender);
    let outcomes: Vec<Outcome> = tickets.iter().map(|t| t.outcome).collect();
    pool.finish();
    let failed =
        outcomes.iter().filter(|o| matches!(o, Outcome::Failed { error, .. } if error.kind() == Kind::Bug)).count();
    let done = outcomes.iter().filter(|o| matches!(o, Outcome::Done(_))).count();
    assert_eq!((done, failed), (20, 20));
    assert_eq!(common::count(&home.path("outbox")), 20);
    assert_eq!(common::count(&inbox), 40, "originals are kept");
}

/// Replaces the input while it is worked on, as a user may who saves a picture again.
#[derive(Debug)]
struct SavedAgain(std::path::PathBuf);

impl Stage for SavedAgain {
    fn name(&self) -> &'static str {
        "saved-again"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> latentd::Result<Vec<Media>> {
        std::fs::write(&self.0, common::png(9, 9)).unwrap();
        Ok(media)
    }
}

/// The new file was deleted although only the old one had been worked on.
#[test]
fn an_input_that_changes_meanwhile_is_neither_deleted_nor_called_done() {
    let home = common::Home::new();
    let path = home.folder("inbox").join("a.png");
    std::fs::write(&path, common::png(5, 5)).unwrap();
    let mut sink = FolderSink::new(&home.path("outbox"), MediaKind::Image);
    sink.originals = latentd::sink::Originals::Delete;
    let source = FolderSource::everything(&home.path("inbox"));
    let pipeline = Arc::new(Pipeline::new("test", source, vec![Box::new(SavedAgain(path.clone()))], sink));
    let pool = Pool::new(1).unwrap();
    let (sender, tickets) = unbounded();
    let stamp = Stamp::of(&path).unwrap();
    let inputs = vec![Input { path: path.clone(), relative: "a.png".into(), stamp }];
    pool.lane(1.0).push(Job { pipeline, inputs, ledger: Arc::new(Forgetful), home: sender });
    assert!(matches!(tickets.recv().unwrap().outcome, Outcome::Vanished));
    pool.finish();
    assert_eq!(std::fs::read(&path).unwrap(), common::png(9, 9));
    assert_eq!(common::count(&home.path("outbox")), 0);
}

fn pictures(count: usize) -> Vec<Media> {
    (0..count).map(|_| Media::Image(Image::new(2, 2, Layout::Gray, Depth::Eight))).collect()
}

/// Finds fault with the second piece.
#[derive(Debug)]
struct Refuses(Kind);

impl Stage for Refuses {
    fn name(&self) -> &'static str {
        "refuses"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, _: Vec<Media>, _: &Context) -> latentd::Result<Vec<Media>> {
        Err(Error::new(self.0, "made to fail").of_part(1))
    }
}

/// Makes another number of pieces.
#[derive(Debug)]
struct Makes(usize);

impl Stage for Makes {
    fn name(&self) -> &'static str {
        "makes"
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, _: Vec<Media>, _: &Context) -> latentd::Result<Vec<Media>> {
        Ok(pictures(self.0))
    }
}

/// The fifth piece of a way between two files is neither of these; nor is a file to blame for a model that fails.
#[test]
fn an_error_tells_of_a_piece_only_where_that_is_an_input_and_to_blame() {
    for (made, kind, part) in
        [(2, Kind::Input, Some(1)), (5, Kind::Input, None), (1, Kind::Input, None), (2, Kind::Model, None)]
    {
        let stages: [Box<dyn Stage>; 2] = [Box::new(Makes(made)), Box::new(Refuses(kind))];
        let Err(error) = stage::process(&stages, pictures(2), &Crew::alone()) else { panic!("made to fail") };
        assert_eq!((error.kind(), error.part()), (kind, part), "{made}");
    }
}

/// It was a sixth of what was asked, without a word.
#[test]
fn an_enlargement_that_stops_at_sixteen_times_says_so() {
    let home = common::Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 320, enlarge: true }", "");
    for (side, becomes, told) in [(3, 48, true), (20, 320, false), (40, 320, false)] {
        let input = home.path(&format!("{side}.png"));
        std::fs::write(&input, common::png(side, side)).unwrap();
        let output = home.latentd().arg("apply").args([&pipeline, &input]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && text.contains("16 times as large, 48 x 48") == told, "{side}: {text}");
        let result = image::open(home.path(&format!("outbox/{side}.png"))).unwrap();
        assert_eq!((result.width(), result.height()), (becomes, becomes), "{side}");
    }
}
