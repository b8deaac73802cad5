//! Starting a node and reading its events: all that the program knows of the adapter beyond the
//! methods of its handle.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures_core::Stream;
use memberlist_proto::Event;
use memberlist_tokio::{Delegate, Events, Memberlist, Options, StartError};

use crate::agent::Settings;
use crate::failure::Failure;

/// What the node's acks and full state exchanges carry.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    state: RwLock<Bytes>,
    ack_payload: RwLock<Option<Bytes>>,
}

impl Carried {
    pub(crate) fn set_state(&self, state: Bytes) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub(crate) fn set_ack_payload(&self, payload: Bytes) {
        *self.ack_payload.write().unwrap_or_else(PoisonError::into_inner) = Some(payload);
    }
}

impl Delegate for Carried {
    fn ack_payload(&self) -> Option<Bytes> {
        self.ack_payload.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn local_state(&self, _join: bool) -> Bytes {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Binds and starts a node.
pub(crate) async fn start(
    settings: Settings,
    carried: Option<Arc<Carried>>,
) -> Result<(Memberlist, Events), Failure> {
    let Settings { config, bind, advertise_ip, advertise_port } = settings;
    let advertise = match (advertise_ip, advertise_port) {
        (None, None) => None,
        // Port 0 stands for the one bound, and the address bound stands for itself.
        (ip, port) => Some(SocketAddr::new(ip.unwrap_or(bind.ip()), port.unwrap_or(0))),
    };
    let delegate = carried.map(|carried| carried as Arc<dyn Delegate>);
    let options = Options { bind, advertise, delegate, ..Options::default() };
    Memberlist::start(config, options).await.map_err(|error| match error {
        StartError::Config(error) => Failure::usage(error),
        error => Failure::failed(error),
    })
}

/// The next event; `None` once the node has ended.
pub(crate) async fn next(events: &mut Events) -> Option<Event> {
    std::future::poll_fn(|context| Pin::new(&mut *events).poll_next(context)).await
}
