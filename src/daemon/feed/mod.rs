//! One pipeline's inputs: watches its folder, waits until files are whole, hands them to the workers, and sees to what became of them.

mod ear;
mod hold;
mod intake;
mod originals;
mod outcome;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, never, select, unbounded};

use super::journal::{Book, Found, ledger, sign_of};
use super::metrics::Metrics;
use super::status::{Counts, PipelineStatus, Queue, Slot};
use crate::durable::Stamp;
use crate::error::show_path;
use crate::pipeline::{Input, Job, Lane, Ledger, Pipeline, Ticket};
use crate::source::{Mark, Settle, Watch, identity};
use hold::Hold;
use intake::Look;
use originals::Stuck;
use outcome::Later;

/// Models let go of what they can make again when there was no work for this long.
const REST: Duration = Duration::from_secs(60);

/// What a feed can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// Hand nothing over, but go on watching.
    Pause,
    /// Hand over again.
    Resume,
    /// Let sound pass as it is; files know no such thing.
    Bypass,
    /// Let it go through its stages again.
    Engage,
    /// Let the stages' share of the sound be this, 0..=1.
    Strength(f32),
    /// Others watch its files too, or none does any more.
    Share(bool),
    /// Work off what has arrived by now, then end.
    Drain,
    /// Finish what is begun, then end.
    Halt,
}

/// What a feed is given by the supervisor.
pub struct Tools {
    /// Where its jobs go.
    pub lane: Lane,
    /// How many jobs may be with the workers at once.
    pub limit: usize,
    /// Its journal, and what the start found in it.
    pub book: (Book, Found),
    /// Whether others watch its files too: one that it cannot work on stays for them.
    pub shared: bool,
    /// What it is told.
    pub orders: Receiver<Order>,
    /// Where it shows how it is.
    pub slot: Slot,
    /// What it counts.
    pub metrics: Metrics,
}

/// The source of one pipeline at work.
pub struct Feed {
    pipeline: Arc<Pipeline>,
    lane: Lane,
    limit: usize,
    /// Others watch its files too.
    shared: bool,
    book: Book,
    ledger: Arc<dyn Ledger>,
    orders: Receiver<Order>,
    slot: Slot,
    metrics: Metrics,
    watch: Option<Watch>,
    settle: Settle,
    /// Signs of files that are done and still there.
    done: HashSet<u128>,
    /// Signs of files that the program ended with: each is tried alone, so that it takes no blameless one with it.
    interrupted: HashSet<u128>,
    /// Whole, and waiting for a worker, or for others to make a group.
    ready: VecDeque<Input>,
    /// Ready or handed over, and not yet home.
    open: HashMap<PathBuf, Stamp>,
    /// How many jobs are handed over.
    handed: usize,
    /// One of those that are tried alone is handed over.
    alone: bool,
    /// To be tried again.
    later: HashMap<PathBuf, Later>,
    /// Done, but their originals stay.
    stuck: Stuck,
    /// Nothing is handed over, since it would fail.
    hold: Option<Hold>,
    paused: bool,
    draining: bool,
    /// It is told to end.
    halted: bool,
    /// Folders to look at, and when.
    looks: HashMap<PathBuf, Look>,
    next_scan: Instant,
    /// When the whole folder may be looked at again, whoever asks for it.
    soonest_scan: Instant,
    /// The system does not tell of all that happens in the folder.
    untold: bool,
    /// The folder was taken away, so that what has its name now is not watched yet.
    lost: bool,
    home: Sender<Ticket>,
    tickets: Receiver<Ticket>,
    root_gone: bool,
    /// Folders that cannot be read and were told.
    unreadable: HashSet<PathBuf>,
    /// Device and inode of the folder when it was last begun to be watched.
    root: Option<(u64, u64)>,
    counts: Counts,
    /// When there was work last; nothing once the models have been told to rest.
    worked: Option<Instant>,
}

impl Feed {
    /// Begins to watch, so that nothing is missed between this and [`Feed::run`].
    pub fn new(pipeline: Arc<Pipeline>, tools: Tools) -> Feed {
        let source = &pipeline.source;
        // Without the system's messages as well each file is found, only later.
        let (watch, unwatched) = match source.poll.is_none().then(|| Watch::new(&source.root, source.recursive)) {
            Some(Ok(watch)) => (Some(watch), None),
            Some(Err(e)) => (None, Some(e)),
            None => (None, None),
        };
        let Tools { lane, limit, book: (book, found), shared, orders, slot, metrics } = tools;
        // Side by side, an older one might be done last and take the place of a newer one.
        let limit = if pipeline.sink.has_one_name() { 1 } else { limit.max(1) };
        let (home, tickets) = unbounded();
        let mut feed = Feed {
            settle: Settle::new(source.settle, source.quiet.max(source.poll.unwrap_or_default())),
            root: identity(&pipeline.source.root),
            ledger: ledger(&book),
            done: found.done,
            interrupted: found.interrupted,
            unreadable: HashSet::new(),
            pipeline,
            lane,
            limit,
            shared,
            book,
            orders,
            slot,
            metrics,
            watch,
            ready: VecDeque::new(),
            open: HashMap::new(),
            handed: 0,
            alone: false,
            later: HashMap::new(),
            stuck: Stuck::default(),
            hold: None,
            paused: false,
            draining: false,
            halted: false,
            looks: HashMap::new(),
            next_scan: Instant::now(),
            soonest_scan: Instant::now(),
            untold: false,
            lost: false,
            home,
            tickets,
            root_gone: false,
            counts: Counts::default(),
            worked: Some(Instant::now()),
        };
        feed.settle_originals(found.unsettled);
        if let Some(e) = unwatched {
            feed.note_untold(&e.to_string(), e.mend_text().unwrap_or_default());
        }
        feed
    }

    /// Has it begin paused: an order would be heard only when the first files are handed over.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Works until told to end, then waits for what is in flight.
    pub fn run(&mut self) {
        tracing::info!(pipeline = self.pipeline.name, "watching {}", show_path(&self.pipeline.source.root));
        self.scan(&self.pipeline.source.root.clone(), Mark::Present);
        self.plan_next_scan(Duration::ZERO);
        while !(self.halted || self.draining && self.is_drained()) {
            if !self.draining {
                self.take_marks();
                self.look_again();
            }
            self.take_ready();
            if self.halted {
                break;
            }
            self.try_stuck_again();
            self.hand_over();
            self.show();
            let wake = self.watch.as_ref().map_or_else(never, |w| w.wake().clone());
            let wait = self.wait();
            select! {
                // A supervisor that is gone wants nothing more.
                recv(self.orders) -> order => self.heed(order.unwrap_or(Order::Halt)),
                recv(wake) -> _ => {}
                recv(self.tickets) -> ticket => {
                    // All that are home by now: what happens next is decided once for all of them.
                    for ticket in ticket.into_iter().chain(self.tickets.clone().try_iter()) {
                        self.settle_ticket(ticket);
                    }
                }
                default(wait) => self.rest(),
            }
            // Whatever else there was: a folder in which things happen all the time shall not keep it from hearing.
            while let Ok(order) = self.orders.try_recv() {
                self.heed(order);
            }
        }
        while self.handed > 0 {
            match self.tickets.recv() {
                Ok(ticket) => self.settle_ticket(ticket),
                Err(_) => break,
            }
        }
    }

    /// Closes the journal.
    pub fn close(&self) {
        self.book.close();
    }

    /// Does as it is told.
    fn heed(&mut self, order: Order) {
        match order {
            Order::Pause => self.paused = true,
            Order::Resume => self.paused = false,
            Order::Bypass | Order::Engage | Order::Strength(_) => {}
            Order::Share(shared) => self.shared = shared,
            Order::Drain => self.begin_draining(),
            Order::Halt => self.halted = true,
        }
    }

    fn begin_draining(&mut self) {
        self.take_marks();
        self.scan(&self.pipeline.source.root.clone(), Mark::Seen);
        self.draining = true;
    }

    /// A lone file of a group, and what must be tried later, is left for the next start.
    fn is_drained(&self) -> bool {
        let workable = !self.paused && self.hold.is_none() && self.ready.len() >= self.pipeline.source.group;
        self.handed == 0 && self.settle.is_empty() && !workable && !self.stuck.is_due()
    }

    fn hand_over(&mut self) {
        let group = self.pipeline.source.group;
        while !self.paused && !self.alone && self.ready.len() >= group {
            let limit = match &self.hold {
                Some(hold) if hold.until > Instant::now() => 0,
                // One, to see whether it goes well again.
                Some(_) => 1,
                None => self.limit,
            };
            if self.handed < limit {
                self.put_another_first();
            }
            let next = self.ready.iter().take(group);
            let suspect = !self.interrupted.is_empty()
                && next.map(|input| sign_of(&input.path, input.stamp)).any(|sign| self.interrupted.contains(&sign));
            if self.handed >= limit || (suspect && self.handed > 0) {
                return;
            }
            if self.send_back_busy(group) {
                continue;
            }
            self.alone = suspect;
            self.handed += 1;
            self.lane.push(Job {
                pipeline: Arc::clone(&self.pipeline),
                inputs: self.ready.drain(..group).collect(),
                ledger: Arc::clone(&self.ledger),
                home: self.home.clone(),
            });
        }
    }

    fn wait(&self) -> Duration {
        let now = Instant::now();
        let looks = self.looks.values().map(|look| look.at);
        let retries = self.later.values().filter_map(|later| later.at);
        let hold = self
            .hold
            .iter()
            .map(|hold| hold.until)
            .filter(|_| !self.paused && self.handed == 0 && self.ready.len() >= self.pipeline.source.group.max(1));
        let rest = self.worked.map(|at| at + REST).filter(|_| self.open.is_empty());
        let next = looks
            .chain(retries)
            .chain(hold)
            .chain(rest)
            .chain(self.stuck.due())
            .chain([self.next_scan])
            .min()
            .unwrap_or(now);
        let wait = next.saturating_duration_since(now);
        // Not shorter than a tick: with thousands of files on their way, each wake-up looks at all of them.
        self.settle.next(now).map_or(wait, |s| wait.min(s)).max(Duration::from_millis(5))
    }

    /// Lets models rest when there was nothing to do for a while.
    fn rest(&mut self) {
        if self.open.is_empty() && self.worked.is_some_and(|at| at.elapsed() >= REST) {
            self.pipeline.stages.iter().for_each(|stage| stage.rest());
            self.worked = None;
        }
    }

    /// Shows how it is.
    fn show(&self) {
        let (state, reason) = match (&self.hold, self.paused, self.draining) {
            (_, true, _) => ("paused", None),
            (Some(hold), ..) => ("waiting", Some(hold.reason.clone())),
            _ if self.root_gone => ("waiting", Some("the folder is gone".to_owned())),
            (_, _, true) => ("draining", None),
            _ => ("running", self.stuck.reason()),
        };
        let queue = Queue {
            settling: self.settle.len(),
            ready: self.ready.len(),
            working: self.handed,
            later: self.later.values().filter(|later| later.at.is_some()).count(),
            originals: self.stuck.count(),
        };
        self.metrics.queue(&self.pipeline.name, &queue);
        let mut status = self.slot.lock();
        let PipelineStatus { state: s, reason: r, queue: q, counts: c, .. } = &mut *status;
        (*s, *r, *q, *c) = (state.to_owned(), reason, queue, self.counts.clone());
    }
}
