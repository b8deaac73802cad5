//! Executes the commands of the agent.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memberlist_driver::{Error, Handle};
use memberlist_proto::fields::Field;
use memberlist_proto::{BroadcastKind, Config, Node, NodeName, NotJoined, Priority, State, Target};
use serde_json::{Map, Value, json};

use super::command::{Command, HELP, KeyCommand};
use super::report::{self, Report};
use super::{event, settings};
use crate::node::{Carried, Runtime};

/// How long `meta` waits for the announcement to be sent.
const META_TIMEOUT: Duration = Duration::from_secs(10);

/// All that a command needs to run.
#[derive(Clone)]
pub(super) struct Execution {
    pub(super) node: Handle,
    pub(super) carried: Arc<Carried>,
    pub(super) about: Arc<About>,
}

/// Facts about the agent apart from its node.
pub(super) struct About {
    pub(super) runtime: Runtime,
    pub(super) began: Instant,
    /// The path of its control socket, if it has one.
    pub(super) control: Option<String>,
    /// The address of its page, if it serves one.
    pub(super) page: Option<SocketAddr>,
}

/// The first report of an agent, about its start.
pub(super) fn started(node: &Handle, about: &About) -> Report {
    let report = Report::new("started")
        .with("node", report::node(&node.local()))
        .with("bind", node.bound_address().to_string())
        .with("control", about.control.clone());
    match about.page {
        Some(page) => report.with("http", format!("http://{page}/")),
        None => report,
    }
}

/// Leaves, waiting at most `timeout`.
pub(super) async fn leave(node: &Handle, timeout: Duration) -> Result<(), Error> {
    // For the core, zero means that there is no limit.
    node.leave(timeout.max(Duration::from_millis(1))).await.map(drop)
}

impl Execution {
    /// Runs a command; returns its reply, or why it failed.
    pub(super) async fn run(self, command: Command) -> Result<Report, String> {
        let node = &self.node;
        match command {
            Command::Members => Ok(list("members", &node.members())),
            Command::Nodes => Ok(list("nodes", &node.nodes())),
            Command::Broadcast(message) => self.broadcast(&message),
            Command::Disseminate(message) => {
                let id = node.disseminate(&message).map_err(text)?;
                Ok(Report::new("disseminate").with("broadcast_id", id.as_u64()))
            }
            Command::Send { to, message } => {
                node.send(Target::Member(to), &message).map_err(text)?;
                Ok(Report::new("sent").with("bytes", message.len()))
            }
            Command::SendReliable { to, message } => {
                let len = message.len();
                node.send_reliable(Target::Member(to), &message).await.map_err(text)?;
                Ok(Report::new("sent").with("bytes", len))
            }
            Command::Ping(name) => self.ping(name).await,
            Command::Meta(meta) => self.meta(meta).await,
            Command::State(state) => {
                let len = state.len();
                self.carried.set_state(state);
                Ok(Report::new("state").with("bytes", len))
            }
            Command::AckPayload(payload) => {
                let len = payload.len();
                self.carried.set_ack_payload(payload);
                Ok(Report::new("ack_payload").with("bytes", len))
            }
            Command::Health => Ok(Report::new("health").with("score", node.health_score())),
            Command::Stats => Ok(self.stats()),
            Command::Info => self.info(),
            Command::Status => self.status(),
            Command::Keys(command) => self.keys(command),
            Command::Set { field, text } => self.set(&field, &text),
            Command::Join(peers) => match node.join(&peers).await {
                Ok(report) | Err(Error::NotJoined(NotJoined { report })) => {
                    Ok(event::join(&report))
                }
                Err(error) => Err(text(error)),
            },
            Command::Leave(timeout) => self.leave(timeout).await,
            Command::Forget(name) => {
                node.forget(&name).map_err(text)?;
                Ok(Report::new("forgotten").with("name", name.to_string()))
            }
            // The session does what this command asks.
            Command::Watch(kinds) => Ok(Report::new("watching").with("events", kinds.to_string())),
            Command::Quit => Ok(Report::new("quit")),
            Command::Help => Ok(help()),
        }
    }

    fn broadcast(&self, message: &[u8]) -> Result<Report, String> {
        let id = self
            .node
            .broadcast(message, BroadcastKind::Unique, Priority::default())
            .map_err(text)?;
        Ok(Report::new("broadcast").with("broadcast_id", id.as_u64()))
    }

    async fn ping(&self, name: NodeName) -> Result<Report, String> {
        let node = self.node.member(&name).ok_or("no member of that name")?;
        let pong = self.node.ping(Target::Member(name)).await.map_err(text)?;
        Ok(event::pinged(report::node(&node), pong.rtt, &pong.payload))
    }

    async fn meta(&self, meta: Bytes) -> Result<Report, String> {
        let len = meta.len();
        let reply = |finished| Report::new("meta").with("bytes", len).with("finished", finished);
        match self.node.set_meta(meta, META_TIMEOUT).await {
            Ok(()) => Ok(reply(true)),
            Err(error) if error.is_timeout() => Ok(reply(false)),
            Err(error) => Err(text(error)),
        }
    }

    async fn leave(&self, timeout: Duration) -> Result<Report, String> {
        match leave(&self.node, timeout).await {
            Ok(()) => Ok(Report::new("left").with("finished", true)),
            Err(error) if error.is_timeout() => Ok(Report::new("left").with("finished", false)),
            Err(error) => Err(text(error)),
        }
    }

    fn stats(&self) -> Report {
        let stats = self.node.stats();
        let figures = |figures: &mut dyn Iterator<Item = (&'static str, u64)>| {
            figures.map(|(name, figure)| (name.to_owned(), figure.into())).collect::<Map<_, _>>()
        };
        Report::new("stats")
            .with("counters", figures(&mut stats.counters.iter()))
            .with("gauges", figures(&mut stats.gauges.iter()))
            .with("decisions", figures(&mut stats.decisions.iter()))
    }

    fn info(&self) -> Result<Report, String> {
        let (node, about) = (&self.node, &self.about);
        let config = node.config().map_err(text)?;
        let nodes = node.nodes();
        let count = |state| nodes.iter().filter(|node| node.state() == state).count();
        let uptime = about.began.elapsed();
        Ok(Report::new("info")
            .with("node", report::node(&node.local()))
            .with("bind", node.bound_address().to_string())
            .with("left", node.has_left())
            .with("health_score", node.health_score())
            .with(
                "nodes",
                json!({
                    "alive": count(State::Alive),
                    "suspect": count(State::Suspect),
                    "dead": count(State::Dead),
                    "left": count(State::Left),
                }),
            )
            .with("transport", node.transport_stats().name())
            .with("label", String::from_utf8_lossy(&config.label).into_owned())
            .with("keys", node.keys().len())
            .with("seeds", config.seeds.iter().map(ToString::to_string).collect::<Vec<_>>())
            .with("runtime", about.runtime.to_string())
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("pid", std::process::id())
            .with("uptime_ms", u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX))
            .with("control", about.control.clone())
            .with("http", about.page.map(|page| format!("http://{page}/"))))
    }

    fn status(&self) -> Result<Report, String> {
        let status = self.node.status().map_err(text)?;
        match serde_json::to_value(status).map_err(text)? {
            Value::Object(fields) => {
                let report =
                    fields.into_iter().fold(Report::new("status"), |report, (field, value)| {
                        report.with(&field, value)
                    });
                let transport = self.node.transport_stats();
                Ok(report.with("transport", serde_json::to_value(transport).map_err(text)?))
            }
            other => Ok(Report::new("status").with("status", other)),
        }
    }

    fn keys(&self, command: KeyCommand) -> Result<Report, String> {
        let node = &self.node;
        match command {
            KeyCommand::List => {}
            KeyCommand::Add(key) => node.add_key(key).map_err(text)?,
            KeyCommand::Use(key) => node.use_key(&key).map_err(text)?,
            KeyCommand::Remove(key) => node.remove_key(&key).map_err(text)?,
        }
        let keys: Vec<_> = node.keys().iter().map(|key| STANDARD.encode(key.as_bytes())).collect();
        Ok(Report::new("keys").with("keys", keys))
    }

    fn set(&self, field: &str, value: &str) -> Result<Report, String> {
        let before = self.node.config().map_err(text)?;
        let after = changed(&before, field, value)?;
        self.node.reconfigure(after.timing()).map_err(text)?;
        let (incoming, outgoing) = (after.gossip_verify_incoming, after.gossip_verify_outgoing);
        self.node.set_verify(incoming, outgoing).map_err(text)?;
        Ok(Report::new("set").with("field", field).with("value", value))
    }
}

/// The configuration with one field changed, if that field can change at run time.
fn changed(before: &Config, field: &str, value: &str) -> Result<Config, String> {
    // These two change by a call of their own, not with the timing.
    let verifies = ["gossip_verify_incoming", "gossip_verify_outgoing"].contains(&field);
    let is_live = verifies || Config::field(field).is_some_and(Field::is_live);
    if !is_live && settings::names().any(|name| name == field) {
        return Err(format!("`{field}` cannot change while the node runs"));
    }
    let mut after = before.clone();
    settings::set(&mut after, field, value).map_err(text)?;
    Ok(after)
}

fn list(event: &str, nodes: &[Node]) -> Report {
    Report::new(event).with("nodes", nodes.iter().map(report::node).collect::<Vec<_>>())
}

fn help() -> Report {
    let commands: Vec<Value> = HELP
        .iter()
        .map(|(command, meaning)| json!({ "command": command, "meaning": meaning }))
        .collect();
    Report::new("help").with("commands", commands)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
