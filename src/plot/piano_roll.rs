//! Melodies as piano rolls: time from left to right, pitch upwards, one panel a piece. Long pieces go on in further lines below.

mod staff;

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use self::staff::Staff;
use super::{Area, Drawn, FONT, Picture, class_color, fitting};
use crate::media::melody::{self, Melody};

/// Height of a half tone and width of a quarter in pixels, as long as the canvas stays below its limits; a half tone keeps at least one pixel.
const HALF_TONE: f64 = 4.0;
const QUARTER: f64 = 28.0;

/// Pixels of the canvas: how wide at most, and about how high before all is drawn smaller.
const WIDEST: f64 = 4000.0;
const TALLEST: f64 = 6000.0;

/// The least width and height of a line in pixels.
const LEAST: (f64, f64) = (120.0, 40.0);

/// Pixels for the label above a panel, for the numbers of bars below each of its lines, and around it.
const LABEL: u32 = 18;
const NUMBERS: u32 = 16;
const MARGIN: u32 = 8;

/// Heights of letters.
const LARGE: u32 = 14;
const SMALL: u32 = 12;

/// The most steps of which bars are looked for: a file may tell of ends that lie weeks ahead.
const MOST_STEPS: f64 = 1e6;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRAY: RGBColor = RGBColor(0x66, 0x66, 0x66);

/// A note as it is drawn: start and end in quarters, rows from below, which voice, how loud (0..=1).
#[derive(Debug, Clone, PartialEq)]
struct Bar {
    start: f64,
    end: f64,
    rows: Range<f64>,
    voice: usize,
    loud: f64,
}

/// One piece under its label.
#[derive(Debug, Clone, PartialEq)]
struct Panel {
    label: String,
    notes: Vec<Bar>,
    /// Where its bars start, in quarters; they go on to the end of the longest piece.
    bars: Vec<f64>,
    /// What its lines show, in quarters.
    lines: Vec<Range<f64>>,
}

/// Panels of piano rolls, all at one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct PianoRolls {
    panels: Vec<Panel>,
    columns: usize,
    rows: Range<f64>,
    /// What is written left of a row.
    names: Vec<(f64, String)>,
    /// The rows of C.
    octaves: Vec<f64>,
    /// Pixels for that.
    gutter: u32,
    /// Pixels of a quarter, and of a line of a panel.
    quarter: f64,
    line: (u32, u32),
}

impl PianoRolls {
    /// A panel for each piece under its label, `columns` to a row. Where that is one, pieces that are too long for the canvas go on in further lines.
    pub fn new<'a>(pieces: impl Iterator<Item = (String, &'a Melody)>, columns: usize) -> PianoRolls {
        let pieces: Vec<(String, &Melody)> = pieces.collect();
        let columns = columns.clamp(1, pieces.len().max(1));
        let staff = Staff::of(&pieces);
        let mut panels: Vec<Panel> = Vec::new();
        for (label, piece) in &pieces {
            let notes = piece.voices.iter().enumerate().flat_map(|(at, voice)| staff.notes(piece, at, voice)).collect();
            panels.push(Panel { label: label.clone(), notes, bars: Vec::new(), lines: Vec::new() });
        }
        let end = |panel: &Panel| panel.notes.iter().map(|bar| bar.end).fold(1.0, f64::max);
        let quarters = panels.iter().map(end).fold(1.0, f64::max);
        let gutter = if staff.parts.is_empty() { 34 } else { 84 };
        let room = (WIDEST - f64::from(gutter + MARGIN)) / columns as f64 - f64::from(2 * MARGIN);
        let room = room.floor().max(LEAST.0);
        // As high as it may be that all panels have one line, and then as many lines as fit.
        let rows = staff.rows.end - staff.rows.start;
        let around = f64::from(LABEL + 2 * MARGIN);
        let share = TALLEST / panels.len().div_ceil(columns).max(1) as f64 - around;
        let half_tone = ((share - f64::from(NUMBERS)) / rows).clamp(1.0, HALF_TONE);
        let height = (rows * half_tone).round().max(LEAST.1);
        let most = if columns > 1 { 1.0 } else { (share / (height + f64::from(NUMBERS))).floor().max(1.0) };
        let quarter = (room * most / quarters).min(QUARTER.max(LEAST.0 / quarters));
        let span = (room / quarter).min(quarters);
        for (panel, (_, piece)) in panels.iter_mut().zip(&pieces) {
            panel.bars = bars(piece, quarters);
            panel.lines = match span < quarters {
                true => fold(&panel.bars, end(&*panel), span),
                false => vec![0.0..quarters],
            };
        }
        let width = (span * quarter).round().max(LEAST.0);
        // Both are some thousands at most.
        let line = (width as u32, height as u32);
        let (names, octaves) = (staff.names(), staff.octaves());
        PianoRolls { panels, columns, rows: staff.rows, names, octaves, gutter, quarter, line }
    }

    /// Pixels of each row of panels from top to bottom: as many lines as the longest of them has.
    fn heights(&self) -> impl Iterator<Item = u32> {
        self.panels.chunks(self.columns).map(move |row| {
            let lines = row.iter().map(|panel| panel.lines.len()).max().unwrap_or(1);
            let lines = u32::try_from(lines).unwrap_or(u32::MAX);
            lines.saturating_mul(self.line.1 + NUMBERS).saturating_add(LABEL + 2 * MARGIN)
        })
    }
}

/// Where the bars of a piece start, in quarters below `quarters`; by its first meter where one of its bars is no whole number of 16ths.
fn bars(piece: &Melody, quarters: f64) -> Vec<f64> {
    let steps = (quarters * melody::GRID_PER_QUARTER as f64).ceil().min(MOST_STEPS) as usize;
    if let Ok(starts) = melody::bar_starts(piece, steps) {
        return starts.into_iter().map(|step| step as f64 / melody::GRID_PER_QUARTER as f64).collect();
    }
    let meter = piece.meters.first();
    let bar = meter.map_or(4.0, |meter| 4.0 * f64::from(meter.beats) / f64::from(1u32 << meter.unit_log2.min(6)));
    let count = (quarters.min(MOST_STEPS) / bar.max(0.25)).ceil() as usize;
    (0..count).map(|number| number as f64 * bar.max(0.25)).collect()
}

/// The lines that a piece of `end` quarters takes, `span` quarters at most in each: whole bars, but where one is longer than a line.
fn fold(bars: &[f64], end: f64, span: f64) -> Vec<Range<f64>> {
    let (mut lines, mut from) = (Vec::new(), 0.0);
    loop {
        let fitting = bars.partition_point(|start| *start <= from + span + 1e-6);
        let next = bars[..fitting].last().copied().filter(|start| *start > from + 1e-6).unwrap_or(from + span);
        // In the last line bars that lie behind the end are no use.
        let last = end <= from + span + 1e-6;
        let until = if last { bars.iter().copied().find(|start| *start >= end).unwrap_or(end) } else { next };
        lines.push(from..until.min(from + span));
        if last {
            return lines;
        }
        from = next;
    }
}

impl Picture for PianoRolls {
    fn size(&self) -> (u32, u32) {
        let columns = u32::try_from(self.columns).unwrap_or(u32::MAX);
        let width = columns.saturating_mul(self.line.0 + 2 * MARGIN).saturating_add(self.gutter + MARGIN);
        (width, self.heights().fold(0, u32::saturating_add).max(1))
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let mut top = MARGIN as i32;
        for (row, height) in self.panels.chunks(self.columns).zip(self.heights()) {
            for (at, panel) in row.iter().enumerate() {
                let left = (self.gutter + MARGIN + at as u32 * (self.line.0 + 2 * MARGIN)) as i32;
                let label = (FONT, LARGE).into_text_style(area).color(&INK);
                area.draw_text(&fitting(&panel.label, LARGE, self.line.0 as usize), &label, (left, top))?;
                for (number, line) in panel.lines.iter().enumerate() {
                    let below = number as i32 * (self.line.1 + NUMBERS) as i32;
                    let place = Place { left, top: top + LABEL as i32 + below, first: at == 0 };
                    self.draw_line(area, panel, line, place)?;
                }
            }
            top += height as i32;
        }
        Ok(Vec::new())
    }
}

/// Where a line of a panel lies, and whether it is at the left.
#[derive(Clone, Copy)]
struct Place {
    left: i32,
    top: i32,
    first: bool,
}

impl PianoRolls {
    /// Where a time, in quarters, lies in a line.
    fn x(&self, quarters: f64, line: &Range<f64>, place: Place) -> i32 {
        place.left + ((quarters - line.start) * self.quarter).round() as i32
    }

    fn draw_line<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        panel: &Panel,
        line: &Range<f64>,
        place: Place,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let height = self.line.1 as i32;
        let x = |quarters: f64| self.x(quarters, line, place);
        let y = |row: f64| {
            let share = (row - self.rows.start) / (self.rows.end - self.rows.start);
            place.top + ((1.0 - share) * f64::from(height)).round() as i32
        };
        let (right, bottom) = (x(line.end) - 1, place.top + height - 1);
        let ground = RGBColor(0xf6, 0xf6, 0xf4);
        area.draw(&Rectangle::new([(place.left, place.top), (right, bottom)], ground.filled()))?;
        // Octaves lie on lines of C, bars between upright ones.
        for row in &self.octaves {
            let path = vec![(place.left, y(*row)), (right, y(*row))];
            area.draw(&PathElement::new(path, RGBColor(0xdd, 0xdd, 0xd8)))?;
        }
        let names = (FONT, SMALL).into_text_style(area).color(&GRAY).pos(Pos::new(HPos::Right, VPos::Center));
        for (row, name) in self.names.iter().filter(|_| place.first) {
            area.draw_text(name, &names, (place.left - 4, y(*row)))?;
        }
        self.draw_bars(area, panel, line, place)?;
        for bar in panel.notes.iter().filter(|bar| bar.start < line.end && bar.end > line.start) {
            let (left, end) = (x(bar.start.max(line.start)), x(bar.end.min(line.end)));
            let colour = class_color(bar.voice).mix(0.45 + 0.55 * bar.loud);
            let corners = [(left, y(bar.rows.end) + 1), ((end - 1).max(left + 1), y(bar.rows.start))];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
        }
        Ok(())
    }

    /// Lines between bars, and below them their numbers as far as they can be read.
    fn draw_bars<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        panel: &Panel,
        line: &Range<f64>,
        place: Place,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let x = |quarters: f64| self.x(quarters, line, place);
        let bottom = place.top + self.line.1 as i32;
        let text = (FONT, SMALL).into_text_style(area).color(&GRAY);
        let bar = match panel.bars.as_slice() {
            [first, second, ..] => (second - first) * self.quarter,
            _ => f64::INFINITY,
        };
        // Every bar, or every second, fourth, eighth.
        let every = (0..24).map(|power| 1usize << power).find(|count| bar * *count as f64 >= 36.0).unwrap_or(1);
        let mut free = i32::MIN;
        for (index, start) in panel.bars.iter().enumerate().filter(|(_, start)| line.contains(*start)) {
            let at = x(*start);
            let numbered = (index.is_multiple_of(every) || *start == line.start) && at >= free;
            if numbered || bar >= 4.0 {
                let path = vec![(at, place.top), (at, bottom - 1)];
                area.draw(&PathElement::new(path, RGBColor(0xcc, 0xcc, 0xc6)))?;
            }
            if numbered {
                area.draw_text(&(index + 1).to_string(), &text, (at + 1, bottom + 3))?;
                free = at + 30;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::media::melody::{DRUM_CHANNEL, Meter, Note, Voice};
    use crate::plot::{Format, render};

    /// A piece with a note of each pitch in every quarter.
    fn piece(quarters: u64, pitches: &[u8], channel: u8) -> Melody {
        let note = |at: u64, pitch: u8| Note { start: at * 480, end: (at + 1) * 480, pitch, velocity: 90 };
        let notes = (0..quarters).flat_map(|at| pitches.iter().map(move |pitch| note(at, *pitch))).collect();
        Melody { voices: vec![Voice { channel, notes, ..Voice::default() }], ..Melody::new(480) }
    }

    fn rolls(pieces: &[&Melody], columns: usize) -> PianoRolls {
        PianoRolls::new(pieces.iter().map(|piece| ("a piece".to_owned(), *piece)), columns)
    }

    fn svg(rolls: &PianoRolls) -> String {
        String::from_utf8(render(rolls, Format::Svg).unwrap()).unwrap()
    }

    /// Whether a line of the picture says this and nothing else.
    fn says(svg: &str, word: &str) -> bool {
        svg.lines().any(|line| line.trim() == word)
    }

    /// All were drawn with the bars of the last.
    #[test]
    fn each_panel_has_its_own_bars() {
        let march = piece(12, &[60], 0);
        let waltz = Melody { meters: vec![Meter { tick: 0, beats: 3, unit_log2: 2 }], ..march.clone() };
        let rolls = rolls(&[&march, &waltz], 1);
        assert_eq!(rolls.panels[0].bars, [0.0, 4.0, 8.0]);
        assert_eq!(rolls.panels[1].bars, [0.0, 3.0, 6.0, 9.0]);
    }

    /// They had no names of pitches, no numbers of bars, no names of drums.
    #[test]
    fn pitches_bars_and_drums_are_named() {
        let tune = svg(&rolls(&[&piece(16, &[47, 48, 60, 72], 0)], 1));
        assert!(["C3", "C4", "C5", "1", "2", "3", "4"].iter().all(|word| says(&tune, word)), "{tune}");
        assert!(!says(&tune, "C2") && !says(&tune, "5"));
        let no_c = svg(&rolls(&[&piece(4, &[64, 67], 0)], 1));
        assert!(says(&no_c, "E4"), "{no_c}");
        // 40 is another snare, 75 are claves, which no kit has.
        let drums = svg(&rolls(&[&piece(4, &[36, 40, 42, 75], DRUM_CHANNEL)], 1));
        assert!(["bass drum", "snare", "closed hi-hat", "other"].iter().all(|word| says(&drums, word)), "{drums}");
        assert!(!says(&drums, "ride") && !says(&drums, "C4"), "{drums}");
    }

    /// Songs were 6,000 pixels wide, with all that is longer pressed into that.
    #[test]
    fn long_pieces_go_on_below() {
        let (tune, song) = (piece(32, &[60, 72], 0), piece(900, &[40, 60, 72], 0));
        let short = rolls(&[&tune], 1);
        assert_eq!((short.panels[0].lines.as_slice(), short.line.0), ([0.0..32.0].as_slice(), 32 * 28));
        let long = rolls(&[&song, &tune], 1);
        let (width, height) = long.size();
        assert!(width <= 4000 && height <= 6000, "{width} x {height}");
        let lines = &long.panels[0].lines;
        assert!(lines.len() > 4 && long.quarter == QUARTER, "{lines:?}");
        assert_eq!(long.panels[1].lines, [0.0..32.0]);
        // Whole bars, from the first to the last, and none twice.
        assert!(lines.windows(2).all(|pair| pair[0].end == pair[1].start && pair[1].start % 4.0 == 0.0), "{lines:?}");
        assert_eq!((lines[0].start, lines[lines.len() - 1].end), (0.0, 900.0));
        assert!(says(&svg(&long), "225"), "its last bar has no number");
    }

    #[test]
    fn tables_and_crowds_stay_within_the_canvas() {
        let tune = piece(64, &[36, 84], 0);
        for columns in [1, 5, 24] {
            let (width, height) = rolls(&vec![&tune; 24 * columns], columns).size();
            assert!(width <= 4000 && height <= 6100, "{columns}: {width} x {height}");
        }
        let nothing = rolls(&[&Melody::new(480)], 1);
        assert!(render(&nothing, Format::Png).is_ok());
        // A bar longer than a line is cut.
        assert_eq!(fold(&[0.0, 100.0], 120.0, 40.0).len(), 3);
    }
}
