//! The flags of the commands that ask an agent.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::agent::Kinds;
use crate::socket::VARIABLE;

/// The commands that ask a running agent.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the members that an agent knows: all alive and suspect nodes, itself included
    Members(On<Members>),
    /// List every node that an agent knows, including dead ones and those that left
    Nodes(On<Listing>),
    /// Show what an agent is: its node, addresses, version, process
    Info(On<Nothing>),
    /// Show the state of the cluster: every node, why it is not alive, seeds, refusals, queues
    Status(On<Nothing>),
    /// Join the cluster of other nodes
    Join(On<Join>),
    /// Leave the cluster
    Leave(On<Leave>),
    /// End the search for a node that is dead or has left, and remove its record everywhere
    Forget(On<Forget>),
    /// Send a message to every member
    Broadcast(On<Broadcast>),
    /// Send a message to one member
    Send(On<Send>),
    /// Ping a member and show the round trip time
    Ping(On<Ping>),
    /// Show or change the keyring
    Keys(On<Keys>),
    /// Change fields of the configuration, where that is possible at run time
    Set(On<Set>),
    /// Show events as they happen
    Watch(On<Watch>),
    /// Measure the round trip time to every member
    Rtt(On<Rtt>),
}

/// A command, and which agent is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct On<T: clap::Args> {
    #[command(flatten)]
    pub(super) what: T,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The flags that all these commands have.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Control socket of the agent [default: the only one in the user's runtime directory]
    #[arg(long, global = true, env = VARIABLE, value_name = "PATH")]
    pub(super) control: Option<PathBuf>,

    /// Name of the agent's node, if several agents run
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) agent: Option<String>,

    /// How to show the answer
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns and sentences, for people
    #[default]
    Table,
    /// JSON, for scripts
    Json,
}

/// No flags of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Nothing {}

/// The flags of lists of nodes.
#[derive(Debug, clap::Args)]
pub(crate) struct Listing {
    /// Show the protocol versions of each node
    #[arg(long)]
    pub(super) versions: bool,
}

/// The flags of `members`.
#[derive(Debug, clap::Args)]
pub(crate) struct Members {
    /// Show only nodes in these states, including those that are no longer members; separated by
    /// commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATE,…")]
    pub(super) status: Vec<State>,
    #[command(flatten)]
    pub(super) listing: Listing,
}

/// The state of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    /// It answers
    Alive,
    /// It is accused of not answering
    Suspect,
    /// It did not refute in time
    Dead,
    /// It has left
    Left,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        }
    }
}

/// The flags of `join`.
#[derive(Debug, clap::Args)]
pub(crate) struct Join {
    /// Nodes to join, `HOST[:PORT]` or `NAME/HOST[:PORT]`
    #[arg(required = true, value_name = "HOST[:PORT]")]
    pub(super) peers: Vec<String>,
}

/// The flags of `leave`.
#[derive(Debug, clap::Args)]
pub(crate) struct Leave {
    /// How long to wait until the members have been informed, such as `5s`; at most a day
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = a_day_at_most)]
    pub(super) timeout: Duration,
    /// End the agent, too
    #[arg(long)]
    pub(super) quit: bool,
}

/// The flags of `forget`.
#[derive(Debug, clap::Args)]
pub(crate) struct Forget {
    /// Name of the node
    pub(super) name: String,
}

/// The flags of `broadcast`.
#[derive(Debug, clap::Args)]
pub(crate) struct Broadcast {
    /// The message; `-` reads it from standard input
    pub(super) text: String,
    /// If the message is too long for gossip, send it to each member by stream
    #[arg(long)]
    pub(super) any_size: bool,
    /// The message is in hexadecimal
    #[arg(long)]
    pub(super) hex: bool,
}

/// The flags of `send`.
#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// Name of the member
    pub(super) name: String,
    /// The message; `-` reads it from standard input
    pub(super) text: String,
    /// Send it over a stream instead of in a packet, which may be lost
    #[arg(long)]
    pub(super) reliable: bool,
    /// The message is in hexadecimal
    #[arg(long)]
    pub(super) hex: bool,
}

/// The flags of `ping`.
#[derive(Debug, clap::Args)]
pub(crate) struct Ping {
    /// Name of the member
    pub(super) name: String,
    /// How many pings, one after the other
    #[arg(long, short = 'c', default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) count: u32,
}

/// The flags of `rtt`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rtt {
    /// Names of members [default: all]
    pub(super) names: Vec<String>,
    /// How many pings for each member, one after the other
    #[arg(long, short = 'c', default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) count: u32,
}

/// The flags of `keys`.
#[derive(Debug, clap::Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(super) verb: Option<KeyVerb>,
}

/// What to do with the keyring.
#[derive(Debug, clap::Subcommand)]
pub(super) enum KeyVerb {
    /// Show the keys; the first is the primary, which encrypts
    List,
    /// Add a key that decrypts from now on, but does not encrypt
    Add {
        /// The key in base64; `-` reads it from standard input, where other users cannot see it
        key: String,
    },
    /// Make a key the primary
    Use {
        /// The key in base64; `-` reads it from standard input
        key: String,
    },
    /// Remove a key
    Remove {
        /// The key in base64; `-` reads it from standard input
        key: String,
    },
}

/// The flags of `set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// Fields and their new values; `memberlist agent --help` lists the fields
    #[arg(required = true, value_name = "FIELD=VALUE")]
    pub(super) assignments: Vec<String>,
}

/// The flags of `watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// Events to show, separated by commas, or `all`, or `quiet` for all but round trips
    /// [default: `quiet` on a terminal, else `all`]
    #[arg(long, value_name = "EVENTS", value_parser = Kinds::parse)]
    pub(super) events: Option<Kinds>,
    /// End after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
}

/// Parses a time, of which the agent accepts a day at most.
fn a_day_at_most(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= Duration::from_secs(86_400) => Ok(time),
        Ok(_) => Err("expected at most a day".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
