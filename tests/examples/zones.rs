//! Prints what zones save and cost: three of them with a hundred nodes each, by the number of bridges,
//! beside the same cluster without zones. Draws `docs/zones/share.svg`.
//!
//! `zones [--seeds N]`

use std::error::Error;
use std::time::Duration;

use memberlist_tests::zones::{Layout, Traffic};
use plotters::prelude::*;

/// What one layout showed, over all seeds.
#[derive(Default)]
struct Figures {
    traffic: Traffic,
    /// Until all nodes knew of a death.
    deaths: Vec<Duration>,
    /// Until all nodes had a broadcast.
    broadcasts: Vec<Duration>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let seeds: u64 = match (words.next().as_deref(), words.next()) {
        (None, _) => 3,
        (Some("--seeds"), Some(number)) => number.parse()?,
        _ => return Err("zones [--seeds N]".into()),
    };
    let mut points = Vec::new();
    println!(
        "| bridges in each zone | crossing, of gossip and exchanges | of bytes | death known to all, median | 95 % | broadcast at all, median | 95 % |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for bridges in [None, Some(1), Some(2), Some(3), Some(5), Some(10), Some(20)] {
        let mut figures = Figures::default();
        for seed in 0..seeds {
            measure(&mut figures, Layout { nodes: 100, bridges }, seed);
        }
        let name = bridges.map_or_else(|| "no zones".to_owned(), |it| it.to_string());
        let (deaths, broadcasts) = (&mut figures.deaths, &mut figures.broadcasts);
        println!(
            "| {name} | {:.1} % | {} MB | {:.1} s | {:.1} s | {:.2} s | {:.2} s |",
            figures.traffic.share() * 100.0,
            figures.traffic.all / 1_000_000,
            quantile(deaths, 50),
            quantile(deaths, 95),
            quantile(broadcasts, 50),
            quantile(broadcasts, 95),
        );
        points.push((bridges, figures.traffic.share() * 100.0, quantile(broadcasts, 50)));
    }
    draw(&points)
}

fn measure(figures: &mut Figures, layout: Layout, seed: u64) {
    let mut zoned = layout.start(seed, &|_| {});
    zoned.traffic();
    for round in 0..30_u8 {
        let from = zoned.all()[usize::from(round) * 10 + 7];
        figures.broadcasts.push(zoned.broadcast(from, &[round; 200]));
        zoned.sim.run_for(Duration::from_secs(9));
    }
    let traffic = zoned.traffic();
    figures.traffic.all += traffic.all;
    figures.traffic.crossing += traffic.crossing;
    for at in 0..5 {
        let node = zoned.zones[at % 3][40 + at];
        figures.deaths.push(zoned.kill(node));
    }
}

fn quantile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100].as_secs_f64()
}

fn draw(points: &[(Option<usize>, f64, f64)]) -> Result<(), Box<dyn Error>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/zones");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("share.svg");
    let root = SVGBackend::new(&file, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Gossip and exchanges of 3 zones with 100 nodes each", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..20.0, 0.0..75.0)?;
    chart.configure_mesh().x_desc("bridges in each zone").y_desc("% of bytes that cross").draw()?;
    let zoned = points.iter().filter_map(|it| Some((it.0? as f64, it.1)));
    chart
        .draw_series(LineSeries::new(zoned, BLUE.stroke_width(2)))?
        .label("with zones")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE));
    let without = points.iter().find(|it| it.0.is_none()).map_or(0.0, |it| it.1);
    chart
        .draw_series(LineSeries::new([(0.0, without), (20.0, without)], RED.stroke_width(2)))?
        .label("without zones")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], RED));
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
