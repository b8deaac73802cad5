//! Announcements near the size of a packet: refused with the sum, or carried by gossip as any
//! other.

use std::time::Duration;

use memberlist_proto::{Config, ConfigError, Key};
use memberlist_sim::{Event, NodeId, Outcome, Sim, State};

use super::{count, secs};

/// Bytes of metadata, `meta_max_size`, `udp_buffer_size`, bytes of the name and of the label,
/// whether there is a key; and whether such a node can start.
type Row = (usize, usize, usize, usize, usize, bool, bool);

const ROWS: [Row; 5] = [
    (1400, 2048, 1400, 10, 0, false, false),
    (2000, 2048, 1400, 10, 0, false, false),
    (512, 512, 512, 10, 0, false, false),
    (0, 512, 512, 255, 200, true, false),
    (512, 512, 1400, 255, 255, true, true),
];

fn name(index: usize, len: usize) -> String {
    format!("{index:0>len$}")
}

/// Bytes that compression cannot make fewer.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| byte()).collect()
}

/// The configuration of one node; only the first has metadata.
fn config(row: &Row, index: usize) -> Config {
    let (meta, meta_max_size, udp_buffer_size, name_len, label, key, _) = *row;
    let mut config = Config::lan(name(index, name_len).as_str());
    config.meta_max_size = meta_max_size;
    config.udp_buffer_size = udp_buffer_size;
    config.label = vec![b'l'; label].into();
    if key {
        config.secret_keys = vec![Key::new(&[1; 32]).expect("32 bytes")];
    }
    if index == 0 {
        config.meta = noise(meta, 1).into();
    }
    config
}

#[test]
fn an_announcement_is_refused_with_the_sum_or_works() {
    for row in &ROWS {
        match (config(row, 0).validate(), row.6) {
            (Err(ConfigError::Oversized(sum)), false) => {
                assert!(sum.total() > sum.limit, "{row:?}: {sum}");
            }
            (Ok(()), true) => works(row),
            (other, _) => panic!("{row:?}: {other:?}"),
        }
    }
}

/// Known to every member in two seconds, updates arrive, faults of 2.5 seconds are refuted.
fn works(row: &Row) {
    // Twenty faults. What the test asks for is not certain even of a short announcement: a suspect
    // that four members accuse has four seconds, of which each fault takes up to 2.5.
    let quickly = (1..=4).filter(|seed| works_with(row, *seed)).count();
    // Gossip alone misses a member now and then, whatever the length of the news.
    assert!(quickly >= 3, "{row:?}: {quickly} of 4 updates came by gossip");
}

/// Whether the update reached every member by gossip.
fn works_with(row: &Row, seed: u64) -> bool {
    let mut sim = Sim::new(seed);
    let others: Vec<NodeId> = (1..6).map(|index| sim.start(config(row, index))).collect();
    for other in &others[1..] {
        sim.join(*other, others[0]);
    }
    sim.run_for(secs(5));
    let subject = sim.start(config(row, 0));
    sim.join(subject, others[0]);
    let subject_name = sim.name(subject).clone();
    let meta_is = |sim: &Sim, meta: &[u8]| {
        let known = |node: &NodeId| sim.node(*node).member(&subject_name);
        others.iter().all(|node| known(node).is_some_and(|it| it.meta() == meta))
    };
    let first = noise(row.0, 1);
    assert!(sim.run_until(secs(2), |sim| meta_is(sim, &first)).is_some(), "{row:?}: unknown");
    let second = noise(row.0, 2);
    let op = sim
        .try_operate(subject, |node, now| node.set_meta(now, second.clone().into(), secs(0)))
        .expect("as long as before");
    let quickly = sim.run_until(secs(2), |sim| meta_is(sim, &second)).is_some();
    let updated = sim.run_until(secs(60), |sim| meta_is(sim, &second));
    assert!(updated.is_some(), "{row:?}: old");
    for _ in 0..5 {
        sim.network().partition(&[subject], &others);
        sim.run_for(Duration::from_millis(2500));
        sim.network().heal();
        sim.run_for(secs(15));
    }
    let ended = |event: &Event| {
        let Event::Finished { op: of, outcome: Outcome::SetMeta(Ok(())) } = event else {
            return false;
        };
        *of == op
    };
    assert_eq!(count(&sim, subject, ended), 1);
    let refuted = count(&sim, subject, |event| matches!(event, Event::Refuted { .. }));
    assert!(refuted > 0, "{row:?}: no fault was noticed");
    for node in &others {
        let departed = |event: &Event| matches!(event, Event::Departed { .. });
        assert_eq!(count(&sim, *node, departed), 0, "{row:?} {seed}");
        let known = sim.node(*node).member(&subject_name).map(|it| it.state());
        assert_eq!(known, Some(State::Alive), "{row:?}");
    }
    quickly
}
