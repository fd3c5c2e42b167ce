//! Service files: what starts latentd with the machine or the session. Only text is made here; the command line writes it.

use std::path::{Path, PathBuf};

/// What a service may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Files only: no devices, no network, no realtime.
    Files,
    /// Live sound too: sound devices, the session's sound server, realtime priority.
    Audio,
}

/// What a service file must say.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The program.
    pub program: PathBuf,
    /// What stands after `latentd run`.
    pub arguments: Vec<String>,
    /// Whether it is the system's, not a user's.
    pub system: bool,
    /// See [`Profile`].
    pub profile: Profile,
    /// Folders in which it must be able to write, beside its own.
    pub writes: Vec<PathBuf>,
    /// Whether it listens on TCP.
    pub network: bool,
}

/// Where a systemd unit goes: the system's, or the user's below `config` (`~/.config`).
pub fn systemd_path(system: bool, config: &Path) -> PathBuf {
    match system {
        true => "/etc/systemd/system/latentd.service".into(),
        false => config.join("systemd/user/latentd.service"),
    }
}

/// Where launchd looks: for the system, or below the user's `home`.
pub fn launchd_path(system: bool, home: &Path) -> PathBuf {
    let name = "Library/LaunchDaemons/io.github.latentd.plist";
    match system {
        true => Path::new("/").join(name),
        false => home.join("Library/LaunchAgents/io.github.latentd.plist"),
    }
}

/// A unit for systemd, hardened as far as the profile allows.
pub fn systemd(unit: &Unit) -> String {
    let Unit { program, arguments, system, profile, writes, network } = unit;
    let audio = *profile == Profile::Audio;
    let mut lines: Vec<String> = Vec::new();
    let mut add = |text: &str| lines.extend(text.lines().map(|line| line.trim().to_owned()));
    add("[Unit]
        Description=latentd makes pictures, sound and melodies better
        Documentation=man:latentd(1)
        StartLimitIntervalSec=10min
        StartLimitBurst=10");
    if audio && !system {
        add("After=pipewire.service pulseaudio.service sound.target");
    }
    add("
        [Service]
        Type=notify
        NotifyAccess=main");
    // Variables are put into arguments, and not into the path of the program.
    let command: Vec<String> = std::iter::once(quoted(&program.to_string_lossy()))
        .chain(["run".to_owned()])
        .chain(arguments.iter().map(|argument| quoted(argument).replace('$', "$$")))
        .collect();
    add(&format!("ExecStart={}", command.join(" ")));
    add("ExecReload=/bin/kill -HUP $MAINPID
        WatchdogSec=60
        Restart=on-failure
        RestartSec=5
        # What is begun is finished, however large it is.
        TimeoutStopSec=10min
        KillMode=mixed
        Nice=10
        IOSchedulingClass=idle
        OOMPolicy=continue
        LimitNOFILE=65536
        RuntimeDirectory=latentd
        RuntimeDirectoryMode=0700");
    if audio {
        add("# Live sound comes before everything else.
            Nice=-5
            LimitRTPRIO=20
            LimitMEMLOCK=64M");
    }
    if *system {
        add("User=latentd
            Group=latentd
            StateDirectory=latentd
            CacheDirectory=latentd
            ConfigurationDirectory=latentd
            StateDirectoryMode=0700
            CacheDirectoryMode=0700
            Environment=XDG_CONFIG_HOME=/etc XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache XDG_DATA_HOME=/usr/share
            UMask=0027");
    }
    add("
        # Keep out what it has no business with.
        NoNewPrivileges=yes
        LockPersonality=yes
        MemoryDenyWriteExecute=yes
        RestrictNamespaces=yes
        RestrictSUIDSGID=yes
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        SystemCallFilter=~@privileged @resources
        # By which the daemon takes more away from itself.
        SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self
        SystemCallErrorNumber=EPERM");
    let families = match (audio, network) {
        (_, true) => "AF_UNIX AF_INET AF_INET6",
        (true, false) => "AF_UNIX AF_NETLINK",
        (false, false) => "AF_UNIX",
    };
    add(&format!("RestrictAddressFamilies={families}"));
    add(if audio { "SystemCallFilter=@resources" } else { "RestrictRealtime=yes" });
    if *system {
        add("ProtectSystem=strict
            ProtectHome=read-only
            PrivateTmp=yes
            PrivateMounts=yes
            ProtectProc=invisible
            ProcSubset=pid
            ProtectClock=yes
            ProtectHostname=yes
            ProtectKernelLogs=yes
            ProtectKernelModules=yes
            ProtectKernelTunables=yes
            ProtectControlGroups=yes
            RemoveIPC=yes
            CapabilityBoundingSet=
            AmbientCapabilities=");
        add(match audio {
            true => {
                "SupplementaryGroups=audio
                DevicePolicy=closed
                DeviceAllow=char-alsa rw"
            }
            false => {
                "PrivateDevices=yes
                PrivateUsers=yes"
            }
        });
        if !network {
            add(if audio { "IPAddressDeny=any" } else { "PrivateNetwork=yes\nIPAddressDeny=any" });
        }
        for folder in writes {
            // One that is not there yet shall not keep the others from being worked on.
            add(&format!("ReadWritePaths=-{}", quoted(&folder.to_string_lossy())));
        }
    }
    add("
        [Install]");
    add(if *system { "WantedBy=multi-user.target" } else { "WantedBy=default.target" });
    lines.join("\n") + "\n"
}

/// A property list for launchd.
pub fn launchd(unit: &Unit) -> String {
    let arguments: String = std::iter::once(unit.program.to_string_lossy().into_owned())
        .chain(["run".to_owned()])
        .chain(unit.arguments.iter().cloned())
        .map(|argument| format!("        <string>{}</string>\n", escaped(&argument)))
        .collect();
    let kind = if unit.profile == Profile::Audio { "Interactive" } else { "Background" };
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>io.github.latentd</string>
    <key>ProgramArguments</key>
    <array>
{arguments}    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>ProcessType</key>
    <string>{kind}</string>
    <key>ExitTimeOut</key>
    <integer>600</integer>
</dict>
</plist>
"#
    )
}

/// A word for a systemd unit: in quotes, with `%`, quotes and backslashes doubled or escaped as systemd wants it. An argument of a command has `$`
/// doubled too; anywhere else that would be another name.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.,:=+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '%' => text += "%%",
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text += "\\n",
            c => text.push(c),
        }
    }
    text + "\""
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        assert_eq!(quoted("/usr/bin/latentd"), "/usr/bin/latentd");
        assert_eq!(quoted("/home/anna/My photos/100%"), "\"/home/anna/My photos/100%%\"");
        assert_eq!(quoted("a\"b\\c$d"), "\"a\\\"b\\\\c$d\"");
        assert_eq!(quoted(""), "\"\"");
    }

    /// The folder that the service may write in was one that is not there.
    #[test]
    fn dollars_are_doubled_in_arguments_alone() {
        let unit = Unit {
            program: "/opt/a$b/latentd".into(),
            arguments: vec!["/srv/c$d/clean.yaml".into()],
            system: true,
            profile: Profile::Files,
            writes: vec!["/srv/e$f".into()],
            network: false,
        };
        let text = systemd(&unit);
        for line in [
            "ExecStart=\"/opt/a$b/latentd\" run \"/srv/c$$d/clean.yaml\"",
            "ReadWritePaths=-\"/srv/e$f\"",
            "ExecReload=/bin/kill -HUP $MAINPID",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
