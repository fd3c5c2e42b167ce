//! A live pipeline beside those of folders: a thread that finds its devices again by itself, and what it can be told meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, bounded};

use super::feed::Order;
use super::wishes::Wishes;
use crate::error::{Error, Kind, Result};
use crate::pipeline::live::{LiveControl, LivePipeline, run};

/// A live pipeline at work.
#[derive(Debug)]
pub struct Live {
    /// What it can be asked and told.
    pub control: LiveControl,
    /// Dropping it stops the pipeline.
    halt: Option<Sender<()>>,
}

impl Live {
    /// Starts it on a thread of its own. `ended` is called at the end, with the reason if nobody asked for it.
    ///
    /// # Errors
    /// Kind transient: the system gives no thread.
    pub fn start(
        pipeline: Arc<LivePipeline>,
        wishes: Wishes,
        ended: impl FnOnce(Option<String>) + Send + 'static,
    ) -> Result<(Live, JoinHandle<()>)> {
        let control = LiveControl::default();
        control.set_paused(wishes.paused);
        control.set_bypass(wishes.bypassed);
        control.set_strength(wishes.strength);
        let (halt, halted) = bounded(0);
        let its = control.clone();
        let work = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&pipeline, &its, &halted)));
            ended(match outcome {
                Ok(Ok(())) => None,
                Ok(Err(e)) => Some(e.to_string()),
                Err(_) => Some("it failed by a mistake of latentd's own".into()),
            });
        };
        let thread = std::thread::Builder::new().name("live".into()).spawn(work);
        let thread = thread.map_err(|e| Error::new(Kind::Transient, "no thread for a pipeline").because(e))?;
        Ok((Live { control, halt: Some(halt) }, thread))
    }

    /// Tells it something. There is nothing to be worked off, so draining is stopping.
    pub fn order(&mut self, order: Order) {
        match order {
            Order::Pause => self.control.set_paused(true),
            Order::Resume => self.control.set_paused(false),
            Order::Bypass => self.control.set_bypass(true),
            Order::Engage => self.control.set_bypass(false),
            Order::Strength(strength) => self.control.set_strength(strength),
            // It has no files.
            Order::Share(_) => {}
            Order::Drain | Order::Halt => drop(self.halt.take()),
        }
    }
}
