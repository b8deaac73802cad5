use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{KeyName, SharedString};

use super::*;

/// Go's name where it has one; `.now` where a counter has the same name.
#[test]
fn every_gauge_has_a_name_of_its_own() {
    let mut names = std::collections::BTreeSet::new();
    for (field, _) in memberlist_proto::Gauges::default().iter() {
        let (name, state) = gauge_name(field);
        let ours = GO_GAUGES.iter().all(|(gauge, ..)| *gauge != field);
        if ours {
            let counted = Counters::default().iter().any(|(counter, _)| counter == field);
            let expected = format!("memberlist.{field}{}", if counted { ".now" } else { "" });
            assert_eq!((name.as_str(), state), (expected.as_str(), None));
        }
        assert!(names.insert((name, state)), "{field}");
    }
    for (field, go, state) in GO_GAUGES {
        assert_eq!(gauge_name(field), ((*go).to_owned(), *state));
    }
}

/// What a recorder was given, by name and label.
#[derive(Clone, Default)]
struct Given(Arc<Mutex<BTreeMap<String, f64>>>);

impl Given {
    fn handle(&self, key: &Key) -> Arc<One> {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        Arc::new(One(self.clone(), key.name().to_owned() + &labels.collect::<String>()))
    }

    /// What was given since the last call.
    fn take(&self) -> BTreeMap<String, f64> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct One(Given, String);

impl One {
    fn add(&self, value: f64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
}

impl metrics::CounterFn for One {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, _: u64) {
        panic!("counters are incremented");
    }
}

impl metrics::GaugeFn for One {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }

    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }

    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl metrics::HistogramFn for One {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Recorder for Given {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key))
    }
}

/// Counters grow by what is new, gauges have their value, times their mean for each that was taken.
#[test]
fn figures_are_published_as_they_change() {
    let given = Given::default();
    let mut publisher = metrics::with_local_recorder(&given, || Publisher::new(&[]));
    let at = |seconds| Instant::ORIGIN + Duration::from_secs(seconds);
    let mut stats = Stats::default();
    let mut publish = |seconds: u64, stats: &Stats| {
        publisher.publish(at(seconds), Duration::from_secs(30), stats.clone());
        given.take()
    };
    stats.counters.packets_refused = 3;
    stats.decisions.alive_new = 4;
    stats.gauges.membership_queue = 5;
    (stats.counters.probes_ended, stats.counters.probe_nanos) = (2, 3_000_000_000);
    let first = publish(30, &stats);
    let counter = counter_name("packets_refused");
    let row = format!("{DECISIONS} row=alive_new");
    assert_eq!((first[&counter], first[&row]), (3.0, 4.0));
    assert!((first["memberlist.probeNode"] - 3.0).abs() < 1e-9, "two probes of 1.5 s");
    assert!((first[GO_QUEUE] - 5.0).abs() < 1e-9);
    // Nothing has changed but one counter, and the queue is not looked at yet.
    stats.counters.packets_refused = 10;
    stats.decisions.alive_new = 6;
    let second = publish(59, &stats);
    assert_eq!((second[&counter], second[&row]), (7.0, 2.0));
    assert!(!second.contains_key("memberlist.probeNode") && !second.contains_key(GO_QUEUE));
    let third = publish(60, &stats);
    assert!(!third.contains_key(&counter) && !third.contains_key(&row));
    assert!(third.contains_key(GO_QUEUE));
    // A counter that is part of a histogram is not published by itself.
    assert!(!first.contains_key(&counter_name("probes_ended")));
    assert!(!first.contains_key(&counter_name("probe_nanos")));
}

#[test]
fn figures_of_the_transport_are_published_as_they_change() {
    let given = Given::default();
    let mut publisher = metrics::with_local_recorder(&given, || Publisher::new(&[]));
    let mut stats = TransportStats::default();
    let reason = Bad::ALL[0].as_str();
    let failure = TlsFailure::ALL[0];
    let bad = format!("{BAD} reason={reason}");
    let tls = format!("{TLS_FAILURES} reason={}", failure.as_str());
    for (figure, grown) in [(3, Some(3.0)), (10, Some(7.0)), (10, None)] {
        stats.bad_by_reason.insert(reason, figure);
        stats.tls_failures.insert(failure, figure);
        publisher.publish_transport(stats.clone());
        let given = given.take();
        assert_eq!(given.get(&bad).copied(), grown);
        assert_eq!(given.get(&tls).copied(), grown);
        let in_use = given.iter().filter(|(name, _)| name.starts_with(IN_USE));
        assert!((in_use.map(|(_, value)| value).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
