use super::*;
use crate::AdvertiseForm;

#[test]
fn a_new_name_joins_and_is_gossiped() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    assert_eq!(rig.events(), ["joined a"]);
    assert_eq!(rig.state("a"), (State::Alive, 1));
    assert_eq!(rig.member("a").address(), Some(address(2)));
    assert_eq!(rig.queued(), 2, "its own announcement and the news");
}

#[test]
fn members_are_the_live_ones_and_nodes_are_all() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.alive("b", 3, 1);
    rig.dead("b", 1, "a");
    let names = |nodes: Vec<Node>| {
        let mut names: Vec<String> = nodes.iter().map(|it| it.name().to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(rig.node.members().collect()), ["a", "me"]);
    assert_eq!(names(rig.node.nodes().collect()), ["a", "b", "me"]);
}

#[test]
fn an_alive_needs_a_higher_incarnation() {
    let mut rig = Rig::new();
    rig.alive_with("a", 2, 5, b"x", Some(&VSN));
    rig.events();
    rig.alive_with("a", 2, 5, b"y", Some(&VSN));
    rig.alive_with("a", 2, 4, b"y", Some(&VSN));
    assert_eq!(rig.events(), [""; 0]);
    assert_eq!(rig.member("a").meta(), b"x");
    rig.alive_with("a", 2, 6, b"y", Some(&VSN));
    assert_eq!(rig.events(), ["updated a"]);
    assert_eq!(rig.member("a").meta(), b"y");
    rig.alive_with("a", 2, 7, b"y", Some(&VSN));
    assert_eq!(rig.events(), [""; 0], "nothing changed but the incarnation");
    assert_eq!(rig.state("a"), (State::Alive, 7));
}

#[test]
fn versions_out_of_order_are_refused() {
    let mut rig = Rig::new();
    for vsn in [[0, 5, 2, 0, 0, 0], [1, 0, 2, 0, 0, 0], [5, 1, 2, 0, 0, 0]] {
        rig.alive_with("a", 2, 1, b"", Some(&vsn));
        assert_eq!(rig.events(), ["refused a: unusable protocol versions"]);
    }
    rig.alive_with("a", 2, 1, b"", Some(&VSN[..3]));
    rig.alive_with("a", 2, 1, b"", None);
    assert_eq!(rig.events().len(), 2, "a new name must tell its versions");
    assert!(!rig.knows("a"));
}

#[test]
fn a_known_name_may_leave_its_versions_out() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.alive_with("a", 2, 2, b"", None);
    assert_eq!(rig.state("a"), (State::Alive, 2));
    assert_eq!(rig.member("a").versions().map(|versions| versions.pmax), Some(5));
}

#[test]
fn names_metadata_and_addresses_have_bounds() {
    let mut rig = Rig::new();
    rig.alive_with(&"n".repeat(256), 2, 1, b"", Some(&VSN));
    rig.alive_with("", 2, 1, b"", Some(&VSN));
    rig.alive_with("a", 2, 1, &[b'm'; 2049], Some(&VSN));
    rig.receive(&Message::Alive(Alive {
        incarnation: 1,
        node: b"b",
        addr: Some(&[10, 0, 0]),
        port: 2,
        meta: None,
        vsn: Some(&VSN),
    }));
    let refused = rig.events();
    assert_eq!(refused.len(), 4);
    assert!(refused[1..].iter().eq(&[
        "refused : the name is 0 bytes long",
        "refused a: the metadata is 2049 bytes long",
        "refused b: the address cannot be sent to",
    ]));
    assert_eq!(rig.node.num_members(), 1);
    rig.alive_with(&"n".repeat(255), 2, 1, &[b'm'; 2048], Some(&VSN));
    assert_eq!(rig.node.num_members(), 2);
}

#[test]
fn an_address_is_taken_over_only_from_who_left_or_is_long_dead() {
    let mut config = config();
    config.dead_node_reclaim_time = Duration::from_secs(10);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 5);
    rig.events();
    rig.alive("a", 3, 9);
    assert_eq!(rig.events(), ["conflict a 3"]);
    rig.dead("a", 5, "b");
    rig.events();
    rig.wait(Duration::from_secs(10));
    rig.alive("a", 3, 9);
    assert_eq!(rig.events(), ["conflict a 3"], "not dead for long enough");
    rig.wait(Duration::from_nanos(1));
    rig.alive("a", 3, 1);
    assert_eq!(rig.events(), ["joined a"], "whatever its incarnation");
    assert_eq!(rig.member("a").port(), 3);
    rig.dead("a", 1, "a");
    rig.events();
    rig.alive("a", 4, 1);
    assert_eq!(rig.events(), ["joined a"], "at once from one that left");
}

#[test]
fn without_a_reclaim_time_the_dead_keep_their_address() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.dead("a", 1, "b");
    rig.events();
    rig.wait(Duration::from_secs(3600));
    rig.alive("a", 3, 9);
    assert_eq!(rig.events(), ["conflict a 3"]);
}

#[test]
fn a_suspect_is_cleared_only_by_a_higher_incarnation() {
    let mut rig = Rig::with(probing());
    rig.answering = true;
    rig.alive("a", 2, 5);
    rig.events();
    rig.suspect("a", 4, "b");
    assert_eq!(rig.events(), [""; 0], "an old accusation");
    rig.suspect("a", 5, "b");
    assert_eq!(rig.events(), ["suspected a by b"]);
    rig.alive("a", 2, 5);
    assert_eq!(rig.state("a"), (State::Suspect, 5));
    rig.alive("a", 2, 6);
    assert_eq!(rig.events(), ["refuted a 6"]);
    assert_eq!(rig.state("a"), (State::Alive, 6));
    rig.wait(Duration::from_secs(600));
    assert_eq!(rig.state("a"), (State::Alive, 6), "the timer was cancelled");
}

#[test]
fn a_suspicion_runs_out() {
    let mut rig = Rig::with(probing());
    rig.answering = true;
    for (name, port) in [("a", 2), ("b", 3), ("c", 4), ("d", 5)] {
        rig.alive(name, port, 1);
    }
    rig.suspect("a", 3, "b");
    rig.events();
    // n = 5: at least 4 s, at most 24 s, two confirmations wanted.
    rig.wait(Duration::from_millis(23_999));
    assert_eq!(rig.state("a"), (State::Suspect, 3));
    rig.wait(Duration::from_millis(1));
    let reported = rig.departures();
    assert_eq!(reported, ["departed a Failed { by: [\"b\"], confirmations: 0 }"]);
    assert_eq!(rig.state("a"), (State::Dead, 3));
    assert_eq!(rig.node.stats().counters.suspicions_degraded, 1);
}

#[test]
fn confirmations_by_others_shorten_a_suspicion() {
    let mut rig = Rig::with(probing());
    rig.answering = true;
    for (name, port) in [("a", 2), ("b", 3), ("c", 4), ("d", 5)] {
        rig.alive(name, port, 1);
    }
    rig.suspect("a", 1, "b");
    rig.suspect("a", 1, "b");
    rig.suspect("a", 1, "c");
    rig.events();
    rig.wait(Duration::from_millis(11_380));
    assert_eq!(rig.state("a").0, State::Suspect);
    rig.suspect("a", 1, "d");
    rig.wait(Duration::ZERO);
    assert_eq!(rig.state("a").0, State::Dead, "4 s with both confirmations are over");
    let reported = rig.departures();
    assert!(reported[0].contains("confirmations: 2"), "{reported:?}");
    assert_eq!(rig.node.stats().counters.suspicions_degraded, 0);
}

#[test]
fn accusations_of_the_unknown_do_nothing() {
    let mut rig = Rig::new();
    rig.suspect("a", 1, "b");
    rig.dead("a", 1, "b");
    assert!(!rig.knows("a"));
    assert_eq!(rig.events(), [""; 0]);
    assert_eq!(rig.node.stats().counters.accusations_old, 2);
}

#[test]
fn the_dead_stay_dead_until_a_higher_incarnation() {
    let mut config = super::config();
    config.differences.learn_leaves = false;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 5);
    rig.dead("a", 4, "b");
    assert_eq!(rig.state("a"), (State::Alive, 5), "an old accusation");
    rig.events();
    rig.dead("a", 5, "b");
    assert_eq!(rig.events(), ["departed a Declared { by: \"b\" }"]);
    rig.suspect("a", 5, "c");
    rig.dead("a", 5, "a");
    assert_eq!(rig.state("a"), (State::Dead, 5), "dead does not become left or suspect");
    rig.alive("a", 2, 5);
    assert_eq!(rig.state("a"), (State::Dead, 5));
    rig.alive("a", 2, 6);
    assert_eq!(rig.state("a"), (State::Alive, 6));
    assert_eq!(rig.events(), ["joined a"]);
}

#[test]
fn who_says_so_itself_has_left() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.events();
    rig.dead("a", 1, "a");
    assert_eq!(rig.events(), ["departed a Left"]);
    assert_eq!(rig.state("a"), (State::Left, 1));
    rig.alive("a", 2, 1);
    assert_eq!(rig.state("a"), (State::Left, 1), "the same address needs a higher incarnation");
    rig.alive("a", 2, 2);
    assert_eq!(rig.state("a"), (State::Alive, 2));
}

#[test]
fn higher_evidence_is_kept_unless_as_go_does() {
    for (keep, expected) in [(true, State::Dead), (false, State::Alive)] {
        let mut config = config();
        config.differences.keep_higher_incarnation = keep;
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        rig.dead("a", 1, "b");
        rig.dead("a", 10, "c");
        rig.suspect("a", 9, "c");
        rig.alive("a", 2, 2);
        assert_eq!(rig.state("a").0, expected, "keep: {keep}");
    }
}

#[test]
fn every_accusation_of_oneself_is_refuted() {
    let mut rig = Rig::new();
    let own = |rig: &Rig| rig.node.local().incarnation();
    assert_eq!(own(&rig), 1);
    rig.suspect("me", 0, "b");
    assert_eq!(own(&rig), 1, "an old accusation");
    rig.suspect("me", 1, "b");
    assert_eq!(own(&rig), 2);
    assert_eq!(rig.events(), ["health 1", "refuted me 2"]);
    rig.dead("me", 7, "b");
    assert_eq!(own(&rig), 8);
    assert_eq!(rig.node.local().state(), State::Alive);
    assert_eq!(rig.events(), ["health 2", "refuted me 8"]);
    rig.alive("me", 1, 7);
    assert_eq!(own(&rig), 8, "older than what it said itself");
    rig.alive("me", 1, 8);
    assert_eq!(own(&rig), 8, "its own echo");
    rig.alive_with("me", 1, 8, b"other", Some(&VSN));
    assert_eq!(own(&rig), 9, "a peer lies about its metadata");
    rig.alive("me", 1, 20);
    assert_eq!(own(&rig), 21);
    rig.events();
    rig.alive("me", 2, 30);
    assert_eq!(rig.events(), ["conflict me 2"]);
    assert_eq!(own(&rig), 21);
    assert_eq!(rig.node.health_score(), 4);
}

#[test]
fn the_highest_accusation_poisons_the_name_without_harm() {
    let mut rig = Rig::new();
    rig.suspect("me", u32::MAX, "b");
    assert_eq!(rig.events(), ["health 1", "poisoned", "refuted me 4294967295"]);
    assert_eq!(rig.node.local().incarnation(), u32::MAX);
    rig.dead("me", u32::MAX, "b");
    assert_eq!(rig.node.local().state(), State::Alive);
}

#[test]
fn a_zero_incarnation_is_nobody_unless_as_go_does() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 0);
    assert!(!rig.knows("a"));
    let mut rig = Rig::with(Config { differences: Differences::none(), ..config() });
    rig.alive("a", 2, 0);
    assert_eq!(rig.state("a"), (State::Dead, 0));
    assert_eq!(rig.events(), [""; 0]);
}

#[test]
fn a_dead_node_that_announces_itself_too_low_is_told() {
    let mut config = probing();
    config.gossip_interval = Duration::ZERO;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 5);
    rig.dead("a", 5, "b");
    rig.alive("a", 2, 1);
    let reported = rig.sent();
    let expected = Sent { to: address(2), text: "suspect a 5 by me".into() };
    assert_eq!(reported, [expected]);
    rig.alive("a", 2, 1);
    assert_eq!(rig.sent(), [], "once in a probe interval");
    assert_eq!(rig.node.stats().counters.told_dead, 1);
}

#[test]
fn networks_outside_the_list_are_refused() {
    let mut config = config();
    config.cidrs_allowed = Some(["10.0.0.0/8".parse().unwrap()].into());
    let mut rig = Rig::with(config);
    let alive = |addr: &'static [u8]| {
        Message::Alive(Alive {
            incarnation: 1,
            node: b"a",
            addr: Some(addr),
            port: 2,
            meta: None,
            vsn: Some(&VSN),
        })
    };
    rig.receive(&alive(&[192, 168, 0, 1]));
    rig.receive_from(([192, 168, 0, 1], 9).into(), &alive(&[10, 0, 0, 2]));
    assert_eq!(rig.events(), ["refused a: the address is outside the allowed networks"; 2]);
    rig.receive(&alive(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2]));
    assert_eq!(rig.events(), ["joined a"], "an address mapped into IPv6 is the same network");
}

#[test]
fn the_own_address_has_the_form_asked_for() {
    let mut config = config();
    assert_eq!(Rig::with(config.clone()).node.local().addr_bytes(), Some(&[10, 0, 0, 1][..]));
    config.differences.advertise_form = AdvertiseForm::Mapped;
    let rig = Rig::with(config);
    assert_eq!(rig.node.local().addr_bytes().map(<[u8]>::len), Some(16));
    assert_eq!(rig.node.local().address(), Some(address(1)));
}

#[test]
fn a_port_of_zero_is_the_bind_port() {
    let mut rig = Rig::new();
    rig.alive("a", 0, 1);
    assert_eq!(rig.member("a").port(), 7946);
}

/// Suspicions are measured by the probe interval.
fn probing() -> Config {
    Config { probe_interval: Duration::from_secs(1), ..config() }
}

#[test]
fn nodes_of_one_process_can_share_what_is_equal() {
    let (mut one, mut two) = (Rig::new(), Rig::new());
    for rig in [&mut one, &mut two] {
        rig.alive_with("a", 2, 1, b"x", Some(&VSN));
    }
    let known = one.member("a");
    let shares = |rig: &Rig| rig.member("a").identity().ptr_eq(known.identity());
    assert!(!shares(&two), "each has its own");
    let before = two.member("a");
    two.node.share_identity(known.identity());
    assert!(shares(&two));
    assert_eq!(two.member("a"), before);
    two.node.check_invariants().expect("sound");
    // What another node knows better is not taken over.
    two.alive_with("a", 2, 2, b"y", Some(&VSN));
    two.node.share_identity(known.identity());
    assert_eq!(two.member("a").meta(), b"y");
    one.alive("unknown", 3, 1);
    two.node.share_identity(one.member("unknown").identity());
    assert_eq!(two.node.nodes().count(), 2);
}
