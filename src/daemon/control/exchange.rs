//! One request and its answer on one connection, which is closed then. No request of ours has a body; whatever comes after the headers is
//! passed over. A client that is slow, silent or talks nonsense costs a thread until its deadline, and nobody else's time.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::answer::Answer;

/// How long a client may take to say what it wants.
const DEADLINE: Duration = Duration::from_secs(5);
/// The most that a request line and its headers may be.
const MOST_BYTES: usize = 16 << 10;
/// The most headers.
const MOST_HEADERS: usize = 64;

/// A connection of either sort.
pub trait Stream: Read + Write + Send + 'static {
    /// How long one read or write may take.
    ///
    /// # Errors
    /// The system refuses.
    fn set_patience(&self, patience: Duration) -> Result<()>;

    /// Tells the other end that nothing more will be written.
    ///
    /// # Errors
    /// The connection is gone.
    fn end_writing(&self) -> Result<()>;
}

macro_rules! stream {
    ($($stream:ty),+) => {
        $(impl Stream for $stream {
            fn set_patience(&self, patience: Duration) -> Result<()> {
                self.set_read_timeout(Some(patience))?;
                self.set_write_timeout(Some(patience))
            }

            fn end_writing(&self) -> Result<()> {
                self.shutdown(Shutdown::Write)
            }
        })+
    };
}

stream!(UnixStream, TcpStream);

/// What of a request matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whether something is to be changed: POST rather than GET.
    pub post: bool,
    /// Whether only the headers of the answer are wanted.
    pub head: bool,
    /// Path and query.
    pub url: String,
    /// The header `Host`.
    pub host: Option<String>,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// Whether a browser asks on behalf of a page that is not from here, by the headers that no page can leave out.
    pub foreign: bool,
}

/// Reads a request and writes what `reply` says to it. Whoever asked may go away at any moment; that is nobody's trouble.
pub fn exchange(mut stream: impl Stream, reply: impl FnOnce(&Request) -> Answer) {
    let Some(read) = read(&mut stream) else { return };
    let (answer, head) = match read {
        Ok(request) => (reply(&request), request.head),
        Err(refused) => (refused, false),
    };
    if write(&mut stream, &answer, head).and_then(|()| stream.end_writing()).is_ok() {
        // Closed with something unread, the connection would be reset, and the answer perhaps lost.
        drain(&mut stream);
    }
}

/// Reads what there is to the end, or for as long as a client has patience for.
fn drain(stream: &mut impl Stream) {
    let (begin, mut buffer) = (Instant::now(), [0; 4096]);
    while let Some(left) = DEADLINE.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        if stream.set_patience(left).is_err() || !stream.read(&mut buffer).is_ok_and(|n| n > 0) {
            return;
        }
    }
}

/// Nothing if the client has said nothing, or not enough, in time.
fn read(stream: &mut impl Stream) -> Option<std::result::Result<Request, Answer>> {
    let begin = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = DEADLINE.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())?;
        stream.set_patience(left).ok()?;
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(n) => bytes.extend(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return None,
        }
        if let Some(parsed) = parse(&bytes) {
            return Some(parsed);
        }
        if bytes.len() > MOST_BYTES {
            return Some(Err(Answer::error(431, "the headers are too long", None)));
        }
    }
}

/// Nothing while the headers have no end yet.
fn parse(bytes: &[u8]) -> Option<std::result::Result<Request, Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(e) => return Some(Err(Answer::error(400, &format!("this is no HTTP: {e}"), None))),
    }
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).into_owned())
    };
    let from_elsewhere = |site: &str| !["none", "same-origin"].contains(&site);
    let foreign = header("origin").is_some() || header("sec-fetch-site").is_some_and(|site| from_elsewhere(&site));
    let method = request.method.unwrap_or_default();
    if !["GET", "HEAD", "POST"].contains(&method) {
        return Some(Err(Answer::error(405, "only GET and POST are known here", None)));
    }
    Some(Ok(Request {
        post: method == "POST",
        head: method == "HEAD",
        url: request.path.unwrap_or("/").to_owned(),
        host: header("host"),
        authorization: header("authorization"),
        foreign,
    }))
}

fn write(stream: &mut impl Stream, answer: &Answer, head: bool) -> Result<()> {
    stream.set_patience(DEADLINE)?;
    let Answer { code, kind, text } = answer;
    let reason = match code {
        200..300 => "OK",
        _ => "Refused",
    };
    let body = if head { "" } else { text };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {code} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n{body}"
    )?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read_in_any_number_of_pieces() {
        let text = b"POST /v1/reload HTTP/1.1\r\nhOsT: localhost\r\nAuthorization: Bearer x\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            assert_eq!(parse(&text[..cut]), None, "{cut}");
        }
        let request = parse(text).unwrap().unwrap();
        assert_eq!((request.post, request.url.as_str()), (true, "/v1/reload"));
        assert_eq!((request.host.as_deref(), request.authorization.as_deref()), (Some("localhost"), Some("Bearer x")));
        assert_eq!(parse(b"BREW / HTTP/1.1\r\n\r\n").unwrap().unwrap_err().code, 405);
    }

    #[test]
    fn what_a_page_from_elsewhere_asks_is_known_by_its_headers() {
        let foreign = |header: &str| {
            let text = format!("GET /v1/history HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
            parse(text.as_bytes()).unwrap().unwrap().foreign
        };
        for header in
            ["", "Sec-Fetch-Site: none\r\n", "Sec-Fetch-Site: same-origin\r\n", "Referer: http://a.example\r\n"]
        {
            assert!(!foreign(header), "{header}");
        }
        for header in
            ["Origin: http://evil.example", "origin: null", "Sec-Fetch-Site: cross-site", "sec-fetch-site: same-site"]
        {
            assert!(foreign(&format!("{header}\r\n")), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_client_that_ends_early_gets_nothing_and_one_that_asks_gets_its_answer() {
        let answer = || Answer::error(404, "none", None);
        let (mut near, far) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || exchange(far, |_| answer()));
        near.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        near.end_writing().unwrap();
        let mut text = String::new();
        near.read_to_string(&mut text).unwrap();
        server.join().unwrap();
        assert!(text.starts_with("HTTP/1.1 404 ") && text.ends_with("\"none\",\"mend\":null}\n"), "{text}");
        let (near, far) = UnixStream::pair().unwrap();
        drop(near);
        exchange(far, |_| answer());
    }
}
