//! The commands of the agent, and how a line of input is parsed.

use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Key, NodeName, Peer};

use super::kinds::Kinds;
use super::settings;
use crate::hex;

/// The commands as `help` prints them, each with its meaning.
pub(super) const HELP: &[(&str, &str)] = &[
    ("members", "list the alive and suspect members, including this node"),
    ("nodes", "list every known node, including dead ones and those that left"),
    ("broadcast TEXT", "gossip a message"),
    (
        "disseminate TEXT",
        "spread a message of any size: a short one by gossip, else by stream to every member",
    ),
    ("send NAME TEXT", "send a message in a packet, best effort"),
    ("send-reliable NAME TEXT", "send a message over a stream"),
    ("ping NAME", "ping a member and report the round-trip time"),
    ("meta TEXT", "change this node's metadata"),
    ("state TEXT", "set the application state sent in full state exchanges"),
    ("ack-payload TEXT", "set the payload of acks"),
    ("health", "show the local health score; 0 is healthy"),
    ("stats", "show every counter and gauge"),
    ("info", "show what this agent is: node, addresses, version, process, how many members"),
    ("status", "show everything: nodes and why they are not alive, seeds, refusals, stats"),
    (
        "keys list|add KEY|use KEY|remove KEY",
        "show or change the keyring; the first key is the primary",
    ),
    ("set FIELD=VALUE", "change a field of the configuration, where that is possible at run time"),
    ("join HOST[:PORT]...", "join the cluster of these nodes"),
    (
        "leave [SECONDS]",
        "leave the cluster; wait at most this long (default 5) for it to be announced",
    ),
    (
        "forget NAME",
        "end the search for a node that is dead or has left, and remove its record everywhere",
    ),
    ("quit", "stop without leaving"),
    (
        "watch [all|quiet|none|EVENT,EVENT...]",
        "choose the events that are reported here from now on; quiet is all but round trips",
    ),
    ("help", "show this list; each command with TEXT also exists with the suffix `-hex`"),
];

/// How long a leave may take by default, and after a signal.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time that `leave` accepts, in seconds: a day.
const LEAVE_TIMEOUT_MAX: f64 = 86_400.0;

/// One parsed line: a command, and the id for its reply, if it has one.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: Option<String>,
    /// The first word, for error replies.
    pub(super) name: String,
    pub(super) command: Result<Command, CommandError>,
}

/// A command of the agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Members,
    Nodes,
    Broadcast(Bytes),
    Disseminate(Bytes),
    Send { to: NodeName, message: Bytes },
    SendReliable { to: NodeName, message: Bytes },
    Ping(NodeName),
    Meta(Bytes),
    State(Bytes),
    AckPayload(Bytes),
    Health,
    Stats,
    Info,
    Status,
    Keys(KeyCommand),
    Set { field: String, text: String },
    Join(Vec<Peer>),
    Leave(Duration),
    Forget(NodeName),
    Watch(Kinds),
    Quit,
    Help,
}

/// The subcommands of `keys`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum KeyCommand {
    List,
    Add(Key),
    Use(Key),
    Remove(Key),
}

/// Why a line is not a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("unknown command; `help` lists the commands")]
    Unknown,
    #[error("`{0}` takes no arguments")]
    Surplus(&'static str),
    #[error("usage: {0}")]
    Usage(&'static str),
    #[error("the arguments are not UTF-8")]
    NotText,
    #[error("{0}")]
    Argument(String),
}

impl Line {
    /// Parses a line, given without its line end; `None` if it is empty.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let (id, rest) = match line.strip_prefix(b"#") {
            Some(rest) => {
                let (id, rest) = cut(rest);
                (Some(String::from_utf8_lossy(id).into_owned()), rest.unwrap_or_default())
            }
            None => (None, line),
        };
        let (word, rest) = cut(rest);
        if word.trim_ascii().is_empty() && rest.is_none() && id.is_none() {
            return None;
        }
        let name = String::from_utf8_lossy(word.trim_ascii()).into_owned();
        let command = Command::parse(&name, rest.unwrap_or_default());
        Some(Self { id, name, command })
    }
}

impl Command {
    fn parse(name: &str, rest: &[u8]) -> Result<Self, CommandError> {
        let (name, hexadecimal) = match name.strip_suffix("-hex") {
            Some(base) if takes_text(base) => (base, true),
            _ => (name, false),
        };
        let payload = |text: &[u8]| payload(text, hexadecimal);
        match name {
            "members" => bare("members", rest, Self::Members),
            "nodes" => bare("nodes", rest, Self::Nodes),
            "health" => bare("health", rest, Self::Health),
            "stats" => bare("stats", rest, Self::Stats),
            "info" => bare("info", rest, Self::Info),
            "status" => bare("status", rest, Self::Status),
            "quit" => bare("quit", rest, Self::Quit),
            "help" => bare("help", rest, Self::Help),
            "broadcast" => payload(rest).map(Self::Broadcast),
            "disseminate" => payload(rest).map(Self::Disseminate),
            "meta" => payload(rest).map(Self::Meta),
            "state" => payload(rest).map(Self::State),
            "ack-payload" => payload(rest).map(Self::AckPayload),
            "send" => {
                let (to, message) = addressee(rest, "send NAME TEXT")?;
                Ok(Self::Send { to, message: payload(message)? })
            }
            "send-reliable" => {
                let (to, message) = addressee(rest, "send-reliable NAME TEXT")?;
                Ok(Self::SendReliable { to, message: payload(message)? })
            }
            "ping" if rest.is_empty() => Err(CommandError::Usage("ping NAME")),
            "ping" => Ok(Self::Ping(NodeName::from(rest))),
            "forget" if rest.is_empty() => Err(CommandError::Usage("forget NAME")),
            "forget" => Ok(Self::Forget(NodeName::from(rest))),
            "keys" => keys(text(rest)?).map(Self::Keys),
            "set" => set(text(rest)?),
            "join" => join(text(rest)?),
            "leave" => leave(text(rest)?),
            "watch" => watch(text(rest)?),
            _ => Err(CommandError::Unknown),
        }
    }
}

fn takes_text(name: &str) -> bool {
    matches!(
        name,
        "broadcast" | "disseminate" | "send" | "send-reliable" | "meta" | "state" | "ack-payload"
    )
}

/// Splits a line at its first space: the word before it, and the rest; `None` if there is no space.
fn cut(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (line, None),
    }
}

fn bare(name: &'static str, rest: &[u8], command: Command) -> Result<Command, CommandError> {
    if rest.trim_ascii().is_empty() { Ok(command) } else { Err(CommandError::Surplus(name)) }
}

fn payload(rest: &[u8], hexadecimal: bool) -> Result<Bytes, CommandError> {
    if !hexadecimal {
        return Ok(Bytes::copy_from_slice(rest));
    }
    hex::decode(rest).map(Bytes::from).map_err(|error| CommandError::Argument(error.to_string()))
}

fn addressee<'a>(
    rest: &'a [u8],
    usage: &'static str,
) -> Result<(NodeName, &'a [u8]), CommandError> {
    match cut(rest) {
        ([], _) => Err(CommandError::Usage(usage)),
        (name, message) => Ok((NodeName::from(name), message.unwrap_or_default())),
    }
}

fn text(rest: &[u8]) -> Result<&str, CommandError> {
    std::str::from_utf8(rest).map(str::trim).map_err(|_| CommandError::NotText)
}

fn keys(rest: &str) -> Result<KeyCommand, CommandError> {
    let (verb, key) = rest.split_once(' ').unwrap_or((rest, ""));
    let key = || key.parse::<Key>().map_err(|error| CommandError::Argument(error.to_string()));
    match verb {
        "" => Ok(KeyCommand::List),
        "list" if rest == "list" => Ok(KeyCommand::List),
        "add" => key().map(KeyCommand::Add),
        "use" => key().map(KeyCommand::Use),
        "remove" => key().map(KeyCommand::Remove),
        _ => Err(CommandError::Usage("keys list|add KEY|use KEY|remove KEY")),
    }
}

fn set(rest: &str) -> Result<Command, CommandError> {
    let (field, text) =
        settings::split(rest).map_err(|error| CommandError::Argument(error.to_string()))?;
    Ok(Command::Set { field: field.to_owned(), text: text.to_owned() })
}

fn join(rest: &str) -> Result<Command, CommandError> {
    if rest.is_empty() {
        return Err(CommandError::Usage("join HOST[:PORT]..."));
    }
    let peer = |word: &str| {
        word.parse().map_err(|error| CommandError::Argument(format!("`{word}`: {error}")))
    };
    rest.split_whitespace().map(peer).collect::<Result<_, _>>().map(Command::Join)
}

fn watch(rest: &str) -> Result<Command, CommandError> {
    let kinds = if rest.is_empty() { Ok(Kinds::All) } else { Kinds::parse(rest) };
    kinds.map(Command::Watch).map_err(|error| CommandError::Argument(error.to_string()))
}

fn leave(rest: &str) -> Result<Command, CommandError> {
    if rest.is_empty() {
        return Ok(Command::Leave(LEAVE_TIMEOUT));
    }
    match rest.parse::<f64>() {
        Ok(seconds) if (0.0..=LEAVE_TIMEOUT_MAX).contains(&seconds) => {
            Ok(Command::Leave(Duration::from_secs_f64(seconds)))
        }
        _ => Err(CommandError::Usage("leave [SECONDS], from 0 to 86400")),
    }
}

#[cfg(test)]
mod tests;
