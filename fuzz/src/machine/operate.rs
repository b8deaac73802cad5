//! What the application does.

use std::net::SocketAddr;
use std::time::Duration;

use memberlist_proto::{
    BroadcastKind, Config, Memberlist, NodeName, Peer, Priority, SendError, Target,
};

use super::{World, source};
use crate::hostile;
use crate::input::Input;
use crate::wire::key;

impl World {
    pub(super) fn operate(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        match input.below(20) {
            0..=3 => {
                let peers: Vec<Peer> = (0..input.below(4)).map(|_| peer(input)).collect();
                let op = self.node.join(now, &peers);
                self.watch.began(op, false);
            }
            4 if input.below(4) == 0 => {
                let timeout = timeout(input);
                let op = self.node.leave(now, timeout);
                self.watch.began(op, timeout.is_zero());
            }
            5 | 6 => {
                let target = target(input);
                let op = self.node.ping(now, target);
                self.watch.began(op, false);
            }
            7 => {
                let timeout = timeout(input);
                let meta = vec![input.byte(); 2 * usize::from(input.byte())];
                if let Ok(op) = self.node.set_meta(now, meta.into(), timeout) {
                    self.watch.began(op, timeout.is_zero());
                }
            }
            8 | 9 => {
                let target = target(input);
                if let Ok(op) = self.node.send_reliable(now, target, input.string()) {
                    self.watch.began(op, false);
                }
            }
            10 => {
                let running = self.watch.waiting();
                if !running.is_empty() {
                    self.node.cancel(now, running[input.below(running.len())]);
                }
            }
            11 => {
                let target = target(input);
                let _ = self.node.send(now, target, input.string());
            }
            12..=14 => self.broadcast(input),
            15 => self.keys(input),
            16 => self.reconfigure(input),
            17 => self.restore(input),
            18 => self.search(input),
            19 if input.flag() => self.disseminate(input),
            _ => {
                let at = self.node.poll_timeout().unwrap_or(now);
                self.at(at);
            }
        }
    }

    fn broadcast(&mut self, input: &mut Input<'_>) {
        let kind = match input.below(3) {
            0 => BroadcastKind::Plain,
            1 => BroadcastKind::Unique,
            _ => BroadcastKind::Named(vec![input.byte() & 1].into()),
        };
        let priority = input.choose(&[Priority::Normal, Priority::High, Priority::Low]);
        let limit = self.node.broadcast_limit();
        let message = match input.below(8) {
            0 => vec![7; limit],
            1 => vec![7; limit + 1],
            _ => input.string().to_vec(),
        };
        match self.node.broadcast(self.now, &message, kind, priority) {
            Ok(id) => self.watch.queued(id),
            Err(_) => assert!(message.len() > limit, "refused without a reason"),
        }
    }

    /// A message of any size, to everybody.
    fn disseminate(&mut self, input: &mut Input<'_>) {
        let limits = self.node.config().limits.clone();
        let gossiped = self.node.broadcast_limit() / 2;
        let len = match input.below(8) {
            0 => gossiped,
            1 => limits.stream_bytes + usize::from(input.flag()),
            _ => gossiped + 1 + usize::from(input.u16() % 4096),
        };
        let before = self.node.stats().gauges;
        match self.node.disseminate(self.now, &vec![input.byte(); len]) {
            Ok(id) => self.watch.queued(id),
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
            0 => self.node.add_key(self.now, key),
            1 => {
                let _ = self.node.use_key(self.now, &key);
            }
            2 => {
                let _ = self.node.remove_key(self.now, &key);
            }
            _ => self.node.set_verify(self.now, input.flag(), input.flag()),
        }
    }

    fn reconfigure(&mut self, input: &mut Input<'_>) {
        let mut timing = self.node.config().timing();
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
        let before = self.node.config().timing();
        if self.node.reconfigure(self.now, timing).is_err() {
            assert_eq!(self.node.config().timing(), before, "a refusal changes something");
        }
    }

    fn restore(&mut self, input: &mut Input<'_>) {
        let name = hostile::name(input);
        let mut config = Config::local(NodeName::from(&name[..]));
        config.advertise_addr = [10, 0, 0, input.byte() & 7].into();
        if let Ok(other) = Memberlist::new(self.now, config, None, [1; 32]) {
            self.node.restore(self.now, [other.local()]);
            self.watch.restored(&self.node);
        }
        self.node.restore(self.now, self.node.nodes().collect::<Vec<_>>());
    }
}

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
        0 => SocketAddr::from(([0, 0, 0, 0], 7)),
        1 => SocketAddr::from(([10, 0, 0, 2], 0)),
        _ => source(input),
    };
    Target::Addr { addr, node: None }
}
