//! Zones: what crosses them, bridges that die, and a zone that is cut off.

use memberlist_proto::Differences;
use memberlist_sim::{Config, Sim};
use memberlist_tests::zones::{Layout, Zoned};

use super::secs;

const ZONED: Layout = Layout { nodes: 10, bridges: Some(2) };
const PLAIN: Layout = Layout { nodes: 10, bridges: None };

fn as_go(config: &mut Config) {
    config.differences = Differences::none();
}

fn figures(sim: &Sim) -> (u64, u64) {
    let counters = sim.counters();
    (counters["zone_choices"], counters["zone_choices_skipped"])
}

/// Broadcasts for a while, and the share of bytes that cross zones.
fn share(zoned: &mut Zoned) -> f64 {
    zoned.traffic();
    for round in 0..10_u8 {
        let from = zoned.all()[usize::from(round) * 3];
        zoned.broadcast(from, &[round; 200]);
        zoned.sim.run_for(secs(10));
    }
    zoned.traffic().share()
}

#[test]
fn gossip_and_exchanges_stay_within_zones() {
    let without = share(&mut PLAIN.start(1, &|_| {}));
    let mut zoned = ZONED.start(1, &|_| {});
    let before = figures(&zoned.sim);
    let with = share(&mut zoned);
    let after = figures(&zoned.sim);
    assert!(without > 0.6, "{without}");
    // Every fifth node is a bridge here, every hundredth or so in a large zone.
    assert!(with < 0.2, "{with}");
    assert!(after.0 > before.0 + 100, "{after:?}");
    assert_eq!(after.1, before.1, "every zone has its bridges");
}

/// One after the other all bridges of one zone die, and its members are cut off at no time.
#[test]
fn bridges_may_die_one_by_one() {
    for change in [(&|_: &mut Config| {}) as &dyn Fn(&mut Config), &as_go] {
        let mut zoned = ZONED.start(2, change);
        let bridges = zoned.zones[1][..2].to_vec();
        zoned.kill(bridges[0]);
        let skipped = figures(&zoned.sim).1;
        zoned.broadcast(zoned.zones[1][5], b"one bridge");
        assert_eq!(figures(&zoned.sim).1, skipped, "one bridge is enough");
        zoned.kill(bridges[1]);
        zoned.broadcast(zoned.zones[1][5], b"no bridge");
        zoned.broadcast(zoned.zones[0][5], b"and back");
        assert!(figures(&zoned.sim).1 > skipped, "all choose among all");
        // It comes back, and closes the zones again.
        zoned.sim.restart(bridges[0], false);
        zoned.sim.join(bridges[0], zoned.zones[0][0]);
        zoned.agree(secs(120));
        let skipped = figures(&zoned.sim).1;
        zoned.broadcast(zoned.zones[1][5], b"one again");
        assert_eq!(figures(&zoned.sim).1, skipped);
    }
}

#[test]
fn a_zone_that_was_cut_off_comes_back() {
    let mut zoned = ZONED.start(3, &|_| {});
    let (cut, others) = (zoned.zones[2].clone(), zoned.zones[..2].concat());
    zoned.sim.network().partition(&cut, &others);
    let parted = zoned.sim.run_until(secs(120), |sim| {
        let alone = sim.agreement_among(cut.iter().copied()).is_ok();
        alone && sim.agreement_among(others.iter().copied()).is_ok()
    });
    assert!(parted.is_some());
    zoned.sim.network().heal();
    zoned.agree(secs(180));
    zoned.broadcast(zoned.zones[2][7], b"together");
}

/// dskit opens all zones while one remembers a dead member of a zone without bridge; we do not.
#[test]
fn a_dead_zone_without_bridge_opens_the_others_in_dskit_alone() {
    for (change, opened) in
        [((&|_: &mut Config| {}) as &dyn Fn(&mut Config), false), (&as_go, true)]
    {
        let mut zoned = ZONED.start(4, change);
        let mut config = Config::lan("lone");
        change(&mut config);
        config.zone = "d".into();
        let lone = zoned.sim.start(config);
        zoned.sim.join(lone, zoned.zones[0][0]);
        zoned.agree(secs(120));
        zoned.broadcast(zoned.zones[1][5], b"to all");
        zoned.kill(lone);
        let skipped = figures(&zoned.sim).1;
        zoned.broadcast(zoned.zones[0][5], b"after its death");
        assert_eq!(figures(&zoned.sim).1 > skipped, opened);
    }
}

/// Whatever a node remembers of zones is in its checkpoint.
#[test]
fn zones_go_on_from_a_checkpoint() {
    let run = |every| {
        let mut zoned = Layout { nodes: 4, bridges: Some(1) }.start(5, &|_| {});
        zoned.sim.restore_every(every);
        zoned.kill(zoned.zones[0][2]);
        zoned.broadcast(zoned.zones[1][2], b"payload");
        zoned.sim.trace_hash()
    };
    assert_eq!(run(0), run(3));
}
