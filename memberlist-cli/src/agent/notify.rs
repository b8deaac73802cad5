//! What a service manager is informed of (`sd_notify`), if one started the agent.

use std::time::Duration;

use memberlist_driver::{Error, Handle};

/// For how long no member may have joined or departed before the agent is ready.
const QUIET: Duration = Duration::from_secs(1);
/// How long the agent waits for that: a cluster in which nodes come and go all the time is usable.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until the membership has settled.
pub(super) async fn settled(node: Handle) -> Result<usize, Error> {
    match node.settled(QUIET, LIMIT).await {
        Err(error) if error.is_timeout() => Ok(node.num_members()),
        settled => settled,
    }
}

/// The agent is ready, with so many members.
#[cfg(target_os = "linux")]
pub(super) fn ready(members: usize) {
    let status = format!("{members} members");
    send(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&status)]);
}

/// The agent joins its seeds, and is not ready yet.
#[cfg(target_os = "linux")]
pub(super) fn joining() {
    send(&[sd_notify::NotifyState::Status("joining")]);
}

/// The agent leaves.
#[cfg(target_os = "linux")]
pub(super) fn stopping() {
    send(&[sd_notify::NotifyState::Stopping, sd_notify::NotifyState::Status("leaving")]);
}

/// Does nothing if no service manager listens.
#[cfg(target_os = "linux")]
fn send(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ready(_members: usize) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn joining() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn stopping() {}
