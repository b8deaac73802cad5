//! Zones: what dskit and Grafana's fork of the library choose (`zones.jsonl`), and what we do better.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};

use serde_json::Value;

use super::*;
use crate::config::Config;
use crate::members::choose::Pool;
use crate::members::zones::{Routed, ZoneRules};
use crate::node::{IdentityParts, ZoneInfo, ZoneRole};

const DSKIT: ZoneRules =
    ZoneRules { count_live_zones_only: false, prefer_live_bridges: false, open_lone_zones: false };
const OURS: ZoneRules =
    ZoneRules { count_live_zones_only: true, prefer_live_bridges: true, open_lone_zones: true };

fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("../../../../tests/fixtures/vectors/zones.jsonl");
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases.filter(|case| case["kind"] == kind).collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let hex = value.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn state(text: &str) -> State {
    match text {
        "alive" => State::Alive,
        "suspect" => State::Suspect,
        "dead" => State::Dead,
        "left" => State::Left,
        other => panic!("{other}"),
    }
}

fn identity(name: &str, meta: &[u8]) -> Identity {
    Identity::new(IdentityParts {
        name: name.as_bytes(),
        addr: Some(&[10, 0, 0, 1]),
        port: 1,
        meta: Some(meta),
        versions: None,
    })
    .unwrap()
}

struct Table {
    members: Members,
    rng: Rng,
}

impl Table {
    fn new() -> Self {
        Self { members: Members::new([7; 16]), rng: Rng::from_seed([3; 32]) }
    }

    fn put(&mut self, name: &str, meta: &[u8], state: State) -> MemberId {
        let identity = identity(name, meta);
        self.members.insert(identity, 1, state, Instant::from_nanos(1), &mut self.rng)
    }

    fn zoned(&mut self, name: &str, role: ZoneRole, zone: &str, state: State) -> MemberId {
        let info = ZoneInfo { role, zone: zone.as_bytes(), rest: b"" };
        self.put(name, &info.encode(), state)
    }

    fn names(&self, chosen: &[MemberId]) -> Vec<String> {
        let name = |id: &MemberId| self.members.record(*id).name().to_string();
        chosen.iter().map(name).collect()
    }

    /// All members that may be chosen, in order, and the outcome.
    fn candidates(&mut self, rules: ZoneRules) -> (BTreeSet<String>, Routed) {
        let mut chosen = SmallVec::new();
        let (members, rng) = (&self.members, &mut self.rng);
        let routed = members.choose_routed(1000, rules, rng, &mut chosen, |_, _| true);
        (self.names(&chosen).into_iter().collect(), routed)
    }

    fn shares(&mut self, rules: ZoneRules, rounds: usize) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..rounds {
            let mut chosen = SmallVec::new();
            let (members, rng) = (&self.members, &mut self.rng);
            members.choose_routed(1, rules, rng, &mut chosen, |_, it| it.state().is_live());
            for name in self.names(&chosen) {
                *shares.entry(name).or_default() += 1;
            }
        }
        shares
    }
}

#[test]
fn metadata_is_written_and_read_as_by_dskit() {
    for case in cases("encode") {
        let (args, out) = (&case["args"], &case["out"]);
        let zone = unhex(&args["zone_hex"]);
        let role = match args["role"].as_u64().unwrap() {
            1 => ZoneRole::Member,
            2 => ZoneRole::Bridge,
            // No other role can be set.
            _ => continue,
        };
        let mut config = Config::lan("n");
        (config.zone, config.role) = (zone.clone().into(), role);
        if out["error"].is_null() {
            let written = ZoneInfo { role, zone: &zone, rest: b"" }.encode();
            assert_eq!(written, unhex(&out["hex"]), "{}", case["name"]);
            assert_eq!(config.validate().is_ok(), role == ZoneRole::Member || !zone.is_empty());
        } else {
            assert!(config.validate().is_err(), "{}", case["name"]);
        }
    }
    for case in cases("decode") {
        let meta = unhex(&case["in_hex"]);
        let info = ZoneInfo::of(&meta);
        // dskit keeps a role that it does not know, and treats it as a member's.
        let role = if case["out"]["role"] == 2 { ZoneRole::Bridge } else { ZoneRole::Member };
        assert_eq!(info.role, role, "{}", case["name"]);
        assert_eq!(info.zone, unhex(&case["out"]["zone_hex"]), "{}", case["name"]);
    }
}

#[test]
fn configurations_are_refused_as_by_dskit() {
    for case in cases("config") {
        let args = &case["args"];
        // Zones are on exactly if a zone is set.
        if args["enabled"] == false || args["zone"] == "" {
            continue;
        }
        let mut config = Config::lan("n");
        config.zone = args["zone"].as_str().unwrap().as_bytes().to_vec().into();
        let role = Config::field("role").unwrap();
        let word = role.kind().word(args["role"].as_str().unwrap());
        let set = word.is_some_and(|word| role.set(&mut config, word).is_ok());
        assert_eq!(set && config.validate().is_ok(), case["out"]["error"].is_null(), "{case}");
    }
}

#[test]
fn candidates_are_those_of_dskit() {
    let mut compared = 0;
    for case in cases("select") {
        let (args, out) = (&case["args"], &case["out"]);
        let role = match args["local_role"].as_u64().unwrap() {
            1 => ZoneRole::Member,
            2 => ZoneRole::Bridge,
            // This node cannot have another.
            _ => continue,
        };
        let own = args["local_zone"].as_str().unwrap();
        let mut table = Table::new();
        table.members.use_zones(own.as_bytes(), role);
        for node in args["nodes"].as_array().unwrap() {
            let meta = unhex(&node["meta_hex"]);
            table.put(
                node["name"].as_str().unwrap(),
                &meta,
                state(node["state"].as_str().unwrap()),
            );
        }
        assert_eq!(table.members.check(), Ok(()));
        let (candidates, routed) = table.candidates(DSKIT);
        let selected = out["selected"].as_array().unwrap();
        let selected = selected.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(candidates, selected, "{}", case["name"]);
        let expected = match (own, &out["skipped"]) {
            ("", _) => Routed::No,
            (_, Value::Bool(true)) => Routed::Skipped,
            _ => Routed::ByZone,
        };
        assert_eq!(routed, expected, "{}", case["name"]);
        if let Some(zones) = table.members.zones.as_ref().filter(|zones| zones.applies(DSKIT)) {
            let mut drawn = BTreeSet::new();
            for _ in 0..500 {
                let id = zones.preferred().draw(&mut table.rng);
                drawn.insert(id.map_or("(none)".into(), |id| table.names(&[id])[0].clone()));
            }
            let preferred = out["preferred_one_of"].as_array().unwrap().iter();
            let preferred = preferred.map(|it| it.as_str().unwrap().to_owned()).collect();
            assert_eq!(drawn, preferred, "{}", case["name"]);
        }
        compared += 1;
    }
    assert_eq!(compared, 162);
}

/// The bounded number of tries makes some sets smaller than they could be, on both sides.
#[test]
fn targets_are_those_of_the_fork() {
    for case in cases("targets") {
        let (args, out) = (&case["args"], &case["out"]);
        let mut table = Table::new();
        let reach = args["gossip_to_the_dead_seconds"].as_u64().unwrap();
        let mut ids = BTreeMap::new();
        let mut fresh = BTreeMap::new();
        for node in args["nodes"].as_array().unwrap() {
            let name = node["name"].as_str().unwrap();
            let id = table.put(name, b"", state(node["state"].as_str().unwrap()));
            ids.insert(name, id);
            fresh.insert(id, node["seconds_in_state"].as_u64().unwrap() <= reach);
        }
        let me = ids[args["self"].as_str().unwrap()];
        let gossip = args["use"] == "gossip";
        let accept = |id: MemberId, record: &Record| {
            id != me
                && match record.state() {
                    State::Alive => true,
                    State::Suspect => gossip,
                    State::Dead => gossip && fresh[&id],
                    State::Left => false,
                }
        };
        let k = args["k"].as_u64().unwrap() as usize;
        let selected = args["selected"].as_array().unwrap();
        let selected: Vec<_> = selected.iter().map(|it| ids[it.as_str().unwrap()]).collect();
        let preferred = ids.get(args["preferred"].as_str().unwrap()).copied();
        let (mut sets, mut first) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..2000 {
            let mut chosen: SmallVec<[MemberId; 8]> = SmallVec::new();
            if k > 0
                && let Some(id) = preferred
                && accept(id, table.members.record(id))
            {
                chosen.push(id);
            }
            let pool = Pool(&selected, &[]);
            table.members.choose_more(pool, k, &mut table.rng, &mut chosen, accept);
            let mut names = table.names(&chosen);
            first.extend(names.first().cloned());
            names.sort();
            sets.insert(names.join(","));
        }
        let texts = |value: &Value| -> BTreeSet<String> {
            value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
        };
        let theirs = texts(&out["target_sets"]);
        let size = |set: &String| set.split(',').filter(|it| !it.is_empty()).count();
        let most = theirs.iter().map(size).max().unwrap_or_default();
        let full = |sets: &BTreeSet<String>| -> BTreeSet<String> {
            sets.iter().filter(|set| size(set) == most).cloned().collect()
        };
        assert_eq!(full(&sets), full(&theirs), "{}", case["name"]);
        assert!(sets.iter().all(|set| size(set) <= most), "{}: {sets:?}", case["name"]);
        assert_eq!(first, texts(&out["first"]), "{}", case["name"]);
    }
}

#[test]
fn a_dead_member_of_a_zone_without_bridge_does_not_open_all_zones() {
    let mut table = Table::new();
    table.members.use_zones(b"a", ZoneRole::Member);
    table.zoned("a1", ZoneRole::Member, "a", State::Alive);
    table.zoned("a2", ZoneRole::Bridge, "a", State::Alive);
    let b1 = table.zoned("b1", ZoneRole::Member, "b", State::Alive);
    assert_eq!(table.candidates(OURS).1, Routed::Skipped, "it lives");
    table.members.set_state(b1, State::Suspect, 1, Instant::from_nanos(2));
    assert_eq!(table.candidates(OURS).1, Routed::Skipped, "it may still live");
    table.members.set_state(b1, State::Dead, 1, Instant::from_nanos(3));
    assert_eq!(table.candidates(DSKIT).1, Routed::Skipped);
    let (candidates, routed) = table.candidates(OURS);
    assert_eq!((candidates.len(), routed), (2, Routed::ByZone));
    table.members.reap(usize::MAX, |_| true);
    assert_eq!(table.candidates(DSKIT).1, Routed::ByZone);
    assert_eq!(table.members.check(), Ok(()));
}

#[test]
fn a_living_bridge_is_preferred() {
    let mut table = Table::new();
    table.members.use_zones(b"a", ZoneRole::Bridge);
    table.zoned("a1", ZoneRole::Bridge, "a", State::Alive);
    for number in 0..9 {
        let state = if number == 0 { State::Alive } else { State::Dead };
        table.zoned(&format!("b{number}"), ZoneRole::Bridge, "b", state);
    }
    assert_eq!(table.shares(OURS, 1000), [("b0".to_owned(), 1000)].into());
    let shares = table.shares(DSKIT, 1000);
    // Without a preferred one, it is a candidate like its own zone's.
    assert!(shares["b0"] < 750, "{shares:?}");
}

/// The own bridge has left, as has every other member of the zone: no candidate is left.
#[test]
fn a_node_without_candidates_chooses_among_all() {
    let mut table = Table::new();
    table.members.use_zones(b"z", ZoneRole::Member);
    table.zoned("a1", ZoneRole::Bridge, "a", State::Alive);
    table.zoned("b1", ZoneRole::Bridge, "b", State::Alive);
    assert_eq!(table.shares(DSKIT, 100), [].into());
    let shares = table.shares(OURS, 100);
    assert_eq!(shares.values().sum::<usize>(), 100, "{shares:?}");
    assert_eq!(shares.len(), 2);
}

/// Members that come, go, move to another zone and change their role, in any order.
#[test]
fn what_is_kept_of_zones_follows_the_records() {
    let mut table = Table::new();
    table.members.use_zones(b"z1", ZoneRole::Bridge);
    let mut rng = Rng::from_seed([9; 32]);
    for step in 0..3000_u64 {
        let name = format!("n{}", rng.index(40));
        let zone = ["", "z1", "z2", "z3"][rng.index(4)];
        let role = [ZoneRole::Member, ZoneRole::Bridge][rng.index(2)];
        let state = [State::Alive, State::Suspect, State::Dead, State::Left][rng.index(4)];
        match rng.index(8) {
            0 => drop(table.members.reap(usize::MAX, |_| true)),
            _ => drop(table.zoned(&name, role, zone, state)),
        }
        assert_eq!(table.members.check(), Ok(()), "step {step}");
    }
}
