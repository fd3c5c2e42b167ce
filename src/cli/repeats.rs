//! A log that does not drown: of warnings and errors from one place in the code only so many are written in a while, and then how many more
//! there were.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// How many are written in each [`WINDOW`].
const MOST: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// The filter.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<HashMap<Identifier, Window>>);

#[derive(Debug)]
struct Window {
    begin: Instant,
    count: u32,
}

impl Repeats {
    /// Whether another one is written; and how many were not in a window that has just ended.
    fn admit(&self, place: Identifier, now: Instant) -> (bool, u32) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(place).or_insert(Window { begin: now, count: 0 });
        let mut withheld = 0;
        if now.duration_since(window.begin) >= WINDOW {
            withheld = window.count.saturating_sub(MOST);
            *window = Window { begin: now, count: 0 };
        }
        window.count += 1;
        (window.count <= MOST, withheld)
    }
}

impl<S: Subscriber> Filter<S> for Repeats {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // What went well is a record, and told each time.
        if *metadata.level() > Level::WARN {
            return true;
        }
        let (admitted, withheld) = self.admit(metadata.callsite(), Instant::now());
        if withheld > 0 {
            // Not by way of the log, in the middle of which this is.
            super::terminal::note(&format!("{withheld} more messages like the next one were left out"));
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        static PLACE: tracing::callsite::DefaultCallsite = {
            static METADATA: Metadata<'static> = tracing::metadata!(
                name: "here",
                target: "here",
                level: Level::WARN,
                fields: tracing::fieldset!(),
                callsite: &PLACE,
                kind: tracing::metadata::Kind::EVENT,
            );
            tracing::callsite::DefaultCallsite::new(&METADATA)
        };
        let (repeats, begin) = (Repeats::default(), Instant::now());
        let place = || Identifier(&PLACE);
        let written = (0..1000).filter(|_| repeats.admit(place(), begin).0).count();
        assert_eq!(written, MOST as usize);
        assert_eq!(repeats.admit(place(), begin + WINDOW), (true, 1000 - MOST));
        assert_eq!(repeats.admit(place(), begin + WINDOW), (true, 0));
    }
}
