//! The workers. Each takes a job and runs it through its whole pipeline; one that has no job helps others with their tiles. A watchdog gives
//! up jobs that take too long, and puts another worker in the place of the one that hangs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, never, select, unbounded};

use super::flight::Flight;
use super::job::{Job, Outcome, Ticket};
use super::lanes::Lanes;
use crate::crew::{Call, Crew};
use crate::error::{Error, Kind, Result, show_path};

/// How often the watchdog looks.
const PATROL: Duration = Duration::from_millis(200);

/// A number of worker threads that take jobs from lanes, in turn.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    size: usize,
    watchdog: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Where one pipeline's jobs go in. When it is dropped, what is queued is still done.
#[derive(Debug)]
pub struct Lane {
    id: u64,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lanes: Mutex<Lanes>,
    /// One token for each job in a lane, and in the end one for each worker.
    tokens: (Sender<Token>, Receiver<Token>),
    crew: Crew,
    calls: Receiver<Call>,
    stopping: AtomicBool,
    /// How many jobs were begun; the number of each is in the log.
    begun: AtomicU64,
    /// Jobs under way, by the worker's number.
    under_way: Mutex<HashMap<u64, UnderWay>>,
    workers: Mutex<HashMap<u64, JoinHandle<()>>>,
}

#[derive(Debug)]
enum Token {
    Job,
    End,
}

/// What the watchdog must know to write a worker's ticket in its place.
#[derive(Debug)]
struct UnderWay {
    flight: Arc<Flight>,
    begin: Instant,
    job: Arc<Job>,
}

impl Pool {
    /// Starts `size` workers (at least 1).
    ///
    /// # Errors
    /// Kind transient: the system gives no more threads.
    pub fn new(size: usize) -> Result<Pool> {
        let size = size.max(1);
        let (crew, calls) = Crew::new(size - 1);
        let shared = Arc::new(Shared {
            lanes: Mutex::default(),
            tokens: unbounded(),
            crew,
            calls,
            stopping: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            under_way: Mutex::default(),
            workers: Mutex::default(),
        });
        for number in 0..size as u64 {
            shared.start_worker(number)?;
        }
        let (end, ended) = bounded::<()>(0);
        let watched = Arc::clone(&shared);
        let watchdog = spawn("watchdog", move || patrol(&watched, &ended))?;
        Ok(Pool { shared, size, watchdog: Some((end, watchdog)) })
    }

    /// How many workers there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A lane for one pipeline. `weight` is its share of the machine while others have work too; 1 is normal.
    pub fn lane(&self, weight: f64) -> Lane {
        Lane { id: lock(&self.shared.lanes).open(weight), shared: Arc::clone(&self.shared) }
    }

    /// From now on queued jobs are dropped; those begun are finished.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until the queues are empty and every worker has ended.
    pub fn finish(mut self) {
        for _ in 0..self.size {
            let _ = self.shared.tokens.0.send(Token::End);
        }
        loop {
            // Not all at once: the watchdog may still replace one.
            let worker = lock(&self.shared.workers).iter().next().map(|(number, _)| *number);
            let Some(number) = worker else { break };
            let done = lock(&self.shared.workers).get(&number).is_none_or(JoinHandle::is_finished);
            if done {
                let handle = lock(&self.shared.workers).remove(&number);
                // Workers catch what panics in a job; a worker itself has nothing that could.
                let _ = handle.map(JoinHandle::join);
            } else {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        if let Some((end, watchdog)) = self.watchdog.take() {
            drop(end);
            let _ = watchdog.join();
        }
    }
}

impl Lane {
    /// Queues a job. Never waits: how many are under way is the owner's to limit.
    pub fn push(&self, job: Job) {
        lock(&self.shared.lanes).push(self.id, job);
        let _ = self.shared.tokens.0.send(Token::Job);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        lock(&self.shared.lanes).close(self.id);
    }
}

impl Shared {
    fn start_worker(self: &Arc<Self>, number: u64) -> Result<()> {
        let shared = Arc::clone(self);
        let worker = spawn(&format!("worker-{number}"), move || shared.work(number))?;
        lock(&self.workers).insert(number, worker);
        Ok(())
    }

    fn work(&self, number: u64) {
        let (tokens, mut calls) = (&self.tokens.1, self.calls.clone());
        loop {
            // Own jobs first: helping is for those who would idle.
            let token = match tokens.try_recv() {
                Ok(token) => token,
                Err(_) => select! {
                    recv(tokens) -> token => match token {
                        Ok(token) => token,
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
            if matches!(token, Token::End) {
                return;
            }
            let Some((lane, charged, job)) = lock(&self.lanes).pop() else { continue };
            let begin = Instant::now();
            if !self.run(number, job) {
                return;
            }
            lock(&self.lanes).settle(lane, charged, begin.elapsed().as_secs_f64());
        }
    }

    /// Runs a job and sends its ticket home. False if it was given up meanwhile: then another has this worker's place.
    fn run(&self, number: u64, job: Job) -> bool {
        if self.stopping.load(Ordering::Relaxed) {
            let Job { inputs, home, .. } = job;
            let (outcome, elapsed) = (Outcome::Dropped, Duration::ZERO);
            let _ = home.send(Ticket { inputs, outcome, elapsed, stages: Vec::new(), unsettled: None });
            return true;
        }
        let (job, flight) = (Arc::new(job), Arc::new(Flight::default()));
        let entry = UnderWay { flight: Arc::clone(&flight), begin: Instant::now(), job: Arc::clone(&job) };
        lock(&self.under_way).insert(number, entry);
        let first = job.inputs.first().map(|input| show_path(&input.relative)).unwrap_or_default();
        let id = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let span = tracing::info_span!("job", id, pipeline = job.pipeline.name, file = first);
        let ticket = span.in_scope(|| job.run(&self.crew, &flight));
        if flight.is_given_up() {
            return false;
        }
        lock(&self.under_way).remove(&number);
        // Whoever waited for the ticket may be gone; the work is done all the same.
        let _ = job.home.send(ticket);
        true
    }

    /// Gives up what takes too long.
    fn inspect(self: &Arc<Self>, next_number: &mut u64) {
        let mut given_up = Vec::new();
        lock(&self.under_way).retain(|number, entry| {
            let late = entry.begin.elapsed() > entry.job.pipeline.source.max_time && entry.flight.give_up();
            if late {
                given_up.push((*number, entry.begin.elapsed(), Arc::clone(&entry.job)));
            }
            !late
        });
        for (number, elapsed, job) in given_up {
            // Its thread cannot be ended from outside; it ends by itself if it ever comes back.
            drop(lock(&self.workers).remove(&number));
            *next_number += 1;
            if let Err(e) = self.start_worker(*next_number) {
                tracing::error!("{e}");
            }
            let first = job.inputs.first().map(|input| input.path.clone()).unwrap_or_default();
            let limit = job.pipeline.source.max_time.as_secs_f64();
            let e = Error::new(Kind::Input, format!("work on it took more than {limit} s and was given up")).at(&first);
            let error =
                e.mend("set a longer `max_time` in the source if the machine is just slow; else please report it");
            let outcome = Outcome::Failed { error, culprit: None };
            let _ = job.home.send(Ticket {
                inputs: job.inputs.clone(),
                outcome,
                elapsed,
                stages: Vec::new(),
                unsettled: None,
            });
        }
    }
}

fn patrol(shared: &Arc<Shared>, ended: &Receiver<()>) {
    // Replacements count on from here, far from the first workers.
    let mut next_number = 1 << 32;
    while ended.recv_timeout(PATROL) == Err(crossbeam::channel::RecvTimeoutError::Timeout) {
        shared.inspect(&mut next_number);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|e| Error::new(Kind::Transient, "the system gives no more threads").because(e))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded here is whole at every moment, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
