//! What `models show` says of a model: its card, as people read it.

use indicatif::HumanCount;

use crate::model::{Card, Port, Task, Training};

/// The card of a model that comes from `place`, line by line.
pub fn print(card: &Card, place: &str) {
    say!("{}  ({place})", card.name);
    if let Some(summary) = &card.summary {
        say!("{summary}.");
    }
    say!("");
    line("task", &format!("{}, of {}", card.task.name(), card.media.with_article()));
    let states = card.audio.iter().flat_map(|audio| &audio.states);
    let states: Vec<&str> = states.flat_map(|state| [state.input.as_str(), state.output.as_str()]).collect();
    line("takes", &ports(&card.inputs, &states));
    line("gives", &ports(&card.outputs, &states));
    if card.task == Task::Upscale {
        line("enlarges", &format!("{} times", card.scale));
    }
    if let Some(audio) = &card.audio {
        let delay = 1000.0 * audio.latency() as f64 / f64::from(audio.sample_rate);
        let frames = format!("frames of {} samples, {} apart", audio.window, audio.hop);
        line("sound", &format!("{} Hz, {frames}, {delay:.0} ms of delay", audio.sample_rate));
    }
    if let Some(latent) = &card.latent {
        let drawn = if latent.prior { ", which can be drawn" } else { "" };
        line("latents", &format!("{} numbers{drawn}", latent.size));
    }
    if let Some(size) = card.size {
        let work =
            size.multiply_adds_per_pixel.map(|work| format!(", {} multiply-adds for each pixel", HumanCount(work)));
        line("size", &format!("{} parameters{}", HumanCount(size.parameters), work.unwrap_or_default()));
    }
    if let Some(licence) = &card.licence {
        line("licence", licence);
    }
    metrics(card);
    list("where it fails", &card.limits);
    if let Some(training) = &card.training {
        trained(training);
    }
}

fn line(what: &str, value: &str) {
    say!("  {what:<9} {value}");
}

/// Names and shapes; what only goes from one frame to the next is counted.
fn ports(ports: &[Port], states: &[&str]) -> String {
    let rest = ports.iter().filter(|port| !states.contains(&port.name.as_str()));
    let mut named: Vec<String> = rest.map(|port| format!("{} {}", port.name, port.shape_text())).collect();
    match ports.len() - named.len() {
        0 => {}
        count => named.push(format!("{count} states")),
    }
    named.join(", ")
}

/// The scores, those that one command measures under it.
fn metrics(card: &Card) {
    if card.metrics.is_empty() {
        return;
    }
    say!("\nhow well it does");
    for (index, metric) in card.metrics.iter().enumerate() {
        let unit = metric.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
        say!("  {:<9} {}", format!("{}{unit}", metric.value), metric.name);
        let next = card.metrics.get(index + 1);
        if next.is_none_or(|next| next.command != metric.command) {
            say!("            measured by `{}`", metric.command);
        }
    }
}

fn list(title: &str, lines: &[String]) {
    if !lines.is_empty() {
        say!("\n{title}");
        lines.iter().for_each(|text| say!("  - {text}"));
    }
}

fn trained(training: &Training) {
    say!("\nhow it was made");
    line("recipe", &training.recipe);
    let began = training.init.as_ref().map(|init| format!(", from {init}")).unwrap_or_default();
    line("", &format!("{} steps, {} h{began}, seed {}", HumanCount(training.steps), training.hours, training.seed));
    line("by", &format!("burn {}, commit {}", training.burn, training.commit));
    let sets = training.data.iter().map(|set| format!("{} ({})", set.name, set.licence));
    list("what it learned from", &sets.collect::<Vec<_>>());
}
