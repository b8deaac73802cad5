//! Every exchange by its stream, and the memory that they hold in all and for each source.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};

use super::{Exchange, Question};
#[cfg(feature = "checkpoint")]
use crate::job::JobId;
use crate::job::Mark;
use crate::shares::source_of;
use crate::transmit::{RequestId, StreamId};

/// The streams accepted from one source, and the memory that streams to and from it take.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Source {
    streams: usize,
    held: usize,
}

/// All exchanges.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Exchanges {
    map: BTreeMap<StreamId, Exchange>,
    last: u64,
    last_request: u64,
    requests: BTreeMap<RequestId, StreamId>,
    sources: BTreeMap<IpAddr, Source>,
    accepted: usize,
    held: usize,
    serving: usize,
    local_state_bytes: u64,
    remote_state_bytes: u64,
}

impl Exchanges {
    /// The highest number given to anything so far.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn last_ids(&self) -> u64 {
        self.last.max(self.last_request)
    }

    /// Verifies that the parts fit together, for exchanges read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self, jobs: &BTreeMap<StreamId, JobId>) -> Result<(), &'static str> {
        let mut sources: BTreeMap<IpAddr, Source> = BTreeMap::new();
        let (mut accepted, mut held, mut serving) = (0, 0_usize, 0);
        for exchange in self.map.values() {
            let own = usize::from(exchange.is_accepted());
            accepted += own;
            serving += usize::from(exchange.serves_push_pull);
            held = held.saturating_add(exchange.held);
            let source = sources.entry(source_of(exchange.peer.ip())).or_default();
            source.streams += own;
            source.held = source.held.saturating_add(exchange.held);
            if !exchange.is_sound() {
                return Err("what a stream holds");
            }
        }
        sources.retain(|_, source| source.streams > 0 || source.held > 0);
        let same = |(a, b): ((&IpAddr, &Source), (&IpAddr, &Source))| {
            a.0 == b.0 && (a.1.streams, a.1.held) == (b.1.streams, b.1.held)
        };
        if (accepted, held, serving) != (self.accepted, self.held, self.serving)
            || sources.len() != self.sources.len()
            || !sources.iter().zip(&self.sources).all(same)
        {
            return Err("the sums over the streams");
        }
        let opening = |(id, it): (&StreamId, &Exchange)| it.opening.map(|job| (*id, job));
        if self.map.iter().filter_map(opening).collect::<BTreeMap<_, _>>() != *jobs {
            return Err("the jobs of the streams");
        }
        let asked = |(id, it): (&StreamId, &Exchange)| it.stage.request().map(|asked| (asked, *id));
        let asked: BTreeMap<RequestId, StreamId> = self.map.iter().filter_map(asked).collect();
        if asked != self.requests || self.map.keys().any(|id| id.0 > self.last) {
            return Err("the questions of the streams");
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// How many of the exchanges peers have opened.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted
    }

    /// How many of the exchanges this node has opened.
    pub(crate) fn opened(&self) -> usize {
        self.map.len() - self.accepted
    }

    /// Bytes of memory held for what peers have sent.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn push_pulls_served(&self) -> usize {
        self.serving
    }

    /// Bytes of the last full state sent, and of the last received.
    pub(crate) fn state_bytes(&self) -> (u64, u64) {
        (self.local_state_bytes, self.remote_state_bytes)
    }

    /// Notes the length of the full state that is sent outside of a join.
    pub(crate) fn note_local_state_len(&mut self, len: usize) {
        self.local_state_bytes = len as u64;
    }

    /// Notes the full state that is sent on a stream.
    pub(crate) fn note_local_state(&mut self, id: StreamId, len: usize, mark: Mark) {
        self.local_state_bytes = len as u64;
        if let Some(exchange) = self.map.get_mut(&id).filter(|it| !it.accepted) {
            exchange.sent_state = Some(mark);
        }
    }

    /// The address to which exactly this state was sent, on a stream opened here that has no answer
    /// yet; `None` if it was not. Only states of joins, or with a part of the application's own,
    /// are found. The peer at that address may be this node, or one that knows the same and joins
    /// this node at the same time.
    pub(crate) fn sent_same(&self, state: &[u8]) -> Option<SocketAddr> {
        let waits = |it: &Exchange| it.sent_state.is_some() && it.stage.reads();
        if !self.map.values().any(waits) {
            return None;
        }
        let mark = Some(Mark::of(state));
        self.map.values().find(|it| waits(it) && it.sent_state == mark).map(|it| it.peer)
    }

    pub(crate) fn note_remote_state(&mut self, bytes: usize) {
        self.remote_state_bytes = bytes as u64;
    }

    /// How many streams are open that were accepted from the source of this address.
    pub(crate) fn accepted_from(&self, ip: IpAddr) -> usize {
        self.sources.get(&source_of(ip)).map_or(0, |source| source.streams)
    }

    pub(crate) fn insert(&mut self, exchange: Exchange) -> StreamId {
        self.last += 1;
        let id = StreamId(self.last);
        if exchange.is_accepted() {
            self.accepted += 1;
            self.sources.entry(source_of(exchange.peer().ip())).or_default().streams += 1;
        }
        self.map.insert(id, exchange);
        id
    }

    pub(crate) fn get(&self, id: StreamId) -> Option<&Exchange> {
        self.map.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: StreamId) -> Option<&mut Exchange> {
        self.map.get_mut(&id)
    }

    /// Counts the bytes that a stream's exchange buffers now. Returns how many are buffered for all
    /// streams of its source, and for all streams.
    pub(crate) fn hold(&mut self, id: StreamId) -> (usize, usize) {
        let Some(exchange) = self.map.get_mut(&id) else { return (0, self.held) };
        let holds = exchange.holds();
        let held = core::mem::replace(&mut exchange.held, holds);
        if held == 0 && holds == 0 {
            return (0, self.held);
        }
        self.held = self.held - held + holds;
        let ip = source_of(exchange.peer.ip());
        let source = self.sources.entry(ip).or_default();
        source.held = source.held - held + holds;
        let held = source.held;
        self.drop_unused(ip);
        (held, self.held)
    }

    /// Counts one more push/pull being served, for as long as the stream is open.
    pub(crate) fn serve_push_pull(&mut self, id: StreamId) {
        if let Some(exchange) = self.map.get_mut(&id)
            && !exchange.serves_push_pull
        {
            exchange.serves_push_pull = true;
            self.serving += 1;
        }
    }

    /// Notes that nothing more is to be sent or read on a stream: see [`Exchange::close`].
    pub(crate) fn close(&mut self, id: StreamId) -> Option<bool> {
        let exchange = self.map.get_mut(&id)?;
        if let Some(request) = exchange.stage.request() {
            self.requests.remove(&request);
        }
        let closes = exchange.close()?;
        self.hold(id);
        Some(closes)
    }

    pub(crate) fn remove(&mut self, id: StreamId) -> Option<Exchange> {
        let exchange = self.map.remove(&id)?;
        self.serving -= usize::from(exchange.serves_push_pull);
        if let Some(request) = exchange.stage.request() {
            self.requests.remove(&request);
        }
        let accepted = usize::from(exchange.is_accepted());
        self.accepted -= accepted;
        self.held -= exchange.held;
        let ip = source_of(exchange.peer.ip());
        if let Some(source) = self.sources.get_mut(&ip) {
            source.streams -= accepted;
            source.held -= exchange.held;
        }
        self.drop_unused(ip);
        Some(exchange)
    }

    fn drop_unused(&mut self, ip: IpAddr) {
        if self.sources.get(&ip).is_some_and(|source| source.streams == 0 && source.held == 0) {
            self.sources.remove(&ip);
        }
    }

    pub(crate) fn next_request(&mut self, stream: StreamId) -> RequestId {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.requests.insert(id, stream);
        id
    }

    /// Notes that the application has answered a question. Returns the stream that it belongs to,
    /// and what was asked; `None` if nothing waits for the answer any more.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<(StreamId, Question)> {
        let stream = self.requests.remove(&request)?;
        let question = self.map.get_mut(&stream)?.take_question()?;
        Some((stream, question))
    }
}
