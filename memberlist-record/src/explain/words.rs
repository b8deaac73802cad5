//! Names in words of the kinds of operations and events.

use memberlist_proto::{Command, Event};

/// The name of an operation or setting.
pub(super) fn command(command: &Command) -> &'static str {
    match command {
        Command::Join { .. } => "join",
        Command::Leave { .. } => "leave",
        Command::SetMeta { .. } => "set the metadata",
        Command::Settle { .. } => "wait for the membership to settle",
        Command::Ping { .. } => "ping",
        Command::Send { .. } => "send",
        Command::SendReliable { .. } => "send by stream",
        Command::Broadcast { .. } => "broadcast",
        Command::Disseminate { .. } => "disseminate",
        Command::Cancel { .. } => "cancel",
        Command::SetVerify { .. } => "set what is verified",
        Command::Reconfigure(_) => "reconfigure",
        Command::Restore(_) => "restore members",
        Command::Recall(_) => "recall peers",
        Command::Forget(_) => "forget a node",
        _ => "another operation",
    }
}

/// The name of an event that is not about a node.
pub(super) fn event(event: &Event) -> &'static str {
    match event {
        Event::Message { .. } => "message",
        Event::RemoteState { .. } => "state of the application",
        Event::Finished { .. } => "operation finished",
        Event::JoinRetries { .. } => "join is tried again",
        Event::BroadcastFinished { .. } => "broadcast finished",
        Event::NamePoisoned { .. } => "the name is unusable",
        Event::NothingReceived { .. } => "no packet has come for a while",
        Event::NotListed { .. } => "peers do not list this node",
        Event::Rejoined { .. } => "found again",
        Event::ExchangeFailed { .. } => "an exchange failed",
        _ => "another event",
    }
}
