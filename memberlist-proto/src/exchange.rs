//! The exchanges over streams: what each is for and how far it has come.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::event::{BroadcastId, ExchangeKind, OpId};
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transmit::{RequestId, StreamId};
use crate::wire::frame::{Frame, FrameReader};

/// One stream and the exchange on it: one message in each direction at most.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) peer: SocketAddr,
    pub(crate) begun: Instant,
    pub(crate) purpose: Purpose,
    pub(crate) phase: Phase,
    pub(crate) reader: FrameReader,
    pub(crate) timer: Option<TimerId>,
    /// Bytes given to the driver, and of them those it has written.
    pub(crate) queued: u64,
    pub(crate) written: u64,
    /// Serves a push/pull, of which only so many may run.
    pub(crate) serves_push_pull: bool,
    /// Bytes of memory counted for what the peer has sent.
    pub(crate) held: usize,
}

/// What an exchange is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// Whatever the peer wants.
    Accepted,
    /// A full state exchange begun here.
    PushPull(Why),
    /// A message of the application: the whole frame, until it is written.
    Message { sender: Sender, frame: Bytes },
    /// A probe over a stream: the whole frame, until it is written.
    Ping { sequence: u32, frame: Bytes },
}

/// Who sends a message of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// An operation.
    Op(OpId),
    /// The dissemination of a message to everybody.
    Everybody(BroadcastId),
}

/// Why a full state exchange was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The periodic one with a random member.
    AntiEntropy,
    /// As part of a join.
    Join(OpId),
    /// To find a seed, or a member that died.
    Rejoin,
}

impl Why {
    /// Whether the two may never have met: both applications are asked before they merge.
    pub(crate) fn is_join(self) -> bool {
        self != Self::AntiEntropy
    }
}

/// How far an exchange has come.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Opened here, not yet connected.
    Connecting,
    /// Reading the peer's message; whatever this side says first has been queued.
    Reading,
    /// Waiting for the application's state, to send it; as acceptor with the peer's message.
    AskingState { request: RequestId, received: Option<Frame> },
    /// Waiting for the application's word on a merge.
    AskingMerge { request: RequestId, received: Frame },
    /// Everything is said; the driver flushes and ends the stream.
    Closing,
}

impl Exchange {
    pub(crate) fn kind(&self) -> ExchangeKind {
        match self.purpose {
            Purpose::Accepted => ExchangeKind::Accepted,
            Purpose::PushPull(Why::Join(_)) => ExchangeKind::Join,
            Purpose::PushPull(Why::Rejoin) => ExchangeKind::Rejoin,
            Purpose::PushPull(Why::AntiEntropy) => ExchangeKind::PushPull,
            Purpose::Message { .. } => ExchangeKind::SendReliable,
            Purpose::Ping { .. } => ExchangeKind::StreamPing,
        }
    }

    /// Bytes of memory that what the peer has sent takes now.
    fn holds(&self) -> usize {
        let frame = match &self.phase {
            Phase::AskingState { received: Some(frame), .. }
            | Phase::AskingMerge { received: frame, .. } => frame.as_bytes().len(),
            _ => 0,
        };
        self.reader.capacity().saturating_add(frame)
    }

    /// The question to the application that this exchange waits for.
    pub(crate) fn request(&self) -> Option<RequestId> {
        match self.phase {
            Phase::AskingState { request, .. } | Phase::AskingMerge { request, .. } => {
                Some(request)
            }
            Phase::Connecting | Phase::Reading | Phase::Closing => None,
        }
    }
}

/// The accepted streams from one address.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    streams: usize,
    held: usize,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchanges {
    map: BTreeMap<StreamId, Exchange>,
    last: u64,
    last_request: u64,
    requests: BTreeMap<RequestId, StreamId>,
    sources: BTreeMap<IpAddr, Source>,
    held: usize,
    serving: usize,
    pub(crate) local_state_bytes: u64,
    pub(crate) remote_state_bytes: u64,
}

impl Exchanges {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes of memory held for what accepted streams have sent.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Counts anew what is held for an accepted stream; then the bytes held for its source, and
    /// for all of them. What this node asked for itself is not counted.
    pub(crate) fn hold(&mut self, id: StreamId) -> (usize, usize) {
        let Some(exchange) = self.map.get_mut(&id) else { return (0, self.held) };
        if !matches!(exchange.purpose, Purpose::Accepted) {
            return (0, 0);
        }
        let holds = exchange.holds();
        let held = core::mem::replace(&mut exchange.held, holds);
        self.held = self.held - held + holds;
        let source = self.sources.entry(exchange.peer.ip()).or_default();
        source.held = source.held - held + holds;
        (source.held, self.held)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn push_pulls_served(&self) -> usize {
        self.serving
    }

    /// Streams accepted from one address.
    pub(crate) fn accepted_from(&self, ip: IpAddr) -> usize {
        self.sources.get(&ip).map_or(0, |source| source.streams)
    }

    pub(crate) fn insert(&mut self, exchange: Exchange) -> StreamId {
        self.last += 1;
        let id = StreamId(self.last);
        if matches!(exchange.purpose, Purpose::Accepted) {
            self.sources.entry(exchange.peer.ip()).or_default().streams += 1;
        }
        self.map.insert(id, exchange);
        id
    }

    pub(crate) fn get_mut(&mut self, id: StreamId) -> Option<&mut Exchange> {
        self.map.get_mut(&id)
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

    pub(crate) fn remove(&mut self, id: StreamId) -> Option<Exchange> {
        let exchange = self.map.remove(&id)?;
        self.serving -= usize::from(exchange.serves_push_pull);
        if let Some(request) = exchange.request() {
            self.requests.remove(&request);
        }
        if matches!(exchange.purpose, Purpose::Accepted) {
            self.held -= exchange.held;
            let ip = exchange.peer.ip();
            if let Some(source) = self.sources.get_mut(&ip) {
                source.streams -= 1;
                source.held -= exchange.held;
                if source.streams == 0 {
                    self.sources.remove(&ip);
                }
            }
        }
        Some(exchange)
    }

    pub(crate) fn next_request(&mut self, stream: StreamId) -> RequestId {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.requests.insert(id, stream);
        id
    }

    /// The stream that a question belongs to; it is answered with this.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<StreamId> {
        self.requests.remove(&request)
    }
}
