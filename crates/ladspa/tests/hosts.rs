//! The plugin in other people's programs: the tools of LADSPA's own kit, ffmpeg, GStreamer, PipeWire and PulseAudio.
//!
//! A program that is missing is passed over and said so, unless LATENTD_REQUIRE_HOSTS is set, as in .ci/run.
#![allow(missing_docs, clippy::unwrap_used)]

mod host;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use host::{Plugin, apply, difference, noisy};

const RATE: u32 = 48_000;

/// Whether these programs are there.
fn have(programs: &[&str]) -> bool {
    let missing: Vec<&&str> =
        programs.iter().filter(|p| Command::new("which").arg(p).output().is_ok_and(|o| !o.status.success())).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("LATENTD_REQUIRE_HOSTS").is_none(), "{missing:?} are missing");
    eprintln!("passed over: {missing:?} are missing");
    false
}

/// The library as hosts load it, beside this test or one folder up.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test.ancestors().skip(1).take(2).map(|folder| folder.join("liblatentd_ladspa.so"));
    // Cargo may leave an older one in the outer folder.
    let newest = beside.filter(|path| path.exists()).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    newest.expect("the plugin was not built")
}

fn write(path: &Path, planes: &[Vec<f32>]) {
    let spec = hound::WavSpec {
        channels: planes.len() as u16,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..planes[0].len() {
        planes.iter().for_each(|plane| writer.write_sample((plane[n] * 32768.0).round() as i16).unwrap());
    }
    writer.finalize().unwrap();
}

fn read(path: &Path) -> Vec<Vec<f32>> {
    let reader = hound::WavReader::open(path).unwrap();
    let channels = usize::from(reader.spec().channels);
    let mut planes = vec![Vec::new(); channels];
    for (n, sample) in reader.into_samples::<i16>().enumerate() {
        planes[n % channels].push(f32::from(sample.unwrap()) / 32768.0);
    }
    planes
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{text}");
    text
}

/// A noisy file of two channels, what `latentd apply` makes of it, and the latency in a host with blocks of `size`.
fn prepare(folder: &Path, size: usize) -> (PathBuf, Vec<Vec<f32>>, usize) {
    let file = folder.join("noisy.wav");
    write(&file, &noisy(RATE, 3.0, 2));
    let expected = apply(RATE, &read(&file), &[]);
    let mut plugin = Plugin::new(2, RATE);
    plugin.activate();
    plugin.run(&vec![vec![0.0; size]; 2], &[size]);
    (file, expected, plugin.latency())
}

/// As exact as 16 bits are.
const ROUNDING: f32 = 1.6 / 32768.0;

#[test]
fn the_kit_of_ladspa_lists_and_runs_it() {
    if !have(&["listplugins", "analyseplugin", "applyplugin"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let text = run(Command::new("analyseplugin").arg(&library));
    for expected in [
        "Plugin Name: \"latentd speech denoiser (mono)\"",
        "Plugin Name: \"latentd speech denoiser (stereo)\"",
        "\"Attenuation Limit (dB)\" input, control, 0 to 100, default 100",
        "\"Strength\" input, control, 0 to 1, default 1",
        "\"latency\" output, control",
        "Environment: Normal or Hard Real-Time",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
    let search = folder.path().join("plugins");
    fs::create_dir(&search).unwrap();
    fs::copy(&library, search.join("liblatentd_ladspa.so")).unwrap();
    let text = run(Command::new("listplugins").env("LADSPA_PATH", &search));
    assert!(text.contains("(7102721/latentd_denoise_mono)"), "{text}");

    // applyplugin's blocks are of 2,048 frames.
    let (file, expected, latency) = prepare(folder.path(), 2048);
    let out = folder.path().join("out.wav");
    run(Command::new("applyplugin").args([&file, &out, &library]).args([
        "latentd_denoise_stereo",
        "100",
        "1",
        "0",
        "1",
    ]));
    let found = read(&out);
    assert_eq!(found[0].len(), expected[0].len());
    let apart = difference(&expected, &found, latency);
    assert!(apart <= ROUNDING, "{apart}");
}

#[test]
fn ffmpeg_runs_it_and_takes_the_latency_away() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, expected, _) = prepare(folder.path(), 1024);
    let out = folder.path().join("out.wav");
    let filter = format!("ladspa=file={}:latentd_denoise_stereo:controls=c3=1:latency=1", library().display());
    run(Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&file).args(["-af", &filter]).arg(&out));
    let found = read(&out);
    assert_eq!(found[0].len(), expected[0].len());
    let apart = difference(&expected, &found, 0);
    assert!(apart <= ROUNDING, "{apart}");
}

#[test]
fn gstreamer_runs_it_through_its_wrapper() {
    if !have(&["gst-launch-1.0"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let search = folder.path().join("plugins");
    fs::create_dir(&search).unwrap();
    // Under a name of its own: it looks into the system's folders as well, where there may be another.
    fs::copy(library(), search.join("tested.so")).unwrap();
    let (file, expected, _) = prepare(folder.path(), 1024);
    let out = folder.path().join("out.wav");
    let launch = format!(
        "filesrc location={} ! wavparse ! audioconvert ! ladspa-tested-so-latentd-denoise-stereo offline=true ! \
         audioconvert dithering=none ! audio/x-raw,format=S16LE ! wavenc ! filesink location={}",
        file.display(),
        out.display()
    );
    let text = run(Command::new("gst-launch-1.0")
        .args(launch.split(' '))
        .env("LADSPA_PATH", &search)
        .env("GST_REGISTRY", folder.path().join("registry")));
    // What it warns of itself; `GStreamer-WARNING **` is about plugins of others that it cannot load.
    assert!(!text.contains("WARNING: "), "{text}");
    let found = read(&out);
    assert_eq!(found[0].len(), expected[0].len());
    // Its blocks, and so the latency, are the wrapper's affair.
    let latency =
        (0..4 * 2048).min_by(|&a, &b| difference(&expected, &found, a).total_cmp(&difference(&expected, &found, b)));
    let apart = difference(&expected, &found, latency.unwrap());
    assert!(apart <= ROUNDING, "{apart}");
}

/// A sentence by a synthesiser in a fan's noise, 48 kHz.
fn speech(folder: &Path) -> PathBuf {
    let (said, file) = (folder.join("said.wav"), folder.join("noisy.wav"));
    let words = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.";
    run(Command::new("espeak-ng").args(["-v", "en", "-w"]).arg(&said).arg(words));
    run(Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&said).args(["-ar", "48000", "-y"]).arg(&file));
    let fan = noisy(RATE, 30.0, 1).remove(0);
    // Of the tones in noise only the noise, and 2 s of it alone before the voice.
    let hiss: Vec<f32> = fan.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut voice = vec![0.0; 2 * RATE as usize];
    voice.extend(read(&file).remove(0));
    let mixed: Vec<f32> = voice.iter().zip(hiss.iter().cycle()).map(|(v, h)| 0.3 * v + 0.5 * h).collect();
    write(&file, &[mixed]);
    file
}

/// What scripts begin with: waiting for what may take its time on a busy machine, and ending what still runs in whatever way they end.
const WAITING: &str = r#"
    trap 'kill $(jobs -p) 2>/dev/null' EXIT
    wait_until() {
        for _ in $(seq 600); do eval "$1" && return; sleep 0.1; done
        echo "waited for: $1" >&2
        exit 1
    }
"#;

/// Runs a sound server by a script, which plays the noisy file and records what programs hear; most of the noise must be gone and the voice not.
fn assert_cleans(script: &str, tools: &[&str]) {
    if !have(tools) || !have(&["espeak-ng", "ffmpeg"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = speech(folder.path());
    fs::copy(library(), folder.path().join("liblatentd_ladspa.so")).unwrap();
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/pipewire/latentd-microphone.conf");
    fs::write(folder.path().join("run.sh"), format!("{WAITING}{script}")).unwrap();
    let text = run(Command::new("timeout")
        .args(["300", "bash", "run.sh"])
        .current_dir(&folder)
        .env("LADSPA_PATH", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("HOME", folder.path())
        .env("CONF", packaging)
        .env_remove("PULSE_SERVER")
        .env_remove("DBUS_SESSION_BUS_ADDRESS"));
    let found = read(&folder.path().join("heard.wav")).remove(0);
    let noisy = read(&file).remove(0);
    // Quiet and loud moments: of the noise alone, and of the voice.
    let levels = |sound: &[f32]| {
        let mut powers: Vec<f32> = sound.chunks(960).map(|c| c.iter().map(|v| v * v).sum::<f32>() / 960.0).collect();
        powers.sort_by(f32::total_cmp);
        powers.retain(|power| *power > 1e-12);
        assert!(powers.len() > 100, "almost nothing was recorded\n{text}");
        [powers[powers.len() / 10], powers[powers.len() * 97 / 100]].map(|power| 10.0 * power.log10())
    };
    let ([noise, voice], [noise_left, voice_left]) = (levels(&noisy), levels(&found));
    println!("noise {noise:.1} -> {noise_left:.1} dB, voice {voice:.1} -> {voice_left:.1} dB");
    assert!(noise_left < noise - 12.0, "noise {noise:.1} -> {noise_left:.1} dB\n{text}");
    assert!((voice_left - voice).abs() < 4.0, "voice {voice:.1} -> {voice_left:.1} dB\n{text}");
}

#[test]
fn pulseaudio_hears_through_it() {
    let script = r#"
        pulseaudio --daemonize=no -n --exit-idle-time=-1 --use-pid-file=no -L module-native-protocol-unix \
            -L "module-null-sink sink_name=out rate=48000 channels=2" \
            -L "module-ladspa-sink sink_name=clean sink_master=out plugin=liblatentd_ladspa label=latentd_denoise_stereo control=100,1,0,1" &
        server=$!
        wait_until 'pactl list short sinks | grep -q clean'
        parecord --device=out.monitor --rate=48000 --channels=1 --format=s16le --file-format=wav heard.wav &
        recorder=$!
        sleep 0.5
        paplay --device=clean noisy.wav
        sleep 0.5
        kill $recorder; wait $recorder
        kill $server; wait $server || true
    "#;
    assert_cleans(script, &["pulseaudio", "pactl", "parecord", "paplay"]);
}

#[test]
fn pipewire_offers_the_microphone_of_the_shipped_configuration() {
    let script = r#"
        if [ -z "$DBUS_SESSION_BUS_ADDRESS" ]; then exec dbus-run-session -- bash "$0"; fi
        mkdir -p .config/pipewire/pipewire.conf.d && cp "$CONF" .config/pipewire/pipewire.conf.d/
        cat > .config/pipewire/pipewire.conf.d/null.conf <<'END'
            context.objects = [
                { factory = adapter
                  args = { factory.name = support.null-audio-sink node.name = cable media.class = Audio/Source/Virtual
                           audio.position = [ MONO ] audio.channels = 1 object.linger = true } }
            ]
END
        pipewire & server=$!
        wait_until '[ -S pipewire-0 ]'
        wireplumber & session=$!
        wait_until 'pw-link -l | grep -q capture.latentd:input'
        pw-record --target latentd --rate 48000 --channels 1 --format s16 heard.wav & recorder=$!
        sleep 1
        # Nobody speaks here: a player takes the place of the air before the microphone.
        pw-play --target 0 noisy.wav & player=$!
        wait_until 'pw-link pw-play:output_MONO cable:input_MONO'
        pw-link -l
        wait $player
        sleep 0.5
        kill $recorder; wait $recorder
        kill $session $server; wait || true
    "#;
    assert_cleans(script, &["pipewire", "wireplumber", "pw-link", "pw-play", "pw-record", "dbus-run-session"]);
}
