//! The nodes of the demonstration and their events.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_driver::transport::Transport;
use memberlist_driver::{Events, Handle};
use memberlist_proto::{BroadcastKind, Config, Event, Priority};
use tokio::sync::mpsc;

use super::screen::{Screen, Tone};
use crate::agent::Settings;
use crate::failure::Failure;
use crate::node::{self, Runtime};

/// The time between two frames of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// The pause between two steps, in ticks.
const PAUSE_TICKS: u32 = 12;

/// The most lines that are printed in one step; further ones are only counted.
const LINES: usize = 8;

/// In a cluster of more nodes than this, the speed of the machine limits them.
pub(super) const CROWD: usize = 100;

/// Every node, running or not, and the events of those that run.
pub(super) struct Cluster {
    pub(super) seats: Vec<Seat>,
    pub(super) screen: Screen,
    /// How many times slower this cluster runs than a small one.
    pub(super) pace: u32,
    events: mpsc::Receiver<Observed>,
    sender: mpsc::Sender<Observed>,
}

/// The place of one node, which may not be running.
pub(super) struct Seat {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) runtime: Runtime,
    pub(super) node: Option<Handle>,
}

/// An event, the node that reported it, and when.
pub(super) struct Observed {
    pub(super) node: usize,
    pub(super) at: Instant,
    pub(super) event: Event,
}

/// What an event means for the current wait.
pub(super) enum Meaning {
    Nothing,
    /// The event gets a line.
    Note(Tone, String),
    /// It is the event that was expected from this node.
    Done(Tone, String),
}

/// How long after the start of the step each node reported the expected event.
pub(super) type Times = Vec<Option<Duration>>;

impl Cluster {
    pub(super) fn new(size: usize) -> Self {
        let (sender, events) = mpsc::channel(4096);
        let seats = (1..=size)
            .map(|number| Seat {
                name: format!("node{number}"),
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                runtime: runtime(number, size),
                node: None,
            })
            .collect();
        Self { seats, screen: Screen::new(), events, sender, pace: pace(size) }
    }

    /// The names of all nodes, running or not.
    pub(super) fn names(&self) -> Vec<String> {
        self.seats.iter().map(|seat| seat.name.clone()).collect()
    }

    /// Begins the next step, after a pause in which the output of the last one can be read.
    pub(super) async fn next_step(&mut self, text: &str) {
        for _ in 0..PAUSE_TICKS {
            self.screen.turn("");
            tokio::time::sleep(TICK).await;
        }
        self.screen.heading(text);
    }

    /// Starts the node of a seat: the first time at a free port, later at the same one.
    pub(super) async fn start(&mut self, index: usize, meta: &str) -> Result<(), Failure> {
        let pace = self.pace;
        let seat = &mut self.seats[index];
        let mut config = timings(&seat.name, pace);
        config.meta = Bytes::copy_from_slice(meta.as_bytes());
        let mut settings = Settings::new(config);
        settings.bind = seat.address;
        let (node, events) =
            node::start(seat.runtime, settings, None, Transport::default(), None, Vec::new())
                .await?;
        seat.address = node.bound_address();
        seat.node = Some(node.clone());
        tokio::spawn(pass_on(index, node, events, self.sender.clone()));
        Ok(())
    }

    /// The handle of a running node.
    pub(super) fn node(&self, index: usize) -> Result<Handle, Failure> {
        let seat = &self.seats[index];
        let gone = || Failure::failed(format_args!("{} is not running", seat.name));
        seat.node.clone().ok_or_else(gone)
    }

    /// Stops a node without a leave.
    pub(super) async fn stop(&mut self, index: usize) {
        if let Some(node) = self.seats[index].node.take() {
            node.shutdown().await;
        }
    }

    /// The seats whose nodes are running.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|&index| self.seats[index].node.is_some()).collect()
    }

    /// Counts the joins that have been reported so far, in `seen` for each node.
    pub(super) fn count_joined(&mut self, seen: &mut [usize]) {
        while let Ok(observed) = self.events.try_recv() {
            seen[observed.node] += usize::from(matches!(observed.event, Event::Joined { .. }));
        }
    }

    /// Waits until every node of `who` has reported the expected event, and prints each. Fails with
    /// the names of the missing nodes after `limit`.
    pub(super) async fn each(
        &mut self,
        waiting: &str,
        who: &[usize],
        since: Instant,
        limit: Duration,
        mut meaning: impl FnMut(&Observed) -> Meaning,
    ) -> Result<Times, Failure> {
        let mut times: Times = vec![None; self.seats.len()];
        let mut lines = 0;
        let mut missing = who.len();
        let mut turned = Instant::now();
        self.screen.turn(waiting);
        while missing > 0 {
            if since.elapsed() >= limit {
                return Err(self.late(waiting, limit, who, &times));
            }
            if turned.elapsed() >= TICK {
                turned = Instant::now();
                self.screen.turn(waiting);
            }
            let Ok(Some(event)) = tokio::time::timeout(TICK, self.events.recv()).await else {
                continue;
            };
            let after = event.at.saturating_duration_since(since);
            let (tone, text) = match meaning(&event) {
                Meaning::Nothing => continue,
                _ if !who.contains(&event.node) => continue,
                Meaning::Note(tone, text) => (tone, text),
                Meaning::Done(..) if times[event.node].is_some() => continue,
                Meaning::Done(tone, text) => {
                    times[event.node] = Some(after);
                    missing -= 1;
                    (tone, text)
                }
            };
            lines += 1;
            if lines <= LINES {
                let name = &self.seats[event.node].name;
                self.screen.line(tone, &format!("{name} {text}, after {}", show(after)));
            }
        }
        if lines > LINES {
            self.screen
                .line(Tone::Plain, &format!("… and {} more lines like these", lines - LINES));
        }
        Ok(times)
    }

    /// The failure of nodes that have not reported the expected event.
    fn late(&self, waiting: &str, limit: Duration, who: &[usize], times: &Times) -> Failure {
        let missing: Vec<_> = who.iter().filter(|&&index| times[index].is_none()).collect();
        let names = missing.iter().take(LINES).map(|&&index| self.seats[index].name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        let more = match missing.len().saturating_sub(LINES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Failure::failed(format_args!("after {}, still {waiting}: {names}{more}", show(limit)))
    }
}

/// The runtime of a node, whose numbers begin with 1. In a large cluster, few nodes run on smol,
/// whose executor has a single thread.
fn runtime(number: usize, size: usize) -> Runtime {
    match number % 10 {
        _ if size <= CROWD => Runtime::ALL[number % Runtime::ALL.len()],
        0 => Runtime::Smol,
        even if even % 2 == 0 => Runtime::Tokio,
        _ => Runtime::AsyncStd,
    }
}

/// How many times slower the nodes of a cluster of this size run: all of them share one machine.
fn pace(size: usize) -> u32 {
    u32::try_from(size / CROWD).unwrap_or(1).max(1)
}

/// The `local` preset with shorter times, so that the demonstration is short; they are still long
/// enough for a busy machine.
pub(super) fn timings(name: &str, pace: u32) -> Config {
    Config::local(name).with(|it| {
        it.probe_interval = Duration::from_millis(500) * pace;
        it.probe_timeout = Duration::from_millis(200) * pace;
        it.gossip_interval = Duration::from_millis(100) * pace;
        it.push_pull_interval = Duration::from_secs(5) * pace;
        // A connection may have to wait for its turn on a busy machine.
        it.tcp_timeout = Duration::from_secs(10);
        it.join_timeout = Duration::from_secs(20);
        it.indirect_checks = 3;
        // Enough for gossip to reach every node: in a small cluster, a message has few rounds.
        it.retransmit_mult = if pace == 1 { 8 } else { 4 };
    })
}

/// A duration as readable text.
pub(super) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

/// Passes on the events of a node. The node broadcasts the first message that reaches it once more,
/// as applications do to reach every node: the protocol itself gossips a message only from its
/// origin.
async fn pass_on(index: usize, node: Handle, mut events: Events, sender: mpsc::Sender<Observed>) {
    // The first node is the origin of the broadcast.
    let mut passed_on = index == 0;
    while let Some(event) = events.next().await {
        let at = Instant::now();
        if let Event::Message { payload, .. } = &event
            && !passed_on
        {
            passed_on = true;
            // Fails if the node has just been stopped.
            let _ = node.broadcast(payload, BroadcastKind::Unique, Priority::default());
        }
        if sender.send(Observed { node: index, at, event }).await.is_err() {
            return;
        }
    }
}
