use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::log::Entry;

/// Draws loss (logarithmic, left) and the score on the development set (right, `score` is its name and unit) over the steps as `loss.svg` in the run's folder.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(run: &Path, title: &str, score: (&str, &str), entries: &[Entry]) -> Result<()> {
    let losses: Vec<(f64, f64)> = entries.iter().map(|e| (e.step as f64, e.loss.max(1e-9))).collect();
    let scores: Vec<(f64, f64)> = entries.iter().filter_map(|e| Some((e.step as f64, e.score?))).collect();
    let Some(&(last, _)) = losses.last() else { return Ok(()) };
    let path = run.join("loss.svg");
    plot(&path, title, score, last, &losses, &scores)
        .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

fn plot(
    path: &Path,
    title: &str,
    (name, unit): (&str, &str),
    last: f64,
    losses: &[(f64, f64)],
    scores: &[(f64, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let (low, high) = range(losses);
    let (worst, best) = if scores.is_empty() { (0.0, 1.0) } else { range(scores) };
    let canvas = SVGBackend::new(path, (900, 500)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 60)
        .set_label_area_size(LabelAreaPosition::Right, 50)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .build_cartesian_2d(0.0..last.max(1.0), (low * 0.95..high * 1.05).log_scale())?
        .set_secondary_coord(0.0..last.max(1.0), worst - 0.2..best + 0.2);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(1)
        .x_desc("step")
        .y_desc("loss")
        .y_label_formatter(&|v| format!("{v:.3e}"))
        .draw()?;
    chart.configure_secondary_axes().y_desc(format!("{name} on the development set, {unit}")).draw()?;
    chart
        .draw_series(LineSeries::new(losses.iter().copied(), RGBColor(0, 114, 178)))?
        .label("loss")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], RGBColor(0, 114, 178)));
    chart
        .draw_secondary_series(LineSeries::new(scores.iter().copied(), RGBColor(213, 94, 0)))?
        .label(name)
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], RGBColor(213, 94, 0)));
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    canvas.present()?;
    Ok(())
}

fn range(points: &[(f64, f64)]) -> (f64, f64) {
    points.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, v)| (low.min(*v), high.max(*v)))
}
