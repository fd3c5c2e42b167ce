//! What the whole daemon can do without, and gives up for good before it looks at the first file: so that a decoder that a stranger's file has
//! taken over can start no program and reach no network. Writing is not confined here, since a reload may add folders, and what is given up
//! never comes back; the systemd unit does that.

#[cfg(target_os = "linux")]
use landlock::{
    AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};

/// Confines this thread and all that it starts, as far as the system can: no program is executed, no TCP port is opened or connected to; those that
/// are open stay so. A system that cannot goes without, and the log tells. (Making pipes and sockets is not taken away: then a stranger's could
/// not be moved to quarantine.)
#[cfg(target_os = "linux")]
pub fn confine() {
    match restrict() {
        Ok(RulesetStatus::FullyEnforced) => tracing::debug!("confined: no programs, no network"),
        Ok(status) => {
            tracing::info!("the system confines the daemon only in part ({status:?}); the service unit does more")
        }
        Err(e) => tracing::info!("the daemon is not confined: {e}"),
    }
}

/// Other systems have other means, or none.
#[cfg(not(target_os = "linux"))]
pub fn confine() {}

#[cfg(target_os = "linux")]
fn restrict() -> Result<RulesetStatus, Box<dyn std::error::Error>> {
    // A sound server may be on another machine, and is looked for again and again.
    let far_sound = std::env::var_os("PULSE_SERVER").is_some();
    let net: BitFlags<AccessNet> =
        if far_sound { AccessNet::BindTcp.into() } else { AccessNet::BindTcp | AccessNet::ConnectTcp };
    // Moving a file from folder to folder is forbidden to whoever does not ask for it. A kernel that cannot give it (before 5.19) confines nothing,
    // since originals would have to be copied rather than renamed.
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer)?;
    let ruleset =
        ruleset.set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::Execute)?.handle_access(net)?;
    let everywhere = PathBeneath::new(PathFd::new("/")?, AccessFs::Refer);
    Ok(ruleset.create()?.add_rule(everywhere)?.restrict_self()?.ruleset)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_confined_thread_starts_no_program_and_reaches_no_network() {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = door.local_addr().unwrap();
        let confined = std::thread::spawn(move || {
            if !matches!(restrict(), Ok(RulesetStatus::FullyEnforced)) {
                eprintln!("this system has no Landlock, or an old one");
                return;
            }
            assert_eq!(Command::new("/bin/true").status().unwrap_err().kind(), ErrorKind::PermissionDenied);
            assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::PermissionDenied);
            assert_eq!(TcpListener::bind("127.0.0.1:0").unwrap_err().kind(), ErrorKind::PermissionDenied);
            // Files are still written, and moved without being copied.
            let home = tempfile::tempdir().unwrap();
            let (from, to) = (home.path().join("from"), home.path().join("folder/to"));
            std::fs::write(&from, "text").unwrap();
            std::fs::create_dir(home.path().join("folder")).unwrap();
            std::fs::rename(&from, &to).unwrap();
        });
        confined.join().unwrap();
        assert!(Command::new("/bin/true").status().is_ok(), "only that thread is confined");
    }
}
