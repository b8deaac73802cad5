//! Plots of the cost against the number of nodes.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::report::{GO, NAMED, PEERS, Row, SMALL, Unit};

/// One line of a plot.
struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Draws a plot for each workload that was measured at several sizes. Returns the names of the
/// files.
pub(crate) fn draw(rows: &[Row], folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for (title, file, kinds) in [
        ("PING: one ping answered, in ns", "ping.svg", vec![("PING ", "")]),
        ("KNOWN(16): a packet without news, in ns", "known.svg", vec![("KNOWN(16) ", "")]),
        (
            "PUSHPULL: a full state exchange, both sides, in ns",
            "push-pull.svg",
            vec![
                ("PUSHPULL ", " unchanged"),
                ("PUSHPULL ", " 1 % changed"),
                ("PUSHPULL ", " first"),
            ],
        ),
        (
            "SIM-S: processor time for each second of a node, in ns",
            "sim-s.svg",
            vec![("SIM-S(", ")")],
        ),
    ] {
        let lines = lines(rows, &kinds);
        if lines.iter().any(|line| line.points.len() > 1) {
            picture(&folder.join(file), title, &lines)?;
            files.push(file.to_owned());
        }
    }
    Ok(files)
}

fn lines(rows: &[Row], kinds: &[(&'static str, &'static str)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (begin, end) in kinds {
        let sized = rows.iter().filter_map(|row| {
            let size = row.workload.strip_prefix(begin)?.strip_suffix(end)?;
            Some((size.parse::<f64>().ok()?, row))
        });
        let cost = |row: &Row, figure: f64| match row.unit {
            Unit::NodeSeconds => 1e9 / figure,
            Unit::Time | Unit::Bytes => figure,
        };
        let sized: Vec<_> = sized.collect();
        let of = |name, figure: fn(&Row) -> Option<f64>| Line {
            name,
            points: sized
                .iter()
                .filter_map(|(n, row)| Some((*n, cost(row, figure(row)?))))
                .collect(),
        };
        let ours = if kinds.len() > 1 { end.trim() } else { "ours" };
        lines.push(of(ours, |row| Some(row.ours)));
        lines.push(of(PEERS[SMALL], |row| row.peers[SMALL]));
        lines.push(of(PEERS[NAMED], |row| row.peers[NAMED]));
        // If there are several lines of ours, Go is drawn beside the last one.
        if *end == kinds[kinds.len() - 1].1 {
            lines.push(of(PEERS[GO], |row| row.peers[GO]));
        }
    }
    lines.retain(|line| !line.points.is_empty());
    lines
}

fn picture(file: &Path, title: &str, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let low = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::INFINITY, f64::min);
    let high = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(0.0, f64::max);
    let root = SVGBackend::new(file, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let sizes = (low(|it| it.0)..high(|it| it.0)).log_scale();
    let costs = (low(|it| it.1) / 2.0..high(|it| it.1) * 2.0).log_scale();
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(80)
        .build_cartesian_2d(sizes, costs)?;
    chart.configure_mesh().x_desc("nodes").draw()?;
    for (at, line) in lines.iter().enumerate() {
        let color = Palette99::pick(at).to_rgba();
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(2)))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
