//! Stretches of sound: the waveform, and the spectrogram below it.

use plotters::prelude::*;

use super::{Area, CLASSES, Drawn, FONT, Inlay, Picture, shade};
use crate::error::Result;
use crate::media::Audio;
use crate::media::audio::{Block, Overlap, Spectrum, Taper};

/// Columns of pixels that a stretch is drawn by.
const COLUMNS: usize = 800;
/// Samples of a spectrum, and from one to the next.
const WINDOW: usize = 1024;
const HOP: usize = WINDOW / 2;
/// Rows of a spectrogram.
const ROWS: usize = 180;
/// What is drawn darkest and brightest, in dB below a sine of full scale.
const RANGE: (f32, f32) = (-100.0, -20.0);

/// A stretch of sound as far as a picture shows it; it costs the same memory whatever its length.
#[derive(Debug, Clone)]
pub struct Strip {
    /// What stands above it.
    pub name: String,
    seconds: f64,
    rate: u32,
    /// Seconds of a column; the last may be shorter.
    step: f64,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    least: f32,
    most: f32,
    /// Power by row, from low to high.
    power: Vec<f32>,
    /// Of how many spectra that is the mean.
    count: f32,
}

impl Column {
    fn empty() -> Column {
        Column { least: f32::MAX, most: f32::MIN, power: vec![0.0; ROWS], count: 1.0 }
    }

    fn join(&mut self, other: &Column) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        // The louder of two would hide what a denoiser does; their mean shows it.
        let share = other.count / (self.count + other.count);
        self.power.iter_mut().zip(&other.power).for_each(|(a, b)| *a += share * (b - *a));
        self.count += other.count;
    }
}

impl Strip {
    /// Reads a stretch of sound to its end; channels are mixed.
    ///
    /// # Errors
    /// What reading it meets.
    pub fn of(name: &str, mut audio: Audio) -> Result<Strip> {
        let format = audio.format();
        let mut spectrum = Spectrum::new(WINDOW, HOP, (Taper::Hann, Taper::Hann), Overlap::Sum)?;
        let (mut block, mut mono) = (Block::new(format.channels), Vec::new());
        let mut strip =
            Strip { name: name.to_owned(), seconds: 0.0, rate: format.rate, step: 0.0, columns: Vec::new() };
        let (mut frames, mut each, mut within) = (0u64, 1, 0);
        loop {
            audio.read(&mut block)?;
            // What is left over at the end is shown too, however little it is.
            let enough = if block.is_empty() { 1 } else { HOP };
            frames += block.frames() as u64;
            let mix = |n: usize| block.planes().iter().map(|p| p[n]).sum::<f32>() / format.channels as f32;
            mono.extend((0..block.frames()).map(mix));
            while mono.len() >= enough {
                let taken = HOP.min(mono.len());
                let column = strip.column(&mut spectrum, &mono[..taken])?;
                mono.drain(..taken);
                match strip.columns.last_mut() {
                    Some(last) if within > 0 => last.join(&column),
                    _ => strip.columns.push(column),
                }
                within = (within + 1) % each;
                if within == 0 && strip.columns.len() >= 2 * COLUMNS {
                    strip.halve();
                    each *= 2;
                }
            }
            if block.is_empty() {
                strip.seconds = frames as f64 / f64::from(format.rate);
                strip.step = (each * HOP) as f64 / f64::from(format.rate);
                return Ok(strip);
            }
        }
    }

    fn column(&self, spectrum: &mut Spectrum, samples: &[f32]) -> Result<Column> {
        let mut hop = [0.0; HOP];
        hop[..samples.len()].copy_from_slice(samples);
        spectrum.push(&hop);
        spectrum.transform()?;
        let mut column = Column::empty();
        for v in samples {
            column.least = column.least.min(*v);
            column.most = column.most.max(*v);
        }
        // A sine of full scale gives WINDOW / 4 in its bin, by the window's own sum.
        let full = WINDOW as f32 / 4.0;
        let bins = spectrum.bins.len() - 1;
        for (row, power) in column.power.iter_mut().enumerate() {
            let (from, to) = (row * bins / ROWS, ((row + 1) * bins / ROWS).max(row * bins / ROWS + 1));
            *power = spectrum.bins[from..to].iter().map(|bin| bin.norm_sqr()).fold(0.0, f32::max) / (full * full);
        }
        Ok(column)
    }

    fn halve(&mut self) {
        let joined = self.columns.chunks(2).map(|pair| {
            let mut column = pair[0].clone();
            pair.iter().skip(1).for_each(|other| column.join(other));
            column
        });
        self.columns = joined.collect();
    }
}

/// Stretches of sound, one below the other.
#[derive(Debug, Clone)]
pub struct Sounds(pub Vec<Strip>);

const WIDTH: u32 = 900;
const NAME: u32 = 26;
const WAVE: u32 = 90;
const HEIGHT: u32 = NAME + WAVE + ROWS as u32 + 50;

/// From this length on, in seconds, time is told in minutes.
const LONG: f64 = 180.0;

/// Minutes as people write them.
fn minutes(minutes: &f64) -> String {
    let seconds = (minutes * 60.0).round() as i64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

impl Picture for Sounds {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT * self.0.len().max(1) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let mut inlays = Vec::new();
        for (part, strip) in area.split_evenly((self.0.len().max(1), 1)).iter().zip(&self.0) {
            let (head, body) = part.split_vertically(NAME);
            head.draw_text(&strip.name, &(FONT, 18).into_text_style(&head), (14, 6))?;
            let (wave, below) = body.split_vertically(WAVE);
            let seconds = strip.seconds.max(1e-3);
            let long = seconds >= LONG;
            let unit = if long { 60.0 } else { 1.0 };
            let peak = strip.columns.iter().fold(0.05f32, |p, c| p.max(c.most.abs()).max(c.least.abs()));
            let mut chart = ChartBuilder::on(&wave)
                .margin_left(12)
                .margin_right(20)
                .set_label_area_size(LabelAreaPosition::Left, 60)
                .build_cartesian_2d(0.0..seconds, -peak..peak)?;
            chart.configure_mesh().disable_mesh().y_labels(3).label_style((FONT, 12)).draw()?;
            chart.draw_series(strip.columns.iter().enumerate().map(|(n, c)| {
                let (from, to) = (n as f64 * strip.step, (n + 1) as f64 * strip.step);
                Rectangle::new([(from, c.least), (to.min(strip.seconds), c.most)], CLASSES[0].filled())
            }))?;
            let mut chart = ChartBuilder::on(&below)
                .margin_left(12)
                .margin_right(20)
                .margin_top(6)
                .set_label_area_size(LabelAreaPosition::Left, 60)
                .set_label_area_size(LabelAreaPosition::Bottom, 38)
                .build_cartesian_2d(0.0..seconds / unit, 0.0..f64::from(strip.rate) / 2000.0)?;
            let in_minutes = minutes;
            let mut mesh = chart.configure_mesh();
            mesh.disable_mesh().y_desc("kHz").y_labels(6).axis_desc_style((FONT, 13)).label_style((FONT, 12));
            match long {
                true => mesh.x_desc("minutes").x_label_formatter(&in_minutes),
                false => mesh.x_desc("seconds"),
            };
            mesh.draw()?;
            let (x, y) = chart.plotting_area().get_pixel_range();
            let extent = ((x.end - x.start).max(1) as u32, (y.end - y.start).max(1) as u32);
            inlays.push(strip.spectrogram((x.start, y.start), extent, seconds));
        }
        Ok(inlays)
    }
}

impl Strip {
    /// `seconds` from left to right, a column of its own for each pixel: those of the strip seldom end where the sound does.
    fn spectrogram(&self, at: (i32, i32), extent: (u32, u32), seconds: f64) -> Inlay {
        let wide = extent.0 as usize;
        let shown = |x: usize| {
            let time = (x as f64 + 0.5) / wide as f64 * seconds;
            self.columns.get((time / self.step) as usize).filter(|_| time < self.seconds)
        };
        let mut rgb = Vec::with_capacity(wide * ROWS * 3);
        for row in (0..ROWS).rev() {
            for x in 0..wide {
                let power = shown(x).map_or(0.0, |c| c.power[row]);
                let level = 10.0 * power.max(1e-20).log10();
                let RGBColor(r, g, b) = shade((level - RANGE.0) / (RANGE.1 - RANGE.0));
                rgb.extend([r, g, b]);
            }
        }
        Inlay { at, extent, size: (wide, ROWS), rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::audio::{Depth, Memory};

    fn strip(rate: u32, samples: Vec<f32>) -> Strip {
        let sound = Memory::new(rate, Block::from_planes(vec![samples]));
        Strip::of("sound", Audio::new(sound, Depth::Float)).unwrap()
    }

    /// Up to 511 samples at the end were not drawn, and short clips looked silent.
    #[test]
    fn every_sample_is_shown() {
        for frames in [1, 3, HOP - 1, HOP, HOP + 1, 3 * WINDOW + 77, 2 * COLUMNS * HOP + 5] {
            let mut samples = vec![0.0; frames];
            samples[frames - 1] = 0.75;
            let strip = strip(48_000, samples);
            assert_eq!(strip.columns.last().unwrap().most, 0.75, "{frames} frames");
            assert!(strip.columns.iter().rev().skip(1).all(|column| column.most == 0.0), "{frames} frames");
        }
    }

    /// The axis of ten minutes went to 600 seconds.
    #[test]
    fn long_sounds_are_told_in_minutes() {
        let drawn = |seconds: f64| {
            let sound = Strip { seconds, step: seconds / 9.0, ..strip(48_000, vec![0.1; 9 * HOP]) };
            let svg = crate::plot::render(&Sounds(vec![sound]), crate::plot::Format::Svg).unwrap();
            let svg = String::from_utf8(svg).unwrap();
            ["minutes", "seconds", "5:00"].map(|word| svg.lines().any(|line| line.trim() == word))
        };
        assert_eq!(drawn(600.0), [true, false, true]);
        assert_eq!(drawn(179.0), [false, true, false]);
        assert_eq!([0.2, 1.5, 61.0].map(|time| minutes(&time)), ["0:12", "1:30", "61:00"]);
    }

    /// All columns were drawn as wide as one another over the whole length, whatever the last one held.
    #[test]
    fn a_sound_is_drawn_when_it_sounds() {
        // Silence up to 8 in 9 of the length, where the last column begins, which is but an eighth full.
        let mut samples = vec![0.0; HOP];
        samples.extend((0..HOP / 8).map(|n| (n as f32 * 0.5).sin()));
        let strip = strip(48_000, samples);
        assert!((strip.step * 9.0 / 8.0 - strip.seconds).abs() < 1e-9, "{} {}", strip.step, strip.seconds);
        let Inlay { rgb, size: (wide, rows), .. } = strip.spectrogram((0, 0), (90, 1), strip.seconds);
        let dark = |x: usize| (0..rows).all(|row| rgb[(row * wide + x) * 3..][..3] == rgb[..3]);
        assert!((0..79).all(dark) && (81..90).all(|x| !dark(x)));
    }

    /// The last of many counted as much as all before it.
    #[test]
    fn a_column_is_the_mean_of_all_that_it_joins() {
        let of = |power: f32| Column { power: vec![power; ROWS], ..Column::empty() };
        let mut column = of(3.0);
        [0.0, 0.0, 9.0].map(of).iter().for_each(|other| column.join(other));
        let mut pair = of(0.0);
        pair.join(&of(6.0));
        column.join(&pair);
        assert!(column.power.iter().all(|power| (power - 3.0).abs() < 1e-6), "{}", column.power[0]);
    }
}
