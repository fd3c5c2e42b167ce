use std::collections::{BTreeMap, VecDeque};
use std::io::Read;

use midly::{Format, MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

use crate::error::{Error, Kind, Result};
use crate::media::melody::{DEFAULT_TEMPO, Melody, Meter, Note, Tempo, Voice};

/// The largest file that is read; a symphony has some 200 kB.
pub const MAX_BYTES: u64 = 8 << 20;

/// The longest piece that is read, in quarter notes: nearly three hours at 120 a minute.
const MAX_QUARTERS: u64 = 20_000;

/// The most changes of tempo, and of meter, that are read.
const MAX_CHANGES: usize = 10_000;

/// Quarters a minute that time in SMPTE frames is counted in, for want of any tempo.
const SMPTE_QUARTERS_PER_SECOND: f32 = 2.0;

/// Reads a MIDI file of format 0, 1 or 2; the sequences of format 2 follow one another.
///
/// Notes without an end end with their track. Events that are no music are passed over.
///
/// # Errors
/// Kind input: it is no MIDI file, is damaged, has no notes, or is longer than anybody's music.
pub fn read(mut file: impl Read) -> Result<Melody> {
    let mut bytes = Vec::new();
    let taken = file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes);
    taken.map_err(|e| Error::new(Kind::Transient, "the file cannot be read").because(e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(Kind::Input, format!("larger than {} MB, the most for a MIDI file", MAX_BYTES >> 20))
            .mend("see whether it is a MIDI file at all"));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Melody> {
    if !(bytes.starts_with(b"MThd") || bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"RMID")) {
        return Err(Error::new(Kind::Input, "no MIDI file: it does not start with `MThd`")
            .mend("give a Standard MIDI File (.mid)"));
    }
    let damaged =
        |why: String| Error::new(Kind::Input, "the MIDI file is damaged").because(why).mend("export it again");
    // midly 0.5.3 negates this number of frames a second as it is, which is one more than fits.
    if bytes.windows(13).any(|header| header.starts_with(b"MThd") && header[12] == 0x80) {
        return Err(damaged("there are no 128 frames a second".to_owned()));
    }
    whole(bytes).map_err(damaged)?;
    let smf = Smf::parse(bytes).map_err(|e| damaged(e.to_string()))?;
    // midly ends a track where it does not understand it.
    let end = TrackEventKind::Meta(MetaMessage::EndOfTrack);
    let ends = |track: &midly::Track| track.iter().any(|event| event.kind == end);
    if let Some(number) = smf.tracks.iter().position(|track| !ends(track)) {
        return Err(damaged(format!("track {} breaks off", number + 1)));
    }
    let ticks_per_quarter = match smf.header.timing {
        Timing::Metrical(ticks) => ticks.as_int(),
        Timing::Timecode(frames, parts) => {
            (frames.as_f32() * f32::from(parts) / SMPTE_QUARTERS_PER_SECOND).round().clamp(0.0, 32767.0) as u16
        }
    };
    if ticks_per_quarter == 0 {
        return Err(Error::new(Kind::Input, "the MIDI file counts 0 ticks to a quarter note").mend("export it again"));
    }
    let mut reader = Reader::new(ticks_per_quarter, matches!(smf.header.timing, Timing::Timecode(..)));
    // The sequences of format 2 have each their own instruments.
    if smf.header.format != Format::Sequential {
        smf.tracks.iter().for_each(|track| reader.instruments(track));
    }
    let mut offset = 0;
    for (number, track) in smf.tracks.iter().enumerate() {
        let end = reader.track(number, track, offset)?;
        if smf.header.format == Format::Sequential {
            offset = end;
        }
    }
    reader.finish()
}

/// Whether all tracks that the header tells of are there, each as long as it says: midly takes what there is of them.
fn whole(bytes: &[u8]) -> std::result::Result<(), String> {
    let long = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let cut = || "it is cut off".to_owned();
    let start = bytes.windows(4).position(|word| word == b"MThd").unwrap_or(0);
    let header = long(start + 4).ok_or_else(cut)?;
    let told = bytes.get(start + 10..start + 12).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
    let told = told.ok_or_else(cut)?;
    let (mut at, mut tracks) = (start.saturating_add(8).saturating_add(header), 0);
    while tracks < told {
        let Some(kind) = bytes.get(at..at.saturating_add(4)) else {
            return Err(format!("{tracks} of {told} tracks are there"));
        };
        let end = long(at + 4).and_then(|length| (at + 8).checked_add(length)).filter(|end| *end <= bytes.len());
        at = end.ok_or_else(|| format!("track {} of {told} is cut off", tracks + 1))?;
        tracks += usize::from(kind == b"MTrk");
    }
    Ok(())
}

/// Collects voices, tempos and meters over all tracks.
struct Reader {
    melody: Melody,
    voices: BTreeMap<(usize, u8), Voice>,
    /// For each channel when it was given which instrument, on whatever track.
    instruments: [BTreeMap<u64, u8>; 16],
    longest: u64,
    /// Whether ticks are parts of a second.
    seconds: bool,
}

impl Reader {
    fn new(ticks_per_quarter: u16, seconds: bool) -> Self {
        let melody = Melody { tempos: Vec::new(), meters: Vec::new(), ..Melody::new(ticks_per_quarter) };
        let instruments = Default::default();
        Self {
            melody,
            voices: BTreeMap::new(),
            instruments,
            longest: MAX_QUARTERS * u64::from(ticks_per_quarter),
            seconds,
        }
    }

    /// Notes what a track tells of instruments: they belong to a channel, and often stand on another track than its notes.
    fn instruments(&mut self, events: &[midly::TrackEvent]) {
        let mut now = 0;
        for event in events {
            now += u64::from(event.delta.as_int());
            if let TrackEventKind::Midi { channel, message: MidiMessage::ProgramChange { program } } = event.kind {
                self.instruments[usize::from(channel.as_int())].insert(now, program.as_int());
            }
        }
    }

    /// The instrument of a channel at a time: the last that was told, or the first that will be.
    fn instrument(&self, channel: u8, now: u64) -> u8 {
        let told = &self.instruments[usize::from(channel)];
        let (before, first) = (told.range(..=now).next_back(), told.first_key_value());
        before.or(first).map_or(0, |(_, program)| *program)
    }

    /// One track that starts at `offset`; returns where it ends.
    fn track(&mut self, number: usize, events: &[midly::TrackEvent], offset: u64) -> Result<u64> {
        let mut now = offset;
        let mut name = None;
        let mut programs = [None; 16];
        let mut sounding: BTreeMap<(u8, u8), VecDeque<(u64, u8)>> = BTreeMap::new();
        for event in events {
            now += u64::from(event.delta.as_int());
            if now > self.longest {
                return Err(Error::new(Kind::Input, format!("longer than {MAX_QUARTERS} quarter notes"))
                    .mend("see whether the file is damaged, or cut it"));
            }
            match event.kind {
                TrackEventKind::Midi { channel, message } => {
                    let channel = channel.as_int();
                    match message {
                        MidiMessage::NoteOn { key, vel } if vel > 0 => {
                            sounding.entry((channel, key.as_int())).or_default().push_back((now, vel.as_int()));
                            // The instrument counts from the first note on.
                            let own = programs[usize::from(channel)];
                            let program = own.unwrap_or_else(|| self.instrument(channel, now));
                            self.voices.entry((number, channel)).or_insert_with(|| Voice {
                                track: number,
                                channel,
                                program,
                                ..Voice::default()
                            });
                        }
                        MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                            let key = key.as_int();
                            let begun = sounding.get_mut(&(channel, key)).and_then(VecDeque::pop_front);
                            if let Some(begun) = begun {
                                self.note((number, channel), key, begun, now);
                            }
                        }
                        MidiMessage::ProgramChange { program } => {
                            programs[usize::from(channel)] = Some(program.as_int());
                        }
                        _ => {}
                    }
                }
                // Where ticks are parts of a second no tempo changes them.
                TrackEventKind::Meta(MetaMessage::Tempo(microseconds)) if !self.seconds => {
                    let microseconds = match microseconds.as_int() {
                        0 => DEFAULT_TEMPO,
                        told => told,
                    };
                    self.melody.tempos.push(Tempo { tick: now, microseconds });
                }
                TrackEventKind::Meta(MetaMessage::TimeSignature(beats, unit_log2, ..))
                    if beats > 0 && unit_log2 <= 6 =>
                {
                    self.melody.meters.push(Meter { tick: now, beats, unit_log2 });
                }
                TrackEventKind::Meta(MetaMessage::TrackName(text)) if name.is_none() => {
                    name = Some(String::from_utf8_lossy(text).trim().to_owned()).filter(|name| !name.is_empty());
                }
                // Some programs write more behind the end, which does not count.
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => break,
                _ => {}
            }
        }
        for ((channel, key), begun) in sounding {
            for begun in begun {
                self.note((number, channel), key, begun, now);
            }
        }
        let own = self.voices.range_mut((number, 0)..=(number, u8::MAX));
        own.for_each(|(_, voice)| voice.name = name.clone());
        Ok(now)
    }

    fn note(&mut self, voice: (usize, u8), pitch: u8, (start, velocity): (u64, u8), end: u64) {
        if let Some(voice) = self.voices.get_mut(&voice) {
            voice.notes.push(Note { start, end: end.max(start + 1), pitch, velocity });
        }
    }

    fn finish(mut self) -> Result<Melody> {
        let mut melody = self.melody;
        if melody.tempos.len() > MAX_CHANGES || melody.meters.len() > MAX_CHANGES {
            return Err(Error::new(Kind::Input, format!("more than {MAX_CHANGES} changes of tempo or meter"))
                .mend("export the file without recorded changes of tempo"));
        }
        for voice in self.voices.values_mut() {
            voice.notes.sort_unstable();
        }
        melody.voices = self.voices.into_values().filter(|voice| !voice.notes.is_empty()).collect();
        if melody.voices.is_empty() {
            return Err(Error::new(Kind::Input, "there is no note in this MIDI file").mend("give one with notes"));
        }
        let fresh = Melody::new(melody.ticks_per_quarter);
        melody.tempos.sort_by_key(|tempo| tempo.tick);
        melody.meters.sort_by_key(|meter| meter.tick);
        // Of several at one tick the last counts.
        melody.tempos.reverse();
        melody.tempos.dedup_by_key(|tempo| tempo.tick);
        melody.tempos.reverse();
        melody.meters.reverse();
        melody.meters.dedup_by_key(|meter| meter.tick);
        melody.meters.reverse();
        if melody.tempos.first().is_none_or(|tempo| tempo.tick > 0) {
            melody.tempos.insert(0, fresh.tempos[0]);
        }
        if melody.meters.first().is_none_or(|meter| meter.tick > 0) {
            melody.meters.insert(0, fresh.meters[0]);
        }
        Ok(melody)
    }
}
