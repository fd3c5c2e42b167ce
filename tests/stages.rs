//! A stage that fails, even one that panics, costs its own input and nothing else.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use crossbeam::channel::unbounded;
use latentd::Kind;
use latentd::durable::Stamp;
use latentd::media::{Media, MediaKind};
use latentd::pipeline::{Forgetful, Input, Job, Outcome, Pipeline, Pool};
use latentd::sink::FolderSink;
use latentd::source::FolderSource;
use latentd::stage::{Context, Stage};

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
