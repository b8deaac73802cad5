use std::time::Duration;

use memberlist_driver::transport::TransportStats;
use memberlist_proto::{Config, Departure, Event, Instant, Memberlist, Node, Status, TlsFailure};

use super::*;

const NOW: u64 = 1_000_000;

fn start(seeds: &[&str]) -> (Memberlist, Status) {
    let mut config = Config::lan("me");
    config.advertise_addr = [127, 0, 0, 1].into();
    config.seeds = seeds.iter().map(|seed| seed.parse().expect("a seed")).collect();
    let now = Instant::ORIGIN + Duration::from_secs(9);
    let node = Memberlist::new(now, config, None, [1; 32]).expect("valid");
    let status = node.status(now);
    (node, status)
}

fn texts(status: &Status, recorder: &Recorder) -> Vec<String> {
    of(NOW, status, recorder).into_iter().map(|warning| warning.text).collect()
}

fn recorder() -> Recorder {
    Recorder::default()
}

/// One more node, in this state.
fn add(status: &mut Status, name: &str, state: State) {
    let mut node = status.nodes[0].clone();
    (node.name, node.state) = (name.into(), state);
    status.nodes.push(node);
    status.nodes.sort_by(|one, other| one.name.cmp(&other.name));
}

#[test]
fn a_healthy_node_has_no_warnings() {
    let (_, status) = start(&[]);
    assert_eq!(texts(&status, &recorder()), [""; 0]);
}

#[test]
fn a_node_without_its_seeds_is_alone() {
    let (_, mut status) = start(&["10.9.9.9:7946"]);
    status.seeds[0].error = Some("connection refused".to_owned());
    let found = texts(&status, &recorder());
    assert_eq!(
        found,
        [
            "This node is alone: it has found none of its seeds",
            "The seed 10.9.9.9:7946 cannot be reached: connection refused",
        ]
    );
    status.seeds[0].live = true;
    assert_eq!(texts(&status, &recorder()), [""; 0]);
}

#[test]
fn failures_of_tls_count_for_a_while_and_certificates_until_they_are_good() {
    let (_, status) = start(&[]);
    let mut recorder = recorder();
    let mut figures = TransportStats::default();
    figures.tls_failures.insert(TlsFailure::Expired, 3);
    recorder.transport(NOW, figures.clone());
    let expired = "A connection failed for TLS: the peer's certificate has expired. The log names \
                   the peer";
    assert_eq!(texts(&status, &recorder), [expired]);
    recorder.transport(NOW + 1, figures.clone());
    assert_eq!(recorder.tls_failure(NOW).map(|it| it.at), Some(NOW), "nothing is new");
    assert_eq!(recorder.tls_failure(NOW + 600_001), None);

    figures.certificate_errors = 1;
    recorder.transport(NOW, figures.clone());
    assert!(texts(&status, &recorder)[0].contains("cannot be used"));
    figures.certificates_reloaded = 1;
    recorder.transport(NOW, figures);
    assert_eq!(texts(&status, &recorder), [expired]);
}

#[test]
fn suspects_are_counted_and_named() {
    let (_, mut status) = start(&[]);
    add(&mut status, "a", State::Suspect);
    assert_eq!(texts(&status, &recorder()), ["1 member is suspected: a"]);
    for name in ["b", "c", "d", "e"] {
        add(&mut status, name, State::Suspect);
    }
    let found = texts(&status, &recorder());
    assert_eq!(found, ["5 members are suspected: a, b, c, and 2 more"]);
}

#[test]
fn silence_and_refused_announcements_are_the_worst() {
    let (_, mut status) = start(&[]);
    status.health_score = 2;
    (status.silent_ms, status.unlisted_ms) = (Some(5000), Some(7000));
    let found = of(NOW, &status, &recorder());
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!((found[0].level, found[0].since), (Level::Bad, Some(NOW - 5000)));
    assert!(found[0].text.contains("or every other member has failed"), "{found:?}");
    assert_eq!((found[1].level, found[1].since), (Level::Bad, Some(NOW - 7000)));
    assert!(found[2].text.contains("health score is 2"), "{found:?}");
    add(&mut status, "a", State::Alive);
    let found = texts(&status, &recorder());
    assert!(found[0].ends_with("blocked, or 127.0.0.1:7946 is not its address"), "{found:?}");
}

#[test]
fn a_loss_says_who_is_back() {
    let (node, mut status) = start(&[]);
    let mut recorder = recorder();
    let local: Node = node.local();
    // The node's own record stands for any: only the name matters.
    let reason = Departure::Declared { by: "x".into() };
    recorder.observe(NOW, &Event::Departed { node: local, reason, from: None }, 1);
    assert_eq!(texts(&status, &recorder), [""; 0], "one member is not a great loss");
    let mut loss =
        Loss { since: NOW, until: NOW, before: 4, names: ["a", "b"].map(NodeName::from).to_vec() };
    let live = |status: &Status, name: &NodeName| {
        status.nodes.iter().any(|node| node.name == *name && node.state.is_live())
    };
    let warning = lost(&loss, |name| live(&status, name));
    assert_eq!(warning.text, "Half of the cluster was lost: 2 of 4 members failed");
    assert_eq!(warning.level, Level::Bad);
    add(&mut status, "a", State::Alive);
    add(&mut status, "b", State::Dead);
    let warning = lost(&loss, |name| live(&status, name));
    assert!(warning.text.ends_with("; one of them is back"), "{warning:?}");
    loss.names.push("c".into());
    let warning = lost(&loss, |_| true);
    assert_eq!(
        warning.text,
        "Most of the cluster was lost: 3 of 4 members failed; all of them are back"
    );
    assert_eq!(warning.level, Level::Info);
}

#[test]
fn members_reached_by_stream_only_are_named() {
    let (node, status) = start(&[]);
    let mut recorder = recorder();
    recorder.observe(NOW - 50, &Event::OnlyByStream { node: node.local() }, 1);
    let found = of(NOW, &status, &recorder);
    assert_eq!(found[0].text, "1 member is reachable by TCP only, UDP does not get through: me");
    assert_eq!(found[0].since, Some(NOW - 50));
}
