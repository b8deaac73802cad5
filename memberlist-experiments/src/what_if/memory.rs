//! The memory of a node.

use std::net::Ipv4Addr;

use memberlist_proto::{Config, Identity, IdentityParts, Instant, Memberlist, Node, State};

/// How many members are restored in all: enough for the size of a memory page not to matter.
const MEMBERS: usize = 400_000;

/// The bytes by which this process grows for each node that knows this number of members; `None` if
/// the system does not report it.
pub(super) fn of_a_node(members: usize) -> Option<u64> {
    let nodes = (MEMBERS / members).clamp(4, 4000);
    let now = Instant::from_nanos(1_000_000_000);
    let before = resident()?;
    let kept: Vec<Memberlist> = (0..nodes).filter_map(|_| restored(now, members)).collect();
    let grown = resident()?.saturating_sub(before);
    Some(grown / kept.len().max(1) as u64)
}

/// A node with members that it has created itself: their identities are not shared with other
/// nodes, as on a machine of its own.
fn restored(now: Instant, members: usize) -> Option<Memberlist> {
    let mut node = Memberlist::new(now, Config::lan("node-with-a-name"), None, [7; 32]).ok()?;
    let record = |index: usize| {
        let addr = Ipv4Addr::from(0x0a00_0001 + u32::try_from(index).ok()?).octets();
        let name = format!("node-{index:06}");
        let parts = IdentityParts {
            name: name.as_bytes(),
            addr: Some(&addr),
            port: 7946,
            meta: None,
            versions: None,
        };
        Some(Node::new(Identity::new(parts).ok()?, 1, State::Alive, now))
    };
    node.restore(now, (0..members).filter_map(record));
    Some(node)
}

/// The resident memory of this process, in bytes.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
