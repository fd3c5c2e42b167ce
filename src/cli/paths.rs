//! Conventional folders of the user's, by the XDG base directory specification.

use std::path::PathBuf;

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    let absolute = |path: PathBuf| Some(path).filter(|p| p.is_absolute());
    let base = std::env::var_os(variable).map(PathBuf::from).and_then(absolute);
    let home = || std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    base.unwrap_or_else(|| home().join(below_home)).join("latentd")
}

/// Pipelines that `run` takes when none is named.
pub fn config() -> PathBuf {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// Models of the user's own.
pub fn data() -> PathBuf {
    xdg("XDG_DATA_HOME", ".local/share")
}

/// What is done already.
pub fn state() -> PathBuf {
    xdg("XDG_STATE_HOME", ".local/state")
}

/// What was measured on this machine and can be measured again.
pub fn cache() -> PathBuf {
    xdg("XDG_CACHE_HOME", ".cache")
}
