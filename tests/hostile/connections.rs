//! What many silent connections can keep a node from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use memberlist_proto::{StreamId, StreamOp, Target};
use memberlist_sim::rig::{Rig, stranger};

use super::rig::{counters, target, target_with};

/// A node that probes and exchanges its state with one member, which does not answer.
fn active() -> Rig {
    let mut target = target_with(|config| {
        config.probe_interval = Duration::from_secs(1);
        config.push_pull_interval = Duration::from_millis(200);
        config.rejoin.interval = Duration::ZERO;
    });
    target.alive("n1", 1);
    target
}

/// As many as the node takes of 2,000 connections spread over `sources`.
fn occupy(target: &mut Rig, sources: &[IpAddr]) -> usize {
    let connections = sources.iter().cycle().zip(1..=2000);
    let accepted =
        connections.filter(|(ip, port)| target.accept(SocketAddr::new(**ip, *port)).is_some());
    accepted.count()
}

/// The streams that the node opens now.
fn connects(target: &mut Rig) -> Vec<StreamId> {
    let opened = target.stream_ops().into_iter().filter_map(|op| match op {
        StreamOp::Connect { id, .. } => Some(id),
        _ => None,
    });
    opened.collect()
}

/// Everything for which a node opens a stream is begun.
fn check_that_all_is_begun(target: &mut Rig) {
    let to = SocketAddr::from(([10, 9, 9, 9], 7946));
    target.begin(|node, now| node.join(now, &[to.into()]));
    assert_eq!(connects(target).len(), 1, "a join");
    let to = Target::Member("n1".into());
    target.try_begin(|node, now| node.send_reliable(now, to, b"hello")).expect("a member");
    let [stream] = connects(target)[..] else { panic!("a reliable message") };
    target.connected(stream);
    assert!(matches!(target.stream_ops()[..], [StreamOp::Write { .. }, StreamOp::Close { .. }]));
    let before = counters(target);
    target.wait(Duration::from_secs(3));
    let after = counters(target);
    let exchanges = usize::try_from(after.push_pulls - before.push_pulls).expect("a few");
    assert!(exchanges > 0, "no exchange of the state");
    assert!(connects(target).len() > exchanges, "no ping by stream");
    assert_eq!(after.streams_refused, before.streams_refused);
}

#[test]
fn silent_connections_do_not_keep_a_node_from_connecting() {
    let five: Vec<IpAddr> = (1..=5).map(|number| stranger(number).ip()).collect();
    let network = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).to_bits();
    let hosts = (1..=2000_u128).map(|host| Ipv6Addr::from_bits(network | host << 20).into());
    // Three sources have 256 each, and then two their share; a network is one source.
    for (sources, accepted) in [(five, 768), (hosts.collect(), 256)] {
        let mut target = active();
        let taken = occupy(&mut target, &sources);
        println!("{taken} of {} sources", sources.len());
        assert_eq!(taken, accepted);
        check_that_all_is_begun(&mut target);
    }
}

#[test]
fn a_few_sources_leave_room_for_others() {
    let mut target = target();
    let flooding: Vec<IpAddr> = (1..=8).map(|number| stranger(number).ip()).collect();
    occupy(&mut target, &flooding);
    for number in 9..=30 {
        for port in 1..=8 {
            let from = SocketAddr::new(stranger(number).ip(), port);
            assert!(target.accept(from).is_some(), "{from}");
        }
    }
}
