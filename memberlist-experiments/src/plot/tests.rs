use super::{DrawError, Plot};
use crate::summary::Estimate;

fn plot() -> Plot {
    let mut plot = Plot::new("p", "A & B", "nodes", "time, s").log_x().log_y();
    let points = [(1.0, 2.0), (10.0, 0.0), (1000.0, 5.5)];
    plot.line(
        "<ours>",
        points.map(|(x, y)| (x, Estimate { value: y, low: y / 2.0, high: y * 2.0 })),
    );
    plot
}

#[test]
fn each_point_can_be_read_off() {
    let svg = plot().svg().unwrap();
    assert_eq!(svg.matches("class=\"mark\"").count(), 3);
    assert!(svg.contains("<title>&lt;ours&gt;: 5.5 (2.75 to 11) at 1,000</title>"), "{svg}");
    assert!(svg.contains("A &amp; B"), "{svg}");
    assert!(svg.trim_end().ends_with("</svg>"));
    // What is zero is at the lower end, and nothing is nowhere.
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn without_lines_there_is_nothing_to_draw() {
    let mut plot = Plot::new("p", "P", "x", "y");
    plot.line("none", []);
    assert_eq!(plot.svg(), Err(DrawError::Empty("p".into())));
}

#[test]
fn one_point_or_equal_ones_can_be_drawn() {
    for points in [vec![(0.0, 0.0)], vec![(3.0, 7.0), (3.0, 7.0)]] {
        let mut plot = Plot::new("p", "P", "x", "y");
        plot.line("l", points.into_iter().map(|(x, y)| (x, Estimate::exactly(y))));
        assert!(plot.svg().is_ok());
    }
}
