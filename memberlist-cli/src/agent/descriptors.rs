//! The limit of open files: every stream needs a file descriptor.

use memberlist_proto::Limits;
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most files that an agent has open besides its streams: standard input and output, its
/// sockets and the runtime's, name look-ups, the snapshot and connections to `--http` and
/// `--metrics`.
#[cfg(unix)]
const OTHERS: u64 = 192;

/// Raises the soft limit to the hard limit, as Go's runtime does, and warns if that is too low for
/// the streams that may be open in both directions: without a file descriptor, a node can neither
/// accept nor open a stream.
#[cfg(unix)]
pub(super) fn prepare(limits: &Limits) {
    let streams = limits.streams.saturating_add(limits.streams_opened) as u64;
    let wanted = OTHERS.saturating_add(streams);
    if let Some(limit) = raised_limit().filter(|limit| *limit < wanted) {
        tracing::warn!(
            "the process may have {limit} files open, and needs {wanted} for the {streams} streams \
             of `limits.streams` and `limits.streams_opened` and {OTHERS} others: raise its limit \
             (`ulimit -n`, `LimitNOFILE=`) or lower those two"
        );
    }
}

/// Raises the limit as far as allowed, and returns it; `None` if there is no limit.
#[cfg(unix)]
pub(crate) fn raised_limit() -> Option<u64> {
    raise(getrlimit(Resource::Nofile))
}

/// Returns `None`: other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn raised_limit() -> Option<u64> {
    None
}

/// Does nothing: other systems have no such limit.
#[cfg(not(unix))]
pub(super) fn prepare(_limits: &Limits) {}

/// Tries to raise the soft limit, and returns it; `None` if there is no limit.
#[cfg(unix)]
fn raise(limit: Rlimit) -> Option<u64> {
    let Rlimit { current, maximum } = limit;
    if current == maximum {
        return current;
    }
    let shown = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |it| it.to_string());
    let (from, to) = (shown(current), shown(maximum));
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => {
            tracing::debug!("raised the limit of open files from {from} to {to}");
            maximum
        }
        // Some systems have another, lower limit.
        Err(error) => {
            tracing::debug!("the limit of open files stays at {from}, not {to}: {error}");
            current
        }
    }
}
