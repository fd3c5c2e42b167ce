//! Melodies as piano rolls: time from left to right, pitch upwards, one panel a piece.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Area, Drawn, FONT, Picture, class_color};
use crate::media::melody::{DRUM_CHANNEL, DRUM_KIT, Melody, Voice};

/// Height of a half tone and width of a 16th note in pixels, as long as the canvas stays below its limits.
const HALF_TONE: u32 = 4;
const SIXTEENTH: u32 = 7;

/// The most pixels along each side.
const LARGEST: u32 = 6000;

/// Pixels for the label above a panel, and around it.
const LABEL: u32 = 18;
const MARGIN: u32 = 8;

/// A note as it is drawn: start and end in quarters, the row from below, which voice, how loud (0..=1).
#[derive(Debug, Clone, PartialEq)]
struct Bar {
    start: f64,
    end: f64,
    row: f64,
    voice: usize,
    loud: f64,
}

/// One piece under its label.
#[derive(Debug, Clone, PartialEq)]
struct Panel {
    label: String,
    notes: Vec<Bar>,
    /// Quarters to a bar of its first meter.
    meter: f64,
}

/// Panels of piano rolls, all at one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct PianoRolls {
    panels: Vec<Panel>,
    columns: usize,
    quarters: f64,
    rows: (f64, f64),
}

impl PianoRolls {
    /// A panel for each piece under its label, `columns` to a row.
    pub fn new<'a>(pieces: impl Iterator<Item = (String, &'a Melody)>, columns: usize) -> PianoRolls {
        let panels: Vec<Panel> = pieces
            .map(|(label, piece)| {
                let meter = piece
                    .meters
                    .first()
                    .map_or(4.0, |meter| 4.0 * f64::from(meter.beats) / f64::from(1u32 << meter.unit_log2.min(6)));
                let notes = piece.voices.iter().enumerate().flat_map(|(at, voice)| bars(piece, at, voice)).collect();
                Panel { label, notes, meter }
            })
            .collect();
        let all = || panels.iter().flat_map(|panel| &panel.notes);
        let quarters = all().map(|bar| bar.end).fold(1.0, f64::max);
        let low = all().map(|bar| bar.row).fold(f64::INFINITY, f64::min);
        let high = all().map(|bar| bar.row).fold(f64::NEG_INFINITY, f64::max);
        let rows = if low <= high { (low - 1.0, high + 2.0) } else { (59.0, 73.0) };
        PianoRolls { columns: columns.clamp(1, panels.len().max(1)), panels, quarters, rows }
    }

    fn lines(&self) -> usize {
        self.panels.len().div_ceil(self.columns).max(1)
    }

    fn panel(&self) -> (u32, u32) {
        let width = (self.quarters * 4.0).ceil() as u32 * SIXTEENTH;
        let height = (self.rows.1 - self.rows.0) as u32 * HALF_TONE;
        (width.clamp(120, LARGEST), height.clamp(40, LARGEST))
    }
}

/// The notes of a voice; drums lie in rows of their own below all pitches.
fn bars(piece: &Melody, at: usize, voice: &Voice) -> Vec<Bar> {
    let quarter = |tick: u64| tick as f64 / f64::from(piece.ticks_per_quarter);
    let row = |pitch: u8| match voice.channel {
        DRUM_CHANNEL => {
            // Two rows a drum, below a bass's lowest string.
            let part = DRUM_KIT.iter().position(|(_, key)| *key == pitch).unwrap_or(DRUM_KIT.len());
            26.0 - 2.0 * part as f64
        }
        _ => f64::from(pitch),
    };
    let bar = |note: &crate::media::melody::Note| Bar {
        start: quarter(note.start),
        end: quarter(note.end),
        row: row(note.pitch),
        voice: at,
        loud: f64::from(note.velocity) / 127.0,
    };
    voice.notes.iter().map(bar).collect()
}

impl Picture for PianoRolls {
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.panel();
        let (columns, lines) = (self.columns as u32, self.lines() as u32);
        let wide = columns * (width + 2 * MARGIN);
        let high = lines * (height + LABEL + 2 * MARGIN);
        (wide.min(LARGEST), high.min(LARGEST))
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        for (panel, place) in self.panels.iter().zip(area.split_evenly((self.lines(), self.columns))) {
            draw_panel(self, panel, &place.margin(MARGIN / 2, MARGIN / 2, MARGIN, MARGIN))?;
        }
        Ok(Vec::new())
    }
}

fn draw_panel<B: DrawingBackend>(
    rolls: &PianoRolls,
    panel: &Panel,
    area: &DrawingArea<B, Shift>,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let text = (FONT, 13).into_font().color(&RGBColor(0x33, 0x33, 0x33));
    area.draw(&Text::new(panel.label.clone(), (0, 0), text))?;
    let (_, body) = area.split_vertically(LABEL);
    let (width, height) = body.dim_in_pixel();
    let x = |quarters: f64| (quarters / rolls.quarters * f64::from(width)).round() as i32;
    let y = |row: f64| {
        let share = (row - rolls.rows.0) / (rolls.rows.1 - rolls.rows.0);
        ((1.0 - share) * f64::from(height)).round() as i32
    };
    let ground = RGBColor(0xf6, 0xf6, 0xf4);
    body.draw(&Rectangle::new([(0, 0), (width as i32 - 1, height as i32 - 1)], ground.filled()))?;
    // Octaves lie on lines of C, bars between upright ones.
    for octave in (0..=10).map(|octave| 12.0 * f64::from(octave)).filter(|c| (rolls.rows.0..rolls.rows.1).contains(c)) {
        let line = vec![(0, y(octave)), (width as i32 - 1, y(octave))];
        body.draw(&PathElement::new(line, RGBColor(0xdd, 0xdd, 0xd8)))?;
    }
    let count = (rolls.quarters / panel.meter.max(0.25)).ceil().min(2000.0) as usize;
    for at in (0..=count).map(|number| number as f64 * panel.meter) {
        let line = vec![(x(at), 0), (x(at), height as i32 - 1)];
        body.draw(&PathElement::new(line, RGBColor(0xcc, 0xcc, 0xc6)))?;
    }
    for bar in &panel.notes {
        let (left, right) = (x(bar.start), (x(bar.end) - 1).max(x(bar.start) + 1));
        let colour = class_color(bar.voice).mix(0.45 + 0.55 * bar.loud);
        body.draw(&Rectangle::new([(left, y(bar.row + 1.0) + 1), (right, y(bar.row))], colour.filled()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::melody::Meter;

    /// All were drawn with the bars of the last.
    #[test]
    fn each_panel_has_its_own_bars() {
        let waltz = Melody { meters: vec![Meter { tick: 0, beats: 3, unit_log2: 2 }], ..Melody::new(480) };
        let pieces = [("march".to_owned(), &Melody::new(480)), ("waltz".to_owned(), &waltz)];
        let rolls = PianoRolls::new(pieces.into_iter(), 1);
        assert_eq!(rolls.panels.iter().map(|panel| panel.meter).collect::<Vec<_>>(), [4.0, 3.0]);
    }
}
