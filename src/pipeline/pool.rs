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
use super::places::Places;
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
    /// Locked before `under_way` and `lanes` where both are.
    places: Mutex<Places>,
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
    charge: Charge,
}

/// The lane that a job is of, and the seconds that it was charged in advance.
type Charge = (u64, f64);

impl Pool {
    /// Starts `size` workers (at least 1).
    ///
    /// # Errors
    /// Kind transient: the system gives no more threads.
    pub fn new(size: usize) -> Result<Pool> {
        let size = size.max(1);
        let shared = Arc::new(Shared::new(size));
        for _ in 0..size {
            lock(&shared.places).take(|number| shared.start_worker(number))?;
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
        while !self.shared.is_over() {
            std::thread::sleep(Duration::from_millis(2));
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
    fn new(size: usize) -> Shared {
        let (crew, calls) = Crew::new(size - 1);
        Shared {
            lanes: Mutex::default(),
            tokens: unbounded(),
            crew,
            calls,
            stopping: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            under_way: Mutex::default(),
            places: Mutex::new(Places::new(size)),
        }
    }

    fn start_worker(self: &Arc<Self>, number: u64) -> Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        spawn(&format!("worker-{number}"), move || shared.work(number))
    }

    /// Whether every worker has ended, and none will come to do what is queued.
    fn is_over(&self) -> bool {
        let mut places = lock(&self.places);
        // Workers catch what panics in a job; a worker itself has nothing that could.
        places.ended().into_iter().for_each(|worker| drop(worker.join()));
        !places.any_taken() && (!places.any_vacant() || lock(&self.lanes).is_empty())
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
            if !self.run(number, job, (lane, charged)) {
                return;
            }
            lock(&self.lanes).settle(lane, charged, begin.elapsed().as_secs_f64());
        }
    }

    /// Runs a job and sends its ticket home. False if it was given up meanwhile: then another has this worker's place.
    fn run(&self, number: u64, job: Job, charge: Charge) -> bool {
        if self.stopping.load(Ordering::Relaxed) {
            let Job { inputs, home, .. } = job;
            let (outcome, elapsed) = (Outcome::Dropped, Duration::ZERO);
            let _ = home.send(Ticket { inputs, outcome, elapsed, stages: Vec::new(), unsettled: None });
            return true;
        }
        let (job, flight) = (Arc::new(job), Arc::new(Flight::default()));
        let entry = UnderWay { flight: Arc::clone(&flight), begin: Instant::now(), job: Arc::clone(&job), charge };
        lock(&self.under_way).insert(number, entry);
        let first = job.inputs.first().map(|input| show_path(&input.relative)).unwrap_or_default();
        let file = if job.inputs.len() > 1 { format!("{first} and {} more", job.inputs.len() - 1) } else { first };
        let id = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let span = tracing::info_span!("job", id, pipeline = job.pipeline.name, file);
        let ticket = span.in_scope(|| job.run(&self.crew, &flight));
        // Also of one that failed: from here on the watchdog cannot tell of it as well.
        if flight.publish().is_err() {
            return false;
        }
        lock(&self.under_way).remove(&number);
        // Whoever waited for the ticket may be gone; the work is done all the same.
        let _ = job.home.send(ticket);
        true
    }

    /// Gives up what takes too long.
    fn inspect(self: &Arc<Self>) {
        // Held throughout: `is_over` sees no moment at which the worker is gone and its place is not yet empty.
        let mut places = lock(&self.places);
        let given_up: Vec<(u64, UnderWay)> =
            lock(&self.under_way).extract_if(|_, entry| entry.is_late() && entry.flight.give_up()).collect();
        for (number, entry) in &given_up {
            places.lose(*number, entry.job.pipeline.source.max_time);
        }
        // Nobody waits for a worker that only has to drop what is queued.
        places.refill(self.stopping.load(Ordering::Relaxed), |number| self.start_worker(number));
        drop(places);
        given_up.into_iter().for_each(|(_, entry)| self.tell(entry));
    }

    /// Does for a worker that may never come back what it would do at the end of a job.
    fn tell(&self, entry: UnderWay) {
        let UnderWay { flight, begin, job, charge: (lane, charged) } = entry;
        let elapsed = begin.elapsed();
        lock(&self.lanes).settle(lane, charged, elapsed.as_secs_f64());
        let first = job.inputs.first().map(|input| input.path.clone()).unwrap_or_default();
        let limit = job.pipeline.source.max_time.as_secs_f64();
        let e = Error::new(Kind::Input, format!("work on it took more than {limit} s and was given up")).at(&first);
        let error = e.mend("set a longer `max_time` in the source if the machine is just slow; else please report it");
        if let Some(key) = flight.take_claim() {
            job.ledger.failed(key, &error.to_string());
        }
        let outcome = Outcome::Failed { error, culprit: None };
        let ticket = Ticket { inputs: job.inputs.clone(), outcome, elapsed, stages: Vec::new(), unsettled: None };
        let _ = job.home.send(ticket);
    }
}

impl UnderWay {
    fn is_late(&self) -> bool {
        self.begin.elapsed() > self.job.pipeline.source.max_time
    }
}

fn patrol(shared: &Arc<Shared>, ended: &Receiver<()>) {
    while ended.recv_timeout(PATROL) == Err(crossbeam::channel::RecvTimeoutError::Timeout) {
        shared.inspect();
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::media::MediaKind;
    use crate::pipeline::stub::{Does, Notes};
    use crate::pipeline::{Ledger, Pipeline, Verdict};
    use crate::sink::FolderSink;
    use crate::source::FolderSource;
    use crate::stage::Context;

    /// A job without inputs whose only stage does this.
    fn job(work: impl Fn(&Context) -> Result<()> + Send + Sync + 'static) -> (Job, Receiver<Ticket>) {
        job_of(Notes::answering(|| Verdict::Work), work)
    }

    fn job_of(
        ledger: Arc<dyn Ledger>,
        work: impl Fn(&Context) -> Result<()> + Send + Sync + 'static,
    ) -> (Job, Receiver<Ticket>) {
        let folder = Path::new("/nowhere");
        let (source, sink) = (FolderSource::everything(folder), FolderSink::new(folder, MediaKind::Image));
        let pipeline = Arc::new(Pipeline::new("test", source, vec![Box::new(Does(work))], sink));
        let (home, tickets) = unbounded();
        (Job { pipeline, inputs: Vec::new(), ledger, home }, tickets)
    }

    impl Shared {
        /// Has all that is under way take a day already, and looks; the one that gets an empty place ends at once.
        fn inspect_a_day_later(self: &Arc<Self>) {
            let day = Duration::from_secs(24 * 3600);
            lock(&self.under_way).values_mut().for_each(|entry| entry.begin = Instant::now() - day);
            let _ = self.tokens.0.send(Token::End);
            self.inspect();
        }
    }

    /// The watchdog gave it up between its end and its ticket: two came home, and its feed counted wrongly ever after.
    #[test]
    fn a_job_that_has_failed_cannot_be_given_up_as_well() {
        let (shared, notes) = (Arc::new(Shared::new(1)), Notes::answering(|| Verdict::Work));
        let (tell, flights) = unbounded();
        let seen = Arc::clone(&shared);
        let (job, tickets) = job_of(notes.clone(), move |_| {
            let _ = tell.send(lock(&seen.under_way).get(&0).map(|entry| Arc::clone(&entry.flight)));
            Err(Error::new(Kind::Input, "made to fail"))
        });
        assert!(shared.run(0, job, (0, 0.0)));
        let flight = flights.recv().unwrap().unwrap();
        assert!(!flight.give_up());
        assert_eq!(tickets.try_iter().count(), 1);
        assert_eq!(notes.told(), ["claim", "failed: made to fail"]);
    }

    /// It went on to the end of its stage, slowed down what came in its place, and noted late that it had failed.
    #[test]
    fn a_job_that_is_given_up_ends_at_the_next_piece_and_is_told_of_once() {
        let (shared, notes) = (Arc::new(Shared::new(1)), Notes::answering(|| Verdict::Work));
        let begun = Arc::new(AtomicUsize::new(0));
        let (watch, counts) = (Arc::clone(&shared), Arc::clone(&begun));
        let (job, tickets) = job_of(notes.clone(), move |context| {
            let (watch, counts) = (Arc::clone(&watch), Arc::clone(&counts));
            let piece = move |index: usize| {
                counts.fetch_add(1, Ordering::Relaxed);
                if index == 2 {
                    watch.inspect_a_day_later();
                }
                Ok(())
            };
            context.crew.share(50, piece, |_, ()| Ok(()))
        });
        assert!(!shared.run(0, job, (0, 0.0)), "another has its place");
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        let notes = notes.told();
        assert!(notes.len() == 2 && notes[1].contains("took more than 3600 s"), "{notes:?}");
        let told: Vec<Ticket> = tickets.try_iter().collect();
        assert!(matches!(&told[..], [Ticket { outcome: Outcome::Failed { .. }, .. }]), "{told:?}");
    }

    /// A lane whose jobs hang was charged what a job usually takes, and was first again and again.
    #[test]
    fn a_lane_pays_for_jobs_that_are_given_up() {
        let shared = Arc::new(Shared::new(1));
        let [hangs, well] = [1.0, 1.0].map(|weight| lock(&shared.lanes).open(weight));
        let watch = Arc::clone(&shared);
        let (job_that_hangs, _) = job(move |_| {
            watch.inspect_a_day_later();
            Ok(())
        });
        lock(&shared.lanes).push(hangs, job_that_hangs);
        let (lane, charged, first) = lock(&shared.lanes).pop().unwrap();
        assert!(!shared.run(0, first, (lane, charged)));
        for lane in [hangs, hangs, well, well] {
            lock(&shared.lanes).push(lane, job(|_| Ok(())).0);
        }
        let next = [(); 4].map(|()| lock(&shared.lanes).pop().unwrap().0);
        assert_eq!(next, [well, well, hangs, hangs]);
    }

    /// Whoever waited for the last worker saw it gone and nobody in its place yet, and left what was queued.
    #[test]
    fn what_is_queued_waits_for_whoever_gets_an_empty_place() {
        let shared = Arc::new(Shared::new(1));
        assert!(shared.is_over());
        lock(&shared.places).lose(0, Duration::ZERO);
        assert!(shared.is_over(), "there is nothing to do");
        let lane = lock(&shared.lanes).open(1.0);
        lock(&shared.lanes).push(lane, job(|_| Ok(())).0);
        assert!(!shared.is_over());
    }
}
