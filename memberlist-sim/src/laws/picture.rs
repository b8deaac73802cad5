//! The members as an observer knows them who believes every event of a node.

use std::collections::BTreeMap;
use std::time::Duration;

use memberlist_proto::{Config, Event, Identity, Instant, Memberlist, Node, NodeName, State};

/// The latest time that counts. A node ignores later ones, because it could never act again after
/// them.
pub(crate) const LATEST: Instant = Instant::from_nanos(u64::MAX / 2);

/// The table of members as the events have reported it, and the time.
#[derive(Debug)]
pub(super) struct Picture {
    me: NodeName,
    now: Instant,
    /// How long departed nodes are remembered at least.
    memory: Duration,
    known: BTreeMap<NodeName, Known>,
    live: usize,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) state: State,
    pub(super) incarnation: u32,
    identity: Identity,
    departed: Option<Instant>,
}

impl Known {
    /// What is known of a node that departed at the given time, if at all.
    fn new(node: &Node, departed: Option<Instant>) -> Self {
        Self {
            state: node.state(),
            incarnation: node.incarnation(),
            identity: node.identity().clone(),
            departed,
        }
    }

    /// Whether a node has this one's address, in the same form: as in Go, an IPv4 address of four
    /// bytes and the same address in sixteen bytes differ.
    pub(super) fn is_at_address_of(&self, node: &Node) -> bool {
        let (one, other) = (&self.identity, node.identity());
        (one.addr_bytes(), one.port()) == (other.addr_bytes(), other.port())
    }

    pub(super) fn is_live(&self) -> bool {
        self.state.is_live()
    }
}

/// Whether this record is of a name that was announced at incarnation zero: as in Go, that leaves a
/// dead record and emits no event.
pub(super) fn is_placeholder(node: &Node) -> bool {
    node.state() == State::Dead && node.incarnation() == 0
}

impl Picture {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            me: config.name.clone(),
            now: Instant::ORIGIN,
            memory: config.gossip_to_the_dead_time,
            known: BTreeMap::new(),
            live: 0,
        }
    }

    /// Whether this is the name of the observed node itself.
    pub(super) fn is_me(&self, name: &[u8]) -> bool {
        self.me.as_bytes() == name
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Known> {
        self.known.get(name)
    }

    pub(super) fn is_member(&self, name: &[u8]) -> bool {
        self.get(name).is_some_and(Known::is_live)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeName, &Known)> {
        self.known.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many members there are.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Whether a node departed so long ago that its record may be gone.
    pub(super) fn may_forget(&self, known: &Known) -> bool {
        let since = known.departed;
        since.is_some_and(|since| self.now.saturating_duration_since(since) > self.memory)
    }

    /// Moves the time forward. It never goes back for a node: an earlier time counts as now. A time
    /// beyond the [latest](LATEST) is ignored.
    pub(super) fn advance(&mut self, now: Instant) {
        if now <= LATEST {
            self.now = self.now.max(now);
        }
    }

    /// Moves the time forward under the node's current configuration. The shortest memory that was
    /// ever configured counts, because what was forgotten under it is gone.
    pub(super) fn pass(&mut self, now: Instant, node: &Memberlist) {
        self.advance(now);
        self.memory = self.memory.min(node.config().gossip_to_the_dead_time);
    }

    /// Believes an event.
    pub(super) fn learn(&mut self, event: &Event) {
        match event {
            Event::Departed { node, .. } => self.put(node, Some(self.now)),
            // The time of its departure stays that of its failure.
            Event::HadLeft { node, .. } => {
                let departed = self.get(node.name().as_bytes()).and_then(|it| it.departed);
                self.put(node, departed.or(Some(self.now)));
            }
            Event::Joined { node }
            | Event::Updated { node, .. }
            | Event::Suspected { node, .. }
            | Event::Refuted { node, .. } => self.put(node, None),
            _ => {}
        }
    }

    /// Believes the table about nodes that no event has reported.
    pub(super) fn adopt(&mut self, node: &Memberlist) {
        for record in node.nodes() {
            let known = self.get(record.name().as_bytes());
            if known.is_none_or(|known| known.is_live() != record.state().is_live()) {
                let departed = (!record.state().is_live()).then_some(self.now);
                self.put(&record, departed);
            }
        }
    }

    /// Copies what may change without an event: incarnations and placeholders.
    pub(super) fn refresh(&mut self, node: &Memberlist) {
        for record in node.nodes() {
            match self.known.get_mut(record.name().as_bytes()) {
                // The name was forgotten in the meantime, and has a new record.
                Some(known) if is_placeholder(&record) => {
                    *known = Known::new(&record, known.departed);
                }
                Some(known) => known.incarnation = record.incarnation(),
                None => self.put(&record, Some(self.now)),
            }
        }
    }

    /// Forgets what the node itself has forgotten.
    pub(super) fn forget(&mut self, node: &Memberlist) {
        self.known.retain(|name, _| node.member(name).is_some());
        self.live = self.known.values().filter(|known| known.is_live()).count();
    }

    fn put(&mut self, node: &Node, departed: Option<Instant>) {
        let known = Known::new(node, departed);
        self.live += usize::from(known.is_live());
        let before = self.known.insert(node.name().into(), known);
        self.live -= usize::from(before.is_some_and(|before| before.is_live()));
    }
}
