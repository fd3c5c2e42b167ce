//! Idle threads that help with pieces of somebody else's picture.
//!
//! The thread that owns a piece of work cuts it up and does the pieces itself, one after another; a helper that has nothing else to do
//! takes some of them. So one large photo uses all cores, and many small ones cost no coordination.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::error::{Error, Kind, Result};

/// Work that another thread may help with.
pub trait Help: Send + Sync {
    /// Does pieces until there are none left.
    fn help(&self);
}

/// A request for help. It does not keep the work alive: one that is answered too late finds nothing to do.
pub type Call = Weak<dyn Help>;

/// Tells work that nobody wants it any more. It goes along with the work; clones of it are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks all who do pieces of the work to begin no other.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work is given up.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error if the work is given up; to be asked between pieces that take a while.
    ///
    /// # Errors
    /// Kind bug; whoever has set it tells people why.
    pub fn check(&self) -> Result<()> {
        match self.is_set() {
            true => Err(Error::new(Kind::Bug, "it was given up")),
            false => Ok(()),
        }
    }
}

/// Where an owner asks for help.
#[derive(Clone, Debug)]
pub struct Crew {
    calls: Option<Sender<Call>>,
    helpers: usize,
    /// Those of them that never have other work.
    spare: usize,
    stop: Stop,
    hearer: Option<Hearer>,
}

/// Whoever hears how far shared work is.
#[derive(Clone)]
struct Hearer(Arc<dyn Fn(usize, usize) + Send + Sync>);

impl fmt::Debug for Hearer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Hearer")
    }
}

impl Crew {
    /// No helpers: the caller does everything.
    pub fn alone() -> Crew {
        Crew { calls: None, helpers: 0, spare: 0, stop: Stop::default(), hearer: None }
    }

    /// A crew of `helpers` threads that answer the calls which the receiver gives out.
    pub fn new(helpers: usize) -> (Crew, Receiver<Call>) {
        let (calls, receiver) = bounded(4 * helpers.max(1));
        (Crew { calls: Some(calls), helpers, spare: 0, stop: Stop::default(), hearer: None }, receiver)
    }

    /// The same threads, for work that ends between two pieces once `stop` is set.
    #[must_use]
    pub fn until(&self, stop: &Stop) -> Crew {
        Crew { stop: stop.clone(), ..self.clone() }
    }

    /// The same threads, for work that tells after each piece how many are done, and of how many.
    #[must_use]
    pub fn heard_by(&self, hear: impl Fn(usize, usize) + Send + Sync + 'static) -> Crew {
        Crew { hearer: Some(Hearer(Arc::new(hear))), ..self.clone() }
    }

    /// The same threads, which have nothing to do but to help: work is cut up for all of them.
    #[must_use]
    pub fn dedicated(self) -> Crew {
        Crew { spare: self.helpers, ..self }
    }

    /// How many other threads there are that have nothing to do but to help. It never hangs on what others do at the moment: one picture
    /// comes out the same each time.
    pub fn spare(&self) -> usize {
        self.spare
    }

    /// What tells that the work is given up, for pieces that are long themselves.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Does `piece(0..count)`, on this thread and on idle helpers; `done` gets the results on this thread, in any order, as they come.
    ///
    /// # Errors
    /// The first error of a piece or of `done`; pieces not begun by then are left undone. A piece that panics is an error of kind bug, and so is
    /// work that is given up.
    pub fn share<T, P>(&self, count: usize, piece: P, mut done: impl FnMut(usize, T) -> Result<()>) -> Result<()>
    where
        T: Send + 'static,
        P: Fn(usize) -> Result<T> + Send + Sync + 'static,
    {
        // Bounded, so that helpers that are faster than the owner's `done` do not pile up results.
        let (results, received) = bounded(2 * self.helpers + 1);
        let stop = self.stop.clone();
        let work = Arc::new(Work { piece, next: AtomicUsize::new(0), count, results, stop });
        let shared: Arc<dyn Help> = work.clone();
        // Called again before each piece: helpers that were busy at the first call may be idle by now.
        let call = || {
            for calls in self.calls.iter().filter(|calls| calls.is_empty()) {
                for _ in 0..self.helpers {
                    let _ = calls.try_send(Arc::downgrade(&shared));
                }
            }
        };
        let mut missing = count;
        let outcome = (|| {
            while missing > 0 {
                self.stop.check()?;
                let (index, result) = match received.try_recv() {
                    Ok(result) => result,
                    Err(_) => match work.take() {
                        Some(index) => {
                            if index + 1 < count {
                                call();
                            }
                            (index, work.run(index))
                        }
                        None => received.recv().map_err(|_| Error::new(Kind::Bug, "a helper was lost"))?,
                    },
                };
                missing -= 1;
                done(index, result?)?;
                if let Some(Hearer(hear)) = &self.hearer {
                    hear(count - missing, count);
                }
            }
            Ok(())
        })();
        work.next.store(count, Ordering::Relaxed);
        outcome
    }
}

struct Work<T, P> {
    piece: P,
    next: AtomicUsize,
    count: usize,
    results: Sender<(usize, Result<T>)>,
    stop: Stop,
}

impl<T: Send, P: Fn(usize) -> Result<T> + Send + Sync> Work<T, P> {
    fn take(&self) -> Option<usize> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.count).then_some(index)
    }

    fn run(&self, index: usize) -> Result<T> {
        catch_unwind(AssertUnwindSafe(|| (self.piece)(index)))
            .unwrap_or_else(|_| Err(Error::new(Kind::Bug, "a piece of the work panicked")))
    }
}

impl<T: Send, P: Fn(usize) -> Result<T> + Send + Sync> Help for Work<T, P> {
    fn help(&self) {
        // Asked before a piece is taken: the owner waits for each that is.
        while !self.stop.is_set()
            && let Some(index) = self.take()
        {
            if self.results.send((index, self.run(index))).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(crew: &Crew, count: usize) -> Result<Vec<usize>> {
        let mut squares = vec![0; count];
        crew.share(
            count,
            |i| if i == 77 { panic!("made to fail") } else { Ok(i * i) },
            |i, square| {
                squares[i] = square;
                Ok(())
            },
        )?;
        Ok(squares)
    }

    #[test]
    fn alone_and_with_helpers_all_pieces_are_done_once() {
        let expected: Vec<usize> = (0..50).map(|i| i * i).collect();
        assert_eq!(square(&Crew::alone(), 50).unwrap(), expected);
        let (crew, calls) = Crew::new(3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let calls = calls.clone();
                scope.spawn(move || {
                    for call in calls {
                        if let Some(work) = call.upgrade() {
                            work.help();
                        }
                    }
                });
            }
            for _ in 0..200 {
                assert_eq!(square(&crew, 50).unwrap(), expected);
            }
            assert_eq!(square(&crew, 100).unwrap_err().kind(), Kind::Bug);
            drop(crew);
        });
    }

    #[test]
    fn a_panic_in_a_piece_is_an_error() {
        assert_eq!(square(&Crew::alone(), 100).unwrap_err().kind(), Kind::Bug);
    }

    /// All tiles of a picture were still done after its job had been given up.
    #[test]
    fn work_that_is_given_up_ends_before_the_next_piece() {
        let (stop, begun) = (Stop::default(), Arc::new(AtomicUsize::new(0)));
        let (sets, counts) = (stop.clone(), Arc::clone(&begun));
        let piece = move |index: usize| {
            counts.fetch_add(1, Ordering::Relaxed);
            if index == 3 {
                sets.set();
            }
            Ok(())
        };
        let crew = Crew::alone();
        let shared = crew.until(&stop).share(50, piece, |_, ()| Ok(()));
        assert!(shared.unwrap_err().to_string().contains("it was given up"));
        assert_eq!(begun.load(Ordering::Relaxed), 4);
        assert_eq!(square(&crew, 5).unwrap(), [0, 1, 4, 9, 16], "other work of the crew goes on");
    }

    #[test]
    fn helpers_begin_no_piece_of_work_that_is_given_up() {
        let (stop, begun) = (Stop::default(), AtomicUsize::new(0));
        stop.set();
        let (results, received) = bounded(50);
        let piece = |_: usize| -> Result<usize> { Ok(begun.fetch_add(1, Ordering::Relaxed)) };
        Work { piece, next: AtomicUsize::new(0), count: 50, results, stop }.help();
        assert_eq!((begun.load(Ordering::Relaxed), received.len()), (0, 0));
    }
}
