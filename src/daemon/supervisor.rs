//! Starts pipelines, changes them at a reload, starts one again that has failed, and ends them all.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::board::Behind;
use super::feed::{Feed, Order, Tools};
#[cfg(feature = "live")]
use super::live::Live;
use super::member::{Member, Running, shown};
use super::prepare::sweep;
use super::status::{self, PipelineStatus, Reload, Slot};
use super::together::is_shared;
use super::wishes::Wishes;
use super::{Board, Event, Load, Loaded, Options, Work, check_together, journal, notify, renewed};
use crate::error::{Error, Kind, Result};
use crate::pipeline::{Pool, prepare_folders};

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
    /// All that are to run, by the last configuration that was right.
    all: Vec<Loaded>,
    /// What somebody has told of them by name; it counts for what takes their place as well.
    wishes: BTreeMap<String, Wishes>,
    /// Names of those that are still to begin by doing again what is done.
    again: BTreeSet<String>,
    next_id: u64,
    ending: bool,
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
        let (members, wishes, again, next_id, ending) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), 0, false);
        Ok(Supervisor { load, options, board, events, pool, members, all: Vec::new(), wishes, again, next_id, ending })
    }

    /// Starts the pipelines; one whose folders or journal the system refuses waits by itself.
    ///
    /// # Errors
    /// One has a mistake. Or none can be started, and it is not for their folders.
    pub fn start(&mut self, pipelines: Vec<Loaded>) -> Result<()> {
        if self.options.again {
            self.again = pipelines.iter().map(|loaded| loaded.name().to_owned()).collect();
        }
        self.all.clone_from(&pipelines);
        // All are made before one begins, so that a mistake in the last does not stop the first in mid-work.
        let (mut all, mut refused, mut unmade) = (Vec::new(), Vec::new(), Vec::new());
        for loaded in pipelines {
            match prepare(&loaded) {
                Ok(()) => match self.make(&loaded) {
                    Ok(made) => all.push(made),
                    Err(e) => unmade.push((loaded, e)),
                },
                // A share that is away, or a disk that is full, is no reason for the others to stand still.
                Err(e) if e.kind() != Kind::Config => refused.push((loaded, e)),
                Err(e) => return Err(e),
            }
        }
        // Nor is one journal; but where no other is left, whoever starts it shall hear of it.
        if all.is_empty() && refused.is_empty() && !unmade.is_empty() {
            return Err(unmade.swap_remove(0).1);
        }
        refused.extend(unmade);
        for made in all {
            self.launch(made)?;
        }
        for (loaded, e) in refused {
            self.put_off(loaded, &e);
        }
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
            Event::Pause(name) => self.tell(name, Order::Pause),
            Event::Resume(name) => self.tell(name, Order::Resume),
            Event::Bypass(name) => self.tell(name, Order::Bypass),
            Event::Engage(name) => self.tell(name, Order::Engage),
            Event::Strength(name, strength) => self.tell(name, Order::Strength(strength)),
            Event::Ended { id, failed } => self.ended(id, failed),
        }
    }

    /// Orders what somebody has told, and keeps it in mind.
    fn tell(&mut self, name: String, order: Order) {
        self.order(&name, order);
        self.wishes.entry(name).or_default().heed(order);
    }

    fn order(&mut self, name: &str, order: Order) {
        if let Some(member) = self.members.get_mut(name) {
            member.tell(order);
        }
    }

    fn end(&mut self, order: Order) {
        self.ending = true;
        self.board.set_up(false);
        notify::stopping();
        self.members.retain(|_, member| {
            member.successor = None;
            member.tell(order);
            member.runs()
        });
    }

    /// Journal and watch of a pipeline whose folders are prepared, so far without its thread.
    fn make(&self, loaded: &Loaded) -> Result<Made> {
        let pipeline = match &loaded.work {
            Work::Folder(pipeline) => pipeline,
            // Devices may come and go, so there is nothing to be made beforehand.
            #[cfg(feature = "live")]
            Work::Live(_) => return Ok(Made { loaded: loaded.clone(), feed: None }),
        };
        let Some(pool) = &self.pool else { return Err(Error::new(Kind::Bug, "there are no workers")) };
        let again = self.again.contains(&pipeline.name);
        let (book, found) = journal::open(&self.options.state, pipeline, again)?;
        let mark = pipeline.sink.mark.get_or_init(|| format!("{}.{}", journal::owner(pipeline), found.run));
        sweep(pipeline, mark.clone());
        let slot = Slot::new(shown(loaded));
        let (orders, ordered) = unbounded();
        let tools = Tools {
            lane: pool.lane(pipeline.source.weight),
            limit: 2 * pool.size(),
            book: (book.clone(), found),
            shared: is_shared(pipeline, &self.all),
            orders: ordered,
            slot: slot.clone(),
            metrics: self.board.metrics.clone(),
        };
        let feed = Feed::new(Arc::clone(pipeline), tools);
        self.board.put(&pipeline.name, slot, Behind::Book(book));
        Ok(Made { loaded: loaded.clone(), feed: Some((feed, orders)) })
    }

    /// Starts the thread of a pipeline.
    fn launch(&mut self, made: Made) -> Result<()> {
        let Made { loaded, feed } = made;
        let name = loaded.name().to_owned();
        let wishes = self.wishes.get(&name).copied().unwrap_or_default();
        self.next_id += 1;
        let (id, events) = (self.next_id, self.events.0.clone());
        let running = match (feed, &loaded.work) {
            (Some((mut feed, orders)), _) => {
                if wishes.paused {
                    feed.pause();
                }
                let work = move || {
                    let failed = catch_unwind(AssertUnwindSafe(|| feed.run())).is_err();
                    // What it holds, the journal above all, is let go before it is told, so that a successor finds it free.
                    feed.close();
                    drop(feed);
                    let failed = failed.then(|| "it failed by a mistake of latentd's own".to_owned());
                    let _ = events.send(Event::Ended { id, failed });
                };
                let thread = std::thread::Builder::new().name("feed".into()).spawn(work);
                let thread = thread.map_err(|e| Error::new(Kind::Transient, "no thread for a pipeline").because(e))?;
                Running::Folder { id, orders, thread }
            }
            #[cfg(feature = "live")]
            (None, Work::Live(pipeline)) => {
                let ended = move |failed| drop(events.send(Event::Ended { id, failed }));
                let (live, thread) = Live::start(Arc::clone(pipeline), wishes, ended)?;
                self.board.put(&name, Slot::new(shown(&loaded)), Behind::Live(live.control.clone()));
                Running::Live { id, live, thread }
            }
            (None, Work::Folder(_)) => return Err(Error::new(Kind::Bug, "a folder has no feed")),
        };
        self.again.remove(&name);
        self.members.insert(name, Member::new(loaded, running));
        Ok(())
    }

    /// Starts a pipeline while others run. If that cannot be done it is tried again later, and shown.
    fn start_one(&mut self, loaded: Loaded) {
        let made = prepare(&loaded).and_then(|()| self.make(&loaded));
        if let Err(e) = made.and_then(|made| self.launch(made)) {
            self.put_off(loaded, &e);
        }
    }

    /// Tells why a pipeline cannot be started, once for each reason, and has it wait.
    fn put_off(&mut self, loaded: Loaded, e: &Error) {
        let (name, reason) = (loaded.name(), e.to_string());
        let told = |p: &PipelineStatus| p.name == name && p.reason.as_deref() == Some(reason.as_str());
        if !self.board.status().pipelines.iter().any(told) {
            tracing::warn!(mend = e.mend_text(), "`{name}` cannot be started: {e}; it waits, and is tried again");
        }
        self.wait(loaded, reason);
    }

    fn wait(&mut self, loaded: Loaded, reason: String) {
        let (name, again) = (loaded.name().to_owned(), Instant::now() + AGAIN);
        self.show(&loaded, "waiting", Some(reason));
        self.members.insert(name, Member::new(loaded, Running::Not(again)));
    }

    /// Shows a pipeline that does not run in the place of what ran before: whoever asks for it meanwhile shall find it.
    fn show(&self, loaded: &Loaded, state: &str, reason: Option<String>) {
        let before = self.board.status().pipelines.into_iter().find(|pipeline| pipeline.name == loaded.name());
        self.board.set_state(loaded.name(), shown(loaded), state, reason);
        before.iter().for_each(|gone| self.board.metrics.forget(gone));
    }

    fn start_again(&mut self) {
        let due = |member: &Member| matches!(member.running, Running::Not(at) if at <= Instant::now());
        let names: Vec<String> = self.members.iter().filter(|(_, m)| due(m)).map(|(name, _)| name.clone()).collect();
        for member in names.iter().filter_map(|name| self.members.remove(name)).collect::<Vec<_>>() {
            self.start_one(renewed(member.loaded, &self.load));
        }
    }

    fn ended(&mut self, id: u64, failed: Option<String>) {
        let Some(name) = self.members.iter().find(|(_, m)| m.is(id)).map(|(name, _)| name.clone()) else { return };
        let Some(member) = self.members.remove(&name) else { return };
        match (member.join(), failed) {
            ((_, Some(successor)), _) => {
                self.show(&successor, "starting", None);
                self.start_one(successor);
            }
            ((loaded, None), Some(reason)) if !self.ending => {
                tracing::error!("`{name}` has ended: {reason}; it is started again");
                self.wait(loaded, format!("{reason}; it is started again"));
            }
            _ => self.board.remove(&name),
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
        // What goes on as it is has had its folders: where one is gone, a share that is away, say, none is made in its place.
        let stays = |loaded: &&Loaded| self.members.get(loaded.name()).is_some_and(|member| member.stays_as(loaded));
        let refusals = pipelines.iter().filter(|loaded| !stays(loaded)).filter_map(|loaded| prepare(loaded).err());
        // For what the system refuses that one pipeline waits, as at the start.
        let problems: Vec<String> = refusals.filter(|e| e.kind() == Kind::Config).map(|e| e.to_string()).collect();
        if problems.is_empty() { Ok(pipelines) } else { Err(problems) }
    }

    fn change(&mut self, pipelines: Vec<Loaded>, reload: &mut Reload) {
        let names: Vec<String> = pipelines.iter().map(|loaded| loaded.name().to_owned()).collect();
        for (name, member) in self.members.iter_mut().filter(|(name, _)| !names.contains(name)) {
            reload.removed.push(name.clone());
            member.halt(None);
        }
        let board = &self.board;
        self.members.retain(|name, member| {
            let stays = names.contains(name) || member.runs();
            if !stays {
                board.remove(name);
            }
            stays
        });
        self.all.clone_from(&pipelines);
        for loaded in pipelines {
            let name = loaded.name().to_owned();
            let Some(member) = self.members.get_mut(&name) else {
                reload.added.push(name);
                self.start_one(loaded);
                continue;
            };
            let newest = member.successor.as_ref().unwrap_or(&member.loaded);
            if newest.is_same(&loaded) && (!member.halting || member.successor.is_some()) {
                // Others may have come to its folder or gone from it, and its file may have another name.
                if let Some(pipeline) = loaded.folder() {
                    member.tell(Order::Share(is_shared(pipeline, &self.all)));
                }
                self.board.set_file(&name, &loaded.file);
                continue;
            }
            match member.change(&loaded) {
                Ok(true) => self.board.replace(&name, shown(&loaded)),
                // Its place is taken when what it has begun is finished.
                Ok(false) if member.runs() => member.halt(Some(loaded)),
                Ok(false) => {
                    self.members.remove(&name);
                    self.start_one(loaded);
                }
                Err(e) => {
                    tracing::error!(mend = e.mend_text(), "`{name}` stays as it is: {e}");
                    reload.ok = false;
                    reload.problems.push(format!("{name}: {e}"));
                    continue;
                }
            }
            reload.changed.push(name);
        }
    }
}

/// A pipeline whose thread is still to be started.
struct Made {
    loaded: Loaded,
    /// Of a pipeline of folders.
    feed: Option<(Feed, Sender<Order>)>,
}

/// Makes the folders of a pipeline that has some.
fn prepare(loaded: &Loaded) -> Result<()> {
    match loaded.folder() {
        Some(pipeline) => prepare_folders(pipeline, &format!("{}.probe", journal::owner(pipeline))),
        None => Ok(()),
    }
}
