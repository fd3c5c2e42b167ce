use std::io::Write;

use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};

use crate::error::{Error, Kind, Result};
use crate::media::melody::{MOST_TICKS, Melody};

/// Writes a MIDI file of format 1: a track of tempos, meters and keys, then a track for each voice.
///
/// # Errors
/// Kind output or transient: it cannot be written.
pub fn write(melody: &Melody, out: impl Write) -> Result<()> {
    let timing = Timing::Metrical(u15::new(melody.ticks_per_quarter.min(MOST_TICKS)));
    let mut smf = Smf::new(Header::new(Format::Parallel, timing));
    let mut first = Vec::new();
    for tempo in &melody.tempos {
        let microseconds = u24::new(tempo.microseconds.clamp(1, 0xff_ffff));
        first.push((tempo.tick, 0, TrackEventKind::Meta(MetaMessage::Tempo(microseconds))));
    }
    for meter in &melody.meters {
        let message = MetaMessage::TimeSignature(meter.beats, meter.unit_log2, 24, 8);
        first.push((meter.tick, 0, TrackEventKind::Meta(message)));
    }
    for key in &melody.keys {
        first.push((key.tick, 0, TrackEventKind::Meta(MetaMessage::KeySignature(key.sharps, key.minor))));
    }
    smf.tracks.push(track(first));
    for voice in &melody.voices {
        let channel = u4::new(voice.channel.min(15));
        let midi = |message| TrackEventKind::Midi { channel, message };
        let mut events = Vec::new();
        if let Some(name) = &voice.name {
            events.push((0, 0, TrackEventKind::Meta(MetaMessage::TrackName(name.as_bytes()))));
        }
        let program = |program: u8| midi(MidiMessage::ProgramChange { program: u7::new(program.min(127)) });
        // A bank counts from the next program on.
        for (control, value) in &voice.controls {
            let [controller, value] = [control, value].map(|value| u7::new((*value).min(127)));
            events.push((0, 0, midi(MidiMessage::Controller { controller, value })));
        }
        events.push((0, 0, program(voice.program)));
        events.extend(voice.programs.iter().map(|(tick, changed)| (*tick, 1, program(*changed))));
        for note in &voice.notes {
            let key = u7::new(note.pitch.min(127));
            let on = MidiMessage::NoteOn { key, vel: u7::new(note.velocity.clamp(1, 127)) };
            // Where a note ends as another starts, its end comes first.
            events.push((note.start, 2, midi(on)));
            events.push((note.end.max(note.start + 1), 1, midi(MidiMessage::NoteOff { key, vel: u7::new(0) })));
        }
        smf.tracks.push(track(events));
    }
    smf.write_std(out).map_err(|e| {
        let kind = if e.kind() == std::io::ErrorKind::StorageFull { Kind::Transient } else { Kind::Output };
        Error::new(kind, "the MIDI file cannot be written").because(e)
    })
}

/// Events with their ticks and ranks within a tick, in order, with the distances between them.
fn track(mut events: Vec<(u64, u8, TrackEventKind)>) -> Vec<TrackEvent> {
    events.sort_by_key(|(tick, rank, _)| (*tick, *rank));
    let mut now = 0;
    let mut track = Vec::with_capacity(events.len() + 1);
    for (tick, _, kind) in events {
        // Longer distances than a MIDI file can tell do not come out of any that was read.
        let delta = u28::new((tick - now).min(0x0fff_ffff) as u32);
        now = tick;
        track.push(TrackEvent { delta, kind });
    }
    track.push(TrackEvent { delta: u28::new(0), kind: TrackEventKind::Meta(MetaMessage::EndOfTrack) });
    track
}
