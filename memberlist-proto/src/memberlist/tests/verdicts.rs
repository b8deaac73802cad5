//! What a suspect is spared: verdicts of others count only after its time, it is asked itself, and
//! accusation and refutation take the shortest way.

use super::*;

fn probing() -> Config {
    let mut config = config();
    config.probe_interval = Duration::from_secs(1);
    config.differences = Differences::default();
    config
}

/// Five members, which answer probes, and `x`, which does not. The least time of a suspicion is
/// then 4 s, the most 24 s.
fn six(config: Config) -> Rig {
    let mut rig = Rig::with(config);
    (rig.answering, rig.silent) = (true, "x");
    for (index, name) in ["x", "m0", "m1", "m2", "m3", "m4"].iter().enumerate() {
        rig.alive(name, 2 + index as u16, 12);
    }
    rig.events();
    rig.sent();
    rig
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What was sent to this port.
fn to(rig: &mut Rig, port: u16) -> Vec<String> {
    let to_it = |it: Sent| (it.to == address(port)).then_some(it.text);
    rig.sent().into_iter().filter_map(to_it).collect()
}

/// A node that never probes by itself while a test looks.
fn quiet() -> Config {
    let mut config = probing();
    config.probe_interval = Duration::from_secs(100);
    config
}

#[test]
fn a_verdict_leaves_the_least_time_to_refute() {
    let mut rig = six(probing());
    rig.dead("x", 12, "m0");
    assert_eq!(rig.state("x"), (State::Suspect, 12));
    assert_eq!(rig.events(), ["suspected x by m0"]);
    rig.wait(millis(3_999));
    assert_eq!(rig.state("x"), (State::Suspect, 12));
    rig.wait(millis(1));
    assert_eq!(rig.state("x"), (State::Dead, 12));
    assert_eq!(rig.node.stats().decisions.dead_doubted, 1);
}

#[test]
fn a_verdict_is_refuted_in_that_time() {
    let mut rig = six(probing());
    rig.dead("x", 12, "m0");
    rig.silent = "";
    rig.wait(millis(500));
    rig.alive("x", 2, 13);
    rig.wait(millis(30_000));
    assert_eq!(rig.state("x"), (State::Alive, 13));
    assert_eq!(rig.departures(), [""; 0]);
}

#[test]
fn a_verdict_shortens_a_suspicion_to_the_least_time() {
    let mut rig = six(probing());
    rig.suspect("x", 12, "m0");
    rig.wait(millis(1_000));
    rig.dead("x", 12, "m0");
    rig.wait(millis(2_999));
    assert_eq!(rig.state("x"), (State::Suspect, 12));
    rig.wait(millis(1));
    assert_eq!(rig.state("x"), (State::Dead, 12));
}

#[test]
fn a_verdict_counts_at_once_after_the_least_time() {
    let mut rig = six(probing());
    rig.suspect("x", 12, "m0");
    rig.wait(millis(4_000));
    rig.dead("x", 12, "m1");
    assert_eq!(rig.state("x"), (State::Dead, 12));
}

/// The accusations at 13 were missed here: those at 12 are refuted and prove nothing.
#[test]
fn a_verdict_at_a_newer_incarnation_begins_a_suspicion() {
    let mut rig = six(probing());
    rig.suspect("x", 12, "m0");
    rig.wait(millis(10_000));
    rig.dead("x", 13, "m1");
    assert_eq!(rig.state("x"), (State::Suspect, 13));
    rig.wait(millis(3_999));
    assert_eq!(rig.state("x"), (State::Suspect, 13));
}

#[test]
fn a_leave_and_as_in_go_a_verdict_count_at_once() {
    let mut rig = six(probing());
    rig.dead("x", 12, "x");
    assert_eq!(rig.state("x"), (State::Left, 12));
    let mut rig = six(Config { differences: Differences::none(), ..probing() });
    rig.dead("x", 12, "m0");
    assert_eq!(rig.state("x"), (State::Dead, 12));
    // Without suspicions there is no time to give.
    let mut rig = six(Config { suspicion: false, ..probing() });
    rig.dead("x", 12, "m0");
    assert_eq!(rig.state("x"), (State::Dead, 12));
}

/// Confirmed as often as counts, so that it lasts the least time: 400 s with this probe interval.
#[test]
fn a_suspect_is_asked_before_its_time_is_over() {
    let mut rig = six(quiet());
    for accuser in ["m0", "m1", "m2"] {
        rig.suspect("x", 12, accuser);
    }
    rig.wait(millis(400_000 - 501));
    rig.sent();
    rig.answering = false;
    rig.wait(millis(1));
    let asked = to(&mut rig, 2);
    assert!(asked[0].starts_with("ping x #"), "{asked:?}");
    assert_eq!(asked[1..], ["suspect x 12 by me"]);
    rig.wait(millis(250));
    assert_eq!(to(&mut rig, 2), asked, "once more, under the same number");
    let number = asked[0].rsplit('#').next().and_then(|it| it.parse().ok()).expect("a number");
    rig.receive(&Message::Ack(Ack { seq_no: number, payload: None }));
    rig.answering = true;
    rig.wait(millis(300));
    assert_eq!(rig.state("x"), (State::Suspect, 12));
    // It has the most time again, and those who accuse it now count anew.
    for accuser in ["m1", "m2"] {
        rig.suspect("x", 12, accuser);
    }
    rig.wait(Duration::from_secs(399));
    assert_eq!(rig.state("x"), (State::Suspect, 12));
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.state("x"), (State::Dead, 12));
    assert_eq!(rig.node.stats().counters.suspects_answered, 1);
}

/// But not forever: one that restarted and knows no peer answers, and cannot refute.
#[test]
fn a_suspect_that_answers_probes_gets_new_time_once() {
    let mut rig = six(probing());
    rig.silent = "";
    rig.suspect("x", 12, "m0");
    rig.wait(Duration::from_secs(40));
    assert_eq!(rig.state("x"), (State::Suspect, 12), "24 s are over");
    rig.wait(Duration::from_secs(9));
    assert_eq!(rig.state("x"), (State::Dead, 12));
}

#[test]
fn of_too_many_suspects_none_is_asked() {
    let asked = |at_most: usize| {
        let mut config = probing();
        config.limits.told_dead = at_most;
        let mut rig = six(config);
        rig.silent = "";
        rig.suspect("x", 12, "m0");
        rig.suspect("m4", 12, "m0");
        // Neither answers from now on, and their accusers are many.
        rig.answering = false;
        for accuser in ["m1", "m2"] {
            rig.suspect("x", 12, accuser);
            rig.suspect("m4", 12, accuser);
        }
        rig.wait(millis(3_600));
        rig.node.stats().counters.suspects_asked
    };
    assert_eq!(asked(8), 2);
    assert_eq!(asked(1), 0);
}

/// With the default intervals, half a second after the first ping and a quarter later.
#[test]
fn a_ping_is_repeated_until_the_probe_ends() {
    let mut config = probing();
    config.differences.random_phase = false;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    let pings = |rig: &mut Rig| {
        let sent = to(rig, 2);
        sent.into_iter().filter(|it| it.starts_with("ping")).collect::<Vec<_>>()
    };
    rig.wait(millis(1_000));
    let first = pings(&mut rig);
    assert_eq!(first.len(), 1);
    for pause in [500, 250] {
        rig.wait(millis(pause - 1));
        assert_eq!(pings(&mut rig), [""; 0]);
        rig.wait(millis(1));
        assert_eq!(pings(&mut rig), first);
    }
    let number = first[0].rsplit('#').next().and_then(|it| it.parse().ok()).expect("a number");
    rig.receive(&Message::Ack(Ack { seq_no: number, payload: None }));
    rig.wait(millis(249));
    assert_eq!(pings(&mut rig), [""; 0]);
    assert_eq!(rig.state("a").0, State::Alive);
    assert_eq!(rig.node.stats().counters.pings_repeated, 2);
}

/// However long a probe lasts.
#[test]
fn a_long_probe_repeats_its_ping_eight_times() {
    let mut rig = six(quiet());
    rig.wait(Duration::from_secs(100 * 7));
    let probes = rig.node.stats().counters.probes_failed;
    assert_eq!((probes, rig.node.stats().counters.pings_repeated), (1, 8));
}

#[test]
fn the_accused_learns_of_it_from_its_accuser() {
    let mut rig = Rig::with(probing());
    rig.alive("a", 2, 1);
    rig.wait(millis(1_000));
    rig.sent();
    rig.wait(millis(1_000));
    assert_eq!(rig.state("a").0, State::Suspect);
    assert!(to(&mut rig, 2).contains(&"suspect a 1 by me".into()));
}

#[test]
fn the_accuser_learns_the_refutation_from_the_accused() {
    let mut rig = six(quiet());
    rig.suspect("me", 1, "m1");
    assert_eq!(to(&mut rig, 4), ["alive me 2"]);
    // Once in a probe interval, and only a member.
    rig.suspect("me", 2, "m1");
    rig.suspect("me", 3, "stranger");
    assert_eq!(rig.sent(), []);
}
