//! `latentd stages`: what pipelines may name and all its settings, from the tables by which pipelines are checked. docs/pipelines.md is made of it.

use std::process::ExitCode;

use serde_json::{Value as Json, json};

use super::terminal;
use crate::config::{self, Description, Field, Presence};
use crate::error::{Error, Kind, Result};
use crate::media::MediaKind;
use crate::pipeline::CATALOG;

/// The narrowest lines that can be read: a terminal of fewer columns breaks them itself.
const NARROWEST: usize = 40;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A source, stage or sink, to be told its settings; without a name, all that there are
    name: Option<String>,
    /// Print one JSON object for each
    #[arg(long)]
    json: bool,
    /// Print the second half of docs/pipelines.md
    #[arg(long, hide = true, conflicts_with_all = ["json", "name"])]
    markdown: bool,
}

/// A source, stage or sink: the word for its part of a pipeline, and itself.
type Known = (&'static str, &'static Description);

pub fn run(args: &Args) -> Result<ExitCode> {
    let look = Look::of_stdout();
    match &args.name {
        _ if args.markdown => CATALOG.parts().iter().for_each(page),
        Some(name) => {
            for (at, known) in find(name)?.into_iter().enumerate() {
                match args.json {
                    true => say!("{}", object(known)),
                    false if at > 0 => say!("\n{}", look.whole(known)),
                    false => say!("{}", look.whole(known)),
                }
            }
        }
        None if args.json => all().for_each(|known| say!("{}", object(known))),
        None => CATALOG.parts().iter().for_each(|(part, known)| {
            say!("{part}s");
            known.iter().for_each(|description| say!("{}", look.line(description)));
        }),
    }
    Ok(ExitCode::SUCCESS)
}

fn all() -> impl Iterator<Item = Known> {
    CATALOG.parts().into_iter().flat_map(|(part, known)| known.iter().map(move |description| (part, description)))
}

/// All of this name: `folder` is a source and a sink.
fn find(name: &str) -> Result<Vec<Known>> {
    let found: Vec<Known> = all().filter(|(_, description)| description.name == name).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let e = Error::new(Kind::Usage, format!("there is no source, stage or sink `{}`", config::shown(name)));
    Err(match crate::did_you_mean(name, all().map(|(_, description)| description.name)) {
        Some(near) => e.mend(format!("did you mean `{near}`?")),
        None => e.mend("`latentd stages` lists them"),
    })
}

/// For programs; a setting's default, if it has one, is in its JSON Schema.
fn object((part, description): Known) -> Json {
    let setting = |field: &Field| {
        let required = matches!(field.presence, Presence::Required);
        json!({ "name": field.name, "values": field.values(), "required": required, "schema": config::setting(field) })
    };
    let Description { name, doc, takes, gives, example, fields } = *description;
    let settings: Vec<Json> = fields.iter().map(setting).collect();
    json!({ "part": part, "name": name, "purpose": doc, "takes": takes, "gives": gives, "example": example, "settings": settings })
}

/// What it is for, and its media.
fn purpose(description: &Description) -> String {
    let Description { doc, takes, gives, .. } = description;
    match (*takes, *gives) {
        ([], gives) => format!("{doc} Gives {}.", kinds(gives)),
        (takes, gives) if gives.is_empty() || gives == takes => format!("{doc} Takes {}.", kinds(takes)),
        (takes, gives) => format!("{doc} Takes {}, gives {}.", kinds(takes), kinds(gives)),
    }
}

/// `an image, sound or a melody`
fn kinds(kinds: &[MediaKind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.with_article()).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, most)) => format!("{} or {last}", most.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// How it stands in a pipeline's file, a line for each item.
fn example((part, description): Known) -> [String; 2] {
    match part {
        "stage" => ["stages:".to_owned(), format!("  - {}", description.example)],
        _ => [format!("{part}:"), format!("  {}", description.example)],
    }
}

/// How words look on a terminal, and in what is no terminal.
struct Look {
    /// Columns of a line, if lines are to be broken.
    columns: Option<usize>,
    bold: &'static str,
    end: &'static str,
}

impl Look {
    fn of_stdout() -> Look {
        let (bold, end) = if terminal::takes_colours(&std::io::stdout()) { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        Look { columns: terminal::columns().map(|columns| columns.max(NARROWEST)), bold, end }
    }

    /// One line of the list.
    fn line(&self, description: &Description) -> String {
        let Look { bold, end, .. } = self;
        let name = description.name;
        format!("  {bold}{name:<12}{end} {}", self.broken(&purpose(description), 15))
    }

    /// All of one, without a line's end.
    fn whole(&self, known: Known) -> String {
        let (part, description) = known;
        let Look { bold, end, .. } = self;
        let mut text = format!("{part} {bold}{}{end}\n{}\n", description.name, self.broken(&purpose(description), 0));
        for field in description.fields {
            let left_out = match field.presence {
                Presence::Required => "must be given".to_owned(),
                Presence::Optional => "may be left out".to_owned(),
                Presence::Default(value) => format!("default {value}"),
            };
            let left_out = self.broken(&format!("({left_out})"), field.name.len() + 4);
            let told = self.broken(&format!("{}. {}", upper_first(&field.values()), field.doc), 6);
            text += &format!("\n  {bold}{}{end}  {left_out}\n      {told}\n", field.name);
        }
        let [first, second] = example(known);
        text + &format!("\nexample\n  {first}\n  {second}")
    }

    /// `text` in as many lines as it takes, all but the first behind `indent` spaces; before the first there is as much already.
    fn broken(&self, text: &str, indent: usize) -> String {
        let Some(columns) = self.columns else { return text.to_owned() };
        let (mut out, mut used) = (String::new(), indent);
        for word in text.split(' ') {
            let long = word.chars().count();
            if used > indent && used + 1 + long > columns {
                out += "\n";
                out += &" ".repeat(indent);
                used = indent;
            } else if used > indent {
                out += " ";
                used += 1;
            }
            out += word;
            used += long;
        }
        out
    }
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// One part of a pipeline as a chapter of docs/pipelines.md.
fn page((part, known): &(&'static str, &'static [Description])) {
    say!("\n## {}s", upper_first(part));
    for description in *known {
        say!("\n### {} `{}`\n\n{}\n", upper_first(part), description.name, purpose(description));
        say!("| setting | default | values | |\n|---|---|---|---|");
        for field in description.fields {
            let left_out = match field.presence {
                Presence::Required => "must be given".to_owned(),
                Presence::Optional => String::new(),
                Presence::Default(value) => format!("`{value}`"),
            };
            let cells = [format!("`{}`", field.name), left_out, field.values(), field.doc.to_owned()];
            say!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
        let [first, second] = example((*part, description));
        say!("\n    {first}\n    {second}");
    }
}
