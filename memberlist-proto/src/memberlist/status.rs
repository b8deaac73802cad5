//! The status of a node.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Memberlist;
use crate::members::Record;
use crate::node::State;
use crate::status::{LostStatus, NodeStatus, RefusedStatus, SeedStatus, Status, Trouble};
use crate::time::Instant;
use crate::wanted::Seed;

impl Memberlist {
    /// Returns everything that an operator may ask for. Takes time and memory in proportion to the
    /// number of nodes.
    pub fn status(&self, now: Instant) -> Status {
        let now = self.now.max(now);
        let seeds = self.wanted.seeds();
        let present =
            self.present(&seeds.iter().flat_map(|seed| seed.addresses().iter().copied()).collect());
        let mut nodes = Vec::with_capacity(self.members.len());
        nodes.extend(self.members.listed().map(|(id, it)| self.node_status(now, id, it)));
        Status {
            name: self.me.name.clone(),
            addr: self.own_address(),
            left: self.me.left,
            health_score: self.awareness.score(),
            keys: self.keyring.keys().len(),
            last_packet_ms: self.hearing.last_packet().map(|at| ms(now, at)),
            last_ping_ms: self.hearing.last_ping().map(|at| ms(now, at)),
            silent_ms: self.hearing.silent().map(|at| ms(now, at)),
            unlisted_ms: self.hearing.unlisted().map(|at| ms(now, at)),
            nodes,
            seeds: seeds.iter().map(|it| seed_status(now, it, &present)).collect(),
            lost: self
                .wanted
                .lost()
                .map(|lost| LostStatus {
                    name: lost.name.clone(),
                    addr: lost.address,
                    age_ms: ms(now, lost.since),
                })
                .collect(),
            refused: self
                .refusals
                .iter()
                .map(|it| RefusedStatus {
                    name: it.node.clone(),
                    from: it.from,
                    reason: it.reason.to_string(),
                    age_ms: ms(now, it.at),
                })
                .collect(),
            stats: self.stats(),
        }
    }

    fn node_status(
        &self,
        now: Instant,
        id: crate::members::MemberId,
        record: &Record,
    ) -> NodeStatus {
        let identity = record.identity();
        let suspicion = record.suspicion().and_then(|slot| self.suspects.get(slot));
        let why = match (record.state(), suspicion) {
            (State::Suspect, Some(suspect)) => Some(Trouble::Suspected {
                by: suspect.suspicion().accusers().to_vec(),
                left_ms: ms(suspect.suspicion().deadline(), now),
            }),
            (State::Dead | State::Left, _) => {
                self.departures.get(&id).cloned().map(Trouble::Departed)
            }
            _ => None,
        };
        NodeStatus {
            name: identity.node_name(),
            addr: identity.socket_addr(),
            state: record.state(),
            age_ms: ms(now, record.since()),
            incarnation: record.incarnation(),
            meta_len: identity.meta().map_or(0, <[u8]>::len),
            why,
        }
    }
}

fn seed_status(now: Instant, seed: &Seed, present: &BTreeSet<SocketAddr>) -> SeedStatus {
    SeedStatus {
        peer: seed.peer().to_string(),
        addresses: seed.addresses().to_vec(),
        live: !seed.addresses().is_empty()
            && seed.addresses().iter().all(|it| present.contains(it)),
        tried_ms: seed.last().map(|(at, _)| ms(now, *at)),
        error: seed.last().and_then(|(_, it)| it.as_ref().err()).map(ToString::to_string),
    }
}

/// From `earlier` to `later`, in milliseconds.
fn ms(later: Instant, earlier: Instant) -> u64 {
    u64::try_from(later.saturating_duration_since(earlier).as_millis()).unwrap_or(u64::MAX)
}
