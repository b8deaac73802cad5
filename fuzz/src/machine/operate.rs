//! What the application does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use memberlist_proto::{
    BroadcastKind, Config, Instant, Memberlist, NodeName, OpId, Peer, Priority, SendError, Target,
};

use super::{World, source};
use crate::hostile;
use crate::input::Input;
use crate::wire::key;

impl World {
    pub(super) fn operate(&mut self, input: &mut Input<'_>) {
        match input.below(20) {
            0..=3 => {
                let peers: Vec<Peer> = (0..input.below(4)).map(|_| peer(input)).collect();
                self.begin(false, |node, now| node.join(now, &peers));
            }
            4 if input.below(4) == 0 => {
                let timeout = timeout(input);
                self.begin(timeout.is_zero(), |node, now| node.leave(now, timeout));
            }
            5 | 6 => {
                let target = target(input);
                self.begin(false, |node, now| node.ping(now, target));
            }
            7 => {
                let timeout = timeout(input);
                let meta = vec![input.byte(); 2 * usize::from(input.byte())];
                let begun =
                    self.rig.try_begin(|node, now| node.set_meta(now, meta.into(), timeout));
                self.operations.extend(begun.ok().map(|op| (op, timeout.is_zero())));
            }
            8 | 9 => {
                let target = target(input);
                let message = input.string();
                let begun =
                    self.rig.try_begin(|node, now| node.send_reliable(now, target, message));
                self.operations.extend(begun.ok().map(|op| (op, false)));
            }
            10 => {
                let running: Vec<OpId> = self.operations.keys().copied().collect();
                if !running.is_empty() {
                    let op = running[input.below(running.len())];
                    self.rig.call(|node, now| node.cancel(now, op));
                }
            }
            11 => {
                let target = target(input);
                let message = input.string();
                let _ = self.rig.call(|node, now| node.send(now, target, message));
            }
            12..=14 => self.broadcast(input),
            15 => self.keys(input),
            16 => self.reconfigure(input),
            17 => self.restore(input),
            18 => self.search(input),
            19 if input.flag() => self.disseminate(input),
            _ => {
                let at = self.rig.node().poll_timeout().unwrap_or(self.rig.now());
                self.rig.fire(at);
            }
        }
    }

    /// Begins an operation, which may wait forever or not.
    pub(super) fn begin(
        &mut self,
        may_wait: bool,
        f: impl FnOnce(&mut Memberlist, Instant) -> OpId,
    ) -> OpId {
        let op = self.rig.begin(f);
        self.operations.insert(op, may_wait);
        op
    }

    fn broadcast(&mut self, input: &mut Input<'_>) {
        let kind = match input.below(3) {
            0 => BroadcastKind::Plain,
            1 => BroadcastKind::Unique,
            _ => BroadcastKind::Named(vec![input.byte() & 1].into()),
        };
        let priority = input.choose(&[Priority::Normal, Priority::High, Priority::Low]);
        let limit = self.rig.node().broadcast_limit();
        let message = match input.below(8) {
            0 => vec![7; limit],
            1 => vec![7; limit + 1],
            _ => input.string().to_vec(),
        };
        let queued = self.rig.queue(|node, now| node.broadcast(now, &message, kind, priority));
        assert!(queued.is_ok() || message.len() > limit, "refused without a reason");
    }

    /// A message of any size, to every member.
    fn disseminate(&mut self, input: &mut Input<'_>) {
        let limits = self.rig.node().config().limits.clone();
        let gossiped = self.rig.node().broadcast_limit() / 2;
        let len = match input.below(8) {
            0 => gossiped,
            1 => limits.stream_bytes + usize::from(input.flag()),
            _ => gossiped + 1 + usize::from(input.u16() % 4096),
        };
        let before = self.rig.node().stats().gauges;
        let message = vec![input.byte(); len];
        match self.rig.queue(|node, now| node.disseminate(now, &message)) {
            Ok(_) => {}
            Err(SendError::TooLong { .. }) => assert!(len > limits.stream_bytes),
            Err(SendError::TooMany) => {
                let most = limits.dissemination_bytes as u64;
                let full = before.disseminations == limits.disseminations as u64;
                // Layers around it are a few bytes, and its compression makes it shorter.
                assert!(full || before.dissemination_bytes + len as u64 + 200 > most);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn keys(&mut self, input: &mut Input<'_>) {
        let key = key(input.choose(&[16, 24, 32]));
        match input.below(4) {
            0 => {
                let _ = self.rig.call(|node, now| node.add_key(now, key));
            }
            1 => {
                let _ = self.rig.call(|node, now| node.use_key(now, &key));
            }
            2 => {
                let _ = self.rig.call(|node, now| node.remove_key(now, &key));
            }
            _ => {
                let (incoming, outgoing) = (input.flag(), input.flag());
                self.rig.call(|node, now| node.set_verify(now, incoming, outgoing));
            }
        }
    }

    fn reconfigure(&mut self, input: &mut Input<'_>) {
        let mut timing = self.rig.node().config().timing();
        let millis = Duration::from_millis(u64::from(input.u16()) * 4);
        match input.below(14) {
            0 => timing.gossip_interval = millis,
            1 => timing.probe_interval = millis,
            2 => timing.probe_timeout = millis,
            3 => timing.push_pull_interval = millis,
            4 => timing.tcp_timeout = millis,
            5 => timing.join_timeout = millis,
            6 => timing.awareness_max_multiplier = input.byte().into(),
            7 => timing.suspicion_mult = input.byte().into(),
            8 => timing.retransmit_mult = input.byte().into(),
            9 => timing.gossip_nodes = input.byte().into(),
            10 => timing.dead_node_reclaim_time = millis,
            11 => timing.rejoin.interval = millis,
            12 => timing.rejoin.give_up_after = millis,
            _ => timing.gossip_to_the_dead_time = millis,
        }
        let before = self.rig.node().config().timing();
        if self.rig.call(|node, now| node.reconfigure(now, timing)).is_err() {
            assert_eq!(self.rig.node().config().timing(), before, "a refusal changes something");
        }
    }

    fn restore(&mut self, input: &mut Input<'_>) {
        let name = hostile::name(input);
        let mut config = Config::local(NodeName::from(&name[..]));
        config.advertise_addr = [10, 0, 0, input.byte() & 7].into();
        if let Ok(other) = Memberlist::new(self.rig.now(), config, None, [1; 32]) {
            self.rig.restore([other.local()]);
        }
        let known: Vec<_> = self.rig.node().nodes().collect();
        self.rig.restore(known);
    }
}

/// Addresses that cannot be sent to, and to which the application sends all the same.
pub(super) const UNUSABLE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 0),
];

pub(super) fn timeout(input: &mut Input<'_>) -> Duration {
    Duration::from_millis(u64::from(input.byte()) * 16)
}

pub(super) fn peer(input: &mut Input<'_>) -> Peer {
    let text = ["some.host", "a/some.host:9", "10.0.0.1", "10.0.0.2:5", "[fd00::1]:3", "10.0.0.9"];
    match input.below(8) {
        6 => Peer::from(SocketAddr::from(([0, 0, 0, 0], 0))),
        7 => Peer::from(source(input)),
        known => text[known].parse().expect("a peer"),
    }
}

fn target(input: &mut Input<'_>) -> Target {
    if input.flag() {
        return Target::Member(NodeName::from(&hostile::name(input)[..]));
    }
    let addr = match input.below(8) {
        unusable @ 0..=1 => UNUSABLE[unusable],
        _ => source(input),
    };
    Target::Addr { addr, node: None }
}
