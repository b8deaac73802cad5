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
    let lives = (1..=4).map(|seed| {
        let life = live(row, seed);
        let well = life.known && life.suspected > 0 && life.departed == 0;
        assert!(well, "{row:?} {seed}: {life:?}");
        life
    });
    // Gossip alone misses a member now and then: `length_makes_no_difference` shows how often.
    let quickly = lives.filter(|life| life.quickly).count();
    assert!(quickly >= 3, "{row:?}: {quickly} of 4 updates came by gossip");
}

/// What happened to a node that changed its metadata and had five short faults.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// Whether every member knew it two seconds after it joined.
    known: bool,
    /// Whether the change reached every member by gossip, in two seconds.
    quickly: bool,
    /// Accusations that it refuted.
    suspected: usize,
    /// Members that declared it dead.
    departed: usize,
}

fn live(row: &Row, seed: u64) -> Life {
    let mut sim = Sim::new(seed);
    sim.check_every(100);
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
    let (first, second) = (noise(row.0, 1), noise(row.0, 2));
    let known = sim.run_until(secs(2), |sim| meta_is(sim, &first)).is_some();
    assert!(sim.run_until(secs(60), |sim| meta_is(sim, &first)).is_some(), "{row:?}: unknown");
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
    let departed = |event: &Event| matches!(event, Event::Departed { .. });
    for node in &others {
        let known = sim.node(*node).member(&subject_name).map(|it| it.state());
        assert_eq!(known, Some(State::Alive), "{row:?}");
    }
    Life {
        known,
        quickly,
        suspected: count(&sim, subject, |event| matches!(event, Event::Refuted { .. })),
        departed: others.iter().map(|node| count(&sim, *node, departed)).sum(),
    }
}

/// A row for metadata of this length with everything else as it is by default.
fn of_length(meta: usize) -> Row {
    (meta, meta.max(512), 1400, 2, 0, false, true)
}

/// The longest metadata with which a node can start.
fn longest() -> usize {
    let fits = |meta: &usize| config(&of_length(*meta), 0).validate().is_ok();
    (512..1400).rev().find(fits).expect("some length fits")
}

/// What becomes of announcements of several lengths, over many lives.
fn compare(lengths: &[usize], seeds: u64) -> Vec<(usize, u64, usize, usize)> {
    let all = lengths.iter().map(|length| {
        let lives = (0..seeds).map(|seed| live(&of_length(*length), seed));
        let (mut slow, mut suspected, mut departed) = (0, 0, 0);
        for life in lives {
            slow += u64::from(!life.quickly);
            suspected += life.suspected;
            departed += life.departed;
        }
        println!(
            "{length} bytes, {seeds} lives: {slow} updates not by gossip alone, {suspected} \
             accusations refuted, {departed} false departures"
        );
        (*length, slow, suspected, departed)
    });
    all.collect()
}

/// Short and the longest that fits, in the same lives.
#[test]
fn length_makes_no_difference() {
    let rows = compare(&[10, longest()], 12);
    for (length, slow, suspected, departed) in rows {
        assert!(slow <= 3, "{length} bytes: {slow} of 12 updates missed a member");
        assert!(suspected > 12, "{length} bytes: few faults were noticed");
        assert!(departed <= 2, "{length} bytes: {departed} false departures");
    }
}

/// `cargo test -p memberlist-tests --test scenarios -- --ignored --nocapture lengths`.
#[test]
#[ignore = "minutes of processor: prints the figures of docs/limits.md"]
fn lengths_over_many_seeds() {
    compare(&[10, 200, 600, 1000, longest()], 200);
}
