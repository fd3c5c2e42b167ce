//! Live pipelines beside those of folders: a thread each, which finds its devices again by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, bounded};

use crate::error::{Error, Kind, Result};
use crate::pipeline::live::{LiveControl, LivePipeline, run};

/// Live pipelines at work.
#[derive(Debug)]
pub struct Live {
    /// What each can be asked, by the name of its pipeline.
    pub controls: Vec<(String, LiveControl)>,
    threads: Vec<JoinHandle<()>>,
    /// Dropping it stops them.
    halt: Sender<()>,
}

/// Starts them.
///
/// # Errors
/// The system gives no threads.
pub fn start(pipelines: Vec<LivePipeline>) -> Result<Live> {
    let (halt, halted) = bounded(0);
    let mut live = Live { controls: Vec::new(), threads: Vec::new(), halt };
    for pipeline in pipelines {
        let control = LiveControl::default();
        live.controls.push((pipeline.name.clone(), control.clone()));
        let halted = halted.clone();
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| run(&pipeline, &control, &halted)));
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::error!(pipeline = pipeline.name, mend = e.mend_text(), "{e}"),
                Err(_) => tracing::error!(
                    pipeline = pipeline.name,
                    "latentd stumbled, and this pipeline has ended; please report it"
                ),
            }
        });
        live.threads.push(thread.map_err(|e| Error::new(Kind::Transient, "no thread for a pipeline").because(e))?);
    }
    Ok(live)
}

impl Live {
    /// Stops them, and waits until they have.
    pub fn stop(self) {
        drop(self.halt);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}
