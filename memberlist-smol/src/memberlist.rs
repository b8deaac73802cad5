//! The handle of a node.

use std::ops::Deref;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle};
use memberlist_proto::Config;

use crate::runtime::Smol;

/// A running node: a [`Handle`] that was started on smol, with its methods. Cheap to clone, and
/// usable from everywhere; the node ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Memberlist(Handle);

impl Memberlist {
    /// Listens and starts a node, which knows no other node yet. The options set the configuration's
    /// `advertise_addr`, `advertise_port` and `bind_port`.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on, a configuration that is not valid, and the others of
    /// [`StartError`]. Nothing is left running then.
    pub async fn start(config: Config, options: Options) -> Result<(Self, Events), StartError> {
        let (handle, events) = memberlist_driver::start(Smol, config, options).await?;
        Ok((Self(handle), events))
    }
}

impl Deref for Memberlist {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}
