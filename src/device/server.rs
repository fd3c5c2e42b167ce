//! A connection to a PulseAudio server, or to PipeWire, which speaks the same: the devices that it has, and a client for their streams. cpal would ask
//! for the devices as well, but of each look a connection, with a thread, would stay behind: after 64 of them a server takes no more from anybody.

use std::ffi::{CStr, CString};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use futures_executor::block_on;
use pulseaudio::protocol::{ChannelMap, DEFAULT_SINK, DEFAULT_SOURCE, SampleSpec, SinkInfo, SourceInfo};
use pulseaudio::{Client, ClientError, cookie_path_from_env, socket_path_from_env};

use super::Direction;
use super::host::{Found, How};

/// What ids of devices of a PulseAudio server begin with; the server's own name follows.
pub const PULSE: &str = "pulseaudio:";

/// A connection. It ends when this is dropped, whatever the server does.
pub struct Connection {
    /// By which the server is asked.
    pub client: Client,
    socket: UnixStream,
}

/// A client's thread waits for its socket, and nothing else tells it that nobody needs it any more.
impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// What a server answers to whoever wants a connection.
pub enum Reply {
    /// It gives one.
    Connected(Connection),
    /// It gives none, or there is no server.
    Refused,
    /// Nothing yet.
    Hangs,
}

/// A connection, if the server gives one within `patience`. While it does not answer, it is asked no second time: each question to a server that
/// hangs costs a thread.
pub fn connect(patience: Duration) -> Reply {
    type Answer = mpsc::Receiver<Result<Connection, ClientError>>;
    static ASKED: Mutex<Option<Answer>> = Mutex::new(None);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = asked.take().unwrap_or_else(|| {
        let (tell, answer) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = tell.send(Connection::new());
        });
        answer
    });
    match answer.recv_timeout(patience) {
        Ok(Ok(connection)) => Reply::Connected(connection),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            *asked = Some(answer);
            Reply::Hangs
        }
        Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => Reply::Refused,
    }
}

impl Connection {
    /// A new one, as soon as the server gives it.
    pub fn new() -> Result<Connection, ClientError> {
        let path = socket_path_from_env().ok_or(ClientError::ServerUnavailable)?;
        let cookie = cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
        let socket = UnixStream::connect(path)?;
        let own = socket.try_clone()?;
        Ok(Connection { client: Client::new_unix(c"latentd", socket, cookie)?, socket: own })
    }

    /// The devices that the server has; none if it does not tell.
    pub fn devices(&self, direction: Direction) -> Vec<Found> {
        match direction {
            Direction::Microphone => {
                block_on(self.client.list_sources()).map(|all| all.into_iter().map(source).collect())
            }
            Direction::Speaker => block_on(self.client.list_sinks()).map(|all| all.into_iter().map(sink).collect()),
        }
        .unwrap_or_default()
    }

    /// Which of them is its default.
    pub fn default_device(&self, direction: Direction) -> Option<Found> {
        match direction {
            Direction::Microphone => {
                block_on(self.client.source_info_by_name(DEFAULT_SOURCE.to_owned())).map(source).ok()
            }
            Direction::Speaker => block_on(self.client.sink_info_by_name(DEFAULT_SINK.to_owned())).map(sink).ok(),
        }
    }
}

fn source(info: SourceInfo) -> Found {
    found(&info.name, info.description.as_ref(), &info.channel_map, &info.sample_spec)
}

fn sink(info: SinkInfo) -> Found {
    found(&info.name, info.description.as_ref(), &info.channel_map, &info.sample_spec)
}

fn found(own: &CStr, description: Option<&CString>, channels: &ChannelMap, spec: &SampleSpec) -> Found {
    let own = own.to_string_lossy();
    let name = description.map_or_else(|| own.clone(), |text| text.to_string_lossy());
    Found {
        id: format!("{PULSE}{own}"),
        name: name.into_owned(),
        how: How::Pulse { channels: u16::from(channels.num_channels()), rate: spec.sample_rate },
        level: 0,
    }
}
