//! Patterns of the files that a source takes or leaves alone, and those of them that can match nothing.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The set of `patterns`.
///
/// # Errors
/// Which cannot be read, and why.
pub(super) fn glob_set(patterns: &[&str]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).literal_separator(true).build();
        set.add(glob.map_err(|e| format!("the pattern `{pattern}` cannot be read: {}", e.kind()))?);
    }
    set.build().map_err(|e| e.to_string())
}

/// What is wrong with patterns that can be read and yet match no file of a source's, and the mend: a folder from which nothing is ever taken looks like
/// one that waits. Of those that `exclude`, one that matches nothing does harm only where it was meant to.
pub(super) fn misfit(patterns: &[&str], include: bool, recursive: bool) -> Option<(String, String)> {
    if include && patterns.is_empty() {
        return Some((
            "no pattern, so no file is taken".into(),
            "write patterns like `*.jpg`, or leave it out for all".into(),
        ));
    }
    patterns.iter().find_map(|pattern| {
        let (what, better) = if let Some(rest) = pattern.strip_prefix("./") {
            ("begins with `./`, and paths within the folder do not", rest.to_owned())
        } else if pattern.starts_with('/') {
            let name = pattern.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("*.jpg");
            ("begins with `/`, and is matched against paths within the folder", name.to_owned())
        } else if !include {
            return None;
        } else if pattern.trim_start_matches("**/").contains('/') && !recursive {
            let name = pattern.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("*.jpg");
            ("is of files in folders within the folder, and `recursive` is `false`", name.to_owned())
        } else if pattern.starts_with('.') {
            ("begins with a `.`, and hidden files are never taken", format!("*{pattern}"))
        } else if is_ending(pattern) {
            ("is of one file of exactly that name", format!("*.{pattern}"))
        } else {
            return None;
        };
        Some((format!("the pattern `{pattern}` {what}"), format!("did you mean `{better}`?")))
    })
}

/// Whether a pattern looks like an ending alone: `jpg`, `flac`.
fn is_ending(pattern: &str) -> bool {
    (3..=4).contains(&pattern.len()) && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these was accepted, and the folder then looked as if nothing ever came into it.
    #[test]
    fn patterns_that_match_nothing_are_told_with_what_was_meant() {
        let meant = |pattern: &str| misfit(&[pattern], true, false).map(|(_, mend)| mend);
        for (pattern, better) in [
            ("./*.png", "*.png"),
            ("/abs/in/*.jpg", "*.jpg"),
            ("/abs/", "*.jpg"),
            ("sub/*.png", "*.png"),
            (".png", "*.png"),
            ("jpg", "*.jpg"),
            ("FLAC", "*.FLAC"),
        ] {
            assert_eq!(meant(pattern), Some(format!("did you mean `{better}`?")), "{pattern}");
        }
        for pattern in ["*", "*.jpg", "photo", "IMG_????.jpg", "a.png", "[!.]*", "**/*.jpg"] {
            assert_eq!(meant(pattern), None, "{pattern}");
        }
        assert!(misfit(&[], true, true).is_some() && misfit(&[], false, true).is_none());
        assert!(misfit(&["sub/*.png", "**/x/*"], true, true).is_none());
        assert!(misfit(&[".png", "jpg", "sub/*"], false, false).is_none());
        assert!(misfit(&["*", "./x"], false, true).is_some());
    }
}
