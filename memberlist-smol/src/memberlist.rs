//! The handle of a node.

use std::ops::Deref;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle};
use memberlist_proto::Config;

use crate::runtime::Smol;

/// A running node on smol, with all methods of [`Handle`]. Cheap to clone, and usable from any
/// thread or task; the node ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Memberlist(Handle);

impl Memberlist {
    /// Binds the sockets and starts a node, which knows no other node yet: call
    /// [`join`](Handle::join) next. Whatever the configuration has in `advertise_addr`,
    /// `advertise_port` and `bind_port` is replaced by what the options say.
    ///
    /// # Errors
    ///
    /// [`StartError`], for example if the address cannot be bound or the configuration is not
    /// valid. Nothing is left running then.
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
