//! What takes long before the start: meanwhile the daemon is heard and answers.

use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, select};

use super::{Board, Event, notify};
use crate::error::{Error, Kind, Result};

/// How often to say that it lives.
const PULSE: Duration = Duration::from_secs(5);

/// Does `work` on a thread of its own, and tells whether the daemon is still wanted when it is done. What else it was asked meanwhile waits for the
/// supervisor.
///
/// # Errors
/// Kind transient: there is no thread for it.
pub fn prepare(
    work: impl FnOnce() + Send + 'static,
    board: &Board,
    events: &(Sender<Event>, Receiver<Event>),
) -> Result<bool> {
    let (done, finished) = bounded::<()>(0);
    let work = move || {
        // Dropped when the work is done, however it ends.
        let _done = done;
        work();
    };
    let thread = std::thread::Builder::new().name("prepare".into()).spawn(work);
    thread.map_err(|e| Error::new(Kind::Transient, "no thread to prepare the start").because(e))?;
    let mut asked = Vec::new();
    let wanted = loop {
        board.beat();
        notify::preparing(4 * PULSE);
        select! {
            recv(finished) -> _ => break true,
            recv(events.1) -> event => match event {
                Ok(Event::Stop) | Err(_) => break false,
                Ok(event) => asked.push(event),
            },
            default(PULSE) => {}
        }
    };
    asked.into_iter().for_each(|event| drop(events.0.send(event)));
    Ok(wanted)
}
