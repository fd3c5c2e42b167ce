//! Names of outputs: a template with `{stem}`, `{ext}` and the like.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::durable::{LONGEST, shorten};

/// What may stand in braces.
const VARIABLES: &[&str] = &["stem", "ext", "parent", "pipeline", "date", "time", "width", "height", "index"];

/// A template, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(&'static str),
}

/// What decides the ending of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension<'a> {
    /// The input: the template ends in `.{ext}`.
    Inputs,
    /// The template, by this.
    Fixed(&'a str),
    /// Nothing does.
    None,
}

/// What the variables stand for.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    /// The inputs' paths: the parent is that of the first, the stem of two is `a+b`.
    pub inputs: &'a [&'a Path],
    /// Ending of the output, without the dot.
    pub ext: &'a OsStr,
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Date as `2026-01-31` and time as `23-59-59`, local.
    pub now: (&'a str, &'a str),
    /// Width and height of the output; where they are not known yet, the variables stay.
    pub size: Option<(usize, usize)>,
    /// Number of the output within its job, from 1.
    pub index: usize,
}

impl NameTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong, and the mend: an unknown variable, a brace without its partner, a path that leads out of the sink's folder.
    pub fn parse(text: &str) -> Result<NameTemplate, (String, String)> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let Some(close) = rest[open..].find('}').filter(|_| rest[open..].starts_with('{')) else {
                return Err((
                    format!("a brace without its partner in `{text}`"),
                    "write variables like `{stem}`".into(),
                ));
            };
            let name = &rest[open + 1..open + close];
            let Some(variable) = VARIABLES.iter().find(|v| **v == name) else {
                let mend = match crate::did_you_mean(name, VARIABLES.iter().copied()) {
                    Some(near) => format!("did you mean `{{{near}}}`?"),
                    None => format!(
                        "there are: {}",
                        VARIABLES.iter().map(|v| format!("{{{v}}}")).collect::<Vec<_>>().join(", ")
                    ),
                };
                return Err((format!("there is no variable `{{{name}}}`"), mend));
            };
            pieces.push(Piece::Variable(variable));
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if text.contains('\0') {
            let what = "a file's name cannot hold the character of the code 0".to_owned();
            return Err((what, "take it out, as written by `\\0` in quotes".into()));
        }
        let plain = text.replace(['{', '}'], "");
        let mut parts = Path::new(&plain).components().peekable();
        if parts.peek().is_none() || !parts.all(|c| matches!(c, Component::Normal(_))) || text.ends_with('/') {
            let what = format!("`{text}` does not name a file below the sink's folder");
            return Err((what, "write a relative name without `..`, like `{stem}.{ext}`".into()));
        }
        Ok(NameTemplate(pieces))
    }

    /// The template that keeps the input's name.
    pub fn keep() -> NameTemplate {
        NameTemplate(vec![Piece::Variable("stem"), Piece::Text(".".into()), Piece::Variable("ext")])
    }

    /// What decides the ending.
    pub fn extension(&self) -> Extension<'_> {
        match self.0.as_slice() {
            [.., Piece::Text(dot), Piece::Variable("ext")] if dot.ends_with('.') => Extension::Inputs,
            [.., Piece::Text(text)] => match text.rsplit_once('.') {
                Some((_, extension)) if !extension.is_empty() && !extension.contains('/') => {
                    Extension::Fixed(extension)
                }
                _ => Extension::None,
            },
            _ => Extension::None,
        }
    }

    /// The folder below the sink's that it leads into; nothing if variables decide it.
    pub fn literal_folder(&self) -> Option<&Path> {
        let lead = match self.0.first() {
            Some(Piece::Text(text)) => text.as_str(),
            _ => "",
        };
        let varies = self.0.iter().skip(1).any(|piece| matches!(piece, Piece::Text(text) if text.contains('/')));
        (!varies).then(|| Path::new(lead.rsplit_once('/').map_or("", |(folder, _)| folder)))
    }

    /// Whether different inputs have different names, as far as their stems go.
    pub fn tells_inputs(&self) -> bool {
        self.0.contains(&Piece::Variable("stem"))
    }

    /// The path, relative to the sink's folder. What comes from the input's name cannot lead out of it.
    pub fn fill(&self, names: &Names) -> PathBuf {
        let stems: Vec<&OsStr> = names.inputs.iter().map(|input| input.file_stem().unwrap_or_default()).collect();
        let parent = names.inputs.first().and_then(|input| input.parent()).and_then(Path::file_name);
        let mut text = OsString::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(t) => text.push(t),
                Piece::Variable(variable) => match *variable {
                    "stem" => text.push(stems.join(OsStr::new("+"))),
                    "ext" => text.push(names.ext),
                    "parent" => text.push(parent.unwrap_or_default()),
                    "pipeline" => text.push(names.pipeline),
                    "date" => text.push(names.now.0),
                    "time" => text.push(names.now.1),
                    "width" => text.push(names.size.map_or("{width}".to_owned(), |size| size.0.to_string())),
                    "height" => text.push(names.size.map_or("{height}".to_owned(), |size| size.1.to_string())),
                    _ => text.push(names.index.to_string()),
                },
            }
        }
        let mut path: PathBuf = Path::new(&text).components().filter(|c| matches!(c, Component::Normal(_))).collect();
        if let Some(name) = path.file_name().filter(|n| n.len() > LONGEST) {
            let short = fitting(Path::new(name));
            path.set_file_name(short);
        }
        path
    }
}

/// Cuts the stem so that the whole name fits.
fn fitting(name: &Path) -> OsString {
    let extension = name.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    let mut fitting = shorten(name.file_stem().unwrap_or_default(), LONGEST.saturating_sub(extension.len()));
    fitting.push(extension);
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, input: &str) -> String {
        let names = Names {
            inputs: &input.split(' ').map(Path::new).collect::<Vec<_>>(),
            ext: OsStr::new("png"),
            pipeline: "p",
            now: ("2026-01-31", "23-59-59"),
            size: input.contains("cat").then_some((640, 480)),
            index: 1,
        };
        NameTemplate::parse(template).unwrap().fill(&names).to_string_lossy().into_owned()
    }

    #[test]
    fn variables_are_filled_in() {
        assert_eq!(fill("{stem}.{ext}", "a/b/cat.jpg"), "cat.png");
        assert_eq!(
            fill("{date}/{parent}-{stem}-{width}x{height}.webp", "a/b/cat.jpg"),
            "2026-01-31/b-cat-640x480.webp"
        );
        assert_eq!(fill("{parent}/{stem}.{ext}", "a/x.mid b/y.mid z.mid"), "a/x+y+z.png");
        assert_eq!(fill("{stem}-{width}.{ext}", "of-no-size.jpg"), "of-no-size-{width}.png");
    }

    #[test]
    fn names_cannot_lead_out_of_the_folder() {
        assert!(NameTemplate::parse("../{stem}.png").is_err());
        assert!(NameTemplate::parse("/etc/{stem}").is_err());
        assert_eq!(fill("{parent}/{stem}.{ext}", "..png"), "..png");
        assert_eq!(fill("{stem}.{ext}", "a/...jpg"), "...png");
    }

    #[test]
    fn mistakes_are_told_with_their_mend() {
        assert_eq!(NameTemplate::parse("{sten}.png").unwrap_err().1, "did you mean `{stem}`?");
        assert!(NameTemplate::parse("{stem.png").is_err());
        assert!(NameTemplate::parse("stem}.png").is_err());
        assert!(NameTemplate::parse("").is_err());
        assert!(NameTemplate::parse("a\0{stem}.png").is_err());
    }

    #[test]
    fn long_names_are_cut() {
        let long = format!("{}.jpg", "ä".repeat(125));
        let name = fill("{stem}-better.{ext}", &long);
        assert!(name.len() <= LONGEST && name.ends_with(".png"));
    }
}
