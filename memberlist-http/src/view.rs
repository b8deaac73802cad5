//! The data of the page, as JSON.

use std::collections::{BTreeMap, BTreeSet};

use memberlist_driver::transport::TransportStats;
use memberlist_proto::{
    Config, Departure, LostStatus, Node, NodeName, NodeStatus, SeedStatus, State, Stats, Status,
    Trouble, Versions,
};
use serde::Serialize;

use crate::entries::{readable, shown};
use crate::recorder::Recorder;
use crate::series::History;
use crate::warnings::{self, Warning};

/// The answer to `/status`. All times are in milliseconds, points in time since 1970.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView<'a> {
    time: u64,
    /// When the page was started.
    started: u64,
    name: String,
    addr: String,
    label: String,
    running: bool,
    left: bool,
    ready: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    unready: Option<&'static str>,
    members: usize,
    health_score: u32,
    health_max: u32,
    keys: usize,
    protocol_version: u8,
    probe_interval_ms: u64,
    last_packet_ms: Option<u64>,
    last_ping_ms: Option<u64>,
    warnings: Vec<Warning>,
    seeds: &'a [SeedStatus],
    lost: Vec<LostView>,
    refused: Vec<RefusedView<'a>>,
    stats: &'a Stats,
    transport: TransportStats,
    /// The origins of other pages that may be compared with this one.
    peers: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<History>,
}

/// A lost member that is searched for.
#[derive(Debug, Serialize)]
struct LostView {
    name: Option<String>,
    addr: String,
    age_ms: u64,
}

/// A message about a member that was refused.
#[derive(Debug, Serialize)]
struct RefusedView<'a> {
    name: String,
    from: String,
    reason: &'a str,
    age_ms: u64,
}

/// What a [`StatusView`] is made from.
pub(crate) struct Facts<'a> {
    pub(crate) now: u64,
    pub(crate) started: u64,
    pub(crate) running: bool,
    pub(crate) unready: Option<&'static str>,
    pub(crate) status: &'a Status,
    pub(crate) config: &'a Config,
    pub(crate) stats: &'a Stats,
    pub(crate) transport: TransportStats,
    pub(crate) recorder: &'a Recorder,
    pub(crate) peers: Vec<&'a str>,
    pub(crate) since: Option<u64>,
}

impl<'a> StatusView<'a> {
    pub(crate) fn new(facts: Facts<'a>) -> Self {
        let Facts { now, started, running, unready, status, config, stats, .. } = facts;
        let Facts { transport, recorder, peers, since, .. } = facts;
        let lost = |lost: &LostStatus| LostView {
            name: lost.name.as_ref().map(|name| shown(name.as_name())),
            addr: lost.addr.to_string(),
            age_ms: lost.age_ms,
        };
        Self {
            time: now,
            started,
            name: shown(status.name.as_name()),
            addr: status.addr.to_string(),
            label: readable(&config.label),
            running,
            left: status.left,
            ready: unready.is_none(),
            unready,
            members: status.nodes.iter().filter(|node| node.state.is_live()).count(),
            health_score: status.health_score,
            health_max: config.awareness_max_multiplier.saturating_sub(1),
            keys: status.keys,
            protocol_version: config.protocol_version,
            probe_interval_ms: config.probe_interval.as_millis() as u64,
            last_packet_ms: status.last_packet_ms,
            last_ping_ms: status.last_ping_ms,
            warnings: warnings::of(now, status, recorder),
            seeds: &status.seeds,
            lost: status.lost.iter().map(lost).collect(),
            refused: status
                .refused
                .iter()
                .map(|it| RefusedView {
                    name: shown(it.name.as_name()),
                    from: it.from.to_string(),
                    reason: &it.reason,
                    age_ms: it.age_ms,
                })
                .collect(),
            stats,
            transport,
            peers,
            history: since.map(|since| recorder.history(since)),
        }
    }
}

/// The answer to `/members`.
#[derive(Debug, Serialize)]
pub(crate) struct MembersView {
    time: u64,
    name: String,
    nodes: Vec<MemberView>,
}

/// One node, as this one knows it.
#[derive(Debug, Serialize)]
struct MemberView {
    name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    me: bool,
    state: String,
    /// When it entered that state.
    since: u64,
    /// How it came to that state, in words.
    why: String,
    /// The nodes that accuse or accused it, in order, the first accuser first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accusers: Vec<String>,
    /// How long a suspect still has to refute.
    #[serde(skip_serializing_if = "Option::is_none")]
    refute_ms: Option<u64>,
    addr: Option<String>,
    incarnation: u32,
    /// The metadata, in which bytes that are not UTF-8 appear as `\xff`.
    meta: String,
    meta_len: usize,
    /// The versions that it announced: of the protocol and of the application's, each as minimum,
    /// maximum, current.
    versions: Option<[u8; 6]>,
    /// The last direct round trip time, and when it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_at: Option<u64>,
    /// Whether it answers over a stream, but not by packet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_stream: bool,
}

impl MembersView {
    pub(crate) fn new(now: u64, nodes: Vec<Node>, status: &Status, recorder: &Recorder) -> Self {
        let nodes: BTreeMap<NodeName, Node> =
            nodes.into_iter().map(|node| (node.name().into(), node)).collect();
        let view = |it: &NodeStatus| {
            MemberView::new(now, it, nodes.get(&it.name), it.name == status.name, recorder)
        };
        Self {
            time: now,
            name: shown(status.name.as_name()),
            nodes: status.nodes.iter().map(view).collect(),
        }
    }
}

impl MemberView {
    fn new(
        now: u64,
        status: &NodeStatus,
        node: Option<&Node>,
        me: bool,
        recorder: &Recorder,
    ) -> Self {
        let accusers: &[NodeName] = match &status.why {
            Some(
                Trouble::Suspected { by, .. } | Trouble::Departed(Departure::Failed { by, .. }),
            ) => by,
            Some(Trouble::Departed(Departure::Declared { by })) => std::slice::from_ref(by),
            _ => &[],
        };
        let refute_ms = match status.why {
            Some(Trouble::Suspected { left_ms, .. }) => Some(left_ms),
            _ => None,
        };
        let trip = recorder.round_trip(&status.name).filter(|_| !me && status.state.is_live());
        let meta = node.map(Node::meta).unwrap_or_default();
        Self {
            name: shown(status.name.as_name()),
            me,
            state: status.state.to_string(),
            since: now.saturating_sub(status.age_ms),
            why: why(status, me, recorder),
            accusers: accusers.iter().map(|name| shown(name.as_name())).collect(),
            refute_ms,
            addr: status.addr.map(|addr| addr.to_string()),
            incarnation: status.incarnation,
            meta: readable(meta),
            meta_len: meta.len(),
            versions: node.and_then(Node::versions).map(Versions::to_bytes),
            rtt_ms: trip.map(|trip| trip.millis),
            rtt_at: trip.map(|trip| trip.at),
            by_stream: recorder.by_stream().contains_key(&status.name),
        }
    }
}

/// How a node came to its state.
fn why(status: &NodeStatus, me: bool, recorder: &Recorder) -> String {
    let (trouble, state) = (&status.why, status.state);
    match trouble {
        _ if me && state.is_live() => "this node".to_owned(),
        Some(Trouble::Suspected { by, .. }) => format!("suspected by {}", listed(by)),
        Some(Trouble::Departed(Departure::Left)) => "left on purpose".to_owned(),
        Some(Trouble::Departed(Departure::Failed { by, .. })) => {
            format!("failed: accused by {}", listed(by))
        }
        Some(Trouble::Departed(Departure::Declared { by })) => {
            format!("declared dead by {}", shown(by.as_name()))
        }
        Some(_) => "departed".to_owned(),
        None if state == State::Alive => {
            recorder.origin(&status.name).unwrap_or("known when the page started").to_owned()
        }
        None => "known from before".to_owned(),
    }
}

/// A list of names, each once.
fn listed(names: &[NodeName]) -> String {
    let mut seen = BTreeSet::new();
    let names = names.iter().filter(|name| seen.insert(*name));
    names.map(|name| shown(name.as_name())).collect::<Vec<_>>().join(", ")
}
