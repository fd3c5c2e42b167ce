//! Starts pipelines, changes them at a reload, starts one again that has failed, and ends them all.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::feed::{Feed, Order, Tools};
use super::status::{self, PipelineStatus, Reload, Slot};
use super::{Board, Event, Load, Loaded, Options, check_together, journal, notify};
use crate::durable;
use crate::error::{Error, Kind, Result, show_path};
use crate::pipeline::{Pipeline, Pool, outputs, prepare_folders};

/// After this a pipeline that could not be started, or has failed, is started again.
const AGAIN: Duration = Duration::from_secs(10);

/// The supervisor; it owns the workers and all that is known of the pipelines.
pub struct Supervisor {
    load: Box<Load>,
    options: Options,
    board: Arc<Board>,
    events: (Sender<Event>, Receiver<Event>),
    /// Until the end.
    pool: Option<Pool>,
    members: BTreeMap<String, Member>,
    /// Names of those that somebody has paused; they stay so when they are changed.
    paused: BTreeSet<String>,
    next_id: u64,
    ending: bool,
}

/// A pipeline that runs, or is to run.
struct Member {
    loaded: Loaded,
    running: Running,
    /// It was told to end.
    halting: bool,
    /// What takes its place once it has ended: a changed pipeline, or nothing.
    successor: Option<Loaded>,
}

/// How a pipeline runs.
enum Running {
    /// Files: a feed on a thread of its own.
    Folder {
        /// Which of the threads that were ever started.
        id: u64,
        /// What it is told.
        orders: Sender<Order>,
        thread: JoinHandle<()>,
    },
    /// Not at all, until this time.
    Not(Instant),
}

impl Supervisor {
    /// Starts the workers.
    ///
    /// # Errors
    /// Kind transient: the system gives no threads.
    pub fn new(
        load: Box<Load>,
        options: Options,
        board: Arc<Board>,
        events: (Sender<Event>, Receiver<Event>),
    ) -> Result<Supervisor> {
        let pool = Some(Pool::new(options.threads)?);
        let (members, paused) = (BTreeMap::new(), BTreeSet::new());
        Ok(Supervisor { load, options, board, events, pool, members, paused, next_id: 0, ending: false })
    }

    /// Starts the pipelines, all or none.
    ///
    /// # Errors
    /// The first that cannot be started.
    pub fn start(&mut self, pipelines: Vec<Loaded>) -> Result<()> {
        // All are made before one begins, so that a mistake in the last does not stop the first in mid-work.
        let made = pipelines.iter().map(|loaded| self.make(loaded)).collect::<Result<Vec<_>>>()?;
        for made in made {
            self.launch(made)?;
        }
        self.options.again = false;
        Ok(())
    }

    /// Works until told to end.
    pub fn run(&mut self) {
        self.board.set_up(true);
        notify::ready();
        let pulse = notify::pulse();
        let mut beat = Instant::now();
        while !(self.ending && self.members.is_empty()) {
            self.board.beat();
            match self.events.1.recv_timeout(pulse.saturating_sub(beat.elapsed())) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {
                    beat = Instant::now();
                    self.start_again();
                    notify::alive(&self.board.status());
                }
                // This holds a sender itself, so it cannot happen.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(pool) = self.pool.take() {
            pool.finish();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Stop => {
                tracing::info!("stopping: what is begun is finished");
                if let Some(pool) = &self.pool {
                    pool.stop();
                }
                self.end(Order::Halt);
            }
            Event::Drain => {
                tracing::info!("draining: what has arrived is worked off");
                self.end(Order::Drain);
            }
            Event::Reload(asker) => {
                let reload = self.reload();
                self.board.set_reload(reload.clone());
                // Whoever asked may have gone away.
                let _ = asker.map(|asker| asker.send(reload));
            }
            Event::Pause(name) => {
                self.order(&name, Order::Pause);
                self.paused.insert(name);
            }
            Event::Resume(name) => {
                self.order(&name, Order::Resume);
                self.paused.remove(&name);
            }
            Event::Ended { id, failed } => self.ended(id, failed),
        }
    }

    fn order(&self, name: &str, order: Order) {
        if let Some(Member { running: Running::Folder { orders, .. }, .. }) = self.members.get(name) {
            let _ = orders.send(order);
        }
    }

    fn end(&mut self, order: Order) {
        self.ending = true;
        self.board.set_up(false);
        notify::stopping();
        self.members.retain(|_, member| match &member.running {
            Running::Folder { orders, .. } => {
                member.successor = None;
                let _ = orders.send(order);
                true
            }
            Running::Not(_) => false,
        });
    }

    /// Folders, journal and watch of a pipeline, so far without its thread.
    fn make(&self, loaded: &Loaded) -> Result<Made> {
        let pipeline = &loaded.pipeline;
        let Some(pool) = &self.pool else { return Err(Error::new(Kind::Bug, "there are no workers")) };
        prepare_folders(pipeline)?;
        let (book, found) = journal::open(&self.options.state, pipeline, self.options.again)?;
        let mark = pipeline.sink.mark.get_or_init(|| format!("{}.{}", journal::owner(pipeline), found.run));
        sweep(pipeline, mark.clone());
        let slot = Slot::new(shown(loaded));
        let (orders, ordered) = unbounded();
        let tools = Tools {
            lane: pool.lane(pipeline.source.weight),
            limit: 2 * pool.size(),
            book: (book.clone(), found),
            orders: ordered,
            slot: slot.clone(),
            metrics: self.board.metrics.clone(),
        };
        let feed = Feed::new(Arc::clone(pipeline), tools).inspect_err(|_| book.close())?;
        self.board.put(&pipeline.name, slot, book);
        Ok(Made { loaded: loaded.clone(), feed, orders })
    }

    /// Starts the thread of a pipeline.
    fn launch(&mut self, made: Made) -> Result<()> {
        let Made { loaded, mut feed, orders } = made;
        if self.paused.contains(&loaded.pipeline.name) {
            let _ = orders.send(Order::Pause);
        }
        self.next_id += 1;
        let (id, events) = (self.next_id, self.events.0.clone());
        let work = move || {
            let failed = catch_unwind(AssertUnwindSafe(|| feed.run())).is_err();
            // What it holds, the journal above all, is let go before it is told, so that a successor finds it free.
            feed.close();
            drop(feed);
            let _ = events.send(Event::Ended { id, failed });
        };
        let thread = std::thread::Builder::new().name("feed".into()).spawn(work);
        let thread = thread.map_err(|e| Error::new(Kind::Transient, "no thread for a pipeline").because(e))?;
        let running = Running::Folder { id, orders, thread };
        self.members.insert(loaded.pipeline.name.clone(), Member { loaded, running, halting: false, successor: None });
        Ok(())
    }

    /// Starts a pipeline while others run. If that cannot be done it is tried again later, and shown.
    fn start_one(&mut self, loaded: Loaded) {
        if let Err(e) = self.make(&loaded).and_then(|made| self.launch(made)) {
            tracing::error!(mend = e.mend_text(), "`{}` cannot be started: {e}", loaded.pipeline.name);
            self.wait(loaded, e.to_string());
        }
    }

    fn wait(&mut self, loaded: Loaded, reason: String) {
        let (name, again) = (loaded.pipeline.name.clone(), Instant::now() + AGAIN);
        self.board.set_state(&name, shown(&loaded), "waiting", Some(reason));
        self.members.insert(name, Member { loaded, running: Running::Not(again), halting: false, successor: None });
    }

    fn start_again(&mut self) {
        let due = |member: &Member| matches!(member.running, Running::Not(at) if at <= Instant::now());
        let names: Vec<String> = self.members.iter().filter(|(_, m)| due(m)).map(|(name, _)| name.clone()).collect();
        for member in names.iter().filter_map(|name| self.members.remove(name)).collect::<Vec<_>>() {
            self.start_one(member.loaded);
        }
    }

    fn ended(&mut self, id: u64, failed: bool) {
        let is = |member: &Member| matches!(member.running, Running::Folder { id: its, .. } if its == id);
        let Some(name) = self.members.iter().find(|(_, m)| is(m)).map(|(name, _)| name.clone()) else { return };
        let Some(member) = self.members.remove(&name) else { return };
        self.board.remove(&name);
        if let Running::Folder { thread, .. } = member.running {
            let _ = thread.join();
        }
        match member.successor {
            Some(successor) => self.start_one(successor),
            None if failed && !self.ending => {
                tracing::error!("`{name}` has failed by a mistake of latentd's own; it is started again");
                self.wait(member.loaded, "it failed, and is started again".into());
            }
            None => {}
        }
    }

    /// Reads everything anew. Only if all of it is right is anything changed, and only what differs.
    fn reload(&mut self) -> Reload {
        let mut reload = Reload { time: status::now(), ..Reload::default() };
        if self.ending {
            reload.problems.push("the daemon is about to end".into());
            return reload;
        }
        notify::reloading();
        match self.read_anew() {
            Ok(pipelines) => {
                reload.ok = true;
                self.change(pipelines, &mut reload);
                let Reload { added, changed, removed, .. } = &reload;
                tracing::info!(?added, ?changed, ?removed, "reloaded");
            }
            Err(problems) => {
                tracing::error!("the new configuration is wrong, and the old one stays: {}", problems.join("; "));
                reload.problems = problems;
            }
        }
        notify::ready();
        reload
    }

    fn read_anew(&self) -> std::result::Result<Vec<Loaded>, Vec<String>> {
        let pipelines = (self.load)()?;
        check_together(&pipelines)?;
        let folders = pipelines.iter().filter_map(|loaded| prepare_folders(&loaded.pipeline).err());
        let problems: Vec<String> = folders.map(|e| e.to_string()).collect();
        if problems.is_empty() { Ok(pipelines) } else { Err(problems) }
    }

    fn change(&mut self, pipelines: Vec<Loaded>, reload: &mut Reload) {
        let names: Vec<String> = pipelines.iter().map(|loaded| loaded.pipeline.name.clone()).collect();
        for (name, member) in self.members.iter_mut().filter(|(name, _)| !names.contains(name)) {
            reload.removed.push(name.clone());
            (member.halting, member.successor) = (true, None);
            if let Running::Folder { orders, .. } = &member.running {
                let _ = orders.send(Order::Halt);
            }
        }
        self.members.retain(|name, m| names.contains(name) || matches!(m.running, Running::Folder { .. }));
        for loaded in pipelines {
            let name = loaded.pipeline.name.clone();
            match self.members.get_mut(&name) {
                None => {
                    reload.added.push(name);
                    self.start_one(loaded);
                }
                Some(member) => {
                    let newest = member.successor.as_ref().unwrap_or(&member.loaded);
                    let same = newest.pipeline.fingerprint.whole == loaded.pipeline.fingerprint.whole;
                    if same && (!member.halting || member.successor.is_some()) {
                        continue;
                    }
                    reload.changed.push(name.clone());
                    match &member.running {
                        // Its place is taken when what it has begun is finished.
                        Running::Folder { orders, .. } => {
                            let _ = orders.send(Order::Halt);
                            (member.halting, member.successor) = (true, Some(loaded));
                        }
                        Running::Not(_) => {
                            self.members.remove(&name);
                            self.start_one(loaded);
                        }
                    }
                }
            }
        }
    }
}

/// A pipeline whose thread is still to be started.
struct Made {
    loaded: Loaded,
    feed: Feed,
    orders: Sender<Order>,
}

/// Clears away what earlier runs have left unfinished, beside everything else: there may be many files to pass by.
fn sweep(pipeline: &Pipeline, mark: String) {
    let folders: Vec<_> = outputs(&pipeline.sink).into_iter().map(|(.., path)| path.to_path_buf()).collect();
    let work = move || folders.iter().for_each(|folder| durable::sweep(folder, &mark));
    if let Err(e) = std::thread::Builder::new().name("sweep".into()).spawn(work) {
        tracing::debug!("{e}");
    }
}

/// What of a pipeline's status does not change.
fn shown(loaded: &Loaded) -> PipelineStatus {
    let pipeline = &loaded.pipeline;
    PipelineStatus {
        name: pipeline.name.clone(),
        file: show_path(&loaded.file),
        kind: "folder".into(),
        state: "starting".into(),
        source: show_path(&pipeline.source.root),
        sink: show_path(&pipeline.sink.root),
        quarantine: show_path(&pipeline.sink.quarantine),
        stages: pipeline.stages.iter().map(|stage| stage.name().to_owned()).collect(),
        ..PipelineStatus::default()
    }
}
