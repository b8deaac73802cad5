//! The nodes of the demonstration and what they tell.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_driver::{Events, Handle};
use memberlist_proto::{BroadcastKind, Config, Event, Priority};
use tokio::sync::mpsc;

use super::screen::{Screen, Tone};
use crate::agent::Settings;
use crate::failure::Failure;
use crate::node::{self, Runtime};

/// Between two turns of the wheel.
const TICK: Duration = Duration::from_millis(100);

/// The pause between two steps.
const PAUSE_TICKS: u32 = 12;

/// Lines printed for one thing that happens to every node; the rest is counted.
const LINES: usize = 8;

/// Every node, running or not, and what the running ones tell.
pub(super) struct Cluster {
    pub(super) seats: Vec<Seat>,
    pub(super) screen: Screen,
    told: mpsc::Receiver<Told>,
    teller: mpsc::Sender<Told>,
}

/// The place of one node, which may be empty.
pub(super) struct Seat {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) runtime: Runtime,
    pub(super) node: Option<Handle>,
}

/// An event, to which node it was told, and when.
pub(super) struct Told {
    pub(super) to: usize,
    pub(super) at: Instant,
    pub(super) event: Event,
}

/// What an event means for what is being waited for.
pub(super) enum Meaning {
    Nothing,
    /// Worth a line.
    Note(Tone, String),
    /// It is what this node was waited for.
    Done(Tone, String),
}

/// When each node told what it was waited for, since the step began.
pub(super) type Times = Vec<Option<Duration>>;

impl Cluster {
    pub(super) fn new(size: usize) -> Self {
        let (teller, told) = mpsc::channel(4096);
        let seats = (1..=size)
            .map(|number| Seat {
                name: format!("node{number}"),
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                runtime: if number % 2 == 1 { Runtime::Tokio } else { Runtime::AsyncStd },
                node: None,
            })
            .collect();
        Self { seats, screen: Screen::new(), told, teller }
    }

    /// The names of all nodes, running or not.
    pub(super) fn names(&self) -> Vec<String> {
        self.seats.iter().map(|seat| seat.name.clone()).collect()
    }

    /// Begins another step, after a pause in which people can read what happened in the last.
    pub(super) async fn next_step(&mut self, text: &str) {
        for _ in 0..PAUSE_TICKS {
            self.screen.turn("");
            tokio::time::sleep(TICK).await;
        }
        self.screen.heading(text);
    }

    /// Starts the node of a seat: at a free port the first time, at its old one afterwards.
    pub(super) async fn start(&mut self, index: usize, meta: &str) -> Result<(), Failure> {
        let seat = &mut self.seats[index];
        let mut config = timings(&seat.name);
        config.meta = Bytes::copy_from_slice(meta.as_bytes());
        let mut settings = Settings::new(config);
        settings.bind = seat.address;
        let (node, events) = node::start(seat.runtime, settings, None).await?;
        seat.address = node.bound_address();
        seat.node = Some(node.clone());
        tokio::spawn(pass_on(index, node, events, self.teller.clone()));
        Ok(())
    }

    /// The handle of a node that runs.
    pub(super) fn node(&self, index: usize) -> Result<Handle, Failure> {
        let seat = &self.seats[index];
        let gone = || Failure::failed(format_args!("{} does not run", seat.name));
        seat.node.clone().ok_or_else(gone)
    }

    /// Stops a node without a word to the others.
    pub(super) async fn stop(&mut self, index: usize) {
        if let Some(node) = self.seats[index].node.take() {
            node.shutdown().await;
        }
    }

    /// The seats whose nodes run.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|&index| self.seats[index].node.is_some()).collect()
    }

    /// Waits until every one of `who` has told what it was waited for, printing it as it comes.
    /// Fails with a clear line if some have not after `limit`.
    pub(super) async fn each(
        &mut self,
        waiting: &str,
        who: &[usize],
        since: Instant,
        limit: Duration,
        mut meaning: impl FnMut(&Told) -> Meaning,
    ) -> Result<Times, Failure> {
        let mut times: Times = vec![None; self.seats.len()];
        let mut lines = 0;
        let missing = |times: &Times| -> Vec<usize> {
            who.iter().copied().filter(|&index| times[index].is_none()).collect()
        };
        while !missing(&times).is_empty() {
            if since.elapsed() >= limit {
                let names: Vec<_> =
                    missing(&times).iter().map(|&index| self.seats[index].name.as_str()).collect();
                return Err(Failure::failed(format_args!(
                    "after {}, still {waiting}: {}",
                    show(limit),
                    names.join(", ")
                )));
            }
            self.screen.turn(waiting);
            let Ok(Some(told)) = tokio::time::timeout(TICK, self.told.recv()).await else {
                continue;
            };
            let after = told.at.saturating_duration_since(since);
            let (tone, text) = match meaning(&told) {
                Meaning::Nothing => continue,
                _ if !who.contains(&told.to) => continue,
                Meaning::Note(tone, text) => (tone, text),
                Meaning::Done(..) if times[told.to].is_some() => continue,
                Meaning::Done(tone, text) => {
                    times[told.to] = Some(after);
                    (tone, text)
                }
            };
            lines += 1;
            if lines <= LINES {
                let name = &self.seats[told.to].name;
                self.screen.line(tone, &format!("{name} {text}, after {}", show(after)));
            }
        }
        if lines > LINES {
            self.screen.line(Tone::Plain, &format!("… and {} more such lines", lines - LINES));
        }
        Ok(times)
    }
}

/// The `local` preset made faster, so that the demonstration is short; still slow enough for a
/// machine that is busy with something else.
pub(super) fn timings(name: &str) -> Config {
    Config {
        probe_interval: Duration::from_millis(500),
        probe_timeout: Duration::from_millis(200),
        gossip_interval: Duration::from_millis(100),
        push_pull_interval: Duration::from_secs(5),
        indirect_checks: 3,
        // Enough that gossip misses nobody in clusters of this size.
        retransmit_mult: 8,
        ..Config::local(name)
    }
}

/// A duration as people read it.
pub(super) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

/// Passes on what a node tells. The first message that reaches it is gossiped further, as
/// applications do that want a broadcast to reach everybody: the protocol itself sends it from
/// where it was broadcast only.
async fn pass_on(to: usize, node: Handle, mut events: Events, teller: mpsc::Sender<Told>) {
    // The first node is the one that broadcasts.
    let mut passed_on = to == 0;
    while let Some(event) = events.next().await {
        let at = Instant::now();
        if let Event::Message { payload, .. } = &event
            && !passed_on
        {
            passed_on = true;
            // The node may just have been stopped.
            let _ = node.broadcast(payload, BroadcastKind::Unique, Priority::default());
        }
        if teller.send(Told { to, at, event }).await.is_err() {
            return;
        }
    }
}
