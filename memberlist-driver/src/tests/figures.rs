//! What a recorder of the crate `metrics` is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use metrics::{
    Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use super::*;

/// Remembers what it was given.
#[derive(Default)]
struct Remembers {
    described: Mutex<BTreeMap<String, (Option<Unit>, String)>>,
    registered: Mutex<BTreeSet<String>>,
    /// How often the gauges were set, all of them together.
    sets: Arc<AtomicUsize>,
    /// Whether a gauge then panics.
    panics: bool,
    packets_sent: Arc<AtomicU64>,
}

struct Sets {
    count: Arc<AtomicUsize>,
    panics: bool,
}

impl GaugeFn for Sets {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, _: f64) {
        self.count.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "the recorder has no room");
    }
}

impl Remembers {
    fn describe(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        let described = (unit, text.to_string());
        self.described.lock().unwrap().insert(name.as_str().to_owned(), described);
    }

    fn register(&self, key: &Key) {
        self.registered.lock().unwrap().insert(key.name().to_owned());
    }
}

impl Recorder for Remembers {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(key);
        if key.name() == "memberlist.packets_sent" {
            return Counter::from_arc(Arc::clone(&self.packets_sent));
        }
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(key);
        Gauge::from_arc(Arc::new(Sets { count: Arc::clone(&self.sets), panics: self.panics }))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(key);
        Histogram::noop()
    }
}

#[test]
fn every_name_is_described_with_its_unit() {
    let recorder = Remembers::default();
    let _node = metrics::with_local_recorder(&recorder, node);
    let described = recorder.described.lock().unwrap();
    let registered = recorder.registered.lock().unwrap();
    let names: BTreeSet<_> = described.keys().cloned().collect();
    assert_eq!(names, *registered);
    assert!(names.len() > 50, "{names:?}");
    for (name, (unit, text)) in described.iter() {
        assert!(unit.is_some() && text.len() > 10 && text.ends_with('.'), "{name}: {text:?}");
        assert!(!text.starts_with(' ') && !text.contains('\n'), "{name}: {text:?}");
    }
    let unit = |name: &str| described[name].0;
    assert_eq!(unit("memberlist.udp.received"), Some(Unit::Bytes));
    assert_eq!(unit("memberlist.probeNode"), Some(Unit::Seconds));
    assert_eq!(unit("memberlist.msg.alive"), Some(Unit::Count));
}

/// Figures cost nothing at each packet: they are published once a second.
#[test]
fn figures_are_published_on_an_interval() {
    let recorder = Remembers::default();
    let (fake, node, _events) =
        metrics::with_local_recorder(&recorder, || tasks::started(quiet("n")));
    let gauges = memberlist_proto::Gauges::default().iter().count();
    let begun = std::time::Instant::now();
    for _ in 0..1000 {
        node.send(tasks::peer(), b"x").expect("a member");
        fake.run_once();
    }
    let seconds = begun.elapsed().as_secs() as usize;
    let published = recorder.sets.load(Ordering::SeqCst) / gauges;
    assert!((1..=seconds + 2).contains(&published), "{published} times in {seconds} s");
    let before = recorder.sets.load(Ordering::SeqCst);
    fake.until(|| recorder.sets.load(Ordering::SeqCst) > before);
    // And at the end.
    let mut shutdown = Box::pin(node.shutdown());
    let before = recorder.sets.load(Ordering::SeqCst);
    fake.until(|| poll(&mut shutdown).is_ready());
    assert!(recorder.sets.load(Ordering::SeqCst) > before);
}

#[test]
fn a_recorder_that_panics_stops_no_node_and_counts_nothing_twice() {
    let recorder = Remembers { panics: true, ..Remembers::default() };
    let (fake, node, _events) =
        metrics::with_local_recorder(&recorder, || tasks::started(quiet("n")));
    fake.until(|| recorder.sets.load(Ordering::SeqCst) > 0);
    let before = node.stats().counters.packets_sent;
    node.send(tasks::peer(), b"x").expect("a member");
    let sets = recorder.sets.load(Ordering::SeqCst);
    fake.until(|| recorder.sets.load(Ordering::SeqCst) > sets + 1);
    let mut shutdown = Box::pin(node.shutdown());
    fake.until(|| poll(&mut shutdown).is_ready());
    assert!(node.stats().counters.packets_sent > before, "the node goes on");
    assert_eq!(recorder.packets_sent.load(Ordering::SeqCst), node.stats().counters.packets_sent);
}
