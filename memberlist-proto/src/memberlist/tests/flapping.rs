//! A member that departs and returns again and again is given more time.

use super::*;

/// Six members, of which `x` answers no probe. The least time of a suspicion is 400 s.
fn rig(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    config.probe_interval = Duration::from_secs(100);
    config.differences = Differences::default();
    change(&mut config);
    let mut rig = Rig::with(config);
    (rig.answering, rig.silent) = (true, "x");
    for (index, name) in ["x", "m0", "m1", "m2", "m3", "m4"].iter().enumerate() {
        rig.alive(name, 2 + index as u16, 1);
    }
    rig
}

/// How long `x`, accused by as many as count, is suspected until it is considered dead, in seconds.
fn dies(rig: &mut Rig) -> u32 {
    let (_, incarnation) = rig.state("x");
    for accuser in ["m0", "m1", "m2"] {
        rig.suspect("x", incarnation, accuser);
    }
    let mut seconds = 0;
    while rig.state("x").0 == State::Suspect {
        rig.wait(Duration::from_secs(1));
        seconds += 1;
    }
    assert_eq!(rig.state("x").0, State::Dead);
    seconds
}

fn returns(rig: &mut Rig, port: u16) {
    let (_, incarnation) = rig.state("x");
    rig.alive("x", port, incarnation + 1);
    assert_eq!(rig.state("x").0, State::Alive);
}

#[test]
fn each_return_doubles_the_time_to_refute_twice_at_most() {
    let mut rig = rig(|_| ());
    let mut times = Vec::new();
    for _ in 0..4 {
        times.push(dies(&mut rig));
        returns(&mut rig, 2);
    }
    assert_eq!(times, [400, 800, 1_600, 1_600]);
}

/// A verdict of a peer is doubted for as long.
#[test]
fn verdicts_are_doubted_for_longer() {
    let mut rig = rig(|_| ());
    dies(&mut rig);
    returns(&mut rig, 2);
    let (_, incarnation) = rig.state("x");
    rig.dead("x", incarnation, "m0");
    rig.wait(Duration::from_secs(799));
    assert_eq!(rig.state("x").0, State::Suspect);
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.state("x").0, State::Dead);
}

#[test]
fn as_in_go_the_time_stays_the_same() {
    let mut rig = rig(|config| config.differences.doubt_flapping = 0);
    for _ in 0..3 {
        assert_eq!(dies(&mut rig), 400);
        returns(&mut rig, 2);
    }
}

#[test]
fn a_return_is_forgotten_after_600_probe_intervals() {
    let time_after = |wait: u64| {
        let mut rig = rig(|_| ());
        dies(&mut rig);
        returns(&mut rig, 2);
        rig.silent = "";
        rig.wait(Duration::from_secs(wait));
        rig.silent = "x";
        dies(&mut rig)
    };
    assert_eq!(time_after(59_999), 800);
    assert_eq!(time_after(60_000), 400);
}

/// It is another process, on another host perhaps, that has done nothing yet.
#[test]
fn a_name_at_another_address_begins_anew() {
    let mut rig = rig(|config| config.dead_node_reclaim_time = Duration::from_secs(1));
    dies(&mut rig);
    returns(&mut rig, 2);
    assert_eq!(dies(&mut rig), 800);
    rig.wait(Duration::from_secs(2));
    returns(&mut rig, 9);
    assert_eq!(dies(&mut rig), 400);
}

#[test]
fn a_leave_is_no_failure() {
    let mut rig = rig(|_| ());
    rig.dead("x", 1, "x");
    assert_eq!(rig.state("x").0, State::Left);
    returns(&mut rig, 2);
    assert_eq!(dies(&mut rig), 400);
}
