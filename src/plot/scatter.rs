//! Points of a latent space in the plane, in colours by class.

use plotters::prelude::*;

use super::{Area, Drawn, FONT, Picture, class_color};

/// A scatter plot.
#[derive(Debug, Clone, Default)]
pub struct Scatter {
    /// Above all.
    pub title: String,
    /// What the axes are.
    pub axes: (String, String),
    /// Points.
    pub points: Vec<(f32, f32)>,
    /// The class of each point, an index into `names`; empty where classes are not known.
    pub classes: Vec<usize>,
    /// Names of the classes.
    pub names: Vec<String>,
}

impl Picture for Scatter {
    fn size(&self) -> (u32, u32) {
        (if self.names.is_empty() { 760 } else { 880 }, 760)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let (width, height) = self.size();
        let legend = if self.names.is_empty() { 0 } else { 120 };
        let (plot, side) = area.split_horizontally(width - legend);
        let (x, y) = (range(self.points.iter().map(|p| p.0)), range(self.points.iter().map(|p| p.1)));
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, (FONT, 20))
            .margin(12)
            .x_label_area_size(45)
            .y_label_area_size(60)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.1))
            .label_style((FONT, 14))
            .axis_desc_style((FONT, 16))
            .x_desc(&self.axes.0)
            .y_desc(&self.axes.1)
            .draw()?;
        let radius = if self.points.len() > 2000 { 2 } else { 3 };
        chart.draw_series(self.points.iter().enumerate().map(|(at, &(x, y))| {
            let class = self.classes.get(at).copied().unwrap_or(0);
            Circle::new((f64::from(x), f64::from(y)), radius, class_color(class).mix(0.75).filled())
        }))?;
        for (class, name) in self.names.iter().enumerate().take((height as usize - 60) / 24) {
            let y = 60 + class as i32 * 24;
            side.draw(&Circle::new((8, y), 6, class_color(class).filled()))?;
            side.draw_text(name, &(FONT, 16).into_text_style(&side), (22, y - 8))?;
        }
        Ok(Vec::new())
    }
}

/// From the least to the greatest value, with some room.
fn range(values: impl Iterator<Item = f32>) -> std::ops::Range<f64> {
    let finite = values.filter(|v| v.is_finite()).map(f64::from);
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return -1.0..1.0;
    }
    let room = ((high - low) * 0.03).max(1e-6);
    low - room..high + room
}
