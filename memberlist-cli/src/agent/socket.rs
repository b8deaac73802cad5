//! The agent's end of its control socket, on systems that have Unix sockets.

#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::args::Args;
#[cfg(unix)]
use super::control::Control;
use super::execute::Execution;
use super::settings::Settings;
use crate::failure::Failure;
#[cfg(unix)]
use crate::socket::Claim;

/// The control socket, if the agent has one; removed when this is dropped.
pub(super) struct Socket {
    #[cfg(unix)]
    claim: Option<Claim>,
}

#[cfg(unix)]
impl Socket {
    /// Claims the socket that the flags ask for. Must be called before there is a thread that
    /// creates files.
    pub(super) fn claim(args: &Args, settings: &Settings) -> Result<Self, Failure> {
        let place = args.control.clone().unwrap_or_default();
        Ok(Self { claim: place.claim(&settings.config.name)? })
    }

    /// The path of the socket as text, if there is one.
    pub(super) fn path(&self) -> Option<String> {
        self.claim.as_ref().map(|claim| Path::display(claim.path()).to_string())
    }

    /// Starts to serve clients, until `ended` is true; `None` if there is no socket.
    pub(super) fn serve(
        &self,
        execution: &Execution,
        quit: &Arc<Notify>,
        ended: watch::Receiver<bool>,
    ) -> Result<Option<JoinHandle<()>>, Failure> {
        let Some(claim) = &self.claim else { return Ok(None) };
        let control = Control::new(claim, execution.clone(), Arc::clone(quit))?;
        Ok(Some(tokio::spawn(control.serve(ended))))
    }

    /// Removes the socket; for an end of the process that drops nothing.
    pub(super) fn remove(&self) {
        if let Some(claim) = &self.claim {
            claim.remove();
        }
    }
}

#[cfg(not(unix))]
impl Socket {
    /// Claims nothing: this system has no Unix sockets.
    pub(super) fn claim(_args: &Args, _settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Returns `None`: there is no socket.
    pub(super) fn path(&self) -> Option<String> {
        None
    }

    /// Serves nothing.
    pub(super) fn serve(
        &self,
        _execution: &Execution,
        _quit: &Arc<Notify>,
        _ended: watch::Receiver<bool>,
    ) -> Result<Option<JoinHandle<()>>, Failure> {
        Ok(None)
    }

    /// Does nothing: there is no socket to remove.
    pub(super) fn remove(&self) {}
}
