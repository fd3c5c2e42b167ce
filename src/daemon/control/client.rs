//! The other end of the Unix socket, for `latentd status` and the like.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::super::status::Status;
use crate::error::{Error, Kind, Result};

/// An answer that is larger than this is none of ours.
const MOST_BYTES: u64 = 64 << 20;

/// Asks a daemon over its socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// For the daemon that has this socket.
    pub fn new(socket: &Path) -> Client {
        Client { socket: socket.to_path_buf() }
    }

    /// How the daemon is.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub fn status(&self) -> Result<Status> {
        let value = self.get("/v1/status")?;
        serde_json::from_value(value).map_err(|e| {
            let e = Error::new(Kind::Transient, "the daemon's answer cannot be read").because(e);
            e.mend("it may be of another version than this program; start it again")
        })
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// Kind device: no daemon is there. Kind usage or transient: what the daemon says is wrong, with its mend.
    pub fn get(&self, url: &str) -> Result<Value> {
        self.ask("GET", url).and_then(|(code, value)| checked(code, value))
    }

    /// Tells it to do something.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub fn post(&self, url: &str) -> Result<Value> {
        self.ask("POST", url).and_then(|(code, value)| checked(code, value))
    }

    /// Asks, and gives status code and JSON whatever they are.
    ///
    /// # Errors
    /// Kind device: no daemon is there. Kind transient: it does not answer.
    pub fn ask(&self, method: &str, url: &str) -> Result<(u16, Value)> {
        let mut stream = UnixStream::connect(&self.socket).map_err(|e| {
            let e = Error::new(Kind::Device, "no daemon answers").at(&self.socket).because(e);
            e.mend("start one with `latentd run`, or name its socket with `--socket`")
        })?;
        let silent = |e: std::io::Error| Error::new(Kind::Transient, "the daemon does not answer").because(e);
        // Longer than a reload may take.
        stream.set_read_timeout(Some(Duration::from_secs(150))).map_err(silent)?;
        // Version 1.0 asks for an answer in one piece, closed at its end.
        write!(stream, "{method} {url} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").map_err(silent)?;
        let mut answer = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut answer).map_err(silent)?;
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let code = head.split_whitespace().nth(1).and_then(|code| code.parse().ok());
        let strange = || Error::new(Kind::Transient, "what answers on the socket is no latentd").at(&self.socket);
        let code = code.ok_or_else(strange)?;
        Ok((code, serde_json::from_str(body).map_err(|e| strange().because(e))?))
    }
}

/// The answer, if it is none of refusal.
///
/// # Errors
/// Kind usage or transient: what the daemon says is wrong, with its mend.
pub fn checked(code: u16, value: Value) -> Result<Value> {
    if (200..300).contains(&code) {
        return Ok(value);
    }
    let kind = if matches!(code, 400 | 404) { Kind::Usage } else { Kind::Transient };
    let e = Error::new(kind, value["error"].as_str().unwrap_or("the daemon refuses"));
    Err(match value["mend"].as_str() {
        Some(mend) => e.mend(mend),
        None => e,
    })
}
