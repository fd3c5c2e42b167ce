//! From a request to an answer; knows nothing of sockets.

use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use serde_json::{Value, json};

use super::super::journal;
use super::super::{Board, Event};
use crate::error::{Error, Kind, Result};

/// How long a reload may take before whoever asked is told to look again later.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most events that are given at once.
const MOST_EVENTS: usize = 10_000;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whether something is to be changed: POST rather than GET.
    pub post: bool,
    /// Path and query.
    pub url: &'a str,
}

/// Status code, type and text of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// As HTTP counts.
    pub code: u16,
    /// Media type.
    pub kind: &'static str,
    /// The text.
    pub text: String,
}

impl Answer {
    /// JSON.
    pub fn json(code: u16, value: &Value) -> Answer {
        Answer { code, kind: "application/json", text: format!("{value}\n") }
    }

    /// An error, as JSON with `error` and perhaps `mend`.
    pub fn error(code: u16, error: &str, mend: Option<&str>) -> Answer {
        Answer::json(code, &json!({ "error": error, "mend": mend }))
    }

    fn plain(code: u16, text: impl Into<String>) -> Answer {
        Answer { code, kind: "text/plain; charset=utf-8", text: text.into() }
    }
}

impl From<&Error> for Answer {
    fn from(e: &Error) -> Answer {
        let code = if e.kind() == Kind::Usage { 404 } else { 503 };
        Answer::error(code, &e.to_string(), e.mend_text())
    }
}

/// Answers a question.
pub fn answer(question: Question, board: &Board, events: &Sender<Event>) -> Answer {
    let (path, query) = question.url.split_once('?').unwrap_or((question.url, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (question.post, parts.as_slice()) {
        (false, ["healthz"]) if board.is_alive() => Answer::plain(200, "ok\n"),
        (false, ["healthz"]) => Answer::plain(503, "the supervisor hangs\n"),
        (false, ["readyz"]) => match board.status() {
            status if status.ready => Answer::plain(200, "ready\n"),
            status => Answer::plain(503, status.reasons.join("\n") + "\n"),
        },
        (false, ["metrics"]) => Answer {
            kind: "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ..Answer::plain(200, board.metrics.text(&board.status()))
        },
        (false, ["v1", "status"]) => match serde_json::to_value(board.status()) {
            Ok(status) => Answer::json(200, &status),
            Err(e) => Answer::error(500, &e.to_string(), None),
        },
        (false, ["v1", "history"]) => history(query, board).unwrap_or_else(|e| match e.kind() {
            // There is a history; it is the question that makes no sense.
            Kind::Usage => Answer::error(400, &e.to_string(), e.mend_text()),
            _ => Answer::from(&e),
        }),
        (true, ["v1", "reload"]) => reload(events),
        (true, ["v1", "drain"]) => told(events.send(Event::Drain).is_ok()),
        (true, ["v1", "pipelines", name, what @ ("pause" | "resume")]) => {
            let name = decode(name);
            if let Err(e) = board.check_name(&name) {
                return Answer::from(&e);
            }
            let event = if *what == "pause" { Event::Pause(name) } else { Event::Resume(name) };
            told(events.send(event).is_ok())
        }
        (true, ["v1", "pipelines", name, what @ ("bypass" | "engage")]) => {
            let name = decode(name);
            if let Err(e) = board.check_live(&name) {
                return Answer::from(&e);
            }
            let event = if *what == "bypass" { Event::Bypass(name) } else { Event::Engage(name) };
            told(events.send(event).is_ok())
        }
        (true, ["v1", "pipelines", name, "strength", share]) => {
            let name = decode(name);
            if let Err(e) = board.check_live(&name) {
                return Answer::from(&e);
            }
            match share.parse::<f32>() {
                Ok(share) if (0.0..=1.0).contains(&share) => told(events.send(Event::Strength(name, share)).is_ok()),
                _ => Answer::error(400, "the strength is no number from 0 to 1", None),
            }
        }
        (post, ["v1", "reload" | "drain" | "status" | "history"] | ["healthz" | "readyz" | "metrics"]) => {
            Answer::error(405, if post { "this is asked with GET" } else { "this is asked with POST" }, None)
        }
        _ => Answer::error(404, "there is nothing of that name", Some("docs/service.md lists what there is")),
    }
}

fn told(ok: bool) -> Answer {
    match ok {
        true => Answer::json(202, &json!({ "ok": true })),
        false => Answer::error(503, "the daemon is about to end", None),
    }
}

fn reload(events: &Sender<Event>) -> Answer {
    let (asker, asked) = bounded(1);
    if events.send(Event::Reload(Some(asker))).is_err() {
        return told(false);
    }
    match asked.recv_timeout(PATIENCE) {
        Ok(reload) => match serde_json::to_value(&reload) {
            Ok(value) => Answer::json(if reload.ok { 200 } else { 422 }, &value),
            Err(e) => Answer::error(500, &e.to_string(), None),
        },
        Err(_) => Answer::error(504, "it takes long", Some("look at `reload` in the status later")),
    }
}

fn history(query: &str, board: &Board) -> Result<Answer> {
    let (mut since, mut limit, mut files) = (0, 1000, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = || value.parse::<u64>().map_err(|_| Error::new(Kind::Usage, format!("`{name}` is no number")));
        match name {
            // A number of seconds back from now.
            "since" => since = journal::ago(Duration::from_secs(number()?)),
            "limit" => limit = usize::try_from(number()?).unwrap_or(MOST_EVENTS).clamp(1, MOST_EVENTS),
            "file" => files.push(decode(value)),
            _ => {
                let e = Error::new(Kind::Usage, format!("there is no parameter `{}`", name.escape_debug()));
                return Err(e.mend("there are `since`, `limit` and `file`"));
            }
        }
    }
    let events = board.history(since, limit, &files)?;
    let events: Vec<Value> = events.into_iter().map(|(name, event)| event.of(&name)).collect();
    Ok(Answer::json(200, &json!({ "version": super::super::status::VERSION, "events": events })))
}

/// `%20` becomes a space; what is no such code stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The other way round.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::board::Behind;
    use crate::daemon::status::{PipelineStatus, Slot};

    #[test]
    fn any_name_survives_the_way() {
        for name in ["plain", "with space", "ä/ö?&=%", "100%", "\u{1F600}"] {
            assert_eq!(decode(&encode(name)), name);
        }
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%é"), "%é");
    }

    #[test]
    fn what_is_not_there_is_told() {
        let (events, _kept) = crossbeam::channel::unbounded();
        let board = Board::new(1);
        let ask = |post: bool, url: &str| answer(Question { post, url }, &board, &events).code;
        assert_eq!(ask(false, "/healthz"), 200);
        assert_eq!(ask(false, "/readyz"), 503);
        assert_eq!(ask(true, "/v1/pipelines/none/pause"), 404);
        assert_eq!(ask(false, "/v1/drain"), 405);
        assert_eq!(ask(true, "/metrics"), 405);
        assert_eq!(ask(false, "/../../etc/passwd"), 404);
        for wrong in ["since=abc", "limit=abc", "limit=-1", "limit", "sinse=7", "file=a&other"] {
            assert_eq!(ask(false, &format!("/v1/history?{wrong}")), 400, "{wrong}");
        }
        assert_eq!(ask(false, "/v1/history?"), 200);
        assert_eq!(ask(false, "/v1/history?limit=99999999999999"), 200);
    }

    #[test]
    fn only_sound_is_bypassed() {
        let (events, told) = crossbeam::channel::unbounded();
        let board = Board::new(1);
        for (name, kind) in [("my voice", "live"), ("photos", "folder")] {
            let status = PipelineStatus { name: name.into(), kind: kind.into(), ..PipelineStatus::default() };
            board.put(name, Slot::new(status), Behind::Nothing);
        }
        let ask = |post: bool, url: &str| answer(Question { post, url }, &board, &events);
        assert_eq!(ask(true, "/v1/pipelines/my%20voice/bypass").code, 202);
        assert!(matches!(told.try_recv(), Ok(Event::Bypass(name)) if name == "my voice"));
        assert_eq!(ask(true, "/v1/pipelines/my%20voice/engage").code, 202);
        assert!(matches!(told.try_recv(), Ok(Event::Engage(name)) if name == "my voice"));
        for what in ["bypass", "engage"] {
            let refused = ask(true, &format!("/v1/pipelines/photos/{what}"));
            assert!(refused.code == 404 && refused.text.contains("only a live pipeline"), "{refused:?}");
            assert!(refused.text.contains("latentd pause photos"), "{refused:?}");
            assert_eq!(ask(true, &format!("/v1/pipelines/voice/{what}")).code, 404);
            assert_eq!(ask(false, &format!("/v1/pipelines/my%20voice/{what}")).code, 404);
        }
        assert_eq!(ask(true, "/v1/pipelines/my%20voice/strength/0.25").code, 202);
        assert!(matches!(told.try_recv(), Ok(Event::Strength(name, 0.25)) if name == "my voice"));
        for wrong in ["1.5", "-1", "NaN", "much"] {
            assert_eq!(ask(true, &format!("/v1/pipelines/my%20voice/strength/{wrong}")).code, 400, "{wrong}");
        }
        assert_eq!(ask(true, "/v1/pipelines/photos/strength/0.5").code, 404);
        assert!(told.is_empty(), "what is refused is not passed on");
    }
}
