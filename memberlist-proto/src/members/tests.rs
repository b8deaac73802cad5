use alloc::vec::Vec;
use core::time::Duration;

use smallvec::SmallVec;

use super::*;
use crate::node::IdentityParts;

mod model;
mod zones;

const SEED: [u8; 32] = [5; 32];

fn identity(name: &[u8], port: u16) -> Identity {
    let addr = Some(&[10, 0, 0, 1][..]);
    let parts = IdentityParts { name, addr, port, ..IdentityParts::default() };
    Identity::new(parts).expect("short enough")
}

fn table(n: u16, state: impl Fn(u16) -> State, rng: &mut Rng) -> Members {
    let mut members = Members::new([1; 16]);
    for number in 0..n {
        let identity = identity(&number.to_be_bytes(), number);
        members.insert(identity, 1, state(number), Instant::ORIGIN, rng);
    }
    members.check().expect("sound");
    members
}

fn port(members: &Members, id: MemberId) -> u16 {
    members.record(id).identity().port()
}

/// The next member to probe, skipping those whose port `skip` returns true for.
fn probe(
    members: &mut Members,
    mut tick: ProbeTick,
    rng: &mut Rng,
    skip: impl Fn(u16) -> bool,
) -> Option<u16> {
    loop {
        match members.next_probe(&mut tick, rng, |_, record| skip(record.identity().port())) {
            ProbeStep::Member(id) => return Some(port(members, id)),
            ProbeStep::Wrapped => {}
            ProbeStep::Idle => return None,
        }
    }
}

#[test]
fn a_record_has_32_bytes() {
    assert!(size_of::<Record>() <= 32);
    assert!(size_of::<Option<Record>>() <= 32);
}

#[test]
fn records_are_found_by_name_and_counted_by_state() {
    let rng = &mut Rng::from_seed(SEED);
    let state =
        |number| [State::Alive, State::Suspect, State::Dead, State::Left][number as usize % 4];
    let mut members = table(1_002, state, rng);
    assert_eq!(members.len(), 1_002);
    let counts = [State::Alive, State::Suspect, State::Dead, State::Left].map(|s| members.count(s));
    assert_eq!(counts, [251, 251, 250, 250]);
    assert_eq!(members.num_live(), 502);
    for number in 0..1_002_u16 {
        let id = members.get(&number.to_be_bytes()).expect("known");
        assert_eq!(port(&members, id), number);
    }
    assert_eq!(members.get(b"unknown"), None);

    let id = members.get(&[0, 0]).expect("known");
    members.set_state(id, State::Left, 9, Instant::from_nanos(7));
    assert_eq!((members.count(State::Alive), members.count(State::Left)), (250, 251));
    let node = members.node(id);
    assert_eq!((node.state(), node.incarnation(), node.since().as_nanos()), (State::Left, 9, 7));
    members.check().expect("sound");
}

#[test]
fn state_and_suspicion_share_a_word() {
    let rng = &mut Rng::from_seed(SEED);
    let mut members = table(1, |_| State::Alive, rng);
    let id = members.get(&[0, 0]).expect("known");
    assert_eq!(members.record(id).suspicion(), None);
    for slot in [Some(0), Some(Record::MAX_SUSPICIONS - 1), None, Some(77)] {
        members.set_suspicion(id, slot);
        for state in [State::Suspect, State::Dead, State::Left, State::Alive] {
            members.set_state(id, state, 1, Instant::ORIGIN);
            let record = members.record(id);
            assert_eq!((record.state(), record.suspicion()), (state, slot));
        }
    }
}

#[test]
fn an_identity_is_replaced_only_by_one_of_the_same_name() {
    let rng = &mut Rng::from_seed(SEED);
    let mut members = table(2, |_| State::Alive, rng);
    let id = members.get(&[0, 1]).expect("known");
    let previous = members.replace_identity(id, identity(&[0, 1], 77));
    assert_eq!(previous, Some(identity(&[0, 1], 1)));
    assert_eq!(port(&members, id), 77);
    assert_eq!(members.replace_identity(id, identity(&[0, 0], 1)), None);
    assert_eq!(port(&members, id), 77);
    members.check().expect("sound");
}

#[test]
fn reaping_removes_what_expired_and_frees_its_ids() {
    let rng = &mut Rng::from_seed(SEED);
    let state = |number| {
        if number % 3 == 0 { State::Dead } else { State::Alive }
    };
    let mut members = table(600, state, rng);
    for _ in 0..100 {
        probe(&mut members, ProbeTick::new(true), rng, |_| false);
    }
    // Members that were probed in this round are not probed again in it.
    let probed: Vec<u16> =
        members.order[..members.cursor].iter().map(|id| port(&members, *id)).collect();
    let reaped = members.reap(usize::MAX, |record| record.identity().port() < 300);
    assert_eq!(reaped.len(), 100);
    assert!(reaped.iter().all(|(_, node)| node.state() == State::Dead && node.port() < 300));
    assert_eq!((members.len(), members.count(State::Dead)), (500, 100));
    assert_eq!(members.get(&[0, 0]), None);
    members.check().expect("sound");
    while members.cursor < members.len() {
        let next =
            probe(&mut members, ProbeTick::new(true), rng, |_| false).expect("a member to probe");
        assert!(!probed.contains(&next));
    }
    let id = members.insert(identity(b"new", 1), 1, State::Alive, Instant::ORIGIN, rng);
    assert!(reaped.iter().any(|(old, _)| *old == id));
    members.check().expect("sound");
    assert!(
        members.reap(usize::MAX, |_| true).len() == 100
            && members.reap(usize::MAX, |_| true).is_empty()
    );
}

#[test]
fn each_round_probes_every_member_once_in_another_order() {
    let rng = &mut Rng::from_seed(SEED);
    let mut members = table(50, |_| State::Alive, rng);
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let round: Vec<u16> = (0..50)
            .map(|_| {
                probe(&mut members, ProbeTick::new(true), rng, |_| false)
                    .expect("a member to probe")
            })
            .collect();
        let mut sorted = round.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..50));
        assert!(!rounds.contains(&round));
        rounds.push(round);
    }
}

#[test]
fn every_order_of_probing_is_equally_likely() {
    let rng = &mut Rng::from_seed(SEED);
    let mut members = table(3, |_| State::Alive, rng);
    let mut seen = [0_u32; 27];
    for _ in 0..6_000 {
        let mut draw = || probe(&mut members, ProbeTick::new(true), rng, |_| false).unwrap_or(0);
        let order = usize::from(9 * draw() + 3 * draw() + draw());
        seen[order] += 1;
    }
    let permutations: Vec<u32> = seen.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(permutations.len(), 6);
    assert!(permutations.iter().all(|count| count.abs_diff(1_000) < 200), "{permutations:?}");
}

/// How many of a thousand ticks in a cluster of `n` nodes, the first of which is the observer
/// itself, probe no member.
fn idle_ticks(n: u16, count_wraps: bool) -> usize {
    let rng = &mut Rng::from_seed(SEED);
    let mut members = table(n, |_| State::Alive, rng);
    let tick = ProbeTick::new(count_wraps);
    let probes = (0..20_000).map(|_| probe(&mut members, tick, rng, |port| port == 0));
    probes.filter(Option::is_none).count() / 20
}

#[test]
fn counting_wraps_wastes_ticks_of_tiny_clusters() {
    // As many as the Go library was measured to waste.
    assert!(idle_ticks(2, true).abs_diff(430) < 20, "{}", idle_ticks(2, true));
    assert!(idle_ticks(3, true).abs_diff(50) < 10, "{}", idle_ticks(3, true));
    assert_eq!([2, 3, 4].map(|n| idle_ticks(n, false)), [0, 0, 0]);
}

#[test]
fn the_search_ends_when_no_member_can_be_probed() {
    let rng = &mut Rng::from_seed(SEED);
    for count_wraps in [false, true] {
        for n in [0, 1, 2, 10] {
            let mut members = table(n, |_| State::Dead, rng);
            for _ in 0..5 {
                assert_eq!(probe(&mut members, ProbeTick::new(count_wraps), rng, |_| true), None);
            }
            // Emptied in the middle of the search.
            let mut tick = ProbeTick::new(count_wraps);
            while members.next_probe(&mut tick, rng, |_, _| true) != ProbeStep::Idle {
                members.reap(usize::MAX, |_| true);
            }
            members.check().expect("sound");
        }
    }
}

#[test]
fn a_new_member_enters_the_round_at_a_random_place() {
    let rng = &mut Rng::from_seed(SEED);
    let mut this_round = 0;
    for _ in 0..1_000 {
        let mut members = table(10, |_| State::Alive, rng);
        for _ in 0..5 {
            probe(&mut members, ProbeTick::new(true), rng, |_| false);
        }
        members.insert(identity(b"new", 100), 1, State::Alive, Instant::ORIGIN, rng);
        members.check().expect("sound");
        let rest = &members.order[members.cursor..];
        this_round += usize::from(rest.iter().any(|id| port(&members, *id) == 100));
    }
    assert!(this_round.abs_diff(500) < 100, "{this_round}");
}

#[test]
fn choosing_gives_different_members_that_pass() {
    let rng = &mut Rng::from_seed(SEED);
    let state = |number| [State::Alive, State::Suspect, State::Dead][number as usize % 3];
    let mut chosen = SmallVec::new();
    let members = table(90, state, rng);
    let eligible =
        |_, record: &Record| record.identity().port() != 0 && record.state() == State::Alive;
    let mut seen = [0_u32; 90];
    for _ in 0..2_900 {
        members.choose(3, rng, &mut chosen, eligible);
        assert_eq!(chosen.len(), 3);
        assert!(chosen[0] != chosen[1] && chosen[0] != chosen[2] && chosen[1] != chosen[2]);
        for id in &chosen {
            seen[usize::from(port(&members, *id))] += 1;
        }
    }
    for (number, count) in seen.iter().enumerate() {
        let expected = if number % 3 == 0 && number > 0 { 300 } else { 0 };
        assert!(count.abs_diff(expected) <= expected / 3, "{number}: {count}");
    }
}

#[test]
fn choosing_from_few_looks_at_all() {
    let rng = &mut Rng::from_seed(SEED);
    let mut chosen = SmallVec::new();
    let members = table(8, |_| State::Alive, rng);
    let mut seen = [0_u32; 8];
    for _ in 0..1_000 {
        members.choose(3, rng, &mut chosen, |_, record| record.identity().port() % 4 == 0);
        let mut ports: Vec<u16> = chosen.iter().map(|id| port(&members, *id)).collect();
        seen[usize::from(ports[0])] += 1;
        ports.sort_unstable();
        assert_eq!(ports, [0, 4]);
    }
    assert!(seen[0].abs_diff(500) < 100, "{seen:?}");
    members.choose(100, rng, &mut chosen, |_, _| true);
    assert_eq!(chosen.len(), 8);
    members.choose(0, rng, &mut chosen, |_, _| true);
    assert!(chosen.is_empty());
    Members::new([0; 16]).choose(3, rng, &mut chosen, |_, _| true);
    assert!(chosen.is_empty());
}

#[test]
fn choosing_from_many_draws_a_bounded_number_of_times() {
    let rng = &mut Rng::from_seed(SEED);
    let mut chosen = SmallVec::new();
    let members = table(100, |_| State::Dead, rng);
    let mut asked = 0;
    members.choose(3, rng, &mut chosen, |_, _| {
        asked += 1;
        false
    });
    assert_eq!((asked, chosen.len()), (300, 0));
    let mut asked = 0;
    members.choose(3, rng, &mut chosen, |_, _| {
        asked += 1;
        true
    });
    assert_eq!((asked, chosen.len()), (3, 3));
}

#[test]
fn time_in_a_state_is_kept_to_the_nanosecond() {
    let rng = &mut Rng::from_seed(SEED);
    let mut members = Members::new([0; 16]);
    let since = Instant::from_nanos(u64::MAX - 1);
    let id = members.insert(identity(b"a", 1), u32::MAX, State::Suspect, since, rng);
    let record = members.record(id);
    assert_eq!((record.since(), record.incarnation()), (since, u32::MAX));
    assert_eq!(Instant::FAR_FUTURE.saturating_duration_since(since), Duration::from_nanos(1));
}

#[test]
fn reaping_within_a_round_neither_repeats_nor_skips_a_member() {
    for stop in 0..12 {
        let mut rng = Rng::from_seed([stop as u8; 32]);
        let dead = |port: u16| if port.is_multiple_of(3) { State::Dead } else { State::Alive };
        let mut members = table(12, dead, &mut rng);
        let mut round = Vec::new();
        for _ in 0..stop {
            round.extend(probe(&mut members, ProbeTick::new(false), &mut rng, |_| false));
        }
        members.reap(usize::MAX, |_| true);
        members.check().unwrap();
        let left = members.len();
        while round.len() < stop + 3 * left {
            round.extend(probe(&mut members, ProbeTick::new(false), &mut rng, |_| false));
        }
        let rest: Vec<u16> =
            round[..].iter().copied().filter(|port| !port.is_multiple_of(3)).collect();
        let mut first: Vec<u16> = rest[..left].to_vec();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), left, "after {stop}: {rest:?}");
    }
}

#[test]
fn records_are_listed_in_the_order_of_their_names_however_they_came() {
    const NUMBER: usize = 2_500;
    // In order, in reverse order, in runs, and mixed up. Each time some are filed and some are not.
    for step in [1, NUMBER - 1, 627, 1_009] {
        let rng = &mut Rng::from_seed(SEED);
        let mut members = Members::new([0; 16]);
        for index in 0..NUMBER {
            let name = format!("node-{:04}", index * step % NUMBER);
            members.insert(identity(name.as_bytes(), 1), 1, State::Alive, Instant::ORIGIN, rng);
            if index == NUMBER / 2 {
                assert_eq!(members.by_name().len(), index + 1);
            }
        }
        members.check().expect("sound");
        let expected: Vec<String> = (0..NUMBER).map(|index| format!("node-{index:04}")).collect();
        let listed: Vec<_> = members.listed().map(|(_, it)| it.name().to_string()).collect();
        assert_eq!(listed, expected);
        let filed: Vec<_> = members.by_name().map(|it| it.name().to_string()).collect();
        assert_eq!(filed, expected);
        members.check().expect("sound");
    }
}
