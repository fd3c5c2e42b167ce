//! The music of an ABC tune, character by character.

use std::iter::Peekable;
use std::str::Chars;

use latentd::media::melody::Note;

use super::TICKS_PER_QUARTER;
use super::key::{self, Accidentals};

/// Loudness of all notes: ABC collections of tunes tell none.
const VELOCITY: u8 = 80;

/// Ticks of a whole note.
const WHOLE: u64 = 4 * TICKS_PER_QUARTER as u64;

/// The longest tune that is read, in whole notes: a length such as `C999999999` is a mistake, not music.
const LONGEST: u64 = 4096;

/// What header fields and fields inside a tune set.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    key: Accidentals,
    /// Numerator and denominator; none for free meter.
    meter: Option<(u64, u64)>,
    /// Length of a note without a number, in ticks.
    unit: Option<u64>,
}

impl Fields {
    /// `M:`
    pub fn meter(&mut self, value: &str) {
        self.meter = match value.trim() {
            "C" => Some((4, 4)),
            "C|" => Some((2, 2)),
            other => fraction(other),
        };
    }

    /// `L:`
    pub fn unit(&mut self, value: &str) {
        self.unit = fraction(value).map(|(n, d)| WHOLE * n / d).filter(|ticks| *ticks > 0);
    }

    /// `K:`
    pub fn key(&mut self, value: &str) {
        self.key = key::signature(value);
    }

    /// Where the header tells none, it follows from the meter: a 16th in meters below 3/4, else an eighth.
    fn unit_or_default(&self) -> u64 {
        let short = self.meter.is_some_and(|(n, d)| 4 * n < 3 * d);
        self.unit.unwrap_or(if short { WHOLE / 16 } else { WHOLE / 8 })
    }

    fn bar(&self) -> Option<u64> {
        self.meter.map(|(n, d)| WHOLE * n / d)
    }
}

/// `6/8`, also `2+3/8`; both parts positive and below 1000.
fn fraction(text: &str) -> Option<(u64, u64)> {
    let (over, under) = text.split_once('/')?;
    let over = over.trim().trim_matches(['(', ')']);
    let over =
        over.split('+').map(|part| part.trim().parse::<u64>().ok().filter(|n| *n < 1000)).sum::<Option<u64>>()?;
    let digits: String = under.trim().chars().take_while(char::is_ascii_digit).collect();
    let under = digits.parse().ok()?;
    (over > 0 && (1..1000).contains(&under)).then_some((over, under))
}

/// `(p:q:r`: the next `left` notes last `time / notes` of what is written.
#[derive(Clone, Copy, Debug)]
struct Tuplet {
    notes: u64,
    time: u64,
    left: u64,
}

/// Reads music into notes.
pub struct Reader {
    fields: Fields,
    /// Accidentals written in this bar; they hold to its end, in all octaves.
    in_bar: [Option<i8>; 7],
    now: u64,
    notes: Vec<Note>,
    /// Where bar lines stand.
    lines: Vec<u64>,
    /// The length of a bar while each line stood there.
    bars: Vec<Option<u64>>,
    tie: bool,
    tuplet: Option<Tuplet>,
    /// What a broken rhythm leaves to the next note: numerator and denominator.
    broken: Option<(u64, u64)>,
    /// Start and length of what came last, for a broken rhythm to change.
    last: Option<(u64, u64, bool)>,
    /// The first voice named; music of others is passed over.
    first_voice: Option<String>,
    silent: bool,
}

impl Reader {
    /// A reader at the beginning of a tune.
    pub fn new(fields: Fields) -> Self {
        let bars = vec![fields.bar()];
        Self {
            fields,
            in_bar: [None; 7],
            now: 0,
            notes: Vec::new(),
            lines: vec![0],
            bars,
            tie: false,
            tuplet: None,
            broken: None,
            last: None,
            first_voice: None,
            silent: false,
        }
    }

    /// A field on a line of its own or in brackets.
    pub fn field(&mut self, name: char, value: &str) {
        match name {
            // What another voice changes is its own.
            'K' | 'M' | 'L' if self.silent => {}
            'K' => self.fields.key(value),
            'M' => self.fields.meter(value),
            'L' => self.fields.unit(value),
            'V' => {
                let voice = value.split_whitespace().next().unwrap_or_default().to_owned();
                self.silent = *self.first_voice.get_or_insert_with(|| voice.clone()) != voice;
            }
            _ => {}
        }
    }

    /// The notes, and the starts of full bars.
    pub fn finish(mut self) -> (Vec<Note>, Vec<u64>) {
        self.bar_line();
        let starts = self.lines.windows(2).zip(&self.bars);
        let full = starts.filter(|(pair, bar)| **bar == Some(pair[1] - pair[0])).map(|(pair, _)| pair[0]).collect();
        (self.notes, full)
    }

    /// One line of music.
    pub fn music(&mut self, line: &str) {
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if self.now > LONGEST * WHOLE {
                return;
            }
            match c {
                '"' => skip_to(&mut chars, '"'),
                '{' => skip_to(&mut chars, '}'),
                '!' | '+' if chars.clone().any(|other| other == c) => skip_to(&mut chars, c),
                '[' => self.bracket(&mut chars),
                '|' | ':' => self.after_bar_line(&mut chars),
                '(' => self.tuplet(&mut chars),
                '-' => self.tie = true,
                '>' | '<' => self.break_rhythm(c, &mut chars),
                'z' | 'x' => {
                    let length = self.length(&mut chars);
                    self.rest(length);
                }
                'Z' => {
                    let bars = number(&mut chars).unwrap_or(1).min(LONGEST);
                    self.rest(bars * self.fields.bar().unwrap_or(WHOLE));
                }
                'y' => {
                    number(&mut chars);
                }
                // A second voice in the same bar: passed over.
                '&' => while chars.next_if(|other| *other != '|').is_some() {},
                _ => {
                    if let Some(pitch) = self.pitch(c, &mut chars) {
                        let length = self.length(&mut chars);
                        self.note(pitch, length);
                    }
                }
            }
        }
    }

    /// After `[`: a field, an ending, a bar line, or a chord.
    fn bracket(&mut self, chars: &mut Peekable<Chars>) {
        let mut ahead = chars.clone();
        let (first, second) = (ahead.next(), ahead.next());
        match (first, second) {
            (Some(name), Some(':')) if name.is_ascii_alphabetic() => {
                let text: String = chars.by_ref().take_while(|c| *c != ']').collect();
                self.field(name, text[2..].trim());
            }
            (Some(digit), _) if digit.is_ascii_digit() => skip_ending(chars),
            (Some('|' | ':'), _) => self.after_bar_line(chars),
            _ => self.chord(chars),
        }
    }

    fn chord(&mut self, chars: &mut Peekable<Chars>) {
        let mut top = None;
        let mut length = None;
        while let Some(c) = chars.next() {
            match c {
                ']' => break,
                '"' => skip_to(chars, '"'),
                '-' => self.tie = true,
                _ => {
                    if let Some(pitch) = self.pitch(c, chars) {
                        let this = self.length(chars);
                        length.get_or_insert(this);
                        top = top.max(Some(pitch));
                    }
                }
            }
        }
        let (over, under) = factor(chars);
        if let (Some(pitch), Some(length)) = (top, length) {
            let tie = std::mem::take(&mut self.tie);
            self.note(pitch, length.saturating_mul(over) / under);
            self.tie = tie;
        }
    }

    /// After the first sign of a bar line: the rest of it, and the number of an ending.
    fn after_bar_line(&mut self, chars: &mut Peekable<Chars>) {
        while chars.next_if(|c| matches!(c, '|' | ':' | ']')).is_some() {}
        skip_ending(chars);
        self.bar_line();
    }

    fn bar_line(&mut self) {
        self.in_bar = [None; 7];
        if self.lines.last() == Some(&self.now) {
            self.bars.pop();
        } else {
            self.lines.push(self.now);
        }
        self.bars.push(self.fields.bar());
    }

    fn tuplet(&mut self, chars: &mut Peekable<Chars>) {
        let Some(notes) = number(chars).filter(|p| (2..=9).contains(p)) else { return };
        let compound = self.fields.meter.is_some_and(|(n, _)| n > 3 && n.is_multiple_of(3));
        let usual = match notes {
            2 | 4 | 8 => 3,
            3 | 6 => 2,
            _ if compound => 3,
            _ => 2,
        };
        let mut part = || chars.next_if_eq(&':').and_then(|_| number(chars)).filter(|n| (1..=16).contains(n));
        let time = part().unwrap_or(usual);
        let left = part().unwrap_or(notes);
        if self.silent {
            return;
        }
        self.tuplet = Some(Tuplet { notes, time, left });
    }

    fn break_rhythm(&mut self, sign: char, chars: &mut Peekable<Chars>) {
        let mut signs = 1u32;
        while chars.next_if_eq(&sign).is_some() {
            signs += 1;
        }
        let short = 1u64 << signs.min(3);
        // `a>b`: the first lasts 2 - 1/2^n, the second 1/2^n of what is written; `a<b` the other way round.
        let (first, second) = if sign == '>' { (2 * short - 1, 1) } else { (1, 2 * short - 1) };
        if self.silent {
            return;
        }
        if let Some((start, length, sounds)) = self.last {
            let changed = length * first / short;
            self.now = start + changed;
            if let (true, Some(note)) = (sounds, self.notes.last_mut()) {
                note.end = (note.end + changed).saturating_sub(length).max(note.start + 1);
                self.now = note.end;
            }
            self.broken = Some((second, short));
        }
    }

    /// The pitch of a note that begins with `c`, if it is one.
    fn pitch(&mut self, c: char, chars: &mut Peekable<Chars>) -> Option<u8> {
        let mut alteration = None;
        let mut c = c;
        loop {
            alteration = Some(match c {
                '^' => (alteration.unwrap_or(0) + 1).min(2),
                '_' => (alteration.unwrap_or(0) - 1).max(-2),
                '=' => 0,
                _ => break,
            });
            c = *chars.peek()?;
            if !matches!(c, '^' | '_' | '=' | 'A'..='G' | 'a'..='g') {
                return None;
            }
            chars.next();
        }
        if !matches!(c, 'A'..='G' | 'a'..='g') {
            return None;
        }
        let letter = c.to_ascii_uppercase();
        let mut octave = if c.is_ascii_lowercase() { 1 } else { 0 };
        while let Some(mark) = chars.next_if(|mark| matches!(mark, '\'' | ',')) {
            octave += if mark == ',' { -1 } else { 1 };
        }
        let at = key::index(letter);
        if alteration.is_some() {
            self.in_bar[at] = alteration;
        }
        let alteration = self.in_bar[at].unwrap_or(self.fields.key[at]);
        let above_c = [9, 11, 0, 2, 4, 5, 7][at];
        u8::try_from(60 + above_c + 12 * octave + i32::from(alteration)).ok().filter(|pitch| *pitch <= 127)
    }

    /// The length written after a note, in ticks.
    fn length(&mut self, chars: &mut Peekable<Chars>) -> u64 {
        let (over, under) = factor(chars);
        self.fields.unit_or_default() * over / under
    }

    /// What tuplets and broken rhythm make of a written length.
    fn played(&mut self, written: u64) -> u64 {
        let mut length = written;
        if let Some((over, under)) = self.broken.take() {
            length = length * over / under;
        }
        if let Some(tuplet) = &mut self.tuplet {
            length = length * tuplet.time / tuplet.notes;
            tuplet.left -= 1;
            if tuplet.left == 0 {
                self.tuplet = None;
            }
        }
        length.max(1)
    }

    fn note(&mut self, pitch: u8, written: u64) {
        if self.silent {
            return;
        }
        let (start, length) = (self.now, self.played(written));
        self.now += length;
        self.last = Some((start, length, true));
        let tied = std::mem::take(&mut self.tie);
        match self.notes.last_mut() {
            // Some collections write slurs as ties: only the same pitch is one note.
            Some(note) if tied && note.pitch == pitch && note.end == start => note.end = self.now,
            _ => self.notes.push(Note { start, end: self.now, pitch, velocity: VELOCITY }),
        }
    }

    fn rest(&mut self, written: u64) {
        if self.silent {
            return;
        }
        self.tie = false;
        let (start, length) = (self.now, self.played(written));
        self.now += length;
        self.last = Some((start, length, false));
    }
}

/// `3/2`, `/`, `//`, `2`: what multiplies a length; the denominator is at least 1.
fn factor(chars: &mut Peekable<Chars>) -> (u64, u64) {
    let over = number(chars).unwrap_or(1).clamp(1, 1000);
    let mut under = 1u64;
    while chars.next_if_eq(&'/').is_some() {
        under *= number(chars).unwrap_or(2).clamp(1, 64);
        under = under.min(1 << 12);
    }
    (over, under)
}

fn number(chars: &mut Peekable<Chars>) -> Option<u64> {
    let mut value = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        value = Some((value.unwrap_or(0) * 10 + u64::from(digit as u8 - b'0')).min(1_000_000));
    }
    value
}

fn skip_to(chars: &mut Peekable<Chars>, end: char) {
    for c in chars.by_ref() {
        if c == end {
            break;
        }
    }
}

/// The number of an ending: `1`, `1,3`, `1-2`.
fn skip_ending(chars: &mut Peekable<Chars>) {
    if chars.peek().is_some_and(char::is_ascii_digit) {
        while chars.next_if(|c| c.is_ascii_digit() || matches!(c, ',' | '-')).is_some() {}
    }
}
