//! The pipelines that the program carries, to begin with.

use std::path::PathBuf;

use super::{LoadError, Loaded, Pipeline};
use crate::model::Models;

/// A pipeline as it lies in `pipelines/NAME.yaml`.
#[derive(Debug)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../pipelines/", $name, ".yaml")) }),*]
    };
}

/// All of them, by name.
pub const SHIPPED: &[Shipped] = shipped![
    "clean-microphone",
    "clean-photos",
    "clean-recordings",
    "denoise-digits",
    "denoise-photos",
    "embed-images",
    "enlarge-photos-x4",
    "melody-morph",
    "melody-reconstruct",
    "novelty-gate",
    "phone-photos",
    "thumbnails",
];

impl Shipped {
    /// The one of that name.
    pub fn find(name: &str) -> Option<&'static Shipped> {
        SHIPPED.iter().find(|shipped| shipped.name == name)
    }

    /// What it is for: the first sentence of the comment that its file begins with.
    pub fn purpose(&self) -> String {
        let comment: Vec<&str> = self.text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let comment = comment.join(" ");
        let sentence = comment.split_once(". ").map_or(comment.as_str(), |(first, _)| first);
        sentence.trim_end_matches('.').to_owned()
    }

    /// What its file is called in messages.
    pub fn file(&self) -> PathBuf {
        format!("{}.yaml", self.name).into()
    }

    /// The pipeline itself, for whoever names folders of their own.
    ///
    /// # Errors
    /// As for [`Pipeline::load`]: it is a live one, or a model of it is not in reach.
    pub fn pipeline(&self, models: &Models) -> std::result::Result<Pipeline, LoadError> {
        let file = self.file();
        Loaded::of_text(&file, self.text.to_owned(), models)?.files(&file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pipeline_of_the_repository_is_carried_and_says_what_it_is_for() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let yaml = paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
        let mut there: Vec<String> = yaml.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        there.sort();
        assert_eq!(there, SHIPPED.iter().map(|shipped| shipped.name).collect::<Vec<_>>());
        for shipped in SHIPPED {
            assert!((10..160).contains(&shipped.purpose().len()), "{}", shipped.purpose());
            assert!(shipped.text.contains(&format!("\nname: {}\n", shipped.name)));
        }
    }
}
