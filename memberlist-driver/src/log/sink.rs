//! Writes lines as events of `tracing`. Feature `tracing`.

use super::{Line, Severity, Target};

/// One event of `tracing`, whose level and target must be constants at each call site.
macro_rules! event {
    ($level:ident, $target:literal, $node:ident, $line:ident) => {
        tracing::event!(
            target: $target,
            tracing::Level::$level,
            node = %$node,
            peer = $line.peer.as_ref().map(display),
            member = $line.member.as_ref().map(display),
            reason = $line.reason.as_ref().map(display),
            "{}",
            $line.text
        )
    };
}

macro_rules! at_level {
    ($level:ident, $node:ident, $line:ident) => {
        match $line.target {
            Target::Probe => event!($level, "memberlist::probe", $node, $line),
            Target::Membership => event!($level, "memberlist::membership", $node, $line),
            Target::Stream => event!($level, "memberlist::stream", $node, $line),
            Target::Packet => event!($level, "memberlist::packet", $node, $line),
            Target::Join => event!($level, "memberlist::join", $node, $line),
            Target::Rejoin => event!($level, "memberlist::rejoin", $node, $line),
            Target::Address => event!($level, "memberlist::address", $node, $line),
            Target::Record => event!($level, "memberlist::record", $node, $line),
            Target::Delegate => event!($level, "memberlist::delegate", $node, $line),
        }
    };
}

pub(super) fn write(node: &str, line: &Line) {
    match line.severity {
        Severity::Error => at_level!(ERROR, node, line),
        Severity::Warning => at_level!(WARN, node, line),
        Severity::Info => at_level!(INFO, node, line),
        Severity::Debug => at_level!(DEBUG, node, line),
    }
}
