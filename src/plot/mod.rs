//! Pictures of data: a [`Picture`] is drawn once and comes out as PNG or SVG. One file a picture.
//!
//! Letters are drawn from a font that the program carries. Colours are told apart by colour-blind eyes too: [`CLASSES`] are
//! Paul Tol's "muted" scheme (2021, "Colour schemes", SRON technical note), and [`shade`] is viridis.

pub mod components;
pub mod curves;
pub mod manifold;
pub mod pair;
pub mod piano_roll;
pub mod scatter;
pub mod sheet;
pub mod sound;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result};

/// The family that all text is set in.
pub const FONT: &str = "sans-serif";

/// Colours of classes and lines; where there are more classes, they begin anew.
pub const CLASSES: [RGBColor; 10] = [
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0xcc, 0x66, 0x77),
    RGBColor(0x11, 0x77, 0x33),
    RGBColor(0xdd, 0xcc, 0x77),
    RGBColor(0x88, 0xcc, 0xee),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x44, 0xaa, 0x99),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0xaa, 0x44, 0x99),
    RGBColor(0x77, 0x77, 0x77),
];

/// The colour of class `index`.
pub fn class_color(index: usize) -> RGBColor {
    CLASSES[index % CLASSES.len()]
}

/// The colour of a value of 0..=1: viridis, from dark blue to yellow.
pub fn shade(value: f32) -> RGBColor {
    let clean = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    ViridisRGB.get_color(clean)
}

/// The canvas, or a part of it.
pub type Area<B> = DrawingArea<B, Shift>;

/// What drawing gives: pictures to be laid over the canvas, or what went wrong.
pub type Drawn<B> = std::result::Result<Vec<Inlay>, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Something that can be drawn.
pub trait Picture {
    /// Width and height of the canvas in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws onto a white canvas of that size. Pixel pictures (digits, spectrograms) are returned as inlays, which SVG holds as pictures rather
    /// than as thousands of squares.
    ///
    /// # Errors
    /// What the backend says.
    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B>;
}

/// A pixel picture laid over the canvas, without smoothing when it is enlarged.
#[derive(Debug, Clone, PartialEq)]
pub struct Inlay {
    /// Left and top on the canvas, in pixels.
    pub at: (i32, i32),
    /// Width and height on the canvas, in pixels.
    pub extent: (u32, u32),
    /// Columns and rows of its own.
    pub size: (usize, usize),
    /// `columns * rows * 3` values.
    pub rgb: Vec<u8>,
}

impl Inlay {
    /// Planes of 0..=1, 1 (gray) or 3, each `size.0 * size.1` values.
    pub fn of_planes(at: (i32, i32), extent: (u32, u32), size: (usize, usize), planes: &[f32]) -> Inlay {
        let plane = size.0 * size.1;
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let channels = (planes.len() / plane.max(1)).max(1);
        let rgb =
            (0..plane * 3).map(|i| planes.get(i % 3 % channels * plane + i / 3).copied().map_or(0, byte)).collect();
        Inlay { at, extent, size, rgb }
    }
}

/// The formats that pictures are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Pixels.
    Png,
    /// Lines and letters.
    Svg,
}

impl Format {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// Kind usage: another ending.
    pub fn from_extension(path: &Path) -> Result<Format> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("png") => Ok(Format::Png),
            Some("svg") => Ok(Format::Svg),
            _ => Err(Error::new(Kind::Usage, "plots are written as .png or .svg")
                .at(path)
                .mend("end the name in one of them")),
        }
    }
}

/// Draws a picture into a file, in the format that its ending tells; a file that is there is replaced, whole or not at all.
///
/// # Errors
/// Kind usage: another ending, or a picture larger than [`MOST_PIXELS`]. Kind output or transient: it cannot be written.
pub fn write(picture: &impl Picture, path: &Path) -> Result<()> {
    publish(picture, path, Collision::Replace).map(drop)
}

/// [`write`], with a choice of what becomes of a file that is there; tells the name that the picture got.
///
/// # Errors
/// As for [`write`].
pub fn publish(picture: &impl Picture, path: &Path, collision: Collision) -> Result<PathBuf> {
    let bytes = render(picture, Format::from_extension(path)?)?;
    let draft = Draft::new(path)?.fill(|out| out.write_all(&bytes).map_err(|e| Error::io("write", path, e)))?;
    draft.publish(collision)
}

/// The most pixels of a canvas; with three bytes each they are held in memory.
pub const MOST_PIXELS: u64 = 250_000_000;

/// Refuses a canvas that would cost gigabytes by itself.
///
/// # Errors
/// Kind usage: it is larger than [`MOST_PIXELS`].
pub fn check_size((width, height): (u32, u32)) -> Result<()> {
    if u64::from(width) * u64::from(height) <= MOST_PIXELS {
        return Ok(());
    }
    let what =
        format!("the plot would be {width} x {height} pixels; the limit is {} megapixels", MOST_PIXELS / 1_000_000);
    Err(Error::new(Kind::Usage, what).mend("show less in it, or show it smaller, as by `--zoom 1`"))
}

/// Draws a picture, as the bytes of a file.
///
/// # Errors
/// Kind usage: the picture is larger than [`MOST_PIXELS`]. Kind bug: it cannot be drawn.
pub fn render(picture: &impl Picture, format: Format) -> Result<Vec<u8>> {
    check_size(picture.size())?;
    load_font();
    let (width, height) = picture.size();
    match format {
        Format::Png => {
            let mut pixels = vec![0; width as usize * height as usize * 3];
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            let inlays = draw(picture, &area)?;
            drop(area);
            inlays.iter().for_each(|inlay| inlay.paste(&mut pixels, (width, height)));
            png((width, height), &pixels)
        }
        Format::Svg => {
            let mut text = String::new();
            let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
            let inlays = draw(picture, &area)?;
            drop(area);
            let elements = inlays.iter().map(Inlay::svg).collect::<Result<String>>()?;
            let end = text.rfind("</svg>").unwrap_or(text.len());
            text.insert_str(end, &elements);
            Ok(text.into_bytes())
        }
    }
}

fn load_font() {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        for style in [FontStyle::Normal, FontStyle::Bold] {
            // The font is one of ours, and tested.
            let _ = register_font(FONT, style, include_bytes!("fonts/roboto.ttf"));
        }
    });
}

fn draw<B: DrawingBackend>(picture: &impl Picture, area: &Area<B>) -> Result<Vec<Inlay>> {
    let drawn = || {
        area.fill(&WHITE)?;
        let inlays = picture.draw(area)?;
        area.present()?;
        Ok(inlays)
    };
    drawn().map_err(|e: DrawingAreaErrorKind<B::ErrorType>| undrawn(&e))
}

fn undrawn(cause: &impl std::fmt::Display) -> Error {
    Error::new(Kind::Bug, "a plot cannot be drawn").because(cause.to_string())
}

/// Writes a line in black letters, `letters` pixels high, onto whole rows of RGB of `width` pixels, a quarter of that below the first; from pixel `left`
/// on, and cut where it would be wider than `room` pixels.
fn write_line(rows: &mut [u8], width: usize, text: &str, letters: u32, (left, room): (usize, usize)) -> Result<()> {
    let lines = rows.len() / (3 * width).max(1);
    let (Ok(columns), Ok(lines), Ok(left)) = (u32::try_from(width), u32::try_from(lines), i32::try_from(left)) else {
        return Ok(());
    };
    // The backend counts pixels in 32 bits; a canvas beyond that is millions wide, and its letters could not be found.
    if columns.checked_mul(lines).is_none_or(|pixels| pixels == 0) {
        return Ok(());
    }
    load_font();
    let text = fitting(text, letters, room);
    let area = BitMapBackend::with_buffer(rows, (columns, lines)).into_drawing_area();
    let style = (FONT, letters).into_text_style(&area);
    area.draw_text(&text, &style, (left, (letters / 4) as i32)).map_err(|e| undrawn(&e))
}

/// As much of a text as fits into `room` pixels, once the font is loaded.
fn fitting(text: &str, letters: u32, room: usize) -> String {
    let fits = |text: &str| {
        let size = (FONT, letters).into_font().box_size(text);
        size.is_ok_and(|(width, _)| width as usize <= room)
    };
    if fits(text) {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let cut: String = kept.iter().chain(&['…']).collect();
        if fits(&cut) {
            return cut;
        }
    }
    String::new()
}

fn png((width, height): (u32, u32), rgb: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(rgb)?;
        writer.finish()
    });
    written.map_err(|e| Error::new(Kind::Bug, "a plot cannot be written as PNG").because(e))?;
    Ok(bytes)
}

impl Inlay {
    fn paste(&self, canvas: &mut [u8], (width, height): (u32, u32)) {
        let ((left, top), (wide, high), (columns, rows)) = (self.at, self.extent, self.size);
        if columns == 0 || rows == 0 {
            return;
        }
        for y in 0..high {
            for x in 0..wide {
                let (cx, cy) = (left + x as i32, top + y as i32);
                if cx < 0 || cy < 0 || cx >= width as i32 || cy >= height as i32 {
                    continue;
                }
                let (u, v) = (x as usize * columns / wide as usize, y as usize * rows / high as usize);
                let (from, to) = ((v * columns + u) * 3, (cy as usize * width as usize + cx as usize) * 3);
                canvas[to..to + 3].copy_from_slice(&self.rgb[from..from + 3]);
            }
        }
    }

    fn svg(&self) -> Result<String> {
        let bytes = png((self.size.0 as u32, self.size.1 as u32), &self.rgb)?;
        let ((x, y), (width, height)) = (self.at, self.extent);
        let data = BASE64.encode(bytes);
        Ok(format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Picture for Sample {
        fn size(&self) -> (u32, u32) {
            (200, 120)
        }

        fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
            let mut chart = ChartBuilder::on(area)
                .margin(5)
                .x_label_area_size(30)
                .y_label_area_size(30)
                .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
            chart.configure_mesh().x_desc("σ").y_desc("share").draw()?;
            Ok(vec![Inlay::of_planes((150, 10), (40, 40), (2, 2), &[0.0, 1.0, 1.0, 0.0])])
        }
    }

    #[test]
    fn letters_are_drawn_without_any_font_installed() {
        let png = render(&Sample, Format::Png).unwrap();
        let picture = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (200, 120));
        // The labels below the axis: gray and black pixels where nothing else draws.
        let ink = |x: u32, y: u32| picture.get_pixel(x, y).0[0] < 128;
        assert!((100..120).any(|y| (0..200).any(|x| ink(x, y))));
        assert_eq!((picture.get_pixel(155, 15).0, picture.get_pixel(185, 15).0), ([0; 3], [255; 3]));
    }

    #[test]
    fn pixel_pictures_stay_pictures_in_svg() {
        let svg = String::from_utf8(render(&Sample, Format::Svg).unwrap()).unwrap();
        assert!(svg.contains("<image x=\"150\"") && svg.contains("σ") && svg.trim_end().ends_with("</svg>"));
    }
}
