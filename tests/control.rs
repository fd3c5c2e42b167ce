//! A running daemon can be seen into and told what to do: over a socket that only its owner may open, and over HTTP for those who ask for it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{Daemon, Home, count, png, wait_for};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(120);
const SMALL: &str = "resize: { long_side: 4 }";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn socket(home: &Home) -> std::path::PathBuf {
    home.path("XDG_RUNTIME_DIR/latentd/control.sock")
}

fn status(home: &Home) -> Value {
    serde_json::from_slice(&home.run(&["status", "--json"]).stdout).unwrap()
}

/// The port that the system has given a daemon which asked for any. Doors are open before it watches.
fn port(daemon: &Daemon) -> u16 {
    let log = daemon.log();
    let (_, from) = log.rsplit_once("listening on http://127.0.0.1:").unwrap();
    from.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Asks for any port.
const HTTP: [&str; 2] = ["--http", "127.0.0.1:0"];

/// Status code and body.
fn http(port: u16, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get(port: u16, path: &str) -> (u16, String) {
    http(port, &format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n"))
}

/// Until all models were measured it neither answered nor heard.
#[test]
fn a_first_start_answers_and_can_be_stopped() {
    let home = Home::new();
    let pipeline = home.pipeline("", "denoise: { model: denoise-photo }, upscale: { model: upscale-photo-x4 }", "");
    let mut command = home.latentd();
    command.env_remove("LATENTD_KERNEL").arg("run").arg(&pipeline);
    let log = home.path("log.txt");
    let child = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let daemon = Daemon::of(child, log);
    wait_for("the measuring", LONG, || daemon.log().contains("measuring"));
    assert!(status(&home)["pid"].is_number());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_socket_is_its_owners_alone() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the socket", LONG, || socket(&home).exists());
    assert_eq!(fs::metadata(socket(&home)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(socket(&home).parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(daemon.stop(), Some(0));
    assert!(!socket(&home).exists(), "it is taken away at the end");
    let output = home.run(&["status"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&output.stderr).contains("help: start one with `latentd run`"));
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_left_alone() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let mut daemon = home.daemon(&pipeline, &[]);
    wait_for("the socket", LONG, || socket(&home).exists());
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("an answer", LONG, || home.run(&["status"]).status.code() == Some(0));
    // A second daemon with other work.
    let text = fs::read_to_string(&pipeline).unwrap().replace("box", "box2").replace("name: test", "name: other");
    fs::write(home.path("other.yaml"), text).unwrap();
    home.folder("inbox2");
    let other = home.daemon(&home.path("other.yaml"), &[]);
    assert!(daemon.log().contains("another latentd has the control socket"));
    assert_eq!(status(&home)["pipelines"][0]["name"], "test");
    assert_eq!(other.stop(), Some(0));
    assert!(socket(&home).exists(), "it belongs to the first");
    assert_eq!(daemon.stop(), Some(0));
}

/// A socket took the place of what lay there, and was deleted with its name in the end.
#[test]
fn a_file_in_the_place_of_the_socket_is_left_alone() {
    let home = Home::new();
    home.pipeline("", SMALL, "");
    fs::write(home.path("notes"), "mine").unwrap();
    std::os::unix::fs::symlink("notes", home.path("link")).unwrap();
    for name in ["notes", "link"] {
        let mut by_environment = home.latentd();
        by_environment.args(["run", "pipeline.yaml"]).env("LATENTD_SOCKET", home.path(name));
        for output in [home.run(&["run", "pipeline.yaml", "--socket", name]), by_environment.output().unwrap()] {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(78) && text.contains("no socket"), "{name}: {text}");
            assert!(text.contains("help: name another path"), "{name}: {text}");
        }
    }
    assert_eq!(fs::read(home.path("notes")).unwrap(), b"mine");
    assert_eq!(fs::read_link(home.path("link")).unwrap(), std::path::Path::new("notes"));
}

#[test]
fn status_and_history_tell_what_happened() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.path("inbox/good.png"), png(6, 6)).unwrap();
    fs::write(home.path("inbox/bad\n\u{1b}[31m.png"), "no picture").unwrap();
    wait_for("both", LONG, || {
        let counts = &status(&home)["pipelines"][0]["counts"];
        counts["done"] == 1 && counts["quarantined"] == 1
    });
    let seen = status(&home);
    assert_eq!((&seen["version"], &seen["ready"]), (&Value::from(1), &Value::from(true)));
    assert!(seen["pipelines"][0]["last"]["results"][0].as_str().unwrap().ends_with("outbox/good.png"));
    let text = String::from_utf8(home.run(&["status"]).stdout).unwrap();
    assert!(text.contains("test: running") && text.contains("1 done, 1 put into quarantine"), "{text}");

    let output = home.run(&["history", "--json"]);
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let what: Vec<&str> = lines.iter().map(|event| event["what"].as_str().unwrap()).collect();
    for wanted in ["done", "failed", "quarantined"] {
        assert!(what.contains(&wanted), "{what:?}");
    }
    let text = String::from_utf8(home.run(&["history", "good", "--since", "1h"]).stdout).unwrap();
    assert!(text.contains("good.png ->") && text.lines().count() == 1, "{text}");
    assert_eq!(home.run(&["history", "nothing-of-the-kind"]).status.code(), Some(66));
    assert_eq!(home.run(&["history", "--since", "soon"]).status.code(), Some(64));
    let output = home.run(&["history", "nothing-of-the-kind", "--since", "2h"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("in the last 2h"), "{output:?}");
    // A name is a stranger's text, here as everywhere.
    let log = daemon.log();
    for text in [String::from_utf8(home.run(&["history"]).stdout).unwrap(), log] {
        assert!(!text.contains('\u{1b}') && text.contains("bad\\n"), "{text}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// Of a path as the shell completes it nothing was found: the journal knows files by their path within the source.
#[test]
fn history_knows_a_file_by_every_path() {
    let home = Home::new();
    let pipeline = home.pipeline(", quiet: 200ms", SMALL, ", originals: delete");
    let deep = home.folder("inbox/deep");
    std::os::unix::fs::symlink(home.path("inbox"), home.path("linked")).unwrap();
    std::os::unix::fs::symlink(deep.join("good.png"), home.path("link.png")).unwrap();
    let daemon = home.daemon(&pipeline, &[]);
    for path in ["inbox/other\n.png", "inbox/deep/good.png"] {
        fs::write(home.path(path), png(6, 6)).unwrap();
    }
    wait_for("both", LONG, || status(&home)["pipelines"][0]["counts"]["done"] == 2);
    // The file is gone by now.
    wait_for("the original to go", LONG, || !deep.join("good.png").exists());
    let whole = deep.join("good.png").display().to_string();
    let paths = ["good", &whole, "inbox/deep/good.png", "./linked/../inbox/deep/good.png", "linked/deep", "link.png"];
    let ask = || {
        for path in paths {
            let text = String::from_utf8(home.run(&["history", path]).stdout).unwrap();
            assert!(text.contains("deep/good.png ->") && text.lines().count() == 1, "{path}: {text}");
        }
        assert_eq!(home.run(&["history", "elsewhere/deep/good.png"]).status.code(), Some(66));
        assert_eq!(home.run(&["history", "good", "--since", "0s"]).status.code(), Some(66));
        serde_json::from_slice(&home.run(&["history", "other", "--json"]).stdout).unwrap()
    };
    let event: Value = ask();
    assert_eq!(event["inputs"][0], "other\n.png");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(ask(), event, "the journals tell the same when no daemon runs");
    // Nor does one that was killed keep them to itself.
    let mut daemon = home.daemon(&pipeline, &[]);
    wait_for("an answer", LONG, || home.run(&["status"]).status.code() == Some(0));
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    assert_eq!(ask(), event);
    assert_eq!(home.run(&["history", "--socket", "nowhere"]).status.code(), Some(69));
    // It was told that no daemon answers, where there never was one.
    let fresh = Home::new().run(&["history"]);
    assert!(
        fresh.status.code() == Some(66) && String::from_utf8_lossy(&fresh.stderr).contains("nothing has happened yet")
    );
}

#[test]
fn a_paused_pipeline_waits_and_loses_nothing() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &[]);
    wait_for("the socket", LONG, || socket(&home).exists());
    let output = home.run(&["pause", "tset"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `test`?"));
    let output = home.run(&["bypass", "test"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(64) && text.contains("only a live pipeline can be bypassed"), "{text}");
    assert!(text.contains("help: `latentd pause test`"), "{text}");
    assert_eq!(home.run(&["pause", "test"]).status.code(), Some(0));
    wait_for("the pause", LONG, || status(&home)["pipelines"][0]["state"] == "paused");
    for n in 0..50 {
        fs::write(home.path(&format!("inbox/{n}.png")), png(6, 6)).unwrap();
    }
    wait_for("all to be seen", LONG, || status(&home)["pipelines"][0]["queue"]["ready"] == 50);
    assert_eq!(count(&home.path("outbox")), 0);
    assert_eq!(home.run(&["resume", "test"]).status.code(), Some(0));
    wait_for("all results", LONG, || count(&home.path("outbox")) == 50);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn drained_is_worked_off_and_ended() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let mut daemon = home.daemon(&pipeline, &[]);
    wait_for("the socket", LONG, || socket(&home).exists());
    for n in 0..200 {
        fs::write(home.path(&format!("inbox/{n}.png")), png(60, 60)).unwrap();
    }
    assert_eq!(home.run(&["drain"]).status.code(), Some(0));
    assert_eq!(daemon.end(), Some(0));
    assert_eq!(count(&home.path("outbox")), 200);
}

#[test]
fn http_answers_health_metrics_and_json_to_this_machine() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let token = home.path("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = home.daemon(&pipeline, &[&HTTP[..], &["--token-file", token.to_str().unwrap()]].concat());
    let port = port(&daemon);
    fs::write(home.path("inbox/a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || get(port, "/metrics").1.contains(r#"outcome="done""#));
    assert_eq!(get(port, "/healthz"), (200, "ok\n".into()));
    wait_for("readiness", LONG, || get(port, "/readyz").0 == 200);
    let metrics = get(port, "/metrics").1;
    for line in [
        r#"latentd_jobs_total{pipeline="test",outcome="done"} 1"#,
        r#"latentd_job_seconds_count{pipeline="test"} 1"#,
        r#"latentd_stage_seconds_count{pipeline="test",stage="resize"} 1"#,
        r#"latentd_queue{pipeline="test",state="ready"} 0"#,
        "latentd_ready 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let (code, body) = get(port, "/v1/status");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["version"]), (200, &Value::from(1)));
    assert_eq!(get(port, "/v1/nothing").0, 404);
    assert_eq!(get(port, "/v1/history?limit=abc").0, 400);

    // A page in a browser that lets its own name point here.
    let rebound = "GET /v1/status HTTP/1.0\r\nHost: evil.example\r\n\r\n";
    assert_eq!(http(port, rebound).0, 403);
    let post = |more: &str| {
        http(
            port,
            &format!("POST /v1/pipelines/test/pause HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n{more}\r\n"),
        )
    };
    assert_eq!(post("").0, 401);
    assert_eq!(post("Authorization: Bearer wrong\r\n").0, 401);
    assert_eq!(post(&format!("Authorization: Bearer {TOKEN}\r\n")).0, 202);
    wait_for("the pause", LONG, || get(port, "/v1/status").1.contains("paused"));
    assert!(!daemon.log().contains(TOKEN));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn nothing_listens_on_the_network_unless_asked_and_guarded() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let pipeline = pipeline.to_str().unwrap();
    let output = home.run(&["run", pipeline, "--http", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token-file"));
    for (word, mode) in [("short", 0o600), (TOKEN, 0o644)] {
        let token = home.path("token");
        fs::write(&token, word).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let args = ["run", pipeline, "--http", "0.0.0.0:0", "--token-file", token.to_str().unwrap()];
        assert_eq!(home.run(&args).status.code(), Some(78), "{word} {mode:o}");
    }
    // Without a token, changes over TCP are refused even from here.
    let daemon = home.daemon(&home.path("pipeline.yaml"), &HTTP);
    let port = port(&daemon);
    let drain = "POST /v1/drain HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(http(port, drain).0, 403);
    let pid = daemon.child.id();
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.unwrap().path()).ok())
        .filter_map(|to| to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let listening = table.lines().filter(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(3) == Some(&"0A") && words.get(9).is_some_and(|inode| inodes.iter().any(|i| i == inode))
    });
    let addresses: Vec<&str> = listening.filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(addresses, [format!("0100007F:{port:04X}")], "loopback alone");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_client_that_says_nothing_or_nonsense_stops_nobody() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &HTTP);
    let port = port(&daemon);
    let silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for nonsense in [&b"\x00\xff\xfe"[..], b"GET", b"GET / HTTP/9.9\r\n\r\n", &[b'A'; 100_000]] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = stream.write_all(nonsense);
    }
    assert_eq!(get(port, "/healthz").0, 200);
    fs::write(home.path("inbox/a.png"), png(6, 6)).unwrap();
    wait_for("the result", LONG, || home.path("outbox/a.png").is_file());
    drop(silent);
    assert_eq!(daemon.stop(), Some(0));
}

/// Whoever asks for nothing more, but goes on sending, kept its thread for as long as it liked.
#[test]
fn a_client_that_goes_on_sending_is_let_go() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &HTTP);
    let port = port(&daemon);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    wait_for("the connection to be closed", LONG, || {
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(b"x").is_err()
    });
    assert_eq!(daemon.stop(), Some(0));
}

/// It said that no mistake was made, and kept to itself what the daemon had said.
#[test]
fn what_a_daemon_says_that_does_not_reload_is_told() {
    let home = Home::new();
    let socket = home.path("sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        let body = r#"{"error":"it takes long","mend":"look at `reload` in the status later"}"#;
        write!(stream, "HTTP/1.1 504 Refused\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let output = home.run(&["reload", "--socket", socket.to_str().unwrap()]);
    server.join().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{text}");
    assert!(text.contains("it takes long") && text.contains("in the status later"), "{text}");
}

#[test]
fn json_logs_are_one_object_a_line() {
    let home = Home::new();
    let pipeline = home.pipeline("", SMALL, "");
    let daemon = home.daemon(&pipeline, &["--log-format", "json"]);
    fs::write(home.path("inbox/a\u{202e}b\n.png"), png(6, 6)).unwrap();
    fs::write(home.path("inbox/bad.png"), "no").unwrap();
    wait_for("both", LONG, || daemon.log().contains("-> ") && daemon.log().contains("WARN"));
    assert!(!daemon.log().contains('\u{202e}'), "a name turns the direction of the log");
    for line in daemon.log().lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["level"].is_string() && event["message"].is_string(), "{line}");
    }
    assert_eq!(daemon.stop(), Some(0));
}
