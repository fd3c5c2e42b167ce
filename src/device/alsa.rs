//! What ALSA calls devices. It lists each card many times over, beside parts that nobody plays on; people are shown the default, what converts to and
//! from each socket of a card, and what they have set up themselves.

use rustix::fs::{Access, access};

use super::host::Found;
use super::open::GROUP;

/// What ids of ALSA's devices begin with; ALSA's own name follows.
pub const ALSA: &str = "alsa:";

/// Names without a card that are no devices: what converts, mixes and splits, and ways to sound servers, which are asked themselves.
const PLUMBING: &[&str] = &[
    "a52",
    "arcam_av",
    "cards",
    "center_lfe",
    "dmix",
    "dpl",
    "dpl2",
    "dshare",
    "dsnoop",
    "file",
    "front",
    "hdmi",
    "hw",
    "iec958",
    "jack",
    "lavrate",
    "modem",
    "null",
    "oss",
    "phoneline",
    "pipewire",
    "plug",
    "plughw",
    "pulse",
    "rear",
    "samplerate",
    "shm",
    "side",
    "spdif",
    "speex",
    "speexrate",
    "surround21",
    "surround40",
    "surround41",
    "surround50",
    "surround51",
    "surround71",
    "sysdefault",
    "tee",
    "upmix",
    "usbstream",
    "vdownmix",
];

/// Tells what people are shown from the rest. The default, which ALSA has and often does not list, is put before all.
pub fn tell_apart(mut found: Vec<Found>, default: Option<Found>) -> Vec<Found> {
    if let Some(default) = default.filter(|default| found.iter().all(|other| other.id != default.id)) {
        found.insert(0, default);
    }
    let named = found.iter().any(|found| converts(own(found)).is_some_and(|card| !is_number(card)));
    for found in &mut found {
        found.level = u8::from(!is_plain(own(found), named));
    }
    found
}

/// Why there is no card, as a mend, if there is none: none is plugged in, or it is not for this user, from whom ALSA hides it.
pub fn without_cards() -> Option<&'static str> {
    let nodes = std::fs::read_dir("/dev/snd").into_iter().flatten().flatten();
    let mut cards = nodes.filter(|node| node.file_name().to_string_lossy().starts_with("controlC")).peekable();
    if cards.peek().is_none() {
        return Some("there is no sound card here: plug one in, or start PipeWire or PulseAudio");
    }
    let ours = cards.any(|node| access(node.path(), Access::READ_OK | Access::WRITE_OK).is_ok());
    (!ours).then_some(GROUP)
}

/// ALSA's own name.
fn own(found: &Found) -> &str {
    found.id.strip_prefix(ALSA).unwrap_or(&found.id)
}

/// Whether people are shown what has this name, where cards are also `named`: a name stays when another card is plugged in, a number does not.
fn is_plain(own: &str, named: bool) -> bool {
    match converts(own) {
        Some(card) => !(named && is_number(card)),
        None => !own.contains(":CARD=") && !PLUMBING.contains(&own),
    }
}

/// The card and the device of a name that converts to whatever they can: `PCH,DEV=0`.
fn converts(own: &str) -> Option<&str> {
    own.strip_prefix("plughw:CARD=")
}

/// Whether the card is told by its number: `0,DEV=3`.
fn is_number(card: &str) -> bool {
    let (card, _) = card.split_once(',').unwrap_or((card, ""));
    card.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::host::How;
    use super::*;

    fn found(own: &str) -> Found {
        let how = How::Pulse { channels: 2, rate: 48_000 };
        Found { id: format!("{ALSA}{own}"), name: "Jabra, USB Audio".into(), how, level: 0 }
    }

    fn shown(listed: &[&str]) -> Vec<String> {
        let listed = listed.iter().map(|own| found(own)).collect();
        let told = tell_apart(listed, Some(found("default")));
        told.iter().filter(|found| found.level == 0).map(|found| own(found).to_owned()).collect()
    }

    /// A notebook with a headset: `aplay -L`, and the numbers that cpal adds.
    #[test]
    fn each_socket_of_a_card_is_shown_once() {
        let listed = [
            "null",
            "lavrate",
            "samplerate",
            "pulse",
            "hw:CARD=PCH,DEV=0",
            "hw:CARD=PCH,DEV=3",
            "plughw:CARD=PCH,DEV=0",
            "plughw:CARD=PCH,DEV=3",
            "default:CARD=PCH",
            "sysdefault:CARD=PCH",
            "front:CARD=PCH,DEV=0",
            "surround51:CARD=PCH,DEV=0",
            "hdmi:CARD=PCH,DEV=0",
            "dmix:CARD=PCH,DEV=0",
            "usbstream:CARD=PCH",
            "plughw:CARD=Headset,DEV=0",
            "bluealsa:DEV=00:11:22:33:44:55,PROFILE=a2dp",
            "my_microphone",
            "hw:CARD=0,DEV=0",
            "plughw:CARD=0,DEV=0",
            "plughw:CARD=1,DEV=0",
        ];
        let wanted = [
            "default",
            "plughw:CARD=PCH,DEV=0",
            "plughw:CARD=PCH,DEV=3",
            "plughw:CARD=Headset,DEV=0",
            "bluealsa:DEV=00:11:22:33:44:55,PROFILE=a2dp",
            "my_microphone",
        ];
        assert_eq!(shown(&listed), wanted);
    }

    #[test]
    fn cards_that_are_only_numbered_are_shown_and_the_default_stays_one() {
        assert_eq!(shown(&["hw:CARD=0,DEV=0", "plughw:CARD=0,DEV=0"]), ["default", "plughw:CARD=0,DEV=0"]);
        assert_eq!(shown(&["null", "default"]), ["default"]);
    }
}
