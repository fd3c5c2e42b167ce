//! A pipeline in the supervisor's hands: how it runs, what it is told, and what shall take its place.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam::channel::Sender;

use super::feed::Order;
#[cfg(feature = "live")]
use super::live::Live;
use super::status::PipelineStatus;
use super::{Loaded, Work};
use crate::error::Result;

/// A pipeline that runs, or is to run.
pub struct Member {
    /// What it is.
    pub loaded: Loaded,
    /// How it runs.
    pub running: Running,
    /// It was told to end.
    pub halting: bool,
    /// What takes its place once it has ended: a changed pipeline, or nothing.
    pub successor: Option<Loaded>,
}

/// How a pipeline runs.
pub enum Running {
    /// Files: a feed on a thread of its own.
    Folder {
        /// Which of the threads that were ever started.
        id: u64,
        /// What it is told.
        orders: Sender<Order>,
        /// The thread.
        thread: JoinHandle<()>,
    },
    /// Sound: between two devices.
    #[cfg(feature = "live")]
    Live {
        /// Which of the threads that were ever started.
        id: u64,
        /// What it is told.
        live: Live,
        /// The thread.
        thread: JoinHandle<()>,
    },
    /// Not at all, until this time.
    Not(Instant),
}

impl Member {
    /// One that has just begun to run, or not to.
    pub fn new(loaded: Loaded, running: Running) -> Member {
        Member { loaded, running, halting: false, successor: None }
    }

    /// Whether it is the one with this thread.
    pub fn is(&self, wanted: u64) -> bool {
        match &self.running {
            Running::Folder { id, .. } => *id == wanted,
            #[cfg(feature = "live")]
            Running::Live { id, .. } => *id == wanted,
            Running::Not(_) => false,
        }
    }

    /// Whether it has a thread, whose end will be told.
    pub fn runs(&self) -> bool {
        !matches!(self.running, Running::Not(_))
    }

    /// Whether it runs, and goes on as it is if this is what is wanted.
    pub fn stays_as(&self, wanted: &Loaded) -> bool {
        self.runs() && !self.halting && self.loaded.is_same(wanted)
    }

    /// Tells it something; one that does not run needs not know.
    pub fn tell(&mut self, order: Order) {
        match &mut self.running {
            // Whoever does not hear any more is about to end anyway.
            Running::Folder { orders, .. } => drop(orders.send(order)),
            #[cfg(feature = "live")]
            Running::Live { live, .. } => live.order(order),
            Running::Not(_) => {}
        }
    }

    /// Ends it, for `successor` to take its place.
    pub fn halt(&mut self, successor: Option<Loaded>) {
        (self.halting, self.successor) = (true, successor);
        self.tell(Order::Halt);
    }

    /// Waits for its thread, which has told its end.
    pub fn join(self) -> (Loaded, Option<Loaded>) {
        // It has caught its own panics.
        match self.running {
            Running::Folder { thread, .. } => drop(thread.join()),
            #[cfg(feature = "live")]
            Running::Live { thread, .. } => drop(thread.join()),
            Running::Not(_) => {}
        }
        (self.loaded, self.successor)
    }

    /// Changes it while it runs, if it can be: sound whose devices stay the same gets other stages by a cross-fade.
    ///
    /// # Errors
    /// The new stages cannot run, and the old ones stay.
    pub fn change(&mut self, loaded: &Loaded) -> Result<bool> {
        #[cfg(feature = "live")]
        if let (Running::Live { live, .. }, Work::Live(old), Work::Live(new)) =
            (&self.running, &self.loaded.work, &loaded.work)
            && !self.halting
            && old.has_devices_of(new)
        {
            live.control.change(std::sync::Arc::clone(new))?;
            self.loaded = loaded.clone();
            return Ok(true);
        }
        #[cfg(not(feature = "live"))]
        let _ = loaded;
        Ok(false)
    }
}

/// What of a pipeline's status does not change.
pub fn shown(loaded: &Loaded) -> PipelineStatus {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (name, file, state) = (loaded.name().to_owned(), text(&loaded.file), "starting".to_owned());
    let common = PipelineStatus { name, file, state, ..PipelineStatus::default() };
    match &loaded.work {
        Work::Folder(pipeline) => PipelineStatus {
            kind: "folder".into(),
            source: text(&pipeline.source.root),
            sink: text(&pipeline.sink.root),
            quarantine: text(&pipeline.sink.quarantine),
            stages: pipeline.stages.iter().map(|stage| stage.name().to_owned()).collect(),
            ..common
        },
        #[cfg(feature = "live")]
        Work::Live(pipeline) => PipelineStatus {
            kind: "live".into(),
            source: format!("microphone {}", pipeline.microphone.wanted.device.escape_debug()),
            sink: format!("speaker {}", pipeline.speaker.wanted.device.escape_debug()),
            stages: pipeline.stages.iter().map(|stage| stage.name().to_owned()).collect(),
            ..common
        },
    }
}
