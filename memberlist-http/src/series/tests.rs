use super::*;

fn stats(packets: u64, alive: u64, probes: (u64, u64)) -> Stats {
    let mut stats = Stats::default();
    stats.counters.packets_received = packets;
    (stats.counters.probes_ended, stats.counters.probe_nanos) = probes;
    stats.gauges.alive = alive;
    stats
}

fn column(sample: &Sample, name: &str) -> Option<f64> {
    sample.0[COLUMNS.iter().position(|column| *column == name).expect("a column")]
}

#[test]
fn rates_are_per_second_and_times_are_means() {
    let (before, after) = (stats(100, 3, (10, 0)), stats(125, 4, (12, 5_000_000)));
    let sample = Sample::new(9, 2.0, &before, &after);
    assert_eq!(column(&sample, "packets_in"), Some(12.5));
    assert_eq!(column(&sample, "probe_ms"), Some(2.5));
    assert_eq!((column(&sample, "alive"), column(&sample, "time")), (Some(4.0), Some(9.0)));
    let idle = Sample::new(9, 1.0, &after, &after);
    assert_eq!((column(&idle, "probe_ms"), column(&idle, "packets_in")), (None, Some(0.0)));
}

#[test]
fn coarse_samples_keep_the_worst() {
    let mut series = Series::default();
    for number in 0..COARSE as u64 {
        let alive = if number == 7 { 1 } else { 5 };
        series.push(Sample::new(number, 1.0, &stats(0, 0, (0, 0)), &stats(10, alive, (0, 0))));
    }
    let coarse = series.since(0).coarse;
    assert_eq!(coarse.len(), 1);
    assert_eq!(column(&coarse[0], "alive"), Some(1.0));
    assert_eq!(column(&coarse[0], "packets_in"), Some(10.0));
}

#[test]
fn only_what_is_new_is_given_out_and_no_more_is_kept() {
    let mut series = Series::default();
    let sample = |number| Sample::new(number, 1.0, &Stats::default(), &Stats::default());
    (0..10).for_each(|number| series.push(sample(number)));
    assert_eq!(series.since(0).fine.len(), 10);
    let newer = series.since(8);
    assert_eq!((newer.fine.len(), newer.last), (2, 10));
    assert_eq!(column(&newer.fine[0], "time"), Some(8.0));
    assert_eq!(series.since(10).fine.len(), 0);
    assert_eq!(series.since(11).fine.len(), 10, "numbers of an earlier life");
    (10..KEPT as u64 * 3).for_each(|number| series.push(sample(number)));
    assert_eq!(series.since(0).fine.len(), KEPT);
    assert_eq!(series.since(0).coarse.len(), KEPT * 3 / COARSE);
    assert!(series.since(KEPT as u64 * 3 - 1).coarse.len() == 3, "one was completed by the last");
    assert!(series.since(KEPT as u64 * 3).coarse.is_empty());
}
