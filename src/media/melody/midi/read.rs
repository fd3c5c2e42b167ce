use std::collections::BTreeMap;
use std::io::Read;

use midly::{Format, MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

use super::sounding::{Begun, Sounding};
use crate::error::{Error, Kind, Result};
use crate::media::melody::{DEFAULT_TEMPO, Key, MOST_TICKS, Melody, Meter, Note, Tempo, Voice};

/// The largest file that is read; a symphony has some 200 kB.
pub const MAX_BYTES: u64 = 8 << 20;

/// The longest piece that is read, in quarter notes: nearly three hours at 120 a minute.
const MAX_QUARTERS: u64 = 20_000;

/// The most changes of tempo, and of meter, that are read.
const MAX_CHANGES: usize = 10_000;

/// Quarters a minute that time in SMPTE frames is counted in, for want of any tempo.
const SMPTE_QUARTERS_PER_SECOND: f64 = 2.0;

/// Controllers that are kept as they are set before a voice begins: bank (two parts), loudness, place, loudness of a phrase.
const CONTROLS: [u8; 5] = [0, 32, 7, 10, 11];

/// The end of a track, at once.
const END_OF_TRACK: [u8; 4] = [0, 0xff, 0x2f, 0];

/// Reads a MIDI file of format 0, 1 or 2; the sequences of format 2 follow one another, each in its own tempo and meter.
///
/// Notes without an end end with the next of their channel, the last ones with their track. Events that are no music are passed over. Of tracks
/// that the header counts and the file has not, and of the missing end of a last track that is whole, a warning tells.
///
/// # Errors
/// Kind input: it is no MIDI file, is damaged, has no notes, or is longer than anybody's music.
pub fn read(file: impl Read) -> Result<Melody> {
    let (melody, remarks) = read_aloud(file)?;
    remarks.iter().for_each(|remark| tracing::warn!("{remark}"));
    Ok(melody)
}

/// [`read`], and what it would warn of, for those who can tell which file it is about.
///
/// # Errors
/// As for [`read`].
pub fn read_aloud(mut file: impl Read) -> Result<(Melody, Vec<String>)> {
    let mut bytes = Vec::new();
    let taken = file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes);
    taken.map_err(|e| Error::new(Kind::Transient, "the file cannot be read").because(e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(Kind::Input, format!("larger than {} MB, the most for a MIDI file", MAX_BYTES >> 20))
            .mend("see whether it is a MIDI file at all"));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<(Melody, Vec<String>)> {
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
    let mut remarks = Vec::new();
    let chunks = Chunks::of(bytes).map_err(damaged)?;
    if chunks.tracks < chunks.told {
        remarks.push(format!("its header counts {} tracks, and it has {}", chunks.told, chunks.tracks));
    }
    let ended;
    let mut smf = Smf::parse(bytes).map_err(|e| damaged(e.to_string()))?;
    // midly ends a track where it does not understand it.
    let end = TrackEventKind::Meta(MetaMessage::EndOfTrack);
    let ends = |track: &midly::Track| track.iter().any(|event| event.kind == end);
    // The last may lack nothing but its end, which is understood if all before it is.
    if smf.tracks.len() == chunks.tracks && smf.tracks.last().is_some_and(|track| !ends(track)) {
        ended = chunks.ended(bytes);
        let again = Smf::parse(&ended).map_err(|e| damaged(e.to_string()))?;
        if again.tracks.last().is_some_and(ends) {
            remarks.push("its last track has no end: what is there of it is taken".to_owned());
            smf = again;
        }
    }
    if let Some(number) = smf.tracks.iter().position(|track| !ends(track)) {
        return Err(damaged(format!("track {} breaks off", number + 1)));
    }
    let (ticks_per_quarter, tempo) = match smf.header.timing {
        Timing::Metrical(ticks) => (ticks.as_int(), None),
        Timing::Timecode(frames, parts) => {
            let a_second = f64::from(frames.as_f32()) * f64::from(parts);
            let a_quarter = (a_second / SMPTE_QUARTERS_PER_SECOND).round().clamp(0.0, f64::from(MOST_TICKS));
            // As ticks are whole, a quarter may last a little more or less than its share of a second.
            (a_quarter as u16, Some((1e6 * a_quarter / a_second).round() as u32))
        }
    };
    if ticks_per_quarter == 0 {
        return Err(Error::new(Kind::Input, "the MIDI file counts 0 ticks to a quarter note").mend("export it again"));
    }
    let mut reader = Reader::new(ticks_per_quarter, tempo);
    if smf.header.format == Format::Sequential {
        // The sequences of format 2 have each their own instruments.
        let mut offset = 0;
        for track in &smf.tracks {
            reader.begin_anew(offset);
            offset = reader.track(0, track, offset)?;
        }
    } else {
        smf.tracks.iter().for_each(|track| reader.settings(track));
        for (number, track) in smf.tracks.iter().enumerate() {
            reader.track(number, track, 0)?;
        }
    }
    Ok((reader.finish()?, remarks))
}

/// What the chunks of a file tell of its tracks.
struct Chunks {
    /// Tracks that the header counts.
    told: usize,
    /// Those of them that are there.
    tracks: usize,
    /// Where the file starts, which may be inside another.
    start: usize,
    /// Where the chunk of the last track starts, and where it ends.
    last: std::ops::Range<usize>,
}

impl Chunks {
    /// Sees that all tracks are there as long as they say: midly takes what there is of them. A header may count more tracks than there are where the
    /// file ends between two.
    fn of(bytes: &[u8]) -> std::result::Result<Chunks, String> {
        let long = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
        let cut = || "it is cut off".to_owned();
        let start = bytes.windows(4).position(|word| word == b"MThd").unwrap_or(0);
        let header = long(start + 4).ok_or_else(cut)?;
        let told = bytes.get(start + 10..start + 12).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
        let told = told.ok_or_else(cut)?;
        let mut at = start.saturating_add(8).saturating_add(header);
        let (mut tracks, mut last) = (0, at..at);
        while tracks < told {
            let Some(kind) = bytes.get(at..at.saturating_add(4)) else {
                if tracks > 0 && at == bytes.len() {
                    break;
                }
                return Err(format!("{tracks} of {told} tracks are there"));
            };
            let end = long(at + 4).and_then(|length| (at + 8).checked_add(length)).filter(|end| *end <= bytes.len());
            let end = end.ok_or_else(|| format!("track {} of {told} is cut off", tracks + 1))?;
            if kind == b"MTrk" {
                (tracks, last) = (tracks + 1, at..end);
            }
            at = end;
        }
        Ok(Chunks { told, tracks, start, last })
    }

    /// The file with an end to its last track.
    fn ended(&self, bytes: &[u8]) -> Vec<u8> {
        let mut ended = bytes[self.start..self.last.end].to_vec();
        let length = self.last.start - self.start + 4;
        let long = (self.last.len() - 8 + END_OF_TRACK.len()) as u32;
        ended[length..length + 4].copy_from_slice(&long.to_be_bytes());
        ended.extend(END_OF_TRACK);
        ended
    }
}

/// Collects voices, tempos and meters over all tracks.
struct Reader {
    melody: Melody,
    voices: BTreeMap<(usize, u8), Voice>,
    /// For each channel when it was given which instrument, on whatever track.
    instruments: [BTreeMap<u64, u8>; 16],
    /// For each channel what [`CONTROLS`] were first set to, and when, on whatever track.
    controls: [[Option<(u64, u8)>; CONTROLS.len()]; 16],
    longest: u64,
    /// Microseconds of a quarter note where ticks are parts of a second.
    tempo: Option<u32>,
}

impl Reader {
    fn new(ticks_per_quarter: u16, tempo: Option<u32>) -> Self {
        Self {
            melody: Melody { tempos: Vec::new(), meters: Vec::new(), ..Melody::new(ticks_per_quarter) },
            voices: BTreeMap::new(),
            instruments: Default::default(),
            controls: Default::default(),
            longest: MAX_QUARTERS * u64::from(ticks_per_quarter),
            tempo,
        }
    }

    /// Notes what a track tells of instruments and controllers: they belong to a channel, and often stand on another track than its notes.
    fn settings(&mut self, events: &[midly::TrackEvent]) {
        let mut now = 0;
        for event in events {
            now += u64::from(event.delta.as_int());
            let (channel, message) = match event.kind {
                TrackEventKind::Midi { channel, message } => (channel, message),
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => break,
                _ => continue,
            };
            let channel = usize::from(channel.as_int());
            match message {
                MidiMessage::ProgramChange { program } => {
                    self.instruments[channel].insert(now, program.as_int());
                }
                MidiMessage::Controller { controller, value } => {
                    if let Some(at) = CONTROLS.iter().position(|known| *known == controller.as_int()) {
                        let first = &mut self.controls[channel][at];
                        if first.is_none_or(|(tick, _)| now <= tick) {
                            *first = Some((now, value.as_int()));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The instrument of a channel at a time: the last that was told, or the first that will be.
    fn instrument(&self, channel: u8, now: u64) -> u8 {
        let told = &self.instruments[usize::from(channel)];
        let (before, first) = (told.range(..=now).next_back(), told.first_key_value());
        before.or(first).map_or(0, |(_, program)| *program)
    }

    /// What the controllers of a channel are set to at a time: what its own track told last, or any track first.
    fn controls(&self, channel: u8, own: &[Option<u8>; CONTROLS.len()], now: u64) -> Vec<(u8, u8)> {
        let any = self.controls[usize::from(channel)].map(|first| first.filter(|(tick, _)| *tick <= now));
        let told = own.iter().zip(any).map(|(own, any)| own.or(any.map(|(_, value)| value)));
        CONTROLS.into_iter().zip(told).filter_map(|(control, value)| Some((control, value?))).collect()
    }

    /// What a sequence of format 2 begins with, whatever the one before it has told.
    fn begin_anew(&mut self, tick: u64) {
        let fresh = Melody::new(self.melody.ticks_per_quarter);
        let (tempo, meter) = (fresh.tempos[0], fresh.meters[0]);
        if self.melody.tempos.last().is_some_and(|last| last.microseconds != tempo.microseconds) {
            self.melody.tempos.push(Tempo { tick, ..tempo });
        }
        let same = |last: &Meter| (last.beats, last.unit_log2) == (meter.beats, meter.unit_log2);
        if self.melody.meters.last().is_some_and(|last| !same(last)) {
            self.melody.meters.push(Meter { tick, ..meter });
        }
    }

    /// One track that starts at `offset`; returns where it ends.
    fn track(&mut self, number: usize, events: &[midly::TrackEvent], offset: u64) -> Result<u64> {
        let mut now = offset;
        let mut name = None;
        let mut programs = [None; 16];
        let mut controls = [[None; CONTROLS.len()]; 16];
        let mut sounding = Sounding::of(events);
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
                            sounding.strike((channel, key.as_int()), (now, vel.as_int()));
                            // The instrument counts from the first note on.
                            let own = programs[usize::from(channel)];
                            let program = own.unwrap_or_else(|| self.instrument(channel, now));
                            let set = &controls[usize::from(channel)];
                            if let Some(voice) = self.voices.get_mut(&(number, channel)) {
                                if voice.programs.last().map_or(voice.program, |(_, last)| *last) != program {
                                    voice.programs.push((now, program));
                                }
                            } else {
                                let controls = self.controls(channel, set, now);
                                let voice = Voice { track: number, channel, program, controls, ..Voice::default() };
                                self.voices.insert((number, channel), voice);
                            }
                        }
                        MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                            let key = key.as_int();
                            if let Some(begun) = sounding.release((channel, key), now) {
                                self.note((number, channel), key, begun, now);
                            }
                        }
                        MidiMessage::ProgramChange { program } => {
                            programs[usize::from(channel)] = Some(program.as_int());
                        }
                        MidiMessage::Controller { controller, value } => {
                            if let Some(at) = CONTROLS.iter().position(|known| *known == controller.as_int()) {
                                controls[usize::from(channel)][at] = Some(value.as_int());
                            }
                        }
                        _ => {}
                    }
                }
                // Where ticks are parts of a second no tempo changes them.
                TrackEventKind::Meta(MetaMessage::Tempo(microseconds)) if self.tempo.is_none() => {
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
                TrackEventKind::Meta(MetaMessage::KeySignature(sharps, minor)) if (-7..=7).contains(&sharps) => {
                    self.melody.keys.push(Key { tick: now, sharps, minor });
                }
                TrackEventKind::Meta(MetaMessage::TrackName(name_of)) if name.is_none() => {
                    name = Some(text(name_of).trim().to_owned()).filter(|name| !name.is_empty());
                }
                // Some programs write more behind the end, which does not count.
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => break,
                _ => {}
            }
        }
        for ((channel, key), begun, end) in sounding.rest(now, u64::from(self.melody.ticks_per_quarter)) {
            self.note((number, channel), key, begun, end);
        }
        let own = self.voices.range_mut((number, 0)..=(number, u8::MAX));
        own.filter(|(_, voice)| voice.name.is_none()).for_each(|(_, voice)| voice.name.clone_from(&name));
        Ok(now)
    }

    fn note(&mut self, voice: (usize, u8), pitch: u8, (start, velocity): Begun, end: u64) {
        if let Some(voice) = self.voices.get_mut(&voice) {
            voice.notes.push(Note { start, end: end.max(start + 1), pitch, velocity });
        }
    }

    fn finish(mut self) -> Result<Melody> {
        let mut melody = self.melody;
        if [melody.tempos.len(), melody.meters.len(), melody.keys.len()].iter().any(|changes| *changes > MAX_CHANGES) {
            return Err(Error::new(Kind::Input, format!("more than {MAX_CHANGES} changes of tempo, meter or key"))
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
        in_order(&mut melody.tempos, |tempo| tempo.tick);
        in_order(&mut melody.meters, |meter| meter.tick);
        in_order(&mut melody.keys, |key| key.tick);
        if melody.tempos.first().is_none_or(|tempo| tempo.tick > 0) {
            let microseconds = self.tempo.unwrap_or(DEFAULT_TEMPO);
            melody.tempos.insert(0, Tempo { tick: 0, microseconds });
        }
        if melody.meters.first().is_none_or(|meter| meter.tick > 0) {
            melody.meters.insert(0, fresh.meters[0]);
        }
        Ok(melody)
    }
}

/// Sorts changes by their ticks. Of several at one tick the last counts.
fn in_order<T>(changes: &mut Vec<T>, tick: impl Fn(&T) -> u64) {
    changes.sort_by_key(&tick);
    changes.reverse();
    changes.dedup_by_key(|change| tick(change));
    changes.reverse();
}

/// A text in UTF-8, or else in Latin-1, which older programs write.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
