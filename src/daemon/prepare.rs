//! What takes long before the start: meanwhile the daemon is heard and answers, or the pipelines begin.

use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, select};

use super::{Board, Event, notify};
use crate::durable;
use crate::error::{Error, Kind, Result};
use crate::pipeline::{Pipeline, outputs};

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

/// Clears away what earlier runs have left unfinished, beside everything else: there may be many files to pass by.
pub fn sweep(pipeline: &Pipeline, mark: String) {
    let folders: Vec<_> = outputs(&pipeline.sink).into_iter().map(|(.., path)| path.to_path_buf()).collect();
    let work = move || folders.iter().for_each(|folder| durable::sweep(folder, &mark));
    if let Err(e) = std::thread::Builder::new().name("sweep".into()).spawn(work) {
        tracing::debug!("{e}");
    }
}
