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

/// Where models lie: the user's own, then those that were installed for everybody.
pub fn models() -> Vec<PathBuf> {
    let bases = std::env::var_os("XDG_DATA_DIRS").filter(|bases| !bases.is_empty());
    let bases = bases.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let shared = std::env::split_paths(&bases).filter(|base| base.is_absolute()).map(|base| base.join("latentd"));
    std::iter::once(data()).chain(shared).map(|folder| folder.join("models")).collect()
}

/// What is done already.
pub fn state() -> PathBuf {
    xdg("XDG_STATE_HOME", ".local/state")
}

/// What was measured on this machine and can be measured again.
pub fn cache() -> PathBuf {
    xdg("XDG_CACHE_HOME", ".cache")
}

/// Where a daemon's control socket is: as the environment says, as systemd has made room for it, in the user's runtime folder, or beside the
/// journal.
pub fn socket() -> PathBuf {
    let absolute = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute());
    if let Some(socket) = absolute("LATENTD_SOCKET") {
        return socket;
    }
    let systemd = absolute("RUNTIME_DIRECTORY");
    let runtime = systemd.or_else(|| absolute("XDG_RUNTIME_DIR").map(|folder| folder.join("latentd")));
    runtime.unwrap_or_else(state).join("control.sock")
}

/// Where to look for a daemon: the user's own, or else the system's.
pub fn sockets() -> [PathBuf; 2] {
    [socket(), "/run/latentd/control.sock".into()]
}

/// The user's home, and configuration beside it as other programs have it.
pub fn home_and_config() -> (PathBuf, PathBuf) {
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    (home, config().parent().map(PathBuf::from).unwrap_or_default())
}
