//! Nodes of ours and of the Go library, in zones. The Go nodes obey dskit's rules by code of their
//! own (`peer/zones.go`) and a hook in the library (`tests/src/zoned.rs`).
//!
//! What is measured: which nodes send gossip to which, as the Go nodes' transport counts it by the
//! addresses on both sides; and which nodes exchange full states, as each knows by the other's state.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use memberlist_tests::{Launch, Node, eventually, to_hex};
use serde_json::Value;

use crate::live;
use crate::mixed::soak::Application;

/// Between two full state exchanges that a node begins.
const EXCHANGES: Duration = Duration::from_secs(1);
/// How long is measured: each node begins a few exchanges.
const MEASURED: Duration = Duration::from_secs(4);
/// Enough for gossip alone to reach all: the few nodes of a zone are drawn at random too.
const RETRANSMIT: u32 = 10;
/// A busy machine may suspect a bridge that is alive, and then the rules do not apply.
const ATTEMPTS: usize = 4;

/// A node, and where it is. The first letter of its name is that of its zone.
struct Member {
    node: Node,
    role: &'static str,
    is_go: bool,
}

/// Between which nodes something went, by their names, and how often.
type Pairs = BTreeMap<(String, String), u64>;

/// What went on while the nodes talked.
struct Traffic {
    gossip: Pairs,
    exchanges: Pairs,
    /// Choices of all nodes, and those among them that paid no regard to zones.
    choices: u64,
    skipped: u64,
}

impl Member {
    fn start(name: &str) -> Self {
        let is_go = name.contains("go");
        let role = if name.contains("bridge") { "bridge" } else { "member" };
        let launch = if is_go {
            Launch::zoned_go(name).flag("--push-pull-interval", format!("{EXCHANGES:?}"))
        } else {
            Launch::agent(name).flag("--set", format!("push_pull_interval={EXCHANGES:?}"))
        };
        let launch = launch.flag("--zone", zone(name)).flag("--role", role).compression(false);
        let launch = launch.retransmit(RETRANSMIT).meta(format!("of {name}").as_bytes());
        let node = launch.start();
        node.tell(&format!("state {name}"));
        Self { node, role, is_go }
    }

    fn name(&self) -> &str {
        self.node.name()
    }

    /// As dskit writes it.
    fn meta(&self) -> String {
        let role = if self.role == "bridge" { 2 } else { 1 };
        let mut meta = vec![1, role, zone(self.name()).len() as u8];
        meta.extend(zone(self.name()).bytes());
        meta.extend(format!("of {}", self.name()).bytes());
        to_hex(&meta)
    }

    /// How many choices it has made, and how many of them paid no regard to zones.
    fn choices(&self) -> [u64; 2] {
        let (reply, names) = if self.is_go {
            (self.node.tell("zones"), ["choices", "skipped"])
        } else {
            let stats = self.node.tell("stats");
            (stats["counters"].clone(), ["zone_choices", "zone_choices_skipped"])
        };
        names.map(|name| reply[name].as_u64().unwrap_or_else(|| panic!("{name} in {reply}")))
    }
}

fn zone(name: &str) -> &str {
    name.split('-').next().unwrap_or_default()
}

/// Whether the rules let the nodes with these names gossip with each other.
fn allowed((one, two): &(String, String)) -> bool {
    zone(one) == zone(two) || one.contains("bridge") && two.contains("bridge")
}

/// All nodes are members of each other, and each has the others' metadata, byte for byte; what the
/// Go nodes read in it is right.
fn agree(members: &[Member]) {
    for at in members {
        for about in members {
            let known = at.node.until_node(about.name(), |node| {
                node["state"] == "alive" && node["meta_hex"] == about.meta().as_str()
            });
            assert_eq!(known["addr"], about.node.addr().to_string());
        }
        if at.is_go {
            let reply = at.node.tell("zones");
            for node in reply["nodes"].as_array().expect("an array of nodes") {
                let name = node["name"].as_str().expect("a name");
                let about = members.iter().find(|it| it.name() == name).expect("one of them");
                assert_eq!(node["zone"], zone(name), "{reply}");
                assert_eq!(node["role"], if about.role == "bridge" { 2 } else { 1 }, "{reply}");
            }
        }
    }
}

/// Has each node broadcast for a while; every broadcast reaches every node.
fn talk(members: &[Member], round: &str) -> Traffic {
    let before = members.iter().map(Member::choices).fold([0; 2], add);
    let go = || members.iter().filter(|member| member.is_go);
    go().for_each(|member| drop(member.node.tell("traffic")));
    let marks: Vec<_> = members.iter().map(|member| member.node.mark()).collect();
    let mut applications: Vec<_> = members.iter().map(|it| Application::of(&it.node)).collect();
    let (begun, mut sent) = (Instant::now(), Vec::new());
    while begun.elapsed() < MEASURED {
        for application in &mut applications {
            let text = format!("{round}, {} of {}", sent.len(), application.node.name());
            application.broadcast(text.clone());
            sent.push(text);
        }
        let next = Instant::now() + Duration::from_millis(500);
        while Instant::now() < next {
            applications.iter_mut().for_each(Application::pass_on);
            thread::sleep(Duration::from_millis(20));
        }
    }
    eventually("every broadcast reaches every node", || {
        applications.iter_mut().for_each(Application::pass_on);
        let missing = applications.iter().find_map(|application| {
            let missing = sent.iter().find(|text| !application.seen.contains(*text))?;
            Some(format!("{missing:?} at {}", application.node.name()))
        });
        missing.map_or(Ok(()), Err)
    });

    let mut traffic =
        Traffic { gossip: Pairs::new(), exchanges: Pairs::new(), choices: 0, skipped: 0 };
    for member in go() {
        let counted = member.node.tell("traffic");
        for (way, is_sent) in [("sent", true), ("received", false)] {
            for (addr, packets) in counted[way].as_object().expect("packets by address") {
                let other = members.iter().find(|it| it.node.addr().to_string() == *addr);
                // One that is dead is no concern of the rules: it takes nothing in.
                let Some(other) = other else { continue };
                let pair = if is_sent { (member, other) } else { (other, member) };
                let pair = (pair.0.name().to_owned(), pair.1.name().to_owned());
                *traffic.gossip.entry(pair).or_default() += packets.as_u64().expect("a number");
            }
        }
    }
    for (member, mark) in members.iter().zip(marks) {
        for event in member.node.events_after(mark) {
            if event["event"] == "remote_state" && event["join"] == false {
                let other = event["text"].as_str().expect("a name").to_owned();
                *traffic.exchanges.entry((member.name().to_owned(), other)).or_default() += 1;
            }
        }
    }
    let after = members.iter().map(Member::choices).fold([0; 2], add);
    (traffic.choices, traffic.skipped) = (after[0] - before[0], after[1] - before[1]);
    println!(
        "{round}: {} broadcasts, gossip {:?}, exchanges {:?}, {} choices, {} of them without zones",
        sent.len(),
        traffic.gossip,
        traffic.exchanges,
        traffic.choices,
        traffic.skipped
    );
    traffic
}

fn add(one: [u64; 2], two: [u64; 2]) -> [u64; 2] {
    [one[0] + two[0], one[1] + two[1]]
}

/// The nodes keep to their zones but for the bridges; and enough happened for that to mean something.
fn obey(members: &[Member], round: &str) {
    let attempt = |number| talk(members, &format!("{round}, {number}"));
    let traffic = (0..ATTEMPTS).map(attempt).find(|traffic| traffic.skipped == 0);
    let traffic = traffic.expect("the machine lets the bridges live for a while");
    assert!(traffic.choices > 0);
    for pairs in [&traffic.gossip, &traffic.exchanges] {
        let outside: Vec<_> = pairs.iter().filter(|(pair, _)| !allowed(pair)).collect();
        assert!(outside.is_empty(), "{outside:?}");
        let crosses = |pair: &(String, String)| zone(&pair.0) != zone(&pair.1);
        for bridge in members.iter().filter(|member| member.role == "bridge") {
            let own = pairs.keys().any(|pair| pair.0 == bridge.name() && crosses(pair));
            assert!(own, "{} reaches no other zone: {pairs:?}", bridge.name());
        }
        // Within a zone, ours speak to theirs and the other way round.
        for (from, to) in [("go", "rust"), ("rust", "go")] {
            let within = |pair: &(String, String)| {
                pair.0.contains(from) && pair.1.contains(to) && !crosses(pair)
            };
            assert!(pairs.keys().any(within), "nothing within a zone: {pairs:?}");
        }
    }
}

/// All nodes choose among all: members of different zones speak to each other, ours and theirs.
fn choose_among_all(members: &[Member], round: &str) {
    let traffic = talk(members, round);
    assert!(traffic.skipped > 0);
    assert_eq!(traffic.skipped, traffic.choices);
    for pairs in [&traffic.gossip, &traffic.exchanges] {
        for from in ["go", "rust"] {
            let open = |pair: &(String, String)| pair.0.contains(from) && !allowed(pair);
            assert!(pairs.keys().any(open), "{from} keeps to its zone: {pairs:?}");
        }
    }
}

/// Kills a node and waits until all others know of it.
fn kill(members: &mut Vec<Member>, name: &str) {
    let at = members.iter().position(|member| member.name() == name).expect("one of them");
    members.remove(at).node.kill();
    for member in members {
        member.node.until_node(name, |node| node["state"] == "dead");
    }
}

live! {
    /// Bridges of both kinds, also two in one zone, and members of both kinds in each zone. A bridge
    /// of two is killed, then one that is the only one of its zone, which gets another.
    fn ours_and_theirs_keep_gossip_and_exchanges_within_zones() {
        let names = [
            "a-bridge-go", "a-go", "a-rust", "b-bridge-rust", "b-go", "b-rust", "c-bridge-go",
            "c-bridge-rust", "c-go", "c-rust",
        ];
        let mut members: Vec<_> = names.map(Member::start).into();
        let seed = members[0].node.addr();
        members[1..].iter().for_each(|member| member.node.join(seed));
        agree(&members);
        obey(&members, "three zones");

        kill(&mut members, "c-bridge-go");
        obey(&members, "one bridge of two is dead");

        kill(&mut members, "b-bridge-rust");
        choose_among_all(&members, "a zone has no bridge");

        // Now the bridges of two of the zones are Go nodes.
        let bridge = Member::start("b-bridge-go");
        bridge.node.join(seed);
        members.push(bridge);
        agree(&members);
        obey(&members, "it has one again");
    }

    /// The rules of our program on the Go library are dskit's own, as its code decided.
    fn the_go_program_selects_as_dskit_does() {
        let go = Launch::zoned_go("a-go").flag("--zone", "a").start();
        let mut cases = 0;
        for line in include_str!("../fixtures/vectors/zones.jsonl").lines() {
            let case: Value = serde_json::from_str(line).expect("an object");
            if case["kind"] != "select" {
                continue;
            }
            cases += 1;
            let reply = go.tell(&format!("select {}", case["args"]));
            let out = &case["out"];
            assert_eq!(reply["skipped"], out["skipped"], "{}", case["name"]);
            assert_eq!(reply["selected"], out["selected"], "{}", case["name"]);
            let mut preferred = strings(&reply["preferred_one_of"]);
            if preferred.is_empty() {
                preferred.push("(none)".to_owned());
            }
            preferred.sort();
            let mut expected = strings(&out["preferred_one_of"]);
            expected.sort();
            assert_eq!(preferred, expected, "{}", case["name"]);
        }
        assert!(cases > 200, "{cases}");
    }
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|it| it.as_str().expect("text").to_owned()).collect()
}
