//! The workers. Each takes a job and runs it through its whole pipeline; one that has no job helps others with their tiles.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender, bounded, never, select};

use super::job::{Job, Outcome, Ticket};
use crate::crew::{Call, Crew};
use crate::error::{Error, Kind, Result};

/// A fixed number of worker threads behind a bounded queue.
#[derive(Debug)]
pub struct Pool {
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Pool {
    /// Starts `size` workers (at least 1).
    ///
    /// # Errors
    /// Kind transient: the system gives no more threads.
    pub fn new(size: usize) -> Result<Pool> {
        let size = size.max(1);
        let (jobs, queue) = bounded::<Job>(size);
        let (crew, calls) = Crew::new(size - 1);
        let stopping = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        for number in 0..size {
            let (queue, calls, crew, stopping) = (queue.clone(), calls.clone(), crew.clone(), Arc::clone(&stopping));
            let worker = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || work(&queue, calls, &crew, &stopping))
                .map_err(|e| Error::new(Kind::Transient, "no thread for a worker").because(e))?;
            workers.push(worker);
        }
        Ok(Pool { jobs: Some(jobs), workers, stopping })
    }

    /// Where jobs go in; a full queue makes the sender wait.
    pub fn jobs(&self) -> Sender<Job> {
        // The queue is only taken away by `finish`, which consumes the pool.
        self.jobs.clone().unwrap_or_else(|| bounded(0).0)
    }

    /// From now on queued jobs are dropped; those begun are finished.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until the queue is empty and all senders are gone, then until every worker has ended.
    pub fn finish(mut self) {
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // Workers catch what panics in a job; a worker itself has nothing that could.
            let _ = worker.join();
        }
    }
}

fn work(queue: &Receiver<Job>, mut calls: Receiver<Call>, crew: &Crew, stopping: &AtomicBool) {
    loop {
        // Own jobs first: helping is for those who would idle.
        let job = match queue.try_recv() {
            Ok(job) => job,
            Err(_) => select! {
                recv(queue) -> job => match job {
                    Ok(job) => job,
                    Err(_) => return,
                },
                recv(calls) -> call => {
                    match call {
                        Ok(call) => if let Some(work) = call.upgrade() { work.help() },
                        Err(_) => calls = never(),
                    }
                    continue;
                }
            },
        };
        let begin = Instant::now();
        let outcome = if stopping.load(Ordering::Relaxed) {
            Outcome::Dropped
        } else {
            let first = job.inputs.first().map(|input| input.relative.clone()).unwrap_or_default();
            let span = tracing::info_span!("job", pipeline = job.pipeline.name, file = crate::error::show_path(&first));
            let _entered = span.enter();
            catch_unwind(AssertUnwindSafe(|| job.run(crew))).unwrap_or_else(|_| {
                let error = Error::new(Kind::Bug, "latentd stumbled over this file").at(&first);
                Outcome::Failed { error: error.mend("please report it, with the file if you can"), culprit: None }
            })
        };
        // Whoever waited for the ticket may be gone; the work is done all the same.
        let _ = job.home.send(Ticket { inputs: job.inputs, outcome, elapsed: begin.elapsed() });
    }
}
