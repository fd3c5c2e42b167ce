//! The doors themselves.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam::channel::Sender;

use super::super::{Board, Event};
use super::answer::{Answer, Question, answer};
use super::exchange::{Request, Stream, exchange};
use super::{Doors, Token};
use crate::error::{Error, Kind, Result};

/// Connections that may be open at once at one door.
const MOST: usize = 256;
/// How long to wait when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Open doors; the socket is taken away when this is dropped.
#[derive(Debug, Default)]
pub struct Listening(Option<PathBuf>);

/// Who may ask what, by the door they came in.
#[derive(Debug, Clone)]
enum Guard {
    /// The file's mode has seen to it.
    Socket,
    /// A token, for changes and, where `open` is false, for everything.
    Tcp { token: Option<Token>, open: bool },
}

/// One of the connections that are open, until it is dropped: however the thread that answers it ends.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Opens the doors.
///
/// # Errors
/// Kind config: an address cannot be listened on, others could come in without a token, or a file that is no socket is where the socket shall be.
/// A socket that another daemon has is only warned of: this one then runs without.
pub fn listen(doors: &Doors, board: &Arc<Board>, events: &Sender<Event>) -> Result<Listening> {
    doors.check()?;
    let mut listening = Listening::default();
    if let Some(path) = &doors.socket {
        check_place(path)?;
        match bind(path) {
            Ok(listener) => {
                listening.0 = Some(path.clone());
                serve(move || listener.accept().map(|(stream, _)| stream), Guard::Socket, board, events)?;
            }
            Err(e) => tracing::warn!(mend = e.mend_text(), "{e}; running without it"),
        }
    }
    if let Some(address) = doors.http {
        let listener = TcpListener::bind(address).map_err(|e| {
            let e = Error::new(Kind::Config, format!("cannot listen on {address}")).because(e);
            e.mend("choose another port, or stop the program that has it")
        })?;
        let guard = Guard::at(address, doors.token.clone());
        tracing::info!("listening on http://{}", listener.local_addr().unwrap_or(address));
        serve(move || listener.accept().map(|(stream, _)| stream), guard, board, events)?;
    }
    Ok(listening)
}

/// Refuses a place where something else than a socket is: the socket would take its place now, and be deleted with its name in the end.
fn check_place(path: &Path) -> Result<()> {
    if is_socket(path) == Some(false) {
        let e = Error::new(Kind::Config, "there is a file here that is no socket").at(path);
        return Err(e.mend("name another path with `--socket` or in LATENTD_SOCKET, or move the file away"));
    }
    Ok(())
}

/// Whether what is there is a socket, links not followed; nothing if nothing is there.
fn is_socket(path: &Path) -> Option<bool> {
    std::fs::symlink_metadata(path).ok().map(|there| there.file_type().is_socket())
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
    if is_socket(&draft) == Some(true) {
        let _ = std::fs::remove_file(&draft);
    }
    let listener = UnixListener::bind(&draft).map_err(trouble)?;
    let moved = std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))
        .and_then(|()| std::fs::rename(&draft, path));
    if let Err(e) = moved {
        let _ = std::fs::remove_file(&draft);
        return Err(trouble(e));
    }
    Ok(listener)
}

/// Accepts connections on a thread of its own, which ends with the program; each gets a thread until it is answered.
fn serve<S: Stream>(
    accept: impl Fn() -> std::io::Result<S> + Send + 'static,
    guard: Guard,
    board: &Arc<Board>,
    events: &Sender<Event>,
) -> Result<()> {
    let (board, events) = (Arc::clone(board), events.clone());
    let open = Arc::new(AtomicUsize::new(0));
    let work = move || {
        loop {
            let Ok(stream) = accept() else {
                // No descriptors left, most likely; connections that end give some back.
                std::thread::sleep(PAUSE);
                continue;
            };
            // Beyond that many, a connection is closed as it comes; those before it have a deadline.
            let before = open.fetch_add(1, Ordering::Relaxed);
            let counted = Counted(Arc::clone(&open));
            if before >= MOST {
                continue;
            }
            let (guard, board, events) = (guard.clone(), Arc::clone(&board), events.clone());
            let one = move || {
                let _counted = counted;
                let reply = |request: &Request| match guard.check(request) {
                    Ok(()) => answer(Question { post: request.post, url: &request.url }, &board, &events),
                    Err(refused) => refused,
                };
                exchange(stream, reply);
            };
            // Without a thread the connection is closed, and not counted any more.
            let _ = std::thread::Builder::new().name("control".into()).spawn(one);
        }
    };
    let thread = std::thread::Builder::new().name("control".into()).spawn(work);
    thread.map(drop).map_err(|e| Error::new(Kind::Transient, "no thread for control").because(e))
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Whatever somebody has put there since is theirs.
        if let Some(path) = self.0.as_ref().filter(|path| is_socket(path) == Some(true)) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Guard {
    /// For those who come to this address: only from this machine itself may whoever likes look.
    fn at(address: SocketAddr, token: Option<Token>) -> Guard {
        Guard::Tcp { token, open: address.ip().is_loopback() }
    }

    fn check(&self, request: &Request) -> std::result::Result<(), Answer> {
        let Guard::Tcp { token, open } = self else { return Ok(()) };
        // A page in a browser that has pointed its own name at this machine is not this machine.
        if *open && !request.host.as_deref().is_some_and(is_local) {
            return Err(Answer::error(403, "this name is not this machine's", Some("ask for 127.0.0.1 or localhost")));
        }
        // Nor is one that has this machine asked, again and again, for what it may not read.
        if request.foreign {
            return Err(Answer::error(
                403,
                "a page from elsewhere may ask nothing here",
                Some("open this address itself"),
            ));
        }
        if !request.post && *open {
            return Ok(());
        }
        let Some(token) = token else {
            let mend = "start it with `--token-file`, or use the Unix socket: `latentd status` and the like do";
            return Err(Answer::error(403, "changes over TCP need a token, and there is none", Some(mend)));
        };
        let shown = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ").map(Token::new));
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
    use super::*;

    #[test]
    fn only_loopback_is_local() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9100", "[::1]:9100", "127.8.8.8"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", "", "[fe80::1]", "localhost.evil"] {
            assert!(!is_local(host), "{host}");
        }
    }

    /// What is refused to a request with this word, if anything.
    fn refusal(guard: &Guard, post: bool, word: Option<&str>) -> Option<u16> {
        let request = Request {
            post,
            head: false,
            url: "/v1/status".to_owned(),
            host: Some("localhost".to_owned()),
            authorization: word.map(str::to_owned),
            foreign: false,
        };
        guard.check(&request).err().map(|answer| answer.code)
    }

    /// A page on the network had a browser on this machine keep the journal from its work.
    #[test]
    fn pages_from_elsewhere_are_refused_over_tcp_alone() {
        let request = |foreign| Request {
            post: false,
            head: false,
            url: "/v1/history".to_owned(),
            host: Some("127.0.0.1:9414".to_owned()),
            authorization: None,
            foreign,
        };
        let guard = Guard::at(SocketAddr::from(([127, 0, 0, 1], 9414)), None);
        assert_eq!(guard.check(&request(true)).err().map(|answer| answer.code), Some(403));
        assert!(guard.check(&request(false)).is_ok() && Guard::Socket.check(&request(true)).is_ok());
    }

    #[test]
    fn beyond_this_machine_reading_needs_the_token_as_well() {
        let guard = |address: &str| Guard::at(address.parse().unwrap(), Some(Token::new("a word of secrets")));
        let right = Some("Bearer a word of secrets");
        for address in ["0.0.0.0:80", "[::]:80", "192.168.1.2:80", "[fe80::1]:80"] {
            for post in [false, true] {
                for wrong in [None, Some("Bearer another word"), Some("a word of secrets"), Some("Bearer ")] {
                    assert_eq!(refusal(&guard(address), post, wrong), Some(401), "{address} {post} {wrong:?}");
                }
                assert_eq!(refusal(&guard(address), post, right), None, "{address} {post}");
            }
        }
        for address in ["127.0.0.1:80", "[::1]:80"] {
            assert_eq!(refusal(&guard(address), false, None), None, "{address}");
            assert_eq!(refusal(&guard(address), true, None), Some(401), "{address}");
            assert_eq!(refusal(&guard(address), true, right), None, "{address}");
        }
        // `Doors::check` opens no such door in the first place.
        let without = Guard::at(SocketAddr::from(([0, 0, 0, 0], 80)), None);
        assert!([false, true].iter().all(|&post| refusal(&without, post, right) == Some(403)));
    }
}
