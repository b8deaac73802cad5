//! What must hold of everything that a node says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::packet::{PacketLimits, Rules, open};
use memberlist_proto::{
    BroadcastId, Event, Keyring, Memberlist, Node, NodeName, OpId, State, Transmit,
};

use crate::wire::Opened;

/// The type of a ping.
const PING: u8 = 0;
/// The type of an ack.
const ACK: u8 = 2;

/// What a listener knows who believes every event.
pub(super) struct Watch {
    me: NodeName,
    /// The members by name, with their incarnation.
    members: BTreeMap<NodeName, u32>,
    /// The state of every node as the events told it, also of those that are gone.
    states: BTreeMap<NodeName, State>,
    /// The incarnations of those that are gone, as of the last step.
    gone: BTreeMap<NodeName, u32>,
    left: bool,
    incarnation: u32,
    /// Operations under way, and whether they may wait for ever.
    operations: BTreeMap<OpId, bool>,
    ended: BTreeSet<OpId>,
    broadcasts: BTreeSet<BroadcastId>,
    sent: BTreeSet<BroadcastId>,
}

impl Watch {
    pub(super) fn new(node: &Memberlist) -> Self {
        Self {
            me: node.config().name.clone(),
            members: BTreeMap::new(),
            states: BTreeMap::new(),
            gone: BTreeMap::new(),
            left: false,
            incarnation: 0,
            operations: BTreeMap::new(),
            ended: BTreeSet::new(),
            broadcasts: BTreeSet::new(),
            sent: BTreeSet::new(),
        }
    }

    pub(super) fn began(&mut self, op: OpId, may_wait: bool) {
        assert!(!self.ended.contains(&op), "{op:?} is used twice");
        assert!(self.operations.insert(op, may_wait).is_none(), "{op:?} is used twice");
    }

    pub(super) fn queued(&mut self, id: BroadcastId) {
        assert!(self.broadcasts.insert(id), "{id:?} is used twice");
    }

    pub(super) fn restored(&mut self, node: &Memberlist) {
        for member in node.members() {
            self.members.entry(name(&member)).or_insert(member.incarnation());
        }
        for known in node.nodes() {
            self.states.insert(name(&known), known.state());
        }
    }

    pub(super) fn waiting(&self) -> Vec<OpId> {
        self.operations.keys().copied().collect()
    }

    pub(super) fn may_wait(&self, op: OpId) -> bool {
        self.operations[&op]
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.transition(event);
        match event {
            Event::Joined { node } => {
                // Whoever takes over the name of one that left begins anew.
                self.gone.remove(&name(node));
                let before = self.members.insert(name(node), node.incarnation());
                assert!(before.is_none(), "{} joins twice", node.name());
            }
            Event::Departed { node, .. } => {
                let before = self.members.remove(&name(node));
                assert!(before.is_some(), "{} departs and was no member", node.name());
                assert!(!node.state().is_live(), "{} departs alive", node.name());
            }
            Event::Updated { node, change } => {
                assert!(self.members.contains_key(&name(node)), "{} is no member", node.name());
                assert!(change.meta || change.address || change.versions, "nothing has changed");
            }
            Event::Suspected { node, .. } => {
                assert!(self.members.contains_key(&name(node)), "{} is no member", node.name());
                assert_ne!(name(node), self.me, "the node suspects itself");
            }
            Event::Refuted { node, .. } => {
                assert!(self.members.contains_key(&name(node)), "{} is no member", node.name());
            }
            Event::Finished { op, .. } => {
                assert!(self.operations.remove(op).is_some(), "{op:?} ends, but does not run");
                self.ended.insert(*op);
            }
            Event::BroadcastFinished { id, .. } => {
                assert!(self.broadcasts.remove(id), "{id:?} ends, but is not queued");
                assert!(self.sent.insert(*id), "{id:?} ends twice");
            }
            Event::Coalesced { .. } | Event::Overflow { .. } => panic!("only adapters tell these"),
            Event::RemoteState { state, .. } => assert!(!state.is_empty()),
            _ => {}
        }
    }

    /// The states that one event may lead from and to; each is as of the event.
    fn transition(&mut self, event: &Event) {
        use State::{Alive, Dead, Left, Suspect};
        let (node, from, to): (_, &[Option<State>], &[State]) = match event {
            Event::Joined { node } => (node, &[None, Some(Dead), Some(Left)], &[Alive]),
            Event::Suspected { node, .. } => (node, &[Some(Alive)], &[Suspect]),
            // Its suspicion is over, or it is this node, which suspects nobody of itself.
            Event::Refuted { node, .. } if name(node) == self.me => {
                (node, &[Some(Alive)], &[Alive])
            }
            Event::Refuted { node, .. } => (node, &[Some(Suspect)], &[Alive]),
            Event::Updated { node, .. } => (node, &[Some(Alive)], &[Alive]),
            Event::Departed { node, .. } => (node, &[Some(Alive), Some(Suspect)], &[Dead, Left]),
            _ => return,
        };
        let before = self.states.insert(name(node), node.state());
        assert!(from.contains(&before), "{event:?} after {before:?}");
        assert!(to.contains(&node.state()), "{event:?}");
    }

    /// The states are those that were told, and the gone do not go back either.
    fn states(&mut self, node: &Memberlist) {
        let mut gone = BTreeMap::new();
        for known in node.nodes() {
            let name = name(&known);
            // As in Go, a new name at incarnation zero leaves a dead placeholder and no word.
            let placeholder = known.state() == State::Dead && known.incarnation() == 0;
            let told = self.states.entry(name.clone());
            let told = *told.or_insert_with(|| {
                assert!(placeholder, "{known:?} comes from nowhere");
                State::Dead
            });
            assert!(told == known.state() || placeholder, "{known:?}, told {told}");
            if !known.state().is_live() {
                let before = self.gone.get(&name).copied().filter(|_| !placeholder);
                assert!(before.is_none_or(|it| it <= known.incarnation()), "{known:?} goes back");
                gone.insert(name, known.incarnation());
            }
        }
        self.gone = gone;
    }

    /// A packet that the node sends must be one that it would take; its messages.
    pub(super) fn transmit(node: &Memberlist, transmit: &Transmit) -> Vec<Vec<u8>> {
        let config = node.config();
        let ring: Keyring = node.keys().into_iter().collect();
        let rules = Rules {
            label: &config.label,
            skip_inbound_label_check: false,
            keyring: Some(&ring),
            verify_incoming: config.gossip_verify_outgoing,
            limits: PacketLimits::default(),
        };
        let mut opened = Opened::default();
        let result = open(&transmit.payload, &rules, &mut Scratch::new(), &mut opened);
        assert_eq!(result, Ok(()), "an honest node sends nothing wrong");
        // The application may name any address to send to, and a ping any address for its answer.
        let named = [SocketAddr::from(([0, 0, 0, 0], 7)), SocketAddr::from(([10, 0, 0, 2], 0))];
        let answers = opened.messages.first().is_some_and(|message| message[0] == ACK);
        let usable = !transmit.to.ip().is_unspecified() && transmit.to.port() != 0;
        let may = !config.differences.require_usable_address || named.contains(&transmit.to);
        assert!(usable || may || answers, "{transmit:?}");
        // A suspect is pinged together with its accusation, however long its name is.
        let buddy = opened.messages.len() == 2 && opened.messages[0][0] == PING;
        if opened.messages.len() > 1 && !buddy && config.differences.exact_packet_budget {
            let len = transmit.payload.len();
            assert!(len <= config.udp_buffer_size, "{len} bytes of {:?}", opened.messages);
        }
        opened.messages
    }

    /// The node agrees with what it said.
    pub(super) fn node(&mut self, node: &Memberlist, streams: usize) {
        node.check_invariants().expect("invariants");
        assert!(node.has_left() || !self.left, "leaving is final");
        self.left = node.has_left();
        let incarnation = node.local().incarnation();
        assert!(incarnation >= self.incarnation, "the own incarnation goes back");
        self.incarnation = incarnation;
        let mut members = BTreeMap::new();
        for member in node.members() {
            assert!(members.insert(name(&member), member.incarnation()).is_none());
        }
        assert!(members.keys().eq(self.members.keys()), "{members:?}, told {:?}", self.members);
        for (name, incarnation) in &members {
            assert!(*incarnation >= self.members[name], "the incarnation of {name} goes back");
        }
        assert_eq!(members.len(), node.num_members());
        self.members = members;
        self.states(node);
        let gauges = node.stats().gauges;
        assert_eq!(gauges.streams, streams as u64, "streams");
        assert_eq!(gauges.operations, self.operations.len() as u64, "{:?}", self.operations);
        let on_their_way = gauges.user_queue + gauges.disseminations;
        assert_eq!(on_their_way, self.broadcasts.len() as u64, "broadcasts");
        let limits = &node.config().limits;
        assert!(gauges.disseminations <= limits.disseminations as u64);
        assert!(gauges.dissemination_bytes <= limits.dissemination_bytes as u64);
        assert_eq!(gauges.suspicions, gauges.suspect, "suspicions");
        assert!(gauges.requests <= gauges.streams, "questions without a stream");
        let timers = gauges.suspicions
            + gauges.streams
            + gauges.operations
            + 2 * gauges.acks_awaited
            + 2 * node.config().limits.relays as u64
            + 6;
        assert!(gauges.timers <= timers, "{} timers for {gauges:?}", gauges.timers);
        assert!(gauges.membership_queue <= node.config().limits.members as u64 + 1);
    }
}

fn name(node: &Node) -> NodeName {
    node.name().to_owned_name()
}
