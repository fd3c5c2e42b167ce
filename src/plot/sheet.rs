//! Rows of small pictures with a name for each row: originals above reconstructions, samples, walks through a latent space.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, Drawn, FONT, Inlay, Picture, check_size};
use crate::error::Result;

/// Pixels between pictures.
const GAP: u32 = 4;
/// Height of letters; on a wide sheet, which is looked at from farther away, a hundredth of it.
const TEXT: u32 = 16;
const LARGEST_TEXT: u32 = 64;
const SHARE: u32 = 100;
/// Pixels around everything.
const MARGIN: u32 = 12;

/// How wide a sheet is made at most, in pixels, where nobody asks for more.
pub const WIDEST: u32 = 2400;

/// How wide each of so many pictures in a row may be, in pixels, so that a sheet is no wider than [`WIDEST`] with these names beside its rows.
pub fn widest(names: &[String], columns: usize) -> usize {
    let longest = names.iter().map(|name| letters(name)).max().unwrap_or(0);
    // However long they are, half is left for the pictures.
    let beside = (beside(longest, WIDEST / SHARE) + 2 * MARGIN).min(WIDEST / 2);
    ((WIDEST - beside) as usize / columns.max(1)).saturating_sub(GAP as usize)
}

/// Pixels for names of so many letters.
fn beside(longest: u32, text: u32) -> u32 {
    // A letter is about half as wide as high.
    if longest == 0 { 0 } else { longest.saturating_mul(text * 11) / 20 + 10 }
}

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
    /// Refuses a sheet of so many rows and columns of pictures before they are made.
    ///
    /// # Errors
    /// Kind usage: it would be larger than can be drawn.
    pub fn check(&self, rows: usize, columns: usize) -> Result<()> {
        check_size(self.size_of(rows, columns))
    }

    fn extent(&self) -> (u32, u32) {
        let side = |pixels: usize| short(pixels).saturating_mul(self.zoom);
        (side(self.picture.0), side(self.picture.1))
    }

    /// Width and height with so many rows and columns, as far as they are known. What cannot be counted is too large in any case.
    fn size_of(&self, rows: usize, columns: usize) -> (u32, u32) {
        let ((wide, high), gap, size) = (self.extent(), self.gap(), self.text(columns));
        let (left, top, bottom) = self.frame(size);
        let all = |count: usize, side: u32| short(count).saturating_mul(side.saturating_add(gap));
        let line = |text: &str, twentieths: u32| letters(text).saturating_mul(size * twentieths) / 20;
        let text = line(&self.title, 12).max(line(&self.caption, 11)).saturating_add(2 * MARGIN);
        let width = all(columns, wide).saturating_add(left + MARGIN);
        (width.max(text), all(rows, high).saturating_add(top + bottom))
    }

    fn gap(&self) -> u32 {
        if self.seamless { 0 } else { GAP }
    }

    /// Height of letters with so many columns.
    fn text(&self, columns: usize) -> u32 {
        (short(columns).saturating_mul(self.extent().0.saturating_add(self.gap())) / SHARE).clamp(TEXT, LARGEST_TEXT)
    }

    /// Left of the pictures, above them and below them, with letters of this height.
    fn frame(&self, text: u32) -> (u32, u32, u32) {
        let longest = self.rows.iter().map(|(name, _)| letters(name)).max().unwrap_or(0);
        let line = |is_there: bool, height: u32| if is_there { height } else { 0 };
        let top = line(!self.title.is_empty(), text + 14) + line(!self.columns.is_empty(), text + 4);
        (MARGIN + beside(longest, text), MARGIN + top, MARGIN + line(!self.caption.is_empty(), text + 8))
    }

    /// Pictures of the longest row.
    fn across(&self) -> usize {
        self.rows.iter().map(|(_, pictures)| pictures.len()).max().unwrap_or(0)
    }
}

fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn letters(text: &str) -> u32 {
    short(text.chars().count())
}

impl Picture for Sheet {
    fn size(&self) -> (u32, u32) {
        self.size_of(self.rows.len(), self.across())
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let ((wide, high), gap, text) = (self.extent(), self.gap(), self.text(self.across()));
        let ((left, top, _), (width, height)) = (self.frame(text), self.size());
        let style = |h, v| (FONT, text).into_text_style(area).pos(Pos::new(h, v));
        let middle = (left + (width - left - MARGIN) / 2) as i32;
        if !self.title.is_empty() {
            let large = (FONT, text + 3).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(columns: usize, picture: (usize, usize), zoom: u32) -> Sheet {
        let rows = ["before", "after"].map(|name| (name.to_owned(), vec![Vec::new(); columns]));
        Sheet { rows: rows.to_vec(), picture, zoom, ..Sheet::default() }
    }

    /// Names of rows were 10 pixels high on sheets of 12,000.
    #[test]
    fn letters_grow_with_a_sheet_and_digits_stay_as_they_were() {
        assert_eq!(sheet(12, (28, 28), 2).text(12), TEXT);
        assert_eq!(sheet(5, (450, 250), 1).text(5), 22);
        assert!(sheet(12, (1000, 600), 2).text(12) == LARGEST_TEXT);
    }

    #[test]
    fn pictures_as_wide_as_may_be_make_a_sheet_that_is_no_wider_than_is_told() {
        let names = ["before", "after"].map(str::to_owned);
        for columns in [1, 2, 5, 7, 12] {
            let wide = widest(&names, columns);
            let (width, _) = sheet(columns, (wide, 100), 1).size();
            assert!((WIDEST - 100..=WIDEST).contains(&width), "{columns} columns: {width}");
        }
        assert!(widest(&["x".repeat(500)], 1) >= 1000);
    }
}
