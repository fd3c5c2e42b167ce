//! How one sees into a running daemon and tells it what to do: JSON over HTTP, on a Unix socket that only its owner may open, and on TCP for
//! those who ask for it. The same requests and the same answers on both.
//!
//! ```text
//! GET  /healthz /readyz /metrics
//! GET  /v1/status   /v1/history?since=SECONDS&file=TEXT&limit=N
//! POST /v1/reload   /v1/drain   /v1/pipelines/NAME/pause   /v1/pipelines/NAME/resume
//!      /v1/pipelines/NAME/bypass   /v1/pipelines/NAME/engage
//! ```

mod answer;
mod client;
mod exchange;
mod listen;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};

pub use answer::{decode, encode};
pub use client::{Client, checked};
pub use listen::{Listening, listen};

/// Where to listen.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// A Unix socket, which only its owner may open.
    pub socket: Option<PathBuf>,
    /// An address for HTTP.
    pub http: Option<SocketAddr>,
    /// What whoever comes by TCP must show: for changes always, for everything if the address is not this machine's own.
    pub token: Option<Token>,
}

/// A secret word; only its digest is kept, so that it can neither be logged nor guessed by how long a comparison takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Reads it from a file: its first line.
    ///
    /// # Errors
    /// Kind config: the file is not there, others may read it, or the word is too short.
    pub fn read(path: &std::path::Path) -> Result<Token> {
        use std::os::unix::fs::PermissionsExt;
        let trouble = |what: &str, mend: &str| Error::new(Kind::Config, what).at(path).mend(mend);
        let text = std::fs::read_to_string(path).map_err(|e| {
            trouble("the token cannot be read", "make one: `umask 077; openssl rand -hex 32 > FILE`").because(e)
        })?;
        let mode = std::fs::metadata(path).map_or(0, |m| m.permissions().mode());
        if mode & 0o077 != 0 {
            return Err(trouble("others may read the token", "`chmod 600` it"));
        }
        let word = text.lines().next().unwrap_or_default().trim();
        if word.len() < 16 {
            return Err(trouble("the token is shorter than 16 characters", "make one: `openssl rand -hex 32 > FILE`"));
        }
        Ok(Token::new(word))
    }

    /// Of the word itself.
    pub fn new(word: &str) -> Token {
        Token(crate::durable::digest(&mut word.as_bytes()).unwrap_or_default())
    }
}

impl Doors {
    /// Whether these doors may be opened.
    ///
    /// # Errors
    /// Kind config: others than this machine could come in without a token.
    pub fn check(&self) -> Result<()> {
        match (self.http, &self.token) {
            (Some(address), None) if !address.ip().is_loopback() => {
                let e = Error::new(Kind::Config, format!("others could reach {address} without a token"));
                Err(e.mend("name a file with `--token-file`, or listen on 127.0.0.1"))
            }
            _ => Ok(()),
        }
    }
}
