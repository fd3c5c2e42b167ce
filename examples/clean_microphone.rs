//! A live pipeline inside a program of one's own: `cargo run --release --example clean_microphone` plays the cleaned microphone for ten seconds,
//! lets it pass as it is for the middle ones, and tells how it went.

use std::path::Path;
use std::time::Duration;

use crossbeam::channel::bounded;
use latentd::model::Models;
use latentd::pipeline::Loaded;
use latentd::pipeline::live::{LiveControl, run};
use latentd::{Error, Kind, Result};

fn main() -> Result<()> {
    let file = std::env::temp_dir().join("clean-microphone.yaml");
    let text = "name: example\nsource: microphone\nstages: [denoise: {model: denoise-speech}]\nsink: speaker\n";
    std::fs::write(&file, text).map_err(|e| Error::io("write", &file, e))?;
    let Loaded::Live(pipeline) = Loaded::load(Path::new(&file), &Models::default().with_projects())? else {
        return Err(Error::new(Kind::Bug, "a pipeline from microphone to speaker is live"));
    };
    let control = LiveControl::default();
    let (stop, stopped) = bounded(1);
    let watcher = control.clone();
    let sound = std::thread::spawn(move || run(&pipeline, &control, &stopped));
    for second in 0..10 {
        watcher.set_bypass((4..7).contains(&second));
        std::thread::sleep(Duration::from_secs(1));
        let status = watcher.status();
        println!("{:?}: {:.0} ms, {} xruns, load {:.2}", status.state, status.latency_ms, status.xruns, status.load);
    }
    drop(stop);
    sound.join().unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the live pipeline stumbled")))
}
