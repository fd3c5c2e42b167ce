//! Lines of the log of what ends soon: the level, the file that it is about, and what there is to say. When it was, and which job, is for who runs for days.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes such lines; [`Files`] tells which files they are about.
pub struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        let (colour, end) = match (to.has_ansi_escapes(), level) {
            (false, _) => ("", ""),
            (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
            (true, Level::INFO) => ("\x1b[32m", "\x1b[0m"),
            (true, _) => ("\x1b[34m", "\x1b[0m"),
        };
        write!(to, "{colour}{level:>5}{end} ")?;
        let mut said = String::new();
        context.format_fields(Writer::new(&mut said), event)?;
        if let Some(span) = context.lookup_current()
            && let Some(File(file)) = span.extensions().get()
            && !said.starts_with(file.as_str())
        {
            write!(to, "{file}: ")?;
        }
        writeln!(to, "{said}")
    }
}

/// Keeps in mind which file a job is about.
pub struct Files;

/// The file's name.
struct File(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Files {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = Found(None);
        attributes.record(&mut found);
        if let (Some(span), Some(file)) = (context.span(id), found.0) {
            span.extensions_mut().insert(File(file));
        }
    }
}

/// The field `file`, if there is one.
struct Found(Option<String>);

impl Visit for Found {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "file" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
