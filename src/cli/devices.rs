//! `latentd devices`: microphones and speakers, and how long sound takes from one to the other.

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::device::{self, Device, Devices, Direction, RATE, Wanted};
use crate::error::{Error, Kind, Result, show_text};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object for each device, or for the measurement
    #[arg(long)]
    json: bool,
    /// Show also what is only reached by its name: the cards as ALSA has them beside a sound server, and ALSA's plugins
    #[arg(long, conflicts_with = "measure")]
    all: bool,
    /// Play a chirp on the speaker and tell how long it takes until the microphone hears it: through the air, a cable, or a running pipeline
    #[arg(long)]
    measure: bool,
    /// Microphone to listen to
    #[arg(long, value_name = "DEVICE", default_value = "default", requires = "measure")]
    microphone: String,
    /// Speaker to play on
    #[arg(long, value_name = "DEVICE", default_value = "default", requires = "measure")]
    speaker: String,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let devices = quietly(Devices::system)?;
    if args.measure {
        return measure(args, &devices);
    }
    let (listed, more) = quietly(|| (devices.list(args.all), if args.all { 0 } else { devices.unlisted() }));
    if args.json {
        for device in &listed {
            say!("{}", serde_json::json!(device));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let widest = listed.iter().map(|device| device.name.chars().count()).max().unwrap_or(0).min(WIDEST);
    for direction in [Direction::Microphone, Direction::Speaker] {
        say!("{}s", direction.name());
        let mut none = true;
        for device in listed.iter().filter(|d| d.direction == direction) {
            none = false;
            say!("  {}", line(device, widest));
        }
        if none {
            say!("    none");
        }
    }
    if more > 0 {
        say!("{more} more can be named: latentd devices --all");
    }
    Ok(ExitCode::SUCCESS)
}

/// Does `work` without what ALSA and JACK write to the terminal of devices that they do not find.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    /// Puts stderr back, also when a panic passes.
    struct Kept(rustix::fd::OwnedFd);
    impl Drop for Kept {
        fn drop(&mut self) {
            let _ = rustix::stdio::dup2_stderr(&self.0);
        }
    }
    let kept = rustix::io::dup(rustix::stdio::stderr()).map(Kept);
    if let (Ok(_), Ok(nowhere)) = (&kept, std::fs::File::options().write(true).open("/dev/null")) {
        let _ = rustix::stdio::dup2_stderr(&nowhere);
    }
    work()
}

/// Characters that the names of devices may take in a line; longer ones push the rest aside.
const WIDEST: usize = 60;

/// Characters of a name that are shown.
const LONGEST: usize = 200;

/// `* Built-in Audio  48000 Hz, 2 channels  pulseaudio:alsa_input.pci...`
fn line(device: &Device, widest: usize) -> String {
    let mark = if device.default { "*" } else { " " };
    let own = match (&device.trouble, device.rate, device.channels) {
        (Some(trouble), ..) => format!("cannot be opened: {trouble}"),
        (None, Some(rate), Some(1)) => format!("{rate} Hz, 1 channel"),
        (None, Some(rate), Some(channels)) => format!("{rate} Hz, {channels} channels"),
        _ => String::new(),
    };
    // The maker of a device names it, and may name it anything.
    let name = show_text(&device.name, LONGEST);
    format!("{mark} {name:<widest$}  {own:<22} {}", device.id)
}

/// Frames of the chirp: 50 ms from 500 Hz to 6 kHz, which speech models let pass in part and rooms cannot blur.
const CHIRP: usize = 2400;
/// Chirps that are played, one a second.
const TRIES: usize = 5;

fn chirp() -> Vec<f32> {
    let seconds = CHIRP as f64 / f64::from(RATE);
    let sweep = |n: usize| {
        let t = n as f64 / f64::from(RATE);
        let phase = 2.0 * std::f64::consts::PI * (500.0 * t + 5500.0 * t * t / (2.0 * seconds));
        let window = (std::f64::consts::PI * n as f64 / CHIRP as f64).sin().powi(2);
        (0.7 * phase.sin() * window) as f32
    };
    (0..CHIRP).map(sweep).collect()
}

fn measure(args: &Args, devices: &Devices) -> Result<ExitCode> {
    let wanted = |device: &str| Wanted { device: device.to_owned(), rate: RATE, buffer: RATE / 100 };
    let second = RATE as usize;
    let wake = Arc::new(OnceLock::new());
    let (mut heard, mut played, mut rates) = (None, None, Vec::new());
    let input = devices.microphone(&wanted(&args.microphone), |opened| {
        let (tap, ring, _) = device::tap(1, 4 * second, &wake);
        rates.push(opened.rate);
        heard = Some(ring);
        tap
    })?;
    let output = devices.speaker(&wanted(&args.speaker), |opened| {
        let (feed, ring, counters) = device::feed(1, second);
        rates.push(opened.rate);
        played = Some((ring, counters));
        feed
    })?;
    let (Some(mut heard), Some((mut played, counters))) = (heard, played) else {
        return Err(Error::new(Kind::Bug, "a device was opened without its ring"));
    };
    if rates.iter().any(|rate| *rate != RATE) {
        return Err(Error::new(
            Kind::Device,
            format!("the delay is measured at {RATE} Hz, which these devices cannot do"),
        )
        .mend("measure through PulseAudio or PipeWire, which convert"));
    }
    counters.playing.store(true, Relaxed);
    let chirp = chirp();
    let mut delays = Vec::new();
    for _ in 0..TRIES {
        // What was heard until now is old.
        let old = heard.slots();
        let _ = heard.read_chunk(old).map(|chunk| chunk.commit_all());
        let begin = Instant::now();
        // Both streams run; the chirp goes out with the next callback, and the recording began just now.
        let _ = played.push_entire_slice(&chirp);
        let mut recording = Vec::with_capacity(second);
        while recording.len() < second && begin.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(5));
            let there = heard.slots();
            if let Ok(chunk) = heard.read_chunk(there) {
                recording.extend(chunk);
            }
        }
        delays.extend(find(&recording, &chirp).map(|frames| frames as f64 * 1e3 / f64::from(RATE)));
    }
    drop((input, output));
    delays.sort_by(f64::total_cmp);
    let Some(median) = delays.get(delays.len() / 2) else {
        return Err(Error::new(Kind::Device, "the microphone does not hear the speaker")
            .mend("turn both up, or name the ends of a loop by --microphone and --speaker"));
    };
    if args.json {
        say!("{}", serde_json::json!({ "latency_ms": median, "all_ms": delays }));
    } else {
        let (least, most) = (delays.first().unwrap_or(median), delays.last().unwrap_or(median));
        say!("{median:.1} ms (of {} chirps, {least:.1} to {most:.1})", delays.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where in the recording the chirp begins: the largest correlation, if it stands out from the rest.
fn find(recording: &[f32], chirp: &[f32]) -> Option<usize> {
    let places = recording.len().checked_sub(chirp.len())?;
    let product = |at: usize| chirp.iter().zip(&recording[at..]).map(|(a, b)| a * b).sum::<f32>().abs();
    let products: Vec<f32> = (0..places).map(product).collect();
    let (at, best) = products.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let mean = products.iter().sum::<f32>() / places as f32;
    (best > 8.0 * mean && best > 1e-3).then_some(at)
}
