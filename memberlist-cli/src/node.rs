//! Starts a node on one of the runtimes: elsewhere, the program uses only the handle that all
//! adapters share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use clap::ValueEnum;
use memberlist_driver::bind::StartError;
use memberlist_driver::transport::Transport;
use memberlist_driver::{Delegate, Events, Handle, RecordOptions};

use crate::agent::Settings;
use crate::failure::Failure;

/// The async runtime that drives a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// The adapter memberlist-tokio.
    #[default]
    Tokio,
    /// The adapter memberlist-async-std.
    AsyncStd,
    /// The adapter memberlist-smol.
    Smol,
}

impl Runtime {
    pub(crate) const ALL: [Self; 3] = [Self::Tokio, Self::AsyncStd, Self::Smol];
}

/// The application data in the node's acks and full state exchanges.
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

    fn has_broadcasts(&self) -> bool {
        false
    }

    fn local_state(&self, _join: bool) -> Bytes {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Binds and starts a node.
pub(crate) async fn start(
    runtime: Runtime,
    settings: Settings,
    carried: Option<Arc<Carried>>,
    transport: Transport,
    record: Option<(PathBuf, RecordOptions)>,
    name_servers: Vec<SocketAddr>,
) -> Result<(Handle, Events), Failure> {
    let (config, mut options) = settings.into_parts();
    options.delegate = carried.map(|carried| carried as Arc<dyn Delegate>);
    options.transport = transport;
    options.record = record;
    options.name_servers = name_servers;
    let started = match runtime {
        Runtime::Tokio => memberlist_tokio::Memberlist::start(config, options)
            .await
            .map(|(node, events)| (Handle::clone(&node), events)),
        Runtime::AsyncStd => memberlist_async_std::Memberlist::start(config, options)
            .await
            .map(|(node, events)| (Handle::clone(&node), events)),
        Runtime::Smol => memberlist_smol::Memberlist::start(config, options)
            .await
            .map(|(node, events)| (Handle::clone(&node), events)),
    };
    started.map_err(|error| match error {
        StartError::Config(error) => Failure::usage(error),
        error => Failure::failed(error),
    })
}

impl std::fmt::Display for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::AsyncStd => "async-std",
            Self::Smol => "smol",
        })
    }
}
