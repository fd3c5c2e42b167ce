//! A real sound server of a test's own.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::LONG;
use super::common::{Daemon, Home, wait_for};

/// A PulseAudio server of this test alone, with two sinks: what is played into `mic` is heard at `mic.monitor`.
pub struct Server {
    child: Option<Child>,
    pub runtime: PathBuf,
}

/// Whether the programs are installed.
pub fn available() -> bool {
    let there = ["pulseaudio", "paplay", "parec", "espeak-ng"]
        .iter()
        .all(|tool| Command::new("which").arg(tool).stdout(Stdio::null()).status().is_ok_and(|s| s.success()));
    assert!(
        there || std::env::var_os("LATENTD_REQUIRE_SOUND").is_none(),
        "install them: apt-get install pulseaudio pulseaudio-utils espeak-ng"
    );
    if !there {
        eprintln!("skipped: pulseaudio, pulseaudio-utils or espeak-ng is not installed");
    }
    there
}

impl Server {
    pub fn new(home: &Home) -> Server {
        let runtime = home.folder("run");
        fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut server = Server { child: None, runtime };
        server.start();
        server
    }

    pub fn start(&mut self) {
        let sink = |name: &str| {
            format!(
                "--load=module-null-sink sink_name={name} rate=48000 channels=1 channel_map=mono sink_properties=device.description={name}-sink"
            )
        };
        let child = self
            .command("pulseaudio")
            .args([
                "--daemonize=no",
                "--exit-idle-time=-1",
                "-n",
                "--disallow-exit=no",
                "--use-pid-file=no",
                "--realtime=yes",
            ])
            .args(["--load=module-native-protocol-unix", &sink("mic"), &sink("out")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("the sound server", LONG, || {
            self.command("pactl").arg("info").output().is_ok_and(|o| o.status.success())
        });
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends the server a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Runs a live pipeline, whether its devices are there or not. Its log is added to.
    pub fn run(&self, home: &Home, microphone: &str, stages: &str, speaker: &str) -> Daemon {
        let pipeline = home.path("live.yaml");
        let text = format!(
            "name: live\nsource: {{microphone: {{device: {microphone}}}}}\nstages: [{stages}]\nsink: {{speaker: {{device: {speaker}}}}}\n"
        );
        fs::write(&pipeline, text).unwrap();
        let log = home.path("live.log");
        let file = fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = home
            .latentd()
            .args(["--verbose", "run"])
            .arg(&pipeline)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("HOME", &self.runtime)
            .env_remove("PULSE_SERVER")
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Daemon::of(child, log)
    }

    /// [`Server::run`], and waits until it listens.
    pub fn listen(&self, home: &Home, microphone: &str, stages: &str, speaker: &str) -> Daemon {
        let log = fs::read_to_string(home.path("live.log")).unwrap_or_default();
        let before = log.matches("listening to").count();
        let daemon = self.run(home, microphone, stages, speaker);
        wait_for("the pipeline to listen", LONG, || daemon.log().matches("listening to").count() > before);
        daemon
    }

    /// Tells the server something; what it answers.
    pub fn pactl(&self, words: &str) -> String {
        let output = self.command("pactl").args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "pactl {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("XDG_RUNTIME_DIR", &self.runtime).env("HOME", &self.runtime).env_remove("PULSE_SERVER");
        command
    }

    /// Records what the sink `out` plays, as mono floats at 48 kHz, while `meanwhile` is done.
    pub fn record(&self, meanwhile: impl FnOnce()) -> Vec<f32> {
        let mut child = self
            .command("parec")
            .args(["-d", "out.monitor", "--format=float32le", "--rate=48000", "--channels=1", "--latency-msec=20"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdout.take().unwrap();
        let (began, begins) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0; 4];
            pipe.read_exact(&mut bytes).unwrap();
            began.send(()).unwrap();
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        });
        // A client may take a second to connect; the sink plays silence until then.
        begins.recv_timeout(LONG).unwrap();
        meanwhile();
        let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        child.wait().unwrap();
        reader.join().unwrap().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    pub fn play(&self, file: &std::path::Path) {
        assert!(self.begin(file).wait().unwrap().success());
    }

    /// Plays into `mic` while the test goes on.
    pub fn begin(&self, file: &std::path::Path) -> Child {
        self.command("paplay").args(["-d", "mic", "--latency-msec=50"]).arg(file).spawn().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
