//! Plots of figures, as SVG.

use std::fmt::Write as _;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::summary::Estimate;
use crate::table::{Cell, figure};

/// The size of a picture in pixels.
const SIZE: (u32, u32) = (760, 440);

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// The place on the horizontal axis.
    x: f64,
    /// The figure, with its interval.
    y: Estimate,
}

/// A line that connects points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    name: String,
    points: Vec<Point>,
}

/// One axis.
#[derive(Clone, Debug, Default, PartialEq)]
struct Axis {
    label: String,
    logarithmic: bool,
}

/// A plot of a report, which is written as an SVG file and as a part of the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    name: String,
    title: String,
    x: Axis,
    y: Axis,
    lines: Vec<Line>,
}

impl Plot {
    /// Creates a plot without lines. `name` is the name of its file, without an extension; `x` and
    /// `y` are the labels of the axes, with their units.
    pub fn new(name: &str, title: &str, x: &str, y: &str) -> Self {
        let axis = |label: &str| Axis { label: label.into(), logarithmic: false };
        Self { name: name.into(), title: title.into(), x: axis(x), y: axis(y), lines: Vec::new() }
    }

    /// Makes the horizontal axis logarithmic. A zero is drawn at its lower end.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.x.logarithmic = true;
        self
    }

    /// Makes the vertical axis logarithmic. A zero is drawn at its lower end.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.y.logarithmic = true;
        self
    }

    /// Adds a line, unless it has no points.
    pub fn line(&mut self, name: &str, points: impl IntoIterator<Item = (f64, Estimate)>) {
        let points: Vec<Point> = points.into_iter().map(|(x, y)| Point { x, y }).collect();
        if !points.is_empty() {
            self.lines.push(Line { name: name.into(), points });
        }
    }

    /// The name of its file, without an extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the plot as SVG. Each point has an invisible circle with its numbers as text, which
    /// browsers show.
    ///
    /// # Errors
    ///
    /// There are no lines, or drawing fails.
    pub fn svg(&self) -> Result<String, DrawError> {
        if self.lines.is_empty() {
            return Err(DrawError::Empty(self.name.clone()));
        }
        let mut text = String::new();
        let drawn = self.draw(&mut text);
        let at = drawn.map_err(|error| DrawError::Failed(self.name.clone(), error.to_string()))?;
        let end = text.rfind("</svg>").unwrap_or(text.len());
        text.insert_str(end, &self.marks(&at));
        Ok(text)
    }

    /// Draws the plot, and returns the place of each point in pixels.
    fn draw(&self, text: &mut String) -> Result<Vec<(i32, i32)>, Box<dyn std::error::Error>> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let xs = Scale::new(&self.x, points().map(|it| it.x));
        let ys = Scale::new(&self.y, points().flat_map(|it| [it.y.low, it.y.value, it.y.high]));
        let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 17))
            .margin(12)
            .margin_right(24)
            .x_label_area_size(40)
            .y_label_area_size(74)
            .build_cartesian_2d(xs, ys)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .light_line_style(TRANSPARENT)
            .draw()?;
        let mut marks = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let color = Palette99::pick(at).to_rgba();
            let place = |it: &Point| (it.x, it.y.value);
            let bars = line
                .points
                .iter()
                .map(|it| PathElement::new([(it.x, it.y.low), (it.x, it.y.high)], color));
            chart.draw_series(bars)?;
            chart.draw_series(
                line.points.iter().map(|it| Circle::new(place(it), 2, color.filled())),
            )?;
            chart
                .draw_series(LineSeries::new(line.points.iter().map(place), color.stroke_width(2)))?
                .label(&line.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2))
                });
            marks.extend(line.points.iter().map(|it| chart.backend_coord(&place(it))));
        }
        chart
            .configure_series_labels()
            .border_style(BLACK.mix(0.4))
            .background_style(WHITE.mix(0.85))
            .draw()?;
        root.present()?;
        Ok(marks)
    }

    /// The invisible circles with the numbers of each point.
    fn marks(&self, at: &[(i32, i32)]) -> String {
        let points =
            self.lines.iter().flat_map(|line| line.points.iter().map(move |it| (line, it)));
        let mut text = String::new();
        for ((line, point), (x, y)) in points.zip(at) {
            let (name, shown) = (escaped(&line.name), Cell::from(point.y).shown());
            let where_ = figure(point.x);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                r#"<circle class="mark" cx="{x}" cy="{y}" r="7" fill="none" pointer-events="all"><title>{name}: {shown} at {where_}</title></circle>"#
            );
        }
        text
    }
}

/// Why a plot cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// The plot of this name has no lines.
    #[error("{0}: nothing to draw")]
    Empty(String),
    /// The library that draws has failed on the plot of this name, for this reason.
    #[error("{0}: {1}")]
    Failed(String, String),
}

/// The places of numbers on an axis, by the numbers themselves or by their logarithms.
#[derive(Clone, Debug)]
struct Scale {
    logarithmic: bool,
    low: f64,
    high: f64,
}

impl Scale {
    fn new(axis: &Axis, numbers: impl Iterator<Item = f64>) -> Self {
        let logarithmic = axis.logarithmic;
        let numbers: Vec<f64> = numbers
            .filter(|it| it.is_finite() && (!logarithmic || *it > 0.0))
            .map(|it| if logarithmic { it.log10() } else { it })
            .collect();
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !low.is_finite() {
            return Self { logarithmic, low: 0.0, high: 1.0 };
        }
        if logarithmic {
            let low = low - 0.1;
            return Self { logarithmic, low, high: (high + 0.1).max(low + 1.0) };
        }
        // The axis begins at zero, so that heights can be compared.
        let low = low.min(0.0);
        let high = if high > low { high + (high - low) * 0.05 } else { low + 1.0 };
        Self { logarithmic, low, high }
    }

    /// The round numbers within the axis.
    fn rounds(&self) -> Vec<f64> {
        let rounds: Vec<f64> = if self.logarithmic {
            let decades = self.low.floor() as i32..=self.high.ceil() as i32;
            let few = self.high - self.low > 3.0;
            let factors: &[f64] = if few { &[1.0] } else { &[1.0, 2.0, 5.0] };
            decades.flat_map(|at| factors.iter().map(move |it| it * 10_f64.powi(at))).collect()
        } else {
            let rough = (self.high - self.low) / 8.0;
            let decade = 10_f64.powf(rough.log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|it| it * decade);
            let step = steps.into_iter().find(|it| *it >= rough).unwrap_or(rough);
            let first = (self.low / step).ceil() as i64;
            (first..=(self.high / step).floor() as i64).map(|at| at as f64 * step).collect()
        };
        let within = |it: &f64| (self.low..=self.high).contains(&self.place(*it));
        rounds.into_iter().filter(within).collect()
    }

    fn place(&self, number: f64) -> f64 {
        if self.logarithmic { number.max(f64::MIN_POSITIVE).log10() } else { number }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// The pixel at which a number is drawn; a number beyond the axis is drawn at its end.
    fn map(&self, number: &f64, (from, to): (i32, i32)) -> i32 {
        let share =
            (self.place(*number).clamp(self.low, self.high) - self.low) / (self.high - self.low);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.rounds()
    }

    fn range(&self) -> std::ops::Range<f64> {
        let value = |at: f64| if self.logarithmic { 10_f64.powf(at) } else { at };
        value(self.low)..value(self.high)
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(number: &f64) -> String {
        figure(*number)
    }
}

/// Escapes a text for use in HTML or SVG.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
