//! Service files are what their readers want: systemd finds no fault with them, and they keep the daemon where it belongs.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use common::{Daemon, Home};

fn print(home: &Home, more: &[&str]) -> String {
    let output = home.run(&[&["service", "install", "--print", "pipeline.yaml"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn systemd_finds_no_fault_with_any_unit() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("systemd-analyze is not here");
        return;
    }
    for more in [
        &[][..],
        &["--profile", "audio"],
        &["--system"],
        &["--system", "--profile", "audio"],
        &["--system", "--http", "127.0.0.1:9414"],
    ] {
        let unit = home.folder("units").join("latentd.service");
        fs::write(&unit, print(&home, more)).unwrap();
        let who = if more.contains(&"--system") { "--system" } else { "--user" };
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no", who])
            .arg(&unit)
            .env("XDG_RUNTIME_DIR", home.folder("runtime"))
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && text.trim().is_empty(), "{more:?}: {text}");
    }
}

#[test]
fn the_files_profile_needs_no_device_and_no_network() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let unit = print(&home, &["--system"]);
    let inbox = home.path("inbox");
    for line in [
        "Type=notify",
        "WatchdogSec=60",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateDevices=yes",
        "PrivateNetwork=yes",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_UNIX",
        &format!("ReadWritePaths=-{}", inbox.display()),
    ] {
        assert!(unit.lines().any(|l| l == line), "{line} is not in\n{unit}");
    }
    let audio = print(&home, &["--system", "--profile", "audio"]);
    assert!(audio.contains("DeviceAllow=char-alsa rw") && !audio.contains("PrivateDevices"), "{audio}");
    assert!(audio.contains("LimitRTPRIO=") && !audio.contains("RestrictRealtime"), "{audio}");
    let http = print(&home, &["--system", "--http", "127.0.0.1:9414"]);
    assert!(http.contains("AF_INET") && !http.contains("PrivateNetwork"), "{http}");
    let threads = print(&home, &["-j", "2"]);
    assert!(threads.contains(" run --watch-config --threads=2 "), "{threads}");
}

/// The unit was written without a word, and its microphone was not there.
#[test]
fn a_live_pipeline_is_told_of_its_profile() {
    let home = Home::new();
    let live = "name: live\nsource:\n  microphone: {}\nstages: []\nsink:\n  speaker: {}\n";
    fs::write(home.path("live.yaml"), live).unwrap();
    home.pipeline("", "resize: { long_side: 4 }", "");
    for (profile, file, told) in [("files", "live", true), ("audio", "live", false), ("files", "pipeline", false)] {
        let file = format!("{file}.yaml");
        let output = home.run(&["service", "install", "--print", &file, "--profile", profile]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("--profile audio") == told, "{profile} {file}: {text}");
    }
}

#[test]
fn installed_for_a_user_it_goes_where_systemd_looks_and_away_again() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let (path, _) = systemctl(&home, "inactive");
    let run = |args: &[&str]| home.latentd().env("PATH", &path).args(args).output().unwrap();
    assert_eq!(run(&["service", "status"]).status.code(), Some(66));
    assert_eq!(run(&["service", "uninstall"]).status.code(), Some(66));
    let output = run(&["service", "install", "pipeline.yaml"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("systemctl --user"), "{output:?}");
    let unit = fs::read_to_string(home.path("XDG_CONFIG_HOME/systemd/user/latentd.service")).unwrap();
    assert!(unit.contains("WantedBy=default.target") && !unit.contains("User="), "{unit}");
    assert!(unit.contains("pipeline.yaml") && !unit.contains(" pipeline.yaml"), "an absolute path: {unit}");
    // What does not run is told to scripts too.
    let status = run(&["service", "status"]);
    assert!(status.status.code() == Some(75) && status.stdout.ends_with(b"active: inactive\n"), "{status:?}");
    let (active, _) = systemctl(&home, "active");
    let status = home.latentd().env("PATH", active).args(["service", "status"]).output().unwrap();
    assert!(status.status.code() == Some(0) && status.stdout.ends_with(b"active: active\n"), "{status:?}");
    assert_eq!(run(&["service", "uninstall"]).status.code(), Some(0));
    assert_eq!(run(&["service", "uninstall"]).status.code(), Some(66));
    // What cannot be loaded is not installed.
    fs::write(home.path("wrong.yaml"), "name: wrong\n").unwrap();
    assert_eq!(home.run(&["service", "install", "wrong.yaml"]).status.code(), Some(78));
}

/// Systemd was given a folder with doubled signs that was not there, and a pipeline whose name had lost a letter.
#[test]
fn a_unit_tells_paths_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let text = fs::read_to_string(&pipeline).unwrap().replace("./outbox", "./out$box");
    fs::write(&pipeline, text).unwrap();
    let unit = print(&home, &["--system"]);
    assert!(unit.contains("/out$box\"\n") && !unit.contains("$$"), "{unit}");
    let folder = home.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&folder).unwrap();
    fs::rename(&pipeline, folder.join("pipeline.yaml")).unwrap();
    let output = home.latentd().args(["service", "install", "--print"]).arg(&folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(64) && text.contains("UTF-8") && output.stdout.is_empty(), "{text}");
}

/// A unit without a pipeline died at once; with `--system`, what the user had at home was taken for the machine's.
#[test]
fn what_is_installed_is_what_will_run() {
    let home = Home::new();
    let unit = home.path("XDG_CONFIG_HOME/systemd/user/latentd.service");
    let folder = home.path("XDG_CONFIG_HOME/latentd");
    for _ in ["no folder", "an empty folder"] {
        let output = home.run(&["service", "install"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(64) && text.contains("help: put one there"), "{text}");
        assert!(!unit.exists());
        fs::create_dir_all(&folder).unwrap();
    }
    fs::rename(home.pipeline("", "resize: { long_side: 4 }", ""), folder.join("pipeline.yaml")).unwrap();
    assert_eq!(home.run(&["service", "install"]).status.code(), Some(0));
    let text = fs::read_to_string(&unit).unwrap();
    assert!(text.lines().any(|line| line.starts_with("ExecStart=") && line.ends_with("/latentd")), "{text}");
    // Whatever this machine has there.
    let output = home.run(&["service", "install", "--system", "--print"]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("/etc/latentd") && !text.contains("XDG_CONFIG_HOME/latentd"), "{text}");
}

/// It wrote a unit that died of what `run` refuses.
#[test]
fn others_come_in_by_a_token_alone() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let install = ["service", "install", "--print", "pipeline.yaml", "--http", "0.0.0.0:9414"];
    let output = home.run(&install);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(78) && text.contains("--token-file"), "{text}");
    fs::write(home.path("token"), "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::set_permissions(home.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
    let unit = print(&home, &["--http", "0.0.0.0:9414", "--token-file", "token"]);
    assert!(unit.contains("--http=0.0.0.0:9414 --token-file=/") && unit.contains("/token "), "{unit}");
}

/// It said that all was removed while the service went on, and systemd kept the unit that was gone.
#[test]
fn what_still_runs_stays_installed() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let unit = home.path("XDG_CONFIG_HOME/systemd/user/latentd.service");
    assert_eq!(home.run(&["service", "install", "pipeline.yaml"]).status.code(), Some(0));
    let uninstall = |path: &str| {
        let output = home.latentd().env("PATH", path).args(["service", "uninstall"]).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let (code, text) = uninstall(&systemctl(&home, "active").0);
    assert!(code == Some(75) && text.contains("disable --now latentd.service` says"), "{text}");
    assert!(unit.exists() && !text.contains("is removed"), "{text}");
    let (path, log) = systemctl(&home, "inactive");
    let (code, text) = uninstall(&path);
    assert!(code == Some(0) && text.contains("is removed") && !text.contains("answer"), "{text}");
    assert!(!unit.exists());
    let asked = fs::read_to_string(log).unwrap();
    assert!(asked.ends_with("--user daemon-reload\n"), "{asked}");
    // Where no systemd is, nobody can tell whether it runs.
    assert_eq!(home.run(&["service", "install", "pipeline.yaml"]).status.code(), Some(0));
    let (code, text) = uninstall("/nowhere");
    assert!(code == Some(0) && text.contains("is removed") && text.contains("latentd drain"), "{text}");
}

/// What the Debian package brings was said not to be installed, and could have been taken away from it.
#[test]
fn a_packages_service_is_known_and_left_to_it() {
    let home = Home::new();
    let unit = home.path("package.service");
    fs::write(&unit, "[Service]\n").unwrap();
    let (path, log) = systemctl(&home, &unit.display().to_string());
    let run = |args: &[&str]| {
        let output = home.latentd().env("PATH", &path).args(args).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let (code, text) = run(&["service", "status"]);
    assert!(code == Some(75) && text.contains(&format!("installed: {}", unit.display())), "{text}");
    let (code, text) = run(&["service", "uninstall"]);
    assert!(code == Some(64) && text.contains("came with a package") && text.contains("--user disable"), "{text}");
    assert!(unit.exists());
    let asked = fs::read_to_string(log).unwrap();
    assert!(!asked.lines().any(|line| line.contains("disable")), "{asked}");
}

/// The path to a `systemctl` that answers so when it is asked whether the service runs, or where its file is, and the file in which it notes what it
/// was asked.
fn systemctl(home: &Home, answer: &str) -> (String, PathBuf) {
    let folder = home.folder(&answer.replace('/', "-"));
    let text = format!(
        "#!/bin/sh\necho \"$*\" >> \"$0.log\"\ncase \"$*\" in *is-active*|*FragmentPath*) echo {answer} ;; esac\n"
    );
    // By another process: a program that is open for writing here, if only in a child that a test beside this one starts, cannot be run.
    let write = "printf %s \"$1\" > systemctl && chmod +x systemctl";
    assert!(Command::new("sh").args(["-c", write, "sh", &text]).current_dir(&folder).status().unwrap().success());
    (folder.display().to_string(), folder.join("systemctl.log"))
}

/// What systemd sends and expects, by a socket as it makes one.
#[test]
fn the_service_manager_is_told() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let path = home.path("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let next = || {
        let mut buffer = [0; 4096];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let log = home.path("log.txt");
    let mut command = home.latentd();
    command.arg("run").arg(&pipeline).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    let mut daemon = Daemon::of(command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap(), log);
    assert!(next().contains("READY=1"));
    let alive = next();
    assert!(alive.contains("WATCHDOG=1") && alive.contains("STATUS=1 pipelines"), "{alive}");
    let until = |wanted: &str| {
        let seen: Vec<String> = std::iter::repeat_with(next).take(30).take_while(|m| !m.contains(wanted)).collect();
        assert!(seen.len() < 30, "{wanted} did not come: {seen:?}");
    };
    daemon.signal("-HUP");
    // Both in one message, as systemd wants it.
    let reloading = std::iter::repeat_with(next).take(30).find(|m| m.contains("RELOADING=1")).unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    until("READY=1");
    daemon.signal("-TERM");
    until("STOPPING=1");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_the_mend() {
    let home = Home::new();
    home.pipeline("", "resize: { long_side: 4 }", "");
    let output = home.run(&["doctor", "pipeline.yaml"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("test: source") && text.contains("daemon: none runs"), "{text}");
    // A file where the sink should be.
    fs::write(home.path("outbox"), "in the way").unwrap();
    let output = home.run(&["doctor", "pipeline.yaml", "--json"]);
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let checks: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(checks.iter().any(|check| check["verdict"] == "bad" && check["what"] == "test: the sink"), "{text}");
}

/// The units of the Debian package are what the program itself writes (`UPDATE_GOLDEN=1` writes them).
#[test]
fn packaged_units_are_those_that_install_writes() {
    use latentd::daemon::service::{Profile, Unit, systemd};
    for (name, system) in [("latentd.service", true), ("latentd.user.service", false)] {
        let unit = Unit {
            program: "/usr/bin/latentd".into(),
            arguments: vec!["--watch-config".into()],
            system,
            profile: Profile::Files,
            writes: Vec::new(),
            network: false,
        };
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, systemd(&unit)).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), systemd(&unit), "{name}");
    }
}

/// What launchd gets, word for word (`UPDATE_GOLDEN=1` writes it); names with signs that mean something in XML included.
#[test]
fn the_property_list_for_launchd_is_this() {
    use latentd::daemon::service::{Profile, Unit, launchd, launchd_path};
    let home = std::path::Path::new("/Users/anna");
    assert_eq!(launchd_path(false, home), home.join("Library/LaunchAgents/io.github.latentd.plist"));
    assert_eq!(launchd_path(true, home), std::path::Path::new("/Library/LaunchDaemons/io.github.latentd.plist"));
    for (name, profile) in [("files.plist", Profile::Files), ("audio.plist", Profile::Audio)] {
        let unit = Unit {
            program: "/opt/homebrew/bin/latentd".into(),
            arguments: vec!["--watch-config".into(), "/Users/anna/Photos & \"more\" <new>/clean.yaml".into()],
            system: false,
            profile,
            writes: Vec::new(),
            network: false,
        };
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/service").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, launchd(&unit)).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), launchd(&unit), "{name}");
    }
}
