//! The limit of open files: every stream needs a file descriptor.

use memberlist_proto::Limits;
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What an agent has open besides its streams, at most: standard input and output, its sockets and
/// the runtime's, name look-ups, the snapshot and connections to `--http` and `--metrics`.
#[cfg(unix)]
const OTHERS: u64 = 192;

/// Raises the soft limit to the hard limit, as Go's runtime does, and warns if that is too low for
/// the streams that may be open in both directions. Without a descriptor a node can neither accept nor open a stream.
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

/// The limit after it was raised as far as that is allowed; `None` if there is none.
#[cfg(unix)]
pub(crate) fn raised_limit() -> Option<u64> {
    raise(getrlimit(Resource::Nofile))
}

/// There is no such limit on other systems.
#[cfg(not(unix))]
pub(crate) fn raised_limit() -> Option<u64> {
    None
}

/// There is no such limit on other systems.
#[cfg(not(unix))]
pub(super) fn prepare(_limits: &Limits) {}

/// The soft limit after trying to raise it; `None` if there is none.
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
        // Some systems have a lower limit beside this one.
        Err(error) => {
            tracing::debug!("the limit of open files stays at {from}, not {to}: {error}");
            current
        }
    }
}
