//! `memberlist ping` and `memberlist rtt`: round trips that the agent measures.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::args::{Format, On, Ping, Rtt};
use super::connection::{Connection, checked, is_error};
use super::table::{Table, plain};
use super::{json, one_line, show};
use crate::failure::Failure;
use crate::stderr;
use crate::stdout::put;

/// How many pings of `rtt` are under way at a time. The agent executes at most 64 commands of a
/// client at a time, and its node a limited number of operations.
const AT_A_TIME: usize = 16;

/// Pings one member. Fails if a ping is not answered.
pub(super) fn ping(on: &On<Ping>) -> Result<(), Failure> {
    one_line("the name", &on.what.name)?;
    let mut agent = Connection::open(&on.common)?;
    let mut failed = None;
    for _ in 0..on.what.count {
        match agent.ask(format!("ping {}", on.what.name).as_bytes()) {
            Ok(reply) => super::print(&on.common, &reply, |reply| {
                format!("{}: {} ms\n", show::node(&reply["node"]), plain(&reply["rtt_ms"]))
            })?,
            // The remaining pings are still tried.
            Err(failure @ Failure::Failed(_)) if on.what.count > 1 => {
                stderr::say(&failure);
                failed = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    match failed {
        Some(_) => Err(Failure::failed("ping: not every ping was answered")),
        None => Ok(()),
    }
}

/// The round trips of one member.
#[derive(Default)]
struct Trips {
    addr: Value,
    /// The times in milliseconds.
    times: Vec<f64>,
    error: Option<String>,
}

/// Pings members, several at a time. Fails if a member answers none of its pings.
pub(super) fn rtt(on: &On<Rtt>) -> Result<(), Failure> {
    let mut agent = Connection::open(&on.common)?;
    let mut trips = measured(&mut agent, &on.what)?;
    for trip in trips.values_mut() {
        trip.times.sort_by(f64::total_cmp);
    }
    match on.common.format {
        Format::Table => put(text(&trips, on.what.count))?,
        Format::Json => put(json(&objects(&trips, on.what.count)))?,
    }
    let silent: Vec<_> =
        trips.iter().filter(|(_, trip)| trip.times.is_empty()).map(|(name, _)| name).collect();
    if let Some(first) = silent.first() {
        let error = trips[*first].error.clone().unwrap_or_default();
        return Err(Failure::failed(format_args!(
            "rtt: {} of {} members did not answer: {}: {error}",
            silent.len(),
            trips.len(),
            plain(&json!(first))
        )));
    }
    Ok(())
}

fn measured(agent: &mut Connection, what: &Rtt) -> Result<BTreeMap<String, Trips>, Failure> {
    let mut trips = BTreeMap::new();
    if what.names.is_empty() {
        let me = agent.ask(b"info")?["node"]["name"].clone();
        let members = agent.ask(b"members")?;
        for node in members["nodes"].as_array().into_iter().flatten() {
            if let Some(name) = node["name"].as_str().filter(|_| node["name"] != me) {
                trips.insert(name.to_owned(), Trips::default());
            }
        }
    }
    for name in &what.names {
        one_line("a name", name)?;
        trips.insert(name.clone(), Trips::default());
    }
    // Each member gets its next ping once the last one has ended.
    let mut waiting: VecDeque<(String, u32)> =
        trips.keys().map(|name| (name.clone(), what.count)).collect();
    let mut under_way = BTreeMap::new();
    loop {
        while under_way.len() < AT_A_TIME {
            let Some((name, left)) = waiting.pop_front() else { break };
            let id = agent.send(format!("ping {name}").as_bytes())?;
            under_way.insert(id, (name, left - 1));
        }
        if under_way.is_empty() {
            return Ok(trips);
        }
        let reply = agent.receive()?;
        let id = reply["id"].as_str().unwrap_or_default();
        let Some((name, left)) = under_way.remove(id) else {
            if is_error(&reply) {
                checked(reply)?;
            }
            continue;
        };
        let trip: &mut Trips = trips.entry(name.clone()).or_default();
        match reply["rtt_ms"].as_f64() {
            Some(time) => {
                trip.times.push(time);
                trip.addr = reply["node"]["addr"].clone();
            }
            None => trip.error = Some(plain(&reply["message"])),
        }
        if left > 0 {
            waiting.push_back((name, left));
        }
    }
}

/// The smallest, the median and the largest time.
fn summary(times: &[f64]) -> Option<[f64; 3]> {
    Some([*times.first()?, *times.get(times.len() / 2)?, *times.last()?])
}

fn text(trips: &BTreeMap<String, Trips>, count: u32) -> String {
    let mut table = Table::new(&["NAME", "ADDRESS", "ANSWERED", "MIN", "MEDIAN", "MAX"]);
    for (name, trip) in trips {
        let answered = format!("{} of {count}", trip.times.len());
        let mut row = vec![plain(&json!(name)), plain(&trip.addr), answered];
        match summary(&trip.times) {
            Some(times) => row.extend(times.map(|time| format!("{time:.3} ms"))),
            None => row.extend(["-"; 3].map(str::to_owned)),
        }
        table.row(row);
    }
    table.to_text(show::is_terminal())
}

fn objects(trips: &BTreeMap<String, Trips>, count: u32) -> Value {
    let object = |(name, trip): (&String, &Trips)| {
        let [min, median, max] = summary(&trip.times).map_or([None; 3], |it| it.map(Some));
        json!({
            "name": name, "addr": trip.addr, "pings": count, "answered": trip.times.len(),
            "min_ms": min, "median_ms": median, "max_ms": max, "error": trip.error,
        })
    };
    trips.iter().map(object).collect()
}
