//! `docs/metrics.md` lists exactly the metrics that are published under the Go library's names.

use memberlist_driver::metrics::{GO_COUNTERS, GO_GAUGES, GO_QUEUE, GO_TIMES};

use crate::source::read;

#[test]
fn metrics_are_documented_by_name_and_field() {
    let document = read("docs/metrics.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with("| `memberlist."))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let documented = |name: &str, field: &str| {
        rows.iter()
            .any(|row| row[1] == format!("`{name}`") && row[4].contains(&format!("`{field}`")))
    };
    let counters = GO_COUNTERS.iter().map(|(field, name)| (*name, *field));
    let gauges = GO_GAUGES.iter().map(|(field, name, _)| (*name, *field));
    let times = GO_TIMES.iter().flat_map(|(sum, count, name)| [(*name, *sum), (*name, *count)]);
    let published: Vec<_> =
        counters.chain(gauges).chain(times).chain([(GO_QUEUE, "membership_queue")]).collect();
    let missing: Vec<_> =
        published.iter().filter(|(name, field)| !documented(name, field)).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
    let stale: Vec<_> = rows
        .iter()
        .map(|row| row[1].trim_matches('`'))
        .filter(|name| !published.iter().any(|(published, _)| published == name))
        .collect();
    assert!(stale.is_empty(), "no longer published: {stale:?}");
}
