//! What tests of the program share: a home of its own for each test, small pictures, a daemon that is stopped at the end.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use image::{ImageBuffer, Rgb};

/// How long a daemon may take to start, and to end: this tells a hang, not slowness.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the program reads of the environment of whoever runs the tests, beside what each home sets: with `LATENTD_SOCKET`, say, `drain` would end the
/// developer's own daemon.
const NOT_OURS: [&str; 11] = [
    "COLUMNS",
    "JOURNAL_STREAM",
    "LATENTD_LOG",
    "LATENTD_SOCKET",
    "NOTIFY_SOCKET",
    "PULSE_COOKIE",
    "PULSE_RUNTIME_PATH",
    "PULSE_SERVER",
    "RUNTIME_DIRECTORY",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A folder with everything that one test touches.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Writes a pipeline from `inbox` to `outbox` with these lines for stages, source and sink settings.
    pub fn pipeline(&self, source: &str, stages: &str, sink: &str) -> PathBuf {
        let text = format!(
            "name: test\nsource:\n  folder: {{ path: ./inbox{source} }}\nstages: [{stages}]\nsink:\n  folder: {{ path: ./outbox{sink} }}\n"
        );
        let path = self.path("pipeline.yaml");
        fs::write(&path, text).unwrap();
        self.folder("inbox");
        path
    }

    /// The program, with this home as the user's.
    pub fn latentd(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latentd"));
        for variable in ["CONFIG_HOME", "DATA_HOME", "DATA_DIRS", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"] {
            let variable = format!("XDG_{variable}");
            command.env(&variable, self.path(&variable));
        }
        for variable in NOT_OURS {
            command.env_remove(variable);
        }
        // Measuring what is fastest is for users; tests say what they run.
        command.env("LATENTD_KERNEL", "winograd").env("NO_COLOR", "1");
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// [`Home::latentd`], started by another program that takes its command line after these arguments.
    pub fn latentd_by(&self, starter: &str, args: &[&str]) -> Command {
        let program = self.latentd();
        let mut command = Command::new(starter);
        command.args(args).arg(program.get_program());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.latentd().args(args).output().unwrap()
    }

    /// Starts `latentd run` and waits until it watches.
    pub fn daemon(&self, pipeline: &Path, args: &[&str]) -> Daemon {
        let log = self.path("log.txt");
        let file = fs::File::options().create(true).append(true).open(&log).unwrap();
        let begin = fs::metadata(&log).map_or(0, |m| m.len());
        let child =
            self.latentd().arg("run").arg(pipeline).args(args).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let mut daemon = Daemon { child, log: log.clone() };
        wait_for("the daemon to watch", PATIENCE, || {
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended: {}", daemon.log());
            fs::read(&log).is_ok_and(|text| String::from_utf8_lossy(&text[begin as usize..]).contains("watching"))
        });
        daemon
    }
}

/// Runs a command line whose words stand apart: exit code, stdout, stderr.
pub fn run(home: &Home, line: &str) -> (Option<i32>, String, String) {
    let output = home.run(&line.split(' ').collect::<Vec<_>>());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A running daemon; killed if the test ends early.
pub struct Daemon {
    pub child: Child,
    log: PathBuf,
}

impl Daemon {
    /// A daemon that a test started itself, and that logs into this file.
    pub fn of(child: Child, log: PathBuf) -> Daemon {
        Daemon { child, log }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How often its log says this.
    pub fn times(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }

    pub fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Asks it to stop, and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.end()
    }

    /// Waits for its end, and gives its exit code. One that hangs is told with its log, rather than waited for as long as somebody lets the tests run.
    pub fn end(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "it has not ended in {PATIENCE:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory, in MiB, that a program has at once until it ends well.
pub fn peak_memory(command: &mut Command) -> f64 {
    let mut program = Daemon::of(command.spawn().unwrap(), PathBuf::new());
    let status = format!("/proc/{}/status", program.child.id());
    let mut peak = 0.0f64;
    while program.alive() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(kilobytes.unwrap_or_default());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(program.end(), Some(0));
    peak / 1024.0
}

/// Waits for something that must come; panics, and says what, if it does not. The limit is generous: it tells a hang, not slowness.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a number has grown to `wanted`. That may take however long, as long as it grows: only a stall is a failure.
pub fn wait_for_count(what: &str, wanted: usize, stall: Duration, mut number: impl FnMut() -> usize) {
    let (mut most, mut since) = (0, Instant::now());
    loop {
        let now = number();
        if now >= wanted {
            return;
        }
        if now > most {
            (most, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < stall, "{what}: {now} of {wanted}, and none more for {stall:?}");
        // Counting thousands of files takes processor time from whoever makes them.
        std::thread::sleep(Duration::from_millis(50));
    }
}

thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });

/// Does what may panic, and keeps that panic out of the output. Those of other threads, and of what is asserted afterwards, are told as ever.
pub fn quietly<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result
}

/// The names of the models that are shipped, sorted: those that git tracks, since a user's own may lie beside them. Where git cannot be asked, all.
pub fn shipped_models() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let asked = Command::new("git").args(["ls-files", "models"]).current_dir(root).output();
    let tracked = asked.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    let tracked = String::from_utf8(tracked).unwrap();
    let names = tracked.lines().filter_map(|path| path.strip_prefix("models/")?.split_once('/'));
    let mut names: BTreeSet<String> = names.map(|(name, _)| name.to_owned()).collect();
    if names.is_empty() {
        let entries = fs::read_dir(root.join("models")).unwrap().flatten().filter(|entry| entry.path().is_dir());
        names.extend(entries.map(|entry| entry.file_name().into_string().unwrap()));
    }
    assert!(!names.is_empty());
    names.into_iter().collect()
}

pub fn count(folder: &Path) -> usize {
    files(folder).len()
}

/// All finished files below a folder, relative to it, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                folders.push(path);
            } else if !entry.file_name().to_string_lossy().starts_with('.') {
                found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// A picture with something to see: slopes, edges, and noise.
pub fn picture(width: u32, height: u32) -> ImageBuffer<Rgb<u8>, Vec<u8>> {
    ImageBuffer::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)).wrapping_mul(2_654_435_761) >> 27;
        let edge = if (x / 17 + y / 11) % 2 == 0 { 60 } else { 0 };
        let slope = |v: u32, max: u32| v * 120 / max.max(1);
        Rgb([
            (slope(x, width) + edge + noise) as u8,
            (slope(y, height) + edge + noise) as u8,
            (slope(x + y, width + height) + noise) as u8,
        ])
    })
}

pub fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(width, height, image::ImageFormat::Png)
}

pub fn encoded(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture(width, height).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
