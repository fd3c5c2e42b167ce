//! A state in which every job would fail: what waits then, and how it is seen that it has passed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Feed;
use super::outcome::Later;
use crate::error::{Error, Kind};
use crate::pipeline::{Input, named_folder};

/// First and longest wait before another try of what failed for a passing reason.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A file whose result cannot be written this often, while those of others can, is put aside.
const FAILED_ALONE: u32 = 5;

/// A state in which every job would fail, and what is known of it.
#[derive(Debug)]
pub(super) struct Hold {
    /// When to try the next one.
    pub until: Instant,
    /// How often one was tried.
    pub tries: u32,
    /// For people.
    pub reason: String,
    /// Of the one that failed last: one in another folder may fare better.
    pub folder: PathBuf,
}

impl Feed {
    /// Whether only results of this name, or of this size, cannot be written, while the place where all results go is as it should be: a file lies where
    /// a folder for this one would have to be, say. Others would fare better, so nobody has to wait.
    pub(super) fn is_in_its_own_way(&self, error: &Error) -> bool {
        use std::io::ErrorKind as E;
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
        let own = cause.is_some_and(|cause| {
            matches!(
                cause.kind(),
                E::AlreadyExists
                    | E::FileTooLarge
                    | E::InvalidFilename
                    | E::InvalidInput
                    | E::IsADirectory
                    | E::NotADirectory
            )
        });
        let sink = &self.pipeline.sink;
        if !own || error.kind() != Kind::Output || sink.gathers() || !sink.root.is_dir() {
            return false;
        }
        let (folder, _) = named_folder(sink);
        folder.ancestors().find(|folder| folder.exists()).is_none_or(Path::is_dir)
    }

    /// Whether these fail again and again while others are done between their failures: a name that the sink's file system does not take, say.
    pub(super) fn is_alone_in_failing(&mut self, inputs: &[Input]) -> bool {
        let done = self.counts.done;
        let mut most = 0;
        for input in inputs {
            let later = self.later.entry(input.path.clone()).or_insert(Later { tries: 0, at: None, done });
            later.tries += u32::from(done > later.done);
            (later.at, later.done) = (None, done);
            most = most.max(later.tries);
        }
        most >= FAILED_ALONE
    }

    /// A full disk, a sink that may not be written: every input would fail, so they wait, and one is tried now and then.
    pub(super) fn wait_for_mending(&mut self, error: &Error, inputs: &[Input]) {
        // Others that were under way when the first failed tell nothing new.
        let tries = match &self.hold {
            Some(hold) if hold.until > Instant::now() => return,
            Some(hold) => hold.tries,
            None => 0,
        };
        let wait = backoff(tries);
        tracing::warn!(mend = error.mend_text(), "{error}; waiting, and trying again in {:.1} s", wait.as_secs_f64());
        self.counts.retried += 1;
        let folder = inputs.first().and_then(|input| input.path.parent()).unwrap_or(Path::new("")).to_path_buf();
        self.hold = Some(Hold { until: Instant::now() + wait, tries: tries + 1, reason: error.to_string(), folder });
    }

    /// While everything waits, has one from another folder than the last be tried next: it may be that folder alone whose results cannot be written.
    pub(super) fn put_another_first(&mut self) {
        let Some(hold) = self.hold.as_ref().filter(|_| self.pipeline.source.group == 1) else { return };
        let other = self.ready.iter().position(|input| input.path.parent() != Some(hold.folder.as_path()));
        if let Some(other) = other.filter(|other| *other > 0) {
            self.ready.swap(0, other);
        }
    }

    pub(super) fn go_on(&mut self) {
        if self.hold.take().is_some() {
            tracing::info!(pipeline = self.pipeline.name, "it goes well again");
        }
    }
}

/// Twice as long each time, and spread by a quarter, so that many that failed together do not come back together.
pub(super) fn backoff(tries: u32) -> Duration {
    let wait = BACKOFF.0.saturating_mul(1 << tries.min(6)).min(BACKOFF.1);
    wait.mul_f64(0.75 + 0.5 * fastrand::f64())
}

/// Whether the next input would fare no better: a disk that is full, or a model that is wrong.
pub(super) fn is_the_worlds_fault(kind: Kind) -> bool {
    matches!(kind, Kind::Output | Kind::Transient | Kind::Device | Kind::Model | Kind::Config)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use crossbeam::channel::unbounded;

    use super::super::{Order, Tools};
    use super::*;
    use crate::daemon::journal;
    use crate::daemon::metrics::Metrics;
    use crate::daemon::status::{PipelineStatus, Slot};
    use crate::error::Result;
    use crate::media::MediaKind;
    use crate::pipeline::stub::Does;
    use crate::pipeline::{Pipeline, Pool};
    use crate::sink::{FolderSink, NameTemplate};
    use crate::source::{FolderSource, resolve};

    /// Has a pipeline whose stage does this work on pictures of these names, in groups of so many, until what it shows is what is waited for; then the
    /// names of its results.
    fn work_until(
        names: &[&str],
        group: usize,
        stage: impl Fn() -> Result<()> + Send + Sync + 'static,
        mut is_over: impl FnMut(&PipelineStatus) -> bool,
    ) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            std::fs::create_dir(home.path().join(name)).unwrap();
            resolve(&home.path().join(name))
        };
        let (inbox, outbox, state) = (folder("in"), folder("out"), folder("state"));
        let mut picture = std::io::Cursor::new(Vec::new());
        image::GrayImage::new(4, 4).write_to(&mut picture, image::ImageFormat::Png).unwrap();
        for name in names {
            std::fs::write(inbox.join(format!("{name}.png")), picture.get_ref()).unwrap();
        }
        let mut source = FolderSource::everything(&inbox);
        source.group = group;
        let mut sink = FolderSink::new(&outbox, MediaKind::Image);
        sink.name = NameTemplate::parse("{stem}-{index}.{ext}").unwrap();
        let stages: Vec<Box<dyn crate::stage::Stage>> = vec![Box::new(Does(move |_: &_| stage()))];
        let pipeline = Arc::new(Pipeline::new("test", source, stages, sink));
        let pool = Pool::new(1).unwrap();
        let (orders, ordered) = unbounded();
        let slot = Slot::new(PipelineStatus::default());
        let tools = Tools {
            lane: pool.lane(1.0),
            limit: 2,
            book: journal::open(&state, &pipeline, false).unwrap(),
            shared: false,
            orders: ordered,
            slot: slot.clone(),
            metrics: Metrics::default(),
        };
        let mut feed = Feed::new(pipeline, tools);
        std::thread::scope(|scope| {
            scope.spawn(|| feed.run());
            let begin = Instant::now();
            while !is_over(&slot.lock().clone()) {
                assert!(begin.elapsed() < Duration::from_secs(120), "{:?}", slot.lock());
                std::thread::sleep(Duration::from_millis(5));
            }
            orders.send(Order::Halt).unwrap();
        });
        feed.close();
        pool.finish();
        assert!(!home.path().join("quarantine").exists(), "none was to blame");
        let mut made: Vec<String> =
            std::fs::read_dir(outbox).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        made.sort();
        made
    }

    /// Each file was tried again for ever, seconds apart, while the status said that it runs.
    #[test]
    fn a_model_that_is_wrong_has_all_of_them_wait_until_it_is_mended() {
        let mended = Arc::new(AtomicBool::new(false));
        let is_right = Arc::clone(&mended);
        let stage = move || match is_right.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(Error::new(Kind::Model, "the model is wrong")),
        };
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut tries = 0;
        let made = work_until(&names, 1, stage, |shown| {
            if shown.state == "waiting" {
                assert!(
                    shown.reason.as_deref().is_some_and(|reason| reason.contains("the model is wrong")),
                    "{shown:?}"
                );
                assert_eq!((shown.queue.later, shown.counts.quarantined), (0, 0), "{shown:?}");
                tries = tries.max(shown.counts.retried);
                mended.store(tries > 1, Ordering::Relaxed);
            }
            shown.counts.done == 20
        });
        assert!(made.len() == 20 && (2..5).contains(&tries), "{tries}: {made:?}");
    }

    /// A full disk, and what belonged together was put together otherwise when there was room again.
    #[test]
    fn groups_that_have_to_wait_stay_together() {
        let begun = AtomicUsize::new(0);
        let stage = move || match begun.fetch_add(1, Ordering::Relaxed) {
            0..3 => Err(Error::new(Kind::Transient, "not just now")),
            _ => Ok(()),
        };
        let made = work_until(&["a", "b", "c", "d", "e"], 2, stage, |shown| shown.counts.done == 2);
        assert_eq!(made, ["a+b-1.png", "a+b-2.png", "c+d-1.png", "c+d-2.png"]);
    }
}
