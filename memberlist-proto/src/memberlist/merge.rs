//! A peer's full state: verified as a whole, then merged record by record (Go: `mergeState`).

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::Memberlist;
use super::accuse::Accusation;
use super::admission::{ip_of, versions_of};
use crate::event::{Event, ExchangeError, VersionMismatch};
use crate::exchange::{Exchange, Intake, Only, Phase, Stage, Survey, body};
use crate::members::Record;
use crate::node::compatibility::{Incompatible, Vsn};
use crate::node::{Identity, IdentityParts, Node, NodeName, State};
use crate::stats::add_time;
use crate::transmit::StreamId;
use crate::wire::frame::{Frame, PushPull, StreamMessage};
use crate::wire::message::Alive;
use crate::wire::push_pull::NodeState;

/// The result of handling a part of a state.
pub(super) enum Taken {
    /// This many records were looked at; there are more.
    Some(usize),
    /// All of it is merged. With an address: in the cluster to be joined, the node there has this
    /// node's name.
    All(Option<SocketAddr>),
    /// The application is to be asked about these nodes.
    Asks(Vec<Node>),
}

impl Memberlist {
    /// Goes on with a peer's state for at most `most` records: all are looked through before any is
    /// merged.
    pub(super) fn survey_or_merge(
        &mut self,
        id: StreamId,
        intake: &mut Intake,
        most: usize,
    ) -> Result<Taken, ExchangeError> {
        let Some(from) = self.exchanges.get(id).map(Exchange::peer) else {
            return Ok(Taken::All(None));
        };
        let frame = intake.frame.clone();
        let body = body(&frame);
        let mut states = body.states_from(intake.place);
        let mut looked_at = 0;
        for state in states.by_ref().take(most) {
            looked_at += 1;
            match &mut intake.phase {
                Phase::Survey => self.survey(from, &mut intake.survey, &state),
                Phase::Blame => self.blame(&intake.survey, &state)?,
                Phase::Show(nodes) => nodes.extend(self.shown(state)),
                Phase::Merge(accuser) => self.merge_state(from, accuser, &state),
            }
        }
        intake.place = body.place(&states);
        if looked_at == most && !intake.is_through() {
            return Ok(Taken::Some(looked_at));
        }
        // The end of a phase counts as one record, for states without records.
        Ok(self.phase_over(id, intake, &body)?.unwrap_or(Taken::Some(looked_at.max(1))))
    }

    /// All records have been looked at in this phase: begins the next one.
    fn phase_over(
        &mut self,
        id: StreamId,
        intake: &mut Intake,
        body: &PushPull<'_>,
    ) -> Result<Option<Taken>, ExchangeError> {
        match core::mem::replace(&mut intake.phase, Phase::Survey) {
            Phase::Survey => {
                if !self.fits(&mut intake.survey) {
                    intake.begin(Phase::Blame);
                } else if !intake.admitted
                    && self.config.ask_admit_merge
                    && self.is_join(id, &intake.frame)
                {
                    // A few bytes that decompress well can be made into many nodes: they are counted
                    // before they are made.
                    if let Some(exchange) = self.exchanges.get_mut(id) {
                        exchange.report(intake.survey.bytes);
                    }
                    self.hold_with(id, intake.frame.as_bytes().len())?;
                    intake.begin(Phase::Show(Vec::with_capacity(intake.survey.nodes)));
                } else {
                    let accuser = self.begin_merge(id, intake);
                    intake.begin(Phase::Merge(accuser));
                }
                Ok(None)
            }
            Phase::Blame => Err(self.blame_local(&intake.survey)),
            Phase::Show(nodes) => Ok(Some(Taken::Asks(nodes))),
            Phase::Merge(_) => {
                self.report_user_state(id, intake, body);
                let holder = self.name_holder(id, &intake.survey);
                self.note_standing(id, intake.survey.lists_my_address, holder.is_some());
                Ok(Some(Taken::All(holder)))
            }
        }
    }

    /// A state that equals this node's own, in which every node is alive: all that is in it is old.
    pub(super) fn merge_known(&mut self, id: StreamId) -> Result<(), ExchangeError> {
        // It does not restrict the versions any more than this node's own state does.
        let mut survey = Survey::new(self.config.differences.lenient_version_check);
        if !self.fits(&mut survey) {
            return Err(self.blame_local(&survey));
        }
        self.count_push_pull(id);
        if let Some(own) = self.known_state() {
            self.exchanges.note_remote_state(own.len());
        }
        if !self.me.left {
            self.hearing.state(self.now, true);
            self.me.name_taken = None;
        }
        let nodes = self.members.len() as u64;
        self.decisions.merged_alive += nodes;
        self.decisions.alive_mine_same += 1;
        self.decisions.alive_nothing_new += nodes - 1;
        Ok(())
    }

    fn count_push_pull(&mut self, id: StreamId) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        if matches!(exchange.stage(), Stage::PushPull(..)) {
            self.counters.push_pulls_ended += 1;
            add_time(&mut self.counters.push_pull_nanos, exchange.begun(), self.now);
        }
    }

    /// A state is about to be merged. Returns the name under which to pass on its accusations.
    fn begin_merge(&mut self, id: StreamId, intake: &Intake) -> NodeName {
        self.count_push_pull(id);
        self.exchanges.note_remote_state(intake.frame.as_bytes().len());
        // A peer that joins need not know this node yet.
        let joins = self.is_join(id, &intake.frame);
        if !self.me.left
            && !joins
            && self.hearing.state(self.now, intake.survey.lists_me)
            && let Some(exchange) = self.exchanges.get(id)
        {
            self.out.event(Event::NotListed { peer: exchange.peer() });
        }
        self.accuser_of(&intake.survey).unwrap_or_else(|| self.me.name.clone())
    }

    /// All records are merged: the application gets its part of the state.
    fn report_user_state(&mut self, id: StreamId, intake: &Intake, body: &PushPull<'_>) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (from, join) = (exchange.peer(), self.is_join(id, &intake.frame));
        let state = body.user_state();
        if !state.is_empty() {
            // A state that is most of the frame keeps all of it in memory; a shorter one is copied.
            let whole = intake.frame.as_bytes().len();
            let shared = intake.frame.payload().filter(|state| state.len() >= whole / 2);
            let state = shared.unwrap_or_else(|| Bytes::copy_from_slice(state));
            self.out.event(Event::RemoteState { from, join, state });
        }
    }

    /// The node that has this node's name in the cluster that is being joined: its members refuse
    /// this node for as long as they consider that one alive (Go: the conflict of `aliveNode`).
    ///
    /// Differs from Go: in Go such a join succeeds, and the node sees a cluster that does not see it.
    fn name_holder(&self, id: StreamId, survey: &Survey) -> Option<SocketAddr> {
        survey.holder.filter(|_| self.joins_by(id) && !self.me.left)
    }

    /// Looks at one record of a peer's state.
    fn survey(&self, from: SocketAddr, survey: &mut Survey, it: &NodeState<'_>) {
        let state = it.known_state();
        let (live, me) = (state.is_some_and(State::is_live), self.is_me(it.name));
        survey.versions.add(state == Some(State::Alive), Vsn::received(it.vsn));
        survey.nodes += 1;
        survey.bytes = survey.bytes.saturating_add(shown_size(it));
        survey.accuses |= matches!(state, Some(State::Suspect | State::Dead));
        if live && me {
            survey.lists_me = true;
            self.survey_holder(survey, it);
        }
        let near = live && it.addr.and_then(ip_of) == Some(from.ip());
        let exact = near && it.port == from.port() && survey.exact.is_open();
        if (exact || (near && survey.near.is_open())) && self.speaks(it) {
            // A stream that this node opened goes to the peer's own port; one that it accepted
            // comes from any port.
            if exact {
                survey.exact.add(it.name);
            }
            survey.near.add(it.name);
        }
    }

    /// A record of this node's name, alive or suspect: notes whether it is another node.
    fn survey_holder(&self, survey: &mut Survey, it: &NodeState<'_>) {
        if self.is_my_address(it) {
            survey.lists_my_address = true;
        } else if !survey.has_holder {
            survey.has_holder = true;
            let ip = it.addr.and_then(ip_of);
            survey.holder = ip.map(|ip| SocketAddr::new(ip, self.substitute_port(it.port)));
        }
    }

    /// Whether a record is that of a member that is known at its address: a peer can put any name
    /// into its state.
    fn speaks(&self, it: &NodeState<'_>) -> bool {
        let at = it.addr.and_then(ip_of).map(|ip| SocketAddr::new(ip, it.port));
        let known = self.members.get(it.name).map(|id| self.members.record(id));
        known.is_some_and(|known| known.state().is_live() && known.identity().socket_addr() == at)
    }

    /// The name under which to pass on the accusations in a peer's state: that of the peer, which
    /// is the only node in it at the address that the peer uses. `None` if there are several such
    /// nodes, or none.
    ///
    /// Differs from Go: in Go it is the node that merges. A node that was cut off and comes back
    /// then has its own verdicts confirmed by every node that it exchanges its state with, and
    /// innocents die before they can refute.
    fn accuser_of(&self, survey: &Survey) -> Option<NodeName> {
        if !self.config.differences.name_merged_accuser || !survey.accuses {
            return None;
        }
        let ((Only::One(name), _) | (Only::None, Only::One(name))) = (&survey.exact, &survey.near)
        else {
            return None;
        };
        Some(name.clone()).filter(|name| !self.is_me(name.as_bytes()))
    }

    /// Whether this node began the exchange in order to join.
    fn joins_by(&self, id: StreamId) -> bool {
        match self.exchanges.get(id).map(Exchange::stage) {
            Some(Stage::PushPull(why, _)) => why.is_join(),
            _ => false,
        }
    }

    /// Whether a record has this node's address, by the meaning of the bytes, not the bytes
    /// themselves. An IPv4 address has two forms, and an earlier run of this node may have
    /// announced the other one.
    fn is_my_address(&self, it: &NodeState<'_>) -> bool {
        let me = self.members.record(self.me.id).identity();
        it.addr.and_then(ip_of) == me.addr_bytes().and_then(ip_of)
            && self.substitute_port(it.port) == me.port()
    }

    /// Remembers whether the name is this node's in the cluster: only a node that is known there
    /// under its name may announce that it leaves.
    fn note_standing(&mut self, id: StreamId, listed: bool, taken: bool) {
        let Some(begun) = self.exchanges.get(id).map(Exchange::begun) else { return };
        if self.me.left {
            return;
        }
        if taken {
            self.me.name_taken = Some(self.now);
            return;
        }
        let Some(refused) = self.me.name_taken else { return };
        // A peer that does not know the name learns it from this node by the exchange. One that was
        // asked at the same time as the peer that refused may merely not know the other bearer yet.
        let accepted = self.joins_by(id) && begun > refused;
        if accepted || listed {
            self.me.name_taken = None;
        }
    }

    /// One record of a peer's state. A member that the peer considers dead is only accused: it
    /// must have the chance to refute.
    fn merge_state(&mut self, from: SocketAddr, accuser: &NodeName, remote: &NodeState<'_>) {
        let (incarnation, node, via) = (remote.incarnation, remote.name, Some(from));
        // A node does not accuse itself: that would be a leave.
        let me = (*accuser == *node).then(|| self.me.name.clone());
        let accuser = me.as_ref().unwrap_or(accuser);
        let accusation = Accusation { incarnation, node, from: accuser.as_bytes(), via };
        match remote.known_state() {
            Some(State::Alive) => {
                self.decisions.merged_alive += 1;
                let alive = Alive {
                    incarnation,
                    node,
                    addr: remote.addr,
                    port: self.substitute_port(remote.port),
                    meta: remote.meta,
                    vsn: remote.vsn,
                };
                self.alive(from, &alive);
            }
            Some(State::Suspect) => {
                self.decisions.merged_suspect += 1;
                self.merge_accusation(accusation);
            }
            Some(State::Dead) => {
                self.decisions.merged_dead += 1;
                self.merge_accusation(accusation);
            }
            Some(State::Left) => {
                self.decisions.merged_left += 1;
                self.dead(Accusation { from: node, ..accusation }, None);
            }
            None => self.decisions.merged_unknown += 1,
        }
    }

    /// A peer's state accuses a member. If this node accuses it as well, the peer may have learned
    /// that from this node, whose own accusation confirms nothing.
    fn merge_accusation(&mut self, accusation: Accusation<'_>) {
        let me = self.me.name.clone();
        let from = if self.accuses(accusation) { me.as_bytes() } else { accusation.from };
        self.suspect(Accusation { from, ..accusation });
    }

    /// Whether this node is among the accusers of a member, at this incarnation or a later one.
    fn accuses(&self, of: Accusation<'_>) -> bool {
        let Some(id) = self.members.get(of.node) else { return false };
        let record = self.members.record(id);
        let suspect = record.suspicion().and_then(|slot| self.suspects.get(slot));
        of.incarnation <= record.incarnation()
            && suspect.is_some_and(|it| it.suspicion().accusers().contains(&self.me.name))
    }

    /// A node that the peer reports, as the application is shown it.
    fn shown(&self, remote: NodeState<'_>) -> Option<Node> {
        let identity = Identity::new(IdentityParts {
            name: remote.name,
            addr: remote.addr,
            port: self.substitute_port(remote.port),
            meta: remote.meta,
            versions: remote.vsn.and_then(versions_of),
        });
        Some(Node::new(identity.ok()?, remote.incarnation, remote.known_state()?, self.now))
    }

    /// Whether an exchange is part of a join: what this side began it for, or what the peer said.
    pub(super) fn is_join(&self, id: StreamId, frame: &Frame) -> bool {
        match self.exchanges.get(id).map(crate::exchange::Exchange::stage) {
            Some(Stage::PushPull(why, _)) => why.is_join(),
            _ => says_join(frame),
        }
    }

    /// Whether every node could understand every other (Go: `verifyProtocol`): those of a state that
    /// has been looked through, and those known here.
    ///
    /// Differs from Go: in Go nodes whose versions are unknown, which travel as zeros, and those
    /// that are not alive take part, and one of them can block every exchange.
    fn fits(&self, survey: &mut Survey) -> bool {
        self.members.versions().for_each(|(alive, vsn)| survey.versions.add(alive, vsn));
        survey.versions.holds()
    }

    /// Whether a node fits in with all others.
    fn blame(&self, survey: &Survey, it: &NodeState<'_>) -> Result<(), VersionMismatch> {
        let alive = it.known_state() == Some(State::Alive);
        self.blamed(survey, it.name, alive, Vsn::received(it.vsn))
    }

    fn blamed(
        &self,
        survey: &Survey,
        name: &[u8],
        alive: bool,
        vsn: Vsn,
    ) -> Result<(), VersionMismatch> {
        let mismatch = |Incompatible { kind, current, min, max }| VersionMismatch {
            kind,
            node: self.reported_name(name),
            current,
            min,
            max,
        };
        survey.versions.check(alive, vsn).map_err(mismatch)
    }

    /// No node in the peer's state is to blame: blames the first one known here that is.
    fn blame_local(&self, survey: &Survey) -> ExchangeError {
        let blame = |(_, record): (_, &Record)| {
            let vsn = Vsn::stored(record.identity().versions());
            let alive = record.state() == State::Alive;
            self.blamed(survey, record.name().as_bytes(), alive, vsn).err()
        };
        self.members.iter().find_map(blame).map_or(ExchangeError::Closed, ExchangeError::Versions)
    }
}

/// How many bytes of memory a node takes as the application is shown it.
fn shown_size(node: &NodeState<'_>) -> usize {
    /// What an identity takes beside its parts: its header, two counts, and what the allocator adds.
    const OVERHEAD: usize = 48;
    let parts = [Some(node.name), node.addr, node.meta];
    let parts: usize = parts.iter().flatten().map(|part| part.len()).sum();
    size_of::<Node>() + OVERHEAD + parts
}

/// Whether the sender of a full state says that it joins.
pub(super) fn says_join(frame: &Frame) -> bool {
    matches!(frame.message(), StreamMessage::PushPull(body) if body.join())
}
