//! Ten minutes of rounds. In each, one Go node and one Rust node fail, crash, leave or change their
//! metadata; after each round all six agree.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memberlist_tests::{Launch, Loopback, Node};

use super::{NAMES, agree, cluster, duration, launch};
use crate::live;

/// Random choices. The seed only has to be printed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// Killed, and back at the same address once all others have noticed.
    Fail,
    /// Killed, and back before any other node can notice.
    Crash,
    /// Leaves, and is back at another address.
    Leave,
    /// Changes its metadata.
    Metadata,
}

const CHANGES: [Change; 4] = [Change::Fail, Change::Crash, Change::Leave, Change::Metadata];

/// A node that is down, and how it comes back.
struct Down {
    name: String,
    launch: Launch,
}

impl Down {
    fn at(name: &str, (addr, loopback): (std::net::SocketAddr, Option<Loopback>)) -> Self {
        let launch = launch(name).bind(addr).keeping(loopback);
        Self { name: name.to_owned(), launch }
    }

    fn elsewhere(name: &str) -> Self {
        Self { name: name.to_owned(), launch: launch(name) }
    }

    fn up(self, nodes: &mut Vec<Node>, meta: &str, dice: &mut Dice) {
        let node = self.launch.meta(meta.as_bytes()).start();
        assert_eq!(node.name(), self.name);
        node.join(nodes[dice.below(nodes.len())].addr());
        nodes.push(node);
    }
}

fn round(nodes: &mut Vec<Node>, number: usize, dice: &mut Dice) -> [Change; 2] {
    let victims = [NAMES[dice.below(3)], NAMES[3 + dice.below(3)]];
    let changes = [0, 0].map(|_| CHANGES[dice.below(CHANGES.len())]);
    let meta = format!("round {number}");
    let mut down = Vec::new();
    for (name, change) in victims.into_iter().zip(changes) {
        let at = nodes.iter().position(|node| node.name() == name).expect("all are up");
        if let Change::Metadata = change {
            nodes[at].tell(&format!("meta {meta}"));
            continue;
        }
        let node = nodes.swap_remove(at);
        match change {
            Change::Leave => {
                assert_eq!(node.tell("leave")["event"], "left");
                assert!(node.quit().success());
                down.push(Down::elsewhere(name));
            }
            Change::Crash => Down::at(name, node.into_address()).up(nodes, &meta, dice),
            Change::Fail | Change::Metadata => down.push(Down::at(name, node.into_address())),
        }
    }
    if !down.is_empty() {
        agree(nodes, "members", nodes.len());
        for down in down {
            down.up(nodes, &meta, dice);
        }
    }
    let view = agree(nodes, "members", NAMES.len());
    for name in victims {
        assert_eq!(view[name][3], meta, "{view:?}");
    }
    changes
}

live! {
    fn ten_minutes_of_churn() {
        let until = Instant::now() + duration("CHURN_SECONDS", 600);
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |age| age.as_secs());
        let mut dice = Dice(seed);
        let mut nodes = cluster(launch);
        let mut number = 0;
        while Instant::now() < until {
            number += 1;
            let changes = round(&mut nodes, number, &mut dice);
            println!("round {number} of seed {seed}: {changes:?}, {:?} left", until - Instant::now());
        }
        assert!(number > 1, "not even two rounds in that time");
    }
}
