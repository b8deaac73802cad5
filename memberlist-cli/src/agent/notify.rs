//! Notifications to the service manager that started the agent, if one did (`sd_notify`).

use std::time::Duration;

use memberlist_driver::{Error, Handle};

/// The agent is ready once no member has joined or departed for this long.
const QUIET: Duration = Duration::from_secs(1);
/// The longest wait for that: a cluster in which nodes constantly join and depart is usable, too.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until the membership has settled, or for the longest wait; returns the number of members.
pub(super) async fn settled(node: Handle) -> Result<usize, Error> {
    match node.settled(QUIET, LIMIT).await {
        Err(error) if error.is_timeout() => Ok(node.num_members()),
        settled => settled,
    }
}

/// Reports that the agent is ready, with this number of members.
#[cfg(target_os = "linux")]
pub(super) fn ready(members: usize) {
    let status = format!("{members} members");
    send(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&status)]);
}

/// Reports that the agent is joining its seeds, and not ready yet.
#[cfg(target_os = "linux")]
pub(super) fn joining() {
    send(&[sd_notify::NotifyState::Status("joining")]);
}

/// Reports that the agent is leaving.
#[cfg(target_os = "linux")]
pub(super) fn stopping() {
    send(&[sd_notify::NotifyState::Stopping, sd_notify::NotifyState::Status("leaving")]);
}

/// Notifies the service manager; does nothing if there is none.
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
