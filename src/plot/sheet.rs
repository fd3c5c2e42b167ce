//! Rows of small pictures with a name for each row: originals above reconstructions, samples, walks through a latent space.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, Drawn, FONT, Inlay, Picture};

/// Pixels between pictures.
const GAP: u32 = 4;
/// Height of letters.
const TEXT: u32 = 16;
/// Pixels around everything.
const MARGIN: u32 = 12;

/// Pictures of one size in rows.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// Above all; empty for none.
    pub title: String,
    /// What the columns are, below all; empty for nothing.
    pub caption: String,
    /// A name and pictures for each row, each picture 1 or 3 planes of 0..=1.
    pub rows: Vec<(String, Vec<Vec<f32>>)>,
    /// A name above each column, or none.
    pub columns: Vec<String>,
    /// Columns and rows of a picture.
    pub picture: (usize, usize),
    /// How many times larger pictures are shown.
    pub zoom: u32,
    /// Pictures follow one another without a gap, as one large picture.
    pub seamless: bool,
}

impl Sheet {
    fn extent(&self) -> (u32, u32) {
        (self.picture.0 as u32 * self.zoom, self.picture.1 as u32 * self.zoom)
    }

    fn gap(&self) -> u32 {
        if self.seamless { 0 } else { GAP }
    }

    /// Left of the pictures, above them and below them.
    fn frame(&self) -> (u32, u32, u32) {
        let longest = self.rows.iter().map(|(name, _)| name.chars().count() as u32).max().unwrap_or(0);
        let line = |text: bool, height: u32| if text { height } else { 0 };
        let top = line(!self.title.is_empty(), TEXT + 14) + line(!self.columns.is_empty(), TEXT + 4);
        // A letter is about half as wide as high.
        let left = if longest == 0 { 0 } else { longest * TEXT * 11 / 20 + 10 };
        (MARGIN + left, MARGIN + top, MARGIN + line(!self.caption.is_empty(), TEXT + 8))
    }
}

impl Picture for Sheet {
    fn size(&self) -> (u32, u32) {
        let columns = self.rows.iter().map(|(_, pictures)| pictures.len() as u32).max().unwrap_or(0);
        let ((wide, high), gap, (left, top, bottom)) = (self.extent(), self.gap(), self.frame());
        let title = self.title.chars().count() as u32 * TEXT * 12 / 20 + 2 * MARGIN;
        let caption = self.caption.chars().count() as u32 * TEXT * 11 / 20 + 2 * MARGIN;
        let width = left + columns * (wide + gap) + MARGIN;
        (width.max(title).max(caption), top + self.rows.len() as u32 * (high + gap) + bottom)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let ((wide, high), gap, (left, top, _)) = (self.extent(), self.gap(), self.frame());
        let (width, height) = self.size();
        let style = |h, v| (FONT, TEXT).into_text_style(area).pos(Pos::new(h, v));
        let middle = (left + (width - left - MARGIN) / 2) as i32;
        if !self.title.is_empty() {
            let large = (FONT, TEXT + 3).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw_text(&self.title, &large, ((width / 2) as i32, MARGIN as i32 - 2))?;
        }
        if !self.caption.is_empty() {
            area.draw_text(&self.caption, &style(HPos::Center, VPos::Bottom), (middle, (height - MARGIN + 2) as i32))?;
        }
        for (at, name) in self.columns.iter().enumerate() {
            let x = left + at as u32 * (wide + gap) + wide / 2;
            area.draw_text(name, &style(HPos::Center, VPos::Bottom), (x as i32, top as i32 - 3))?;
        }
        let mut inlays = Vec::new();
        for (row, (name, pictures)) in self.rows.iter().enumerate() {
            let y = top + row as u32 * (high + gap);
            area.draw_text(name, &style(HPos::Right, VPos::Center), (left as i32 - 8, (y + high / 2) as i32))?;
            for (column, planes) in pictures.iter().enumerate() {
                let x = left + column as u32 * (wide + gap);
                inlays.push(Inlay::of_planes((x as i32, y as i32), (wide, high), self.picture, planes));
            }
        }
        Ok(inlays)
    }
}
