//! Five minutes of steady load: no member is suspected, and every broadcast reaches every member.
//!
//! Only the origin gossips a broadcast; reaching every member is up to the application. This one
//! broadcasts again what it receives for the first time, as Serf does.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use memberlist_tests::{Node, eventually_within};

use super::{AGREEMENT, agree, cluster, duration, launch};
use crate::live;

/// Time between two broadcasts; the nodes take turns.
const PACE: Duration = Duration::from_millis(500);

/// Enough for gossip alone to reach six nodes: four ticks from each, to three of five each time.
const RETRANSMIT: u32 = 12;

/// The messages that a node has received, and how far its events have been read.
pub(crate) struct Application<'a> {
    pub(crate) node: &'a Node,
    pub(crate) seen: BTreeSet<String>,
    mark: usize,
}

impl<'a> Application<'a> {
    /// Of a node, from now on.
    pub(crate) fn of(node: &'a Node) -> Self {
        Self { node, seen: BTreeSet::new(), mark: node.mark() }
    }

    /// Broadcasts again what has come for the first time.
    pub(crate) fn pass_on(&mut self) {
        let news = self.node.events_after(self.mark);
        self.mark += news.len();
        for event in news.iter().filter(|event| event["event"] == "message") {
            let text = event["text"].as_str().expect("only text is sent").to_owned();
            if !self.seen.contains(&text) {
                self.broadcast(text);
            }
        }
    }

    pub(crate) fn broadcast(&mut self, text: String) {
        self.node.tell(&format!("broadcast {text}"));
        self.seen.insert(text);
    }
}

fn soak(nodes: &[Node]) -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    let mut applications: Vec<_> = nodes.iter().map(Application::of).collect();
    let until = Instant::now() + duration("SOAK_SECONDS", 300);
    let mut next = Instant::now();
    while Instant::now() < until {
        let number = sent.len();
        let from = number % applications.len();
        let text = format!("{number} of {}: {}", nodes[from].name(), "x".repeat(100));
        applications[from].broadcast(text.clone());
        sent.insert(text);
        next += PACE;
        while Instant::now() < next {
            applications.iter_mut().for_each(Application::pass_on);
            thread::sleep(Duration::from_millis(20));
        }
    }
    eventually_within(AGREEMENT, "every broadcast reaches every member", || {
        applications.iter_mut().for_each(Application::pass_on);
        let missing = |app: &Application<'_>| {
            sent.difference(&app.seen).next().map(|text| format!("{}: {text}", app.node.name()))
        };
        applications.iter().find_map(missing).map_or(Ok(()), Err)
    });
    sent
}

live! {
    fn five_minutes_of_steady_load() {
        let nodes = cluster(|name| launch(name).retransmit(RETRANSMIT));
        let sent = soak(&nodes);
        println!("{} broadcasts reached all", sent.len());
        let view = agree(&nodes, "members", nodes.len());
        for node in &nodes {
            // A suspect would have refuted with a higher incarnation.
            assert_eq!(view[node.name()][2], "1", "{}", node.transcript());
            assert_eq!(node.count("suspected", |_| true), 0, "{}", node.transcript());
            assert_eq!(node.count("departed", |_| true), 0, "{}", node.transcript());
            let foreign = |event: &serde_json::Value| {
                !event["text"].as_str().is_some_and(|text| sent.contains(text))
            };
            assert_eq!(node.count("message", foreign), 0, "a message that was not sent");
        }
    }
}
