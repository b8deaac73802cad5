//! Clusters of several Alertmanagers and several nodes of ours, under mutual TLS.

use std::path::Path;
use std::time::{Duration, Instant};

use memberlist_tests::certificates::Authority;
use memberlist_tests::matrix::Joins;
use memberlist_tests::{Alertmanager, Launch, Node, eventually, to_hex};

use crate::live;
use crate::matrix::alertmanager::{Silence, contains, renamed};

/// How much faster than Alertmanager's defaults the soak probes and gossips. Faster still, and a probe's
/// time would be that of a busy machine's scheduler.
const PACE: u32 = 9;

live! {
    fn two_to_four_nodes_of_which_ours_join() {
        (2..=4).for_each(|size| lives(size, Joins::Rust));
    }

    fn two_to_four_nodes_of_which_theirs_join() {
        (2..=4).for_each(|size| lives(size, Joins::Peer));
    }

    /// Half an hour at the usual pace: silences go both ways all the time, certificates are replaced,
    /// and no member is lost.
    fn soak_of_four_nodes() {
        let authority = Authority::new();
        let file = authority.settings("node", &["cluster"], Some("cluster"));
        let first = Alertmanager::hurried(None, &file, PACE);
        let theirs = [Alertmanager::hurried(Some(first.addr()), &file, PACE), first];
        let ours = ["rust1", "rust2"].map(|name| hurried(name, &file));
        for node in &ours {
            node.join(theirs[1].addr());
        }
        agree(&theirs, &ours);
        let model = model(&theirs[0], &ours[0]);
        let marks = ours.each_ref().map(Node::mark);
        let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|it| it.parse().ok());
        let time = Duration::from_secs(seconds.unwrap_or(u64::from(1800 / PACE)));
        let begun = Instant::now();
        let mut rounds = 0;
        while begun.elapsed() < time {
            rounds += 1;
            silences(&theirs, &ours, &model, rounds);
            if rounds % 10 == 0 {
                authority.issue("node", &["cluster"]);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        assert!(rounds >= 10, "{rounds} rounds");
        for (node, mark) in ours.iter().zip(marks) {
            let events = node.events_after(mark);
            let departed: Vec<_> = events.iter().filter(|it| it["event"] == "departed").collect();
            assert!(departed.is_empty(), "{departed:?}\n{}", node.transcript());
        }
        agree(&theirs, &ours);
    }
}

/// A cluster comes together, speaks both ways, loses one of ours and one of theirs.
fn lives(size: usize, joins: Joins) {
    let authority = Authority::new();
    let file = authority.settings("node", &["cluster"], Some("cluster"));
    let start = |peer: Option<&Alertmanager>| {
        Alertmanager::over_tls(peer.map(Alertmanager::addr), |_| file.clone())
    };
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    if joins == Joins::Rust {
        theirs.push(start(None));
    }
    for number in 0..size - size / 2 {
        let node = launch(&format!("rust{number}"), &file).start();
        match (theirs.first(), ours.first().map(Node::addr)) {
            (Some(peer), _) => node.join(peer.addr()),
            (None, Some(first)) => node.join(first),
            (None, None) => {}
        }
        ours.push(node);
    }
    while theirs.len() < size / 2 {
        let seed = match joins {
            Joins::Rust => theirs[0].addr(),
            Joins::Peer => ours[0].addr(),
        };
        theirs.push(Alertmanager::over_tls(Some(seed), |_| file.clone()));
    }
    agree(&theirs, &ours);
    silences(&theirs, &ours, &model(&theirs[0], &ours[0]), 1);
    let left = theirs.pop().expect("one of theirs");
    let name = left.name();
    left.process().signal("TERM");
    for node in &ours {
        let departed = node.expect_node("departed", &name);
        assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    }
    let killed = ours.pop().expect("one of ours");
    killed.kill();
    for node in &ours {
        let departed = node.expect_node("departed", killed.name());
        assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    }
    // Two of them tell a failure of the other from one of their own.
    for peer in theirs.iter().filter(|_| !ours.is_empty()) {
        peer.until_peer(killed.name(), false);
    }
}

/// What each Alertmanager says reaches each of ours, and the other way round.
fn silences(theirs: &[Alertmanager], ours: &[Node], model: &Silence, round: u32) {
    for (peer, at) in theirs.iter().zip(0..) {
        let marks: Vec<_> = ours.iter().map(Node::mark).collect();
        let id = to_hex(peer.create_silence(&format!("round {round}")).as_bytes());
        for ((node, mark), number) in ours.iter().zip(marks).zip(0..) {
            // Its gossip misses a node now and then, which hears of it in its next full exchange.
            eventually("the silence is heard", || {
                let events = node.events_after(mark);
                let heard = events.iter().any(|it| contains(it, &id));
                if heard { Ok(()) } else { Err(format!("not by {}", node.transcript())) }
            });
            let (id, hex) = renamed(&model.hex, &model.id, round * 100 + at * 10 + number);
            node.tell(&format!("send-hex {} {hex}", peer.name()));
            peer.until_silence(&id);
        }
    }
}

/// A silence with its message, of which others are made. One may miss the node.
fn model(peer: &Alertmanager, node: &Node) -> Silence {
    for _ in 0..10 {
        let (mark, id) = (node.mark(), peer.create_silence("model"));
        let hex = to_hex(id.as_bytes());
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            let events = node.events_after(mark);
            let message = events.iter().find(|it| it["event"] == "message" && contains(it, &hex));
            if let Some(hex) = message.and_then(|it| it["hex"].as_str()) {
                return Silence { id, hex: hex.to_owned() };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("no silence arrives as a message: {}", node.transcript());
}

fn agree(theirs: &[Alertmanager], ours: &[Node]) {
    let names = theirs.iter().map(Alertmanager::name);
    let mut names: Vec<_> = names.chain(ours.iter().map(|node| node.name().to_owned())).collect();
    names.sort();
    for peer in theirs {
        for name in &names {
            peer.until_peer(name, true);
        }
    }
    for node in ours {
        eventually(&format!("{} knows all", node.name()), || {
            let mut members = node.member_names();
            members.sort();
            if members == names { Ok(()) } else { Err(format!("{members:?}, not {names:?}")) }
        });
    }
}

fn launch(name: &str, file: &Path) -> Launch {
    let launch = Launch::agent(name).delegate_version([0, 0, 0]);
    launch.flag("--tls-config", file.display())
}

fn hurried(name: &str, file: &Path) -> Node {
    let set = |what: &str, of: u32| format!("{what}={}ms", of / PACE);
    launch(name, file)
        .flag("--set", set("probe_interval", 1000))
        .flag("--set", set("probe_timeout", 500))
        .flag("--set", set("gossip_interval", 200))
        .start()
}
