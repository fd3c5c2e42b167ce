//! The doors themselves.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::Sender;
use tiny_http::{Header, Method, Request, Response, Server};

use super::super::{Board, Event};
use super::answer::{Answer, Question, answer};
use super::{Doors, Token};
use crate::error::{Error, Kind, Result};

/// Requests that may be worked on at once: a reload takes a while, and health must be told meanwhile.
const THREADS: usize = 3;

/// Open doors; they are closed when this is dropped.
#[derive(Default)]
pub struct Listening {
    servers: Vec<(Arc<Server>, Vec<JoinHandle<()>>)>,
    socket: Option<PathBuf>,
}

/// Who may ask what, by the door they came in.
#[derive(Debug, Clone)]
enum Guard {
    /// The file's mode has seen to it.
    Socket,
    /// A token, for changes and, where `open` is false, for everything.
    Tcp { token: Option<Token>, open: bool },
}

/// Opens the doors.
///
/// # Errors
/// Kind config: an address cannot be listened on, or others could come in without a token. A socket that another daemon has is only warned of:
/// this one then runs without.
pub fn listen(doors: &Doors, board: &Arc<Board>, events: &Sender<Event>) -> Result<Listening> {
    doors.check()?;
    let mut listening = Listening::default();
    if let Some(path) = &doors.socket {
        match bind(path) {
            Ok(listener) => {
                let server = Server::from_listener(listener, None);
                let server = server.map_err(|e| Error::new(Kind::Config, "no control socket").at(path).because(e))?;
                listening.serve(server, Guard::Socket, board, events)?;
                listening.socket = Some(path.clone());
            }
            Err(e) => tracing::warn!(mend = e.mend_text(), "{e}; running without it"),
        }
    }
    if let Some(address) = doors.http {
        let server = Server::http(address).map_err(|e| {
            let e = Error::new(Kind::Config, format!("cannot listen on {address}")).because(e);
            e.mend("choose another port, or stop the program that has it")
        })?;
        let guard = Guard::Tcp { token: doors.token.clone(), open: address.ip().is_loopback() };
        tracing::info!("listening on http://{}", server.server_addr());
        listening.serve(server, guard, board, events)?;
    }
    Ok(listening)
}

/// Makes the socket so that nobody else can open it at any moment: under another name first, closed to others, then under its own.
fn bind(path: &Path) -> Result<UnixListener> {
    let trouble = |e: std::io::Error| Error::new(Kind::Config, "no control socket").at(path).because(e);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble)?;
    if UnixStream::connect(path).is_ok() {
        let e = Error::new(Kind::Transient, "another latentd has the control socket").at(path);
        return Err(e.mend("give this one a socket of its own with `--socket`"));
    }
    let draft = path.with_extension(format!("{}", std::process::id()));
    let _ = std::fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft).map_err(trouble)?;
    let moved = std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))
        .and_then(|()| std::fs::rename(&draft, path));
    if let Err(e) = moved {
        let _ = std::fs::remove_file(&draft);
        return Err(trouble(e));
    }
    Ok(listener)
}

impl Listening {
    fn serve(&mut self, server: Server, guard: Guard, board: &Arc<Board>, events: &Sender<Event>) -> Result<()> {
        let server = Arc::new(server);
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let (server, guard, board, events) =
                (Arc::clone(&server), guard.clone(), Arc::clone(board), events.clone());
            let work = move || {
                for request in server.incoming_requests() {
                    respond(request, &guard, &board, &events);
                }
            };
            let thread = std::thread::Builder::new().name("control".into()).spawn(work);
            threads.push(thread.map_err(|e| Error::new(Kind::Transient, "no thread for control").because(e))?);
        }
        self.servers.push((server, threads));
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for (server, threads) in self.servers.drain(..) {
            threads.iter().for_each(|_| server.unblock());
            // A request that is still being answered is not waited for: its reader may be slow.
            drop(threads);
        }
        if let Some(path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn respond(request: Request, guard: &Guard, board: &Board, events: &Sender<Event>) {
    let post = match request.method() {
        Method::Get | Method::Head => Some(false),
        Method::Post => Some(true),
        _ => None,
    };
    let Answer { code, kind, text } = match post {
        None => Answer::error(405, "only GET and POST are known here", None),
        Some(post) => match guard.check(&request, post) {
            Ok(()) => answer(Question { post, url: request.url() }, board, events),
            Err(refused) => refused,
        },
    };
    let mut response = Response::from_string(text).with_status_code(code);
    for (name, value) in [("Content-Type", kind), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    {
        if let Ok(header) = Header::from_bytes(name, value) {
            response = response.with_header(header);
        }
    }
    // Whoever asked may have gone away.
    let _ = request.respond(response);
}

impl Guard {
    fn check(&self, request: &Request, post: bool) -> std::result::Result<(), Answer> {
        let Guard::Tcp { token, open } = self else { return Ok(()) };
        let header = |name: &'static str| {
            request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str().to_owned())
        };
        // A page in a browser that has pointed its own name at this machine is not this machine.
        if *open && !header("Host").is_some_and(|host| is_local(&host)) {
            return Err(Answer::error(403, "this name is not this machine's", Some("ask for 127.0.0.1 or localhost")));
        }
        if !post && *open {
            return Ok(());
        }
        let Some(token) = token else {
            let mend = "start it with `--token-file`, or use the Unix socket: `latentd status` and the like do";
            return Err(Answer::error(403, "changes over TCP need a token, and there is none", Some(mend)));
        };
        let shown = header("Authorization").and_then(|value| value.strip_prefix("Bearer ").map(Token::new));
        match shown {
            Some(shown) if shown == *token => Ok(()),
            _ => Err(Answer::error(401, "the token is missing or wrong", Some("send `Authorization: Bearer TOKEN`"))),
        }
    }
}

/// Whether a `Host` header names this machine's loopback.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_loopback_is_local() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9100", "[::1]:9100", "127.8.8.8"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", "", "[fe80::1]", "localhost.evil"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
