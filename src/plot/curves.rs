//! How a training went: the loss, and what was measured beside it, over the steps.

use plotters::prelude::*;
use serde::Deserialize;

use super::{Area, Drawn, FONT, Picture, class_color};

/// One line over the steps.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Step and value.
    pub points: Vec<(f64, f64)>,
}

/// Lines of one or several runs, each in a strip of its own below the one before: losses first.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// Above all.
    pub title: String,
    /// One strip for each: what the axis shows, and the lines.
    pub strips: Vec<(String, Vec<Line>)>,
}

/// What `log.jsonl` in a run's folder holds, as far as it is drawn.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Steps done.
    pub step: u64,
    /// Mean loss since the entry before.
    pub loss: f64,
    /// The score on the development set, where it was measured.
    #[serde(default)]
    pub score: Option<f64>,
    /// Parts of the loss and the like, by name.
    #[serde(default)]
    pub parts: std::collections::BTreeMap<String, f64>,
}

impl Curves {
    /// The lines of runs' logs, each run by its name. `score` names the score.
    pub fn of_runs(title: &str, score: &str, runs: &[(String, Vec<Entry>)]) -> Curves {
        let label = |run: &str, what: &str| if runs.len() == 1 { what.to_owned() } else { format!("{run}: {what}") };
        let line = |name: String, entries: &[Entry], of: &dyn Fn(&Entry) -> Option<f64>| Line {
            name,
            points: entries.iter().filter_map(|e| Some((e.step as f64, of(e)?.clamp(-MOST, MOST)))).collect(),
        };
        let mut strips: Vec<(String, Vec<Line>)> = vec![
            ("loss".to_owned(), runs.iter().map(|(run, e)| line(label(run, "loss"), e, &|e| Some(e.loss))).collect()),
            (score.to_owned(), runs.iter().map(|(run, e)| line(label(run, score), e, &|e| e.score)).collect()),
        ];
        let mut names: Vec<&String> = runs.iter().flat_map(|(_, e)| e).flat_map(|e| e.parts.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            // What is called `strip: line` shares a strip with others of that name: players of one game.
            let (strip, short) = name.split_once(": ").unwrap_or((name, name));
            let lines = runs.iter().map(|(run, e)| line(label(run, short), e, &|e| e.parts.get(name).copied()));
            match strips.iter_mut().find(|(known, _)| known == strip) {
                Some((_, known)) => known.extend(lines),
                None => strips.push((strip.to_owned(), lines.collect())),
            }
        }
        strips.retain(|(_, lines): &(String, Vec<Line>)| lines.iter().any(|line| !line.points.is_empty()));
        Curves { title: title.to_owned(), strips }
    }
}

/// What is drawn at most, since an axis over more than floats of 64 bits hold has no end.
const MOST: f64 = f32::MAX as f64;

/// Height of the title and of a strip.
const TITLE: u32 = 36;
const STRIP: u32 = 260;

impl Picture for Curves {
    fn size(&self) -> (u32, u32) {
        (900, TITLE + STRIP * self.strips.len().max(1) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let (head, body) = area.split_vertically(TITLE);
        head.draw_text(&self.title, &(FONT, 20).into_text_style(&head), (16, 10))?;
        for (strip, (name, lines)) in body.split_evenly((self.strips.len().max(1), 1)).iter().zip(&self.strips) {
            let points = || lines.iter().flat_map(|line| line.points.iter().copied());
            let last = points().map(|p| p.0).fold(1.0, f64::max);
            let (low, high) = points().fold((f64::MAX, f64::MIN), |(low, high), p| (low.min(p.1), high.max(p.1)));
            // Where all is one value, the axis needs some length about it.
            let room = ((high - low) * 0.05).max(high.abs() * 1e-9).max(1e-9);
            let mut chart = ChartBuilder::on(strip)
                .margin(8)
                .x_label_area_size(38)
                .y_label_area_size(80)
                .build_cartesian_2d(0.0..last, low - room..high + room)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .label_style((FONT, 13))
                .axis_desc_style((FONT, 15))
                .x_desc("step")
                .y_desc(name)
                .draw()?;
            for (at, line) in lines.iter().enumerate() {
                let color = class_color(at);
                chart
                    .draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(2)))?
                    .label(&line.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
                // One point makes no line.
                let alone = line.points.first().filter(|_| line.points.len() == 1);
                chart.draw_series(alone.map(|point| Circle::new(*point, 3, color.filled())))?;
            }
            if lines.len() > 1 {
                chart
                    .configure_series_labels()
                    .label_font((FONT, 13))
                    .background_style(WHITE.mix(0.8))
                    .border_style(BLACK.mix(0.3))
                    .draw()?;
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Format, render};

    fn drawn(losses: &[f64]) -> String {
        let entry = |(step, loss): (usize, &f64)| Entry {
            step: step as u64 * 100,
            loss: *loss,
            score: None,
            parts: std::collections::BTreeMap::new(),
        };
        let log = losses.iter().enumerate().map(entry).collect();
        let curves = Curves::of_runs("a run", "score", &[("run".to_owned(), log)]);
        String::from_utf8(render(&curves, Format::Svg).expect("a picture")).expect("a text")
    }

    /// The picture was empty.
    #[test]
    fn one_entry_is_a_point() {
        assert!(drawn(&[0.25]).contains("<circle"));
        assert!(!drawn(&[0.5, 0.25]).contains("<circle"));
    }

    /// The difference of two is above all floats, and it was drawn for ever.
    #[test]
    fn the_largest_losses_are_drawn() {
        assert!(drawn(&[1.7e308, -1.7e308, 0.0]).contains("<polyline"));
        assert!(drawn(&[1e300; 2]).contains("<polyline"));
    }
}
