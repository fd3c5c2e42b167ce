//! Hours of mixed work for the daemon, with its memory and descriptors measured all the while:
//!
//!     cargo run --release --example soak -- --minutes 60 --out docs/soak.png
//!
//! Pictures, recordings and tunes of several formats and sizes, damaged ones, files that are none of these, and changes of the configuration go
//! through a daemon of its own in a temporary folder. In the end everything must be done or in quarantine, and a picture shows what it took.
//! `--pause 500` puts half a second between two files rather than a fifth; `--draw soak.csv` draws what was measured elsewhere, and does no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use latentd::plot::{Area, Drawn, FONT, Inlay, Picture, class_color};
use plotters::prelude::*;

/// What is dropped, by turns: the pipeline's name, and a maker of the file's name and bytes.
type Maker = (&'static str, fn(u64) -> (String, Vec<u8>));

const MAKERS: &[Maker] = &[
    ("photos", |n| (format!("{n}.png"), picture(40 + n % 300, image::ImageFormat::Png))),
    ("photos", |n| (format!("{n}.jpg"), picture(60 + n % 500, image::ImageFormat::Jpeg))),
    ("thumbnails", |n| (format!("{n}.tif"), picture(30 + n % 200, image::ImageFormat::Tiff))),
    ("thumbnails", |n| (format!("{n}.bmp"), picture(20 + n % 100, image::ImageFormat::Bmp))),
    ("photos", |n| (format!("{n}-cut.png"), half(picture(50, image::ImageFormat::Png)))),
    ("thumbnails", |n| (format!("{n}-text.jpg"), format!("no picture, number {n}").into_bytes())),
    ("recordings", |n| (format!("{n}.wav"), recording(8_000 + n % 5 * 8_000, 1 + n % 4))),
    ("tunes", |n| (format!("{n}.mid"), tune(n))),
    ("recordings", |n| (format!("{n}-cut.wav"), half(recording(16_000, 1)))),
    ("tunes", |n| (format!("{n}-cut.mid"), half(tune(n)))),
];

fn picture(side: u64, format: image::ImageFormat) -> Vec<u8> {
    let side = side as u32;
    let pixels = image::RgbImage::from_fn(side, side, |x, y| {
        let noise = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)).wrapping_mul(2_654_435_761) >> 26;
        image::Rgb([(x * 2 + noise) as u8, (y * 2 + noise) as u8, (x + y + noise) as u8])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    // Writing to memory does not fail.
    let _ = pixels.write_to(&mut bytes, format);
    bytes.into_inner()
}

/// A tone that comes and goes, in noise: 16 bits, one channel.
fn recording(rate: u64, seconds: u64) -> Vec<u8> {
    let frames = rate * seconds;
    let mut bytes =
        [*b"RIFF", (36 + 2 * frames as u32).to_le_bytes(), *b"WAVE", *b"fmt ", 16u32.to_le_bytes()].concat();
    bytes.extend([1u16, 1].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([rate as u32, 2 * rate as u32].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([2u16, 16].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(b"data");
    bytes.extend((2 * frames as u32).to_le_bytes());
    for n in 0..frames {
        let seconds = n as f64 / rate as f64;
        let tone = (seconds * 200.0 * std::f64::consts::TAU).sin() * (seconds * 3.0).sin().max(0.0);
        let noise = (n.wrapping_mul(2_654_435_761) >> 16 & 0xFF) as f64 / 256.0 - 0.5;
        bytes.extend(((tone * 8000.0 + noise * 2000.0) as i16).to_le_bytes());
    }
    bytes
}

/// Four bars of eighth notes on one track.
fn tune(n: u64) -> Vec<u8> {
    let notes = (0..32).flat_map(|step| {
        let pitch = 60 + [0, 2, 4, 5, 7, 9, 11][((n + step * (n % 3 + 1)) % 7) as usize];
        [0, 0x90, pitch, 90, 48, 0x80, pitch, 0]
    });
    let track: Vec<u8> = notes.chain([0, 0xFF, 0x2F, 0]).collect();
    let head = [0, 0, 0, 6, 0, 0, 0, 1, 0, 96];
    [&b"MThd"[..], &head, b"MTrk", &(track.len() as u32).to_be_bytes(), &track].concat()
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// One look at the daemon: minutes, resident MB, open descriptors, threads, files done so far.
struct Sample {
    minutes: f64,
    memory: f64,
    descriptors: f64,
    threads: f64,
    done: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |name: &str| {
        let mut words = std::env::args().skip_while(move |word| word != name);
        words.nth(1)
    };
    let minutes: f64 = argument("--minutes").map_or(Ok(60.0), |text| text.parse())?;
    let out = PathBuf::from(argument("--out").unwrap_or_else(|| "soak.png".into()));
    let program = argument("--program").unwrap_or_else(|| "target/release/latentd".into());
    if let Some(samples) = argument("--draw") {
        return draw(Path::new(&samples), &out);
    }
    let pause = Duration::from_millis(argument("--pause").map_or(Ok(200), |text| text.parse())?);
    let home = tempfile::tempdir()?;
    let config = home.path().join("pipelines");
    fs::create_dir(&config)?;
    write_pipelines(&config, 25)?;
    for (name, _) in MAKERS {
        fs::create_dir_all(home.path().join(name))?;
    }
    let mut daemon = Command::new(fs::canonicalize(program)?)
        .arg("run")
        .arg(&config)
        .args(["--watch-config", "--quiet"])
        .envs(["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"].map(|name| (name, home.path().join("state"))))
        .stdout(Stdio::null())
        .spawn()?;
    let begin = Instant::now();
    let (mut samples, mut next_sample, mut next_change, mut n) = (Vec::new(), 5.0, 120.0, 0u64);
    while begin.elapsed().as_secs_f64() < minutes * 60.0 {
        let (pipeline, make) = MAKERS[(n % MAKERS.len() as u64) as usize];
        let (name, bytes) = make(n);
        fs::write(home.path().join(pipeline).join(name), bytes)?;
        n += 1;
        std::thread::sleep(pause);
        let seconds = begin.elapsed().as_secs_f64();
        if seconds > next_sample {
            samples.push(look(daemon.id(), seconds, home.path())?);
            next_sample += (minutes * 60.0 / 240.0).max(2.0);
        }
        if seconds > next_change {
            write_pipelines(&config, 20 + (n % 10) as u32)?;
            next_change += 120.0;
        }
    }
    while count(&home.path().join("results")) + notes(home.path()) < n as usize {
        if begin.elapsed().as_secs_f64() > minutes * 60.0 + 600.0 {
            return Err("ten minutes later something is still not done".into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    samples.push(look(daemon.id(), begin.elapsed().as_secs_f64(), home.path())?);
    Command::new("kill").arg(daemon.id().to_string()).status()?;
    let status = daemon.wait()?;
    println!("{n} files in {minutes} minutes; the daemon ended with {status}");
    tell(samples, &out)
}

/// Samples from a file: a line of names, then minutes, megabytes, descriptors, threads and files done.
fn draw(samples: &Path, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let text = fs::read_to_string(samples)?;
    let numbers =
        text.lines().skip(1).map(|line| line.split(',').map(str::parse::<f64>).collect::<Result<Vec<_>, _>>());
    let mut samples = Vec::new();
    for numbers in numbers {
        let [minutes, memory, descriptors, threads, done] = numbers?[..] else {
            return Err("five numbers a line".into());
        };
        samples.push(Sample { minutes, memory, descriptors, threads, done });
    }
    tell(samples, out)
}

/// What the samples mean, as text and as a picture.
fn tell(samples: Vec<Sample>, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let third = samples.len() / 3;
    let mean = |part: &[Sample], of: fn(&Sample) -> f64| part.iter().map(of).sum::<f64>() / part.len().max(1) as f64;
    let (middle, last) = (&samples[third..2 * third], &samples[2 * third..]);
    println!("memory, middle and last third: {:.0}, {:.0} MB", mean(middle, |s| s.memory), mean(last, |s| s.memory));
    let descriptors = (mean(middle, |s| s.descriptors), mean(last, |s| s.descriptors));
    println!("descriptors: {:.0}, {:.0}; threads: {:.0}", descriptors.0, descriptors.1, mean(last, |s| s.threads));
    latentd::plot::write(&Soak(samples), out)?;
    Ok(())
}

/// Originals are moved away, so that a changed pipeline does not begin anew with all of them.
fn write_pipelines(config: &Path, sigma: u32) -> std::io::Result<()> {
    let write = |name: &str, stages: &str| {
        let sink = format!("path: ../results/{name}, originals: delete, quarantine: ../bad/{name}");
        let text = format!(
            "name: {name}\nsource:\n  folder: {{ path: ../{name} }}\nstages: [{stages}]\nsink:\n  folder: {{ {sink} }}\n"
        );
        fs::write(config.join(format!("{name}.yaml")), text)
    };
    write("photos", &format!("denoise: {{ model: denoise-photo-fast, sigma: {sigma} }}"))?;
    write("recordings", "denoise: { model: denoise-speech }, level: { loudness: -19 }")?;
    write("tunes", "reconstruct: { model: melody-2bar }")?;
    write("thumbnails", "resize: { long_side: 32 }")
}

fn look(process: u32, seconds: f64, home: &Path) -> std::io::Result<Sample> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let number = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    Ok(Sample {
        minutes: seconds / 60.0,
        memory: number("VmRSS") / 1024.0,
        threads: number("Threads"),
        descriptors: fs::read_dir(format!("/proc/{process}/fd"))?.count() as f64,
        done: count(&home.join("results")) as f64,
    })
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

fn notes(home: &Path) -> usize {
    // A file and its reason each.
    count(&home.join("bad")) / 2
}

/// A title, and what is shown of each sample.
type Chart = (&'static str, fn(&Sample) -> f64);

/// Three small charts, one above the other.
struct Soak(Vec<Sample>);

impl Picture for Soak {
    fn size(&self) -> (u32, u32) {
        (900, 700)
    }

    fn draw<B: DrawingBackend>(&self, canvas: &Area<B>) -> Drawn<B> {
        let end = self.0.last().map_or(1.0, |sample| sample.minutes);
        let charts: [Chart; 3] = [
            ("resident memory, MB", |sample| sample.memory),
            ("open descriptors", |sample| sample.descriptors),
            ("files done", |sample| sample.done),
        ];
        for (area, (title, of)) in canvas.split_evenly((3, 1)).iter().zip(charts) {
            let most = self.0.iter().map(of).fold(1.0, f64::max) * 1.15;
            let mut chart = ChartBuilder::on(area)
                .caption(title, (FONT, 16))
                .margin(8)
                .x_label_area_size(24)
                .y_label_area_size(60)
                .build_cartesian_2d(0.0..end, 0.0..most)?;
            chart.configure_mesh().x_desc("minutes").label_style((FONT, 12)).light_line_style(WHITE).draw()?;
            let line = self.0.iter().map(|sample| (sample.minutes, of(sample)));
            chart.draw_series(LineSeries::new(line, class_color(0).stroke_width(2)))?;
        }
        Ok(Vec::<Inlay>::new())
    }
}
