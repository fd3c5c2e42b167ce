//! Threads that help an element with the tiles of its frames.

use std::thread::JoinHandle;

use latentd::crew::Crew;

/// A crew and its threads, as many as the machine has beside the streaming thread; they end with it.
#[derive(Debug)]
pub struct Helpers {
    crew: Crew,
    threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    /// Starts the threads. Where the system gives fewer, those that there are do more.
    pub fn start() -> Helpers {
        let count = std::thread::available_parallelism().map_or(1, usize::from) - 1;
        let (crew, calls) = Crew::new(count);
        let crew = crew.dedicated();
        let spawn = |_| {
            let calls = calls.clone();
            let help = move || {
                for call in calls {
                    if let Some(work) = call.upgrade() {
                        work.help();
                    }
                }
            };
            std::thread::Builder::new().name("latentd-helper".to_owned()).spawn(help).ok()
        };
        let threads = (0..count).filter_map(spawn).collect();
        Helpers { crew, threads }
    }

    /// Where to ask for help.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        // Without anybody who could call, the threads end.
        self.crew = Crew::alone();
        for thread in self.threads.drain(..) {
            // A piece of work that panics is caught within the crew.
            let _ = thread.join();
        }
    }
}
