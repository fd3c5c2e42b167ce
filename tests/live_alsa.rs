//! ALSA alone, as on a machine without a sound server: what people are shown of it, what the doctor says of it, and speech through it.
//!
//! There need be no sound card: ALSA takes devices of any kind from a file. Its `file` reads what a microphone hears and writes what a speaker plays, and
//! goes as fast as what is behind it: behind `null` that is hundreds of times as fast as sound, and a PulseAudio server keeps time. So where sound goes
//! through, `pulseaudio`, `pulseaudio-utils`, `libasound2-plugins` and `espeak-ng` are needed; without them the test says so and passes, unless
//! LATENTD_REQUIRE_SOUND is set, as in .ci/run.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
#[path = "live_common/server.rs"]
mod server;
#[path = "live_common/speech.rs"]
mod speech;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use audio_common::lag;
use common::{Daemon, Home, wait_for};
use serde_json::Value;
use server::{Server, available};
use speech::{improvement, with_a_fan};

const LONG: Duration = Duration::from_secs(180);

/// Frames by which the speaker may begin after the microphone, and what was heard be sought before its place.
const EARLY: usize = 5 * 48_000;
const NEAR: usize = 2_400;

/// latentd where there is no sound server, and ALSA is set up like this.
fn latentd(home: &Home, setup: &str) -> Command {
    let own = home.folder("own");
    fs::write(own.join(".asoundrc"), setup).unwrap();
    let runtime = home.folder("XDG_RUNTIME_DIR");
    fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = home.latentd();
    command.env("HOME", own).env_remove("ALSA_CONFIG_PATH").env_remove("ALSA_CONFIG_DIR");
    command
}

/// A pipeline from one device to another.
fn pipeline(home: &Home, microphone: &str, stages: &str, speaker: &str) -> PathBuf {
    let file = home.path("live.yaml");
    let text = format!(
        "name: live\nsource: {{microphone: {{device: {microphone}}}}}\nstages: [{stages}]\nsink: {{speaker: {{device: {speaker}}}}}\n"
    );
    fs::write(&file, text).unwrap();
    file
}

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A device that works, though it makes no sound; the default is one as well. And a card that is not there.
const SETUP: &str = r#"
pcm.mine { type plug slave.pcm "null" hint { show on description "Mine" } }
pcm.gone { type hw card 31 hint { show on description "Gone" } }
pcm.!default { type plug slave.pcm "null" }
"#;

/// What converts, mixes and discards was shown as microphones and speakers, and the default often was not.
#[test]
fn people_are_shown_what_they_set_up_and_all_the_rest_if_they_ask() {
    let home = Home::new();
    let devices = |args: &[&str]| stdout(latentd(&home, SETUP).arg("devices").args(args));
    let json = |args: &[&str]| -> Vec<Value> {
        devices(args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let listed = json(&["--json"]);
    for direction in ["microphone", "speaker"] {
        let of = |id: &str| listed.iter().find(|d| d["direction"] == direction && d["id"] == id);
        let default = of("alsa:default").unwrap();
        assert_eq!((&default["default"], &default["rate"]), (&true.into(), &48_000.into()));
        let mine = of("alsa:mine").unwrap();
        assert_eq!((&mine["name"], &mine["rate"], &mine["trouble"]), (&"Mine".into(), &48_000.into(), &Value::Null));
        let gone = of("alsa:gone").unwrap();
        assert!(gone["rate"].is_null() && gone["trouble"].is_string(), "{gone}");
    }
    let ids = |listed: &[Value]| -> Vec<String> { listed.iter().map(|d| d["id"].to_string()).collect() };
    let plumbing = |id: &String| ["alsa:null", "alsa:hw:", "alsa:lavrate", "alsa:upmix"].iter().any(|p| id.contains(p));
    assert!(!ids(&listed).iter().any(plumbing), "{listed:?}");
    let all = json(&["--json", "--all"]);
    assert!(ids(&all).iter().any(plumbing) && all.len() > listed.len(), "{all:?}");

    let text = devices(&[]);
    let line = |id: &str| text.lines().find(|line| line.ends_with(id)).unwrap_or_default().to_owned();
    assert!(line("alsa:default").contains('*') && line("alsa:mine").contains("48000 Hz, 2 channels"), "{text}");
    assert!(line("alsa:gone").contains("cannot be opened"), "{text}");
    assert!(text.contains("latentd devices --all"), "{text}");
    assert!(!devices(&["--all"]).contains("latentd devices --all"));
}

/// It said `ok` of whatever ALSA lists.
#[test]
fn the_doctor_tries_devices() {
    let home = Home::new();
    let file = pipeline(&home, "gone", "high_pass", "mine");
    let text = stdout(latentd(&home, SETUP).arg("doctor").arg(&file));
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("live: microphone")).unwrap();
    assert!(lines[at].starts_with("maybe") && lines[at].contains("`Gone` cannot be opened"), "{text}");
    assert!(lines[at + 1].starts_with("      "), "no mend: {text}");
    assert!(
        lines[at + 2].starts_with("ok") && lines[at + 2].contains("live: speaker: Mine (alsa:mine), 48000 Hz"),
        "{text}"
    );
}

/// Whether ALSA can reach PulseAudio.
fn reaches_pulseaudio() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let there = folders
        .chain(["/usr/lib", "/usr/lib64"].map(PathBuf::from))
        .any(|folder| folder.join("alsa-lib/libasound_module_pcm_pulse.so").exists());
    assert!(
        there || std::env::var_os("LATENTD_REQUIRE_SOUND").is_none(),
        "install it: apt-get install libasound2-plugins"
    );
    if !there {
        eprintln!("skipped: libasound2-plugins is not installed");
    }
    there
}

/// Floats of two channels, as the devices of the test have them.
fn write_raw(path: &Path, samples: &[f32]) {
    fs::write(path, samples.iter().flat_map(|s| [s.to_le_bytes(), s.to_le_bytes()].concat()).collect::<Vec<u8>>())
        .unwrap();
}

/// The first channel.
fn read_raw(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    bytes.chunks_exact(8).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The mean magnitude of each millisecond.
fn envelope(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(48).map(|part| part.iter().map(|s| s.abs()).sum::<f32>() / 48.0).collect()
}

#[test]
fn noisy_speech_comes_out_clean() {
    if !available() || !reaches_pulseaudio() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let (clean, noisy) = with_a_fan(&home);
    let (hears, plays) = (home.path("hears.raw"), home.path("plays.raw"));
    write_raw(&hears, &noisy);
    let socket = server.runtime.join("pulse/native");
    let device = |name: &str, files: &str, keeps_time: &str| {
        let socket = socket.display();
        format!(
            "pcm.{name} {{ type file format raw {files} slave.pcm {{ type pulse server \"unix:{socket}\" device \"{keeps_time}\" }} }}\n"
        )
    };
    let setup = [
        device("room", &format!("file \"/dev/null\" infile \"{}\"", hears.display()), "mic.monitor"),
        device("loudspeaker", &format!("file \"{}\"", plays.display()), "out"),
        "pcm.!default { type asym capture.pcm room playback.pcm loudspeaker }\n".to_owned(),
    ];
    let file = pipeline(&home, "default", "denoise: { model: denoise-speech }", "alsa:loudspeaker");
    let log = home.path("live.log");
    let gain = || {
        let _ = fs::remove_file(&plays);
        let child = latentd(&home, &setup.concat())
            .args(["--verbose", "run"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let daemon = Daemon::of(child, log.clone());
        // Where a device is opened anew, both files begin anew.
        let enough = (clean.len() + 48_000) * 8;
        wait_for("the speech to be played", LONG, || fs::metadata(&plays).is_ok_and(|m| m.len() >= enough as u64));
        assert_eq!(daemon.stop(), Some(0));
        let mut heard = vec![0.0; EARLY];
        heard.extend(read_raw(&plays));
        // Where it is, to a millisecond: the speaker began some time after the microphone.
        let most = (heard.len() - clean.len()) / 48;
        let at = 48 * lag(&envelope(&clean), &envelope(&heard), most);
        let from = at.saturating_sub(NEAR);
        let until = (from + clean.len() + 2 * NEAR).min(heard.len());
        improvement(&clean, &noisy, &heard[from..until])
    };
    // Where the machine is busy with something else for a while, the sound comes as it is: so it is heard out up to three times.
    let heard_out = (0..3).map(|_| gain()).any(|gain| gain >= 5.0);
    assert!(heard_out, "not 5 dB better\n{}", fs::read_to_string(&log).unwrap());
}
