//! The handle of a node.

use std::ops::Deref;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle, Opened, open};
use memberlist_proto::Config;

use crate::tasks;

/// A running node: a [`Handle`] that was started on async-std. Cheap to clone; the node ends when the
/// last clone is dropped. Its methods are those of [`Handle`].
#[derive(Clone, Debug)]
pub struct Memberlist(Handle);

impl Memberlist {
    /// Listens and starts a node, which knows nobody yet. The configuration's `advertise_addr`,
    /// `advertise_port` and `bind_port` are set by the options.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from running.
    #[allow(clippy::unused_async)] // Binding may have to wait one day, and for other runtimes does.
    pub async fn start(config: Config, options: Options) -> Result<(Self, Events), StartError> {
        let Opened { listener, packets, address, handle, events, driver } = open(config, options)?;
        tasks::run(listener, packets, address, driver)?;
        Ok((Self(handle), events))
    }
}

impl Deref for Memberlist {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}
