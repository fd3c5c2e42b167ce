//! A stage that fails, even one that panics, costs its own input and nothing else.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use crossbeam::channel::unbounded;
use latentd::Kind;
use latentd::media::image::Limits;
use latentd::media::{Media, MediaKind};
use latentd::pipeline::{Job, Outcome, Pipeline, Pool};
use latentd::sink::FolderSink;
use latentd::source::{FolderSource, Stamp};
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
        let Media::Image(image) = &media[0];
        assert!(image.width.is_multiple_of(2), "made to fail");
        Ok(media)
    }
}

#[test]
fn a_panicking_stage_fails_its_input_and_the_workers_go_on() {
    let home = common::Home::new();
    let inbox = home.folder("inbox");
    let pipeline = Arc::new(Pipeline {
        name: "test".into(),
        source: FolderSource::everything(&inbox),
        stages: vec![Box::new(Stumbles)],
        sink: FolderSink::new(&home.path("outbox")),
        limits: Limits::default(),
    });
    let pool = Pool::new(2).unwrap();
    let (home_sender, tickets) = unbounded();
    for n in 1..=40u32 {
        let path = inbox.join(format!("{n}.png"));
        std::fs::write(&path, common::png(n, 3)).unwrap();
        let stamp = Stamp::of(&path).unwrap();
        let relative = Path::new(&format!("{n}.png")).to_path_buf();
        pool.jobs()
            .send(Job { pipeline: Arc::clone(&pipeline), path, relative, stamp, home: home_sender.clone() })
            .unwrap();
    }
    drop(home_sender);
    let outcomes: Vec<Outcome> = tickets.iter().map(|t| t.outcome).collect();
    pool.finish();
    let failed = outcomes.iter().filter(|o| matches!(o, Outcome::Failed(e) if e.kind() == Kind::Bug)).count();
    let done = outcomes.iter().filter(|o| matches!(o, Outcome::Done(_))).count();
    assert_eq!((done, failed), (20, 20));
    assert_eq!(common::count(&home.path("outbox")), 20);
    assert_eq!(common::count(&inbox), 40, "originals are kept");
}
