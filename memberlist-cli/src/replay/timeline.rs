//! `--timeline`: draws the life of a node as a picture.

use std::ops::Range;
use std::path::Path;

use memberlist_proto::State;
use memberlist_record::explain::Timeline;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::open::{Chronicles, Opened};
use crate::failure::Failure;
use crate::stderr;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

const WIDTH: u32 = 1000;
const LABELS: u32 = 110;
const TITLE: u32 = 40;
/// The height of the row of one member in pixels, and the most rows.
const ROW: u32 = 22;
const ROWS_MAX: u32 = 100;
/// The height of each other part in pixels.
const PART: u32 = 150;

pub(super) fn run(opened: &Opened, file: &Path) -> Result<(), Failure> {
    let chronicles = Chronicles::read(std::slice::from_ref(opened))?;
    let timeline = Timeline::of(&chronicles.all[0]);
    draw(&timeline, file)
        .map_err(|error| Failure::failed(format_args!("{}: {error}", file.display())))?;
    let left = timeline.members.len().saturating_sub(ROWS_MAX as usize);
    if left > 0 {
        stderr::say(format_args!(
            "the picture has the first {ROWS_MAX} members, {left} are left out"
        ));
    }
    chronicles.verified()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn color(state: State) -> RGBColor {
    match state {
        State::Alive => RGBColor(76, 153, 90),
        State::Suspect => RGBColor(230, 159, 0),
        State::Dead => RGBColor(204, 61, 51),
        State::Left => RGBColor(150, 150, 150),
    }
}

fn draw(timeline: &Timeline, file: &Path) -> Drawn {
    let rows = timeline.members.len().clamp(1, ROWS_MAX as usize) as u32;
    let members = 2 * ROW + rows * ROW + ROW;
    let size = (WIDTH, TITLE + members + 3 * PART + ROW);
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("{}: what it knew, and how it was", timeline.node);
    root.draw(&Text::new(title, (12, 12), ("sans-serif", 18)))?;
    let (_, rest) = root.split_vertically(TITLE);
    let (top, rest) = rest.split_vertically(members);
    let (probes, rest) = rest.split_vertically(PART);
    let (health, queues) = rest.split_vertically(PART);
    // A run of a single moment has a width, too.
    let (begun, ended) = (seconds(timeline.begun), seconds(timeline.ended));
    let time = begun..ended.max(begun + 0.001);
    draw_members(&top, timeline, time.clone())?;
    draw_probes(&probes, timeline, time.clone())?;
    let steps = timeline.health.iter().map(|(at, score)| (*at, f64::from(*score)));
    draw_steps(&health, "health score", &steps.collect::<Vec<_>>(), time.clone(), false)?;
    let steps = timeline.queued.iter().map(|(at, count)| (*at, *count as f64));
    draw_steps(&queues, "messages in the gossip queues", &steps.collect::<Vec<_>>(), time, true)?;
    root.present()
}

/// One bar for each member, in the colors of its states.
fn draw_members(area: &Area<'_>, timeline: &Timeline, time: Range<f64>) -> Drawn {
    let shown = timeline.members.len().min(ROWS_MAX as usize);
    let mut chart = ChartBuilder::on(area)
        .margin_right(12)
        .y_label_area_size(LABELS)
        .x_label_area_size(2 * ROW)
        .build_cartesian_2d(time.clone(), -(shown as f64)..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(10)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let (left, _) = chart.plotting_area().get_pixel_range();
    for (row, (name, spans)) in timeline.members.iter().take(shown).enumerate() {
        let (top, bottom) = (-(row as f64) - 0.15, -(row as f64) - 0.85);
        for span in spans {
            let corners = [(seconds(span.from), top), (seconds(span.to), bottom)];
            chart.draw_series([Rectangle::new(corners, color(span.state).filled())])?;
        }
        let (_, y) = chart.backend_coord(&(time.start, top - 0.1));
        let (_, origin) = area.get_base_pixel();
        let name: String = name.chars().take(16).collect();
        area.draw(&Text::new(
            name,
            (left.start - LABELS.cast_signed() + 8, y - origin),
            ("sans-serif", 13),
        ))?;
    }
    let mut x = LABELS.cast_signed();
    let (_, height) = area.dim_in_pixel();
    for state in [State::Alive, State::Suspect, State::Dead, State::Left] {
        let y = height.cast_signed() - 16;
        area.draw(&Rectangle::new([(x, y), (x + 14, y + 10)], color(state).filled()))?;
        area.draw(&Text::new(state.to_string(), (x + 20, y), ("sans-serif", 12)))?;
        x += 90;
    }
    Ok(())
}

/// The round trips of probes on a logarithmic scale; probes without an ack are at the top.
fn draw_probes(area: &Area<'_>, timeline: &Timeline, time: Range<f64>) -> Drawn {
    let millis = |rtt: &std::time::Duration| (rtt.as_secs_f64() * 1e3).max(1e-3);
    let all = timeline.round_trips.iter().map(|(.., rtt)| millis(rtt));
    let (low, high) = all.fold((1.0_f64, 1.0_f64), |(low, high), it| (low.min(it), high.max(it)));
    let top = high * 30.0;
    let mut chart = ChartBuilder::on(area)
        .caption(
            "probes: round trips in ms, and in red those without an ack in time",
            ("sans-serif", 13),
        )
        .margin_right(12)
        .y_label_area_size(LABELS)
        .x_label_area_size(ROW)
        .build_cartesian_2d(time, (low / 2.0..top * 2.0).log_scale())?;
    chart.configure_mesh().x_labels(10).y_labels(5).light_line_style(TRANSPARENT).draw()?;
    let answered = timeline.round_trips.iter();
    chart.draw_series(
        answered.map(|(at, _, rtt)| Circle::new((seconds(*at), millis(rtt)), 2, BLUE.filled())),
    )?;
    let failed = timeline.unanswered.iter();
    chart.draw_series(
        failed.map(|(at, _)| Cross::new((seconds(*at), top), 5, RED.stroke_width(2))),
    )?;
    Ok(())
}

/// A value that changes in steps.
fn draw_steps(
    area: &Area<'_>,
    caption: &str,
    steps: &[(u64, f64)],
    time: Range<f64>,
    last: bool,
) -> Drawn {
    let high = steps.iter().map(|(_, figure)| *figure).fold(1.0, f64::max);
    let mut builder = ChartBuilder::on(area);
    builder.caption(caption, ("sans-serif", 13)).margin_right(12).y_label_area_size(LABELS);
    builder.x_label_area_size(if last { 2 * ROW } else { ROW });
    let mut chart = builder.build_cartesian_2d(time.clone(), 0.0..high * 1.1)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_labels(10).y_labels(4).light_line_style(TRANSPARENT);
    if last {
        mesh.x_desc("seconds since the node began");
    }
    mesh.draw()?;
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (at, figure) in steps {
        line.extend(line.last().map(|(_, before)| (seconds(*at), *before)));
        line.push((seconds(*at), *figure));
    }
    line.extend(line.last().map(|(_, figure)| (time.end, *figure)));
    chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
    Ok(())
}
