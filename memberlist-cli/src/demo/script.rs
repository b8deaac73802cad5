//! The steps of the demonstration.

use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::{BroadcastKind, Config, Departure, Event, Name, NodeName, Peer, Priority};

use super::cluster::{CROWD, Cluster, Meaning, Times, show, timings};
use super::screen::Tone;
use super::table::{Column, table};
use crate::failure::Failure;

/// How long each step may take in a small cluster; all together less than a minute.
const JOIN_LIMIT: Duration = Duration::from_secs(12);
const BROADCAST_LIMIT: Duration = Duration::from_secs(6);
const DEATH_LIMIT: Duration = Duration::from_secs(20);
const LEAVE_LIMIT: Duration = Duration::from_secs(8);
const RETURN_LIMIT: Duration = Duration::from_secs(10);

/// The most nodes whose starts are printed.
const SHOWN: usize = 20;

/// A join that takes longer is printed in any case.
const SLOW: Duration = Duration::from_secs(1);

const HELLO: &[u8] = b"hello, all";
const REBORN: &str = "reborn";

/// Plays every step; fails at the first that does not happen in time.
pub(super) async fn play(size: usize) -> Result<(), Failure> {
    let mut cluster = Cluster::new(size);
    introduce(&cluster, size);
    let (leaver, victim) = (size - 2, size - 1);
    let sees_all = join(&mut cluster, size).await?;
    let broadcast = broadcast(&mut cluster).await?;
    let [suspected, dead] = kill(&mut cluster, victim).await?;
    let left = leave(&mut cluster, leaver).await?;
    let back = come_back(&mut cluster, victim).await?;
    cluster.next_step("What each node saw, and how long after the step began").await;
    let columns = [sees_all, broadcast, suspected, dead, left, back];
    let names = cluster.names();
    let remark = |index: usize| match index {
        0 => "sent the broadcast",
        index if index == leaver => "left gracefully",
        index if index == victim => "was killed, came back",
        _ => "",
    };
    cluster.screen.text(&table(&names, &columns, remark));
    for index in cluster.running() {
        cluster.stop(index).await;
    }
    Ok(())
}

fn introduce(cluster: &Cluster, size: usize) {
    let (here, lan) = (timings("", cluster.pace), Config::lan(""));
    let timing = |config: &Config| {
        format!(
            "a probe every {}, acks within {}, gossip every {}",
            show(config.probe_interval),
            show(config.probe_timeout),
            show(config.gossip_interval)
        )
    };
    let runtimes = if size > CROWD {
        "on tokio and async-std in turn, and every tenth on smol"
    } else {
        "on tokio, async-std and smol in turn"
    };
    cluster.screen.text(&format!(
        "{size} nodes on 127.0.0.1, each with a UDP and a TCP socket of its own,\n\
         {runtimes}.\n\
         Faster than usual: {}\n(default on a local network: {}).\n",
        timing(&here),
        timing(&lan)
    ));
}

async fn join(cluster: &mut Cluster, size: usize) -> Result<Column, Failure> {
    cluster.screen.heading("1. The nodes start, and join the first one");
    let since = Instant::now();
    let mut seen = vec![0; size];
    for index in 0..size {
        cluster.start(index, "").await?;
        let seat = &cluster.seats[index];
        let listens =
            format!("{} listens on {}, runtime {}", seat.name, seat.address, seat.runtime);
        if index == 0 {
            cluster.screen.line(Tone::Plain, &listens);
            continue;
        }
        let took = join_through_first(cluster, index).await?;
        if index < SHOWN || took > SLOW {
            let text = format!("{listens}; joined node1 in {}", show(took));
            cluster.screen.line(Tone::Good, &text);
        }
        if index + 1 < size {
            cluster.count_joined(&mut seen);
        }
    }
    if size > SHOWN {
        let text = format!("… and {} more nodes like these", size - SHOWN);
        cluster.screen.line(Tone::Plain, &text);
    }
    let all: Vec<_> = (0..size).collect();
    let patience = since.elapsed() + limit(cluster, JOIN_LIMIT);
    let times = cluster
        .each("waiting until every node sees all the others", &all, since, patience, |it| {
            if matches!(it.event, Event::Joined { .. }) {
                seen[it.node] += 1;
            }
            if seen[it.node] == size {
                Meaning::Done(Tone::Good, format!("sees all {size}"))
            } else {
                Meaning::Nothing
            }
        })
        .await?;
    Ok(Column::new("sees all", times))
}

async fn join_through_first(cluster: &Cluster, index: usize) -> Result<Duration, Failure> {
    let began = Instant::now();
    let seed = Peer::from(cluster.seats[0].address);
    let name = &cluster.seats[index].name;
    let report = cluster.node(index)?.join(&[seed]).await.map_err(Failure::failed)?;
    match report.failed.first() {
        None => Ok(began.elapsed()),
        Some(failure) => {
            let error = &failure.error;
            Err(Failure::failed(format_args!("{name} could not join node1: {error}")))
        }
    }
}

async fn broadcast(cluster: &mut Cluster) -> Result<Column, Failure> {
    cluster.next_step("2. node1 broadcasts a message, which spreads by gossip").await;
    let since = Instant::now();
    let message = Bytes::from_static(HELLO);
    cluster
        .node(0)?
        .broadcast(&message, BroadcastKind::Unique, Priority::default())
        .map_err(Failure::failed)?;
    let others: Vec<_> = (1..cluster.seats.len()).collect();
    let waiting = "waiting until the message has reached every node";
    let times = cluster
        .each(waiting, &others, since, limit(cluster, BROADCAST_LIMIT), |it| match &it.event {
            Event::Message { payload, .. } if payload == HELLO && it.node != 0 => {
                Meaning::Done(Tone::Good, "has received it".to_owned())
            }
            _ => Meaning::Nothing,
        })
        .await?;
    let last = times.iter().flatten().max().copied().unwrap_or_default();
    let reached = format!("all nodes reached in {}", show(last));
    cluster.screen.line(Tone::Good, &reached);
    Ok(Column::new("broadcast", times))
}

async fn kill(cluster: &mut Cluster, victim: usize) -> Result<[Column; 2], Failure> {
    let name = NodeName::from(cluster.seats[victim].name.as_str());
    cluster.next_step(&format!("3. {name} is killed")).await;
    let since = Instant::now();
    cluster.stop(victim).await;
    let survivors = cluster.running();
    let names = cluster.names();
    let mut suspected: Times = vec![None; cluster.seats.len()];
    let dead = cluster
        .each(
            "waiting until every node knows",
            &survivors,
            since,
            limit(cluster, DEATH_LIMIT),
            |it| match &it.event {
                Event::Suspected { node, by } if node.name() == name => {
                    suspected[it.node].get_or_insert(it.at.saturating_duration_since(since));
                    Meaning::Note(Tone::Doubt, suspicion(&names[it.node], &name, by))
                }
                Event::Departed { node, reason, .. } if node.name() == name => {
                    Meaning::Done(Tone::Bad, format!("considers {name} dead: {reason}"))
                }
                _ => Meaning::Nothing,
            },
        )
        .await?;
    if suspected.iter().all(Option::is_none) {
        return Err(Failure::failed(format_args!(
            "no node suspected {name} before declaring it dead"
        )));
    }
    Ok([Column::new("suspected", suspected), Column::new("dead", dead)])
}

async fn leave(cluster: &mut Cluster, leaver: usize) -> Result<Column, Failure> {
    let name = NodeName::from(cluster.seats[leaver].name.as_str());
    cluster.next_step(&format!("4. {name} leaves gracefully")).await;
    let since = Instant::now();
    let node = cluster.node(leaver)?;
    let patience = limit(cluster, LEAVE_LIMIT);
    let leaving = tokio::spawn(async move { node.leave(patience).await });
    let mut others = cluster.running();
    others.retain(|&index| index != leaver);
    let times = cluster
        .each("waiting until every node knows", &others, since, limit(cluster, LEAVE_LIMIT), |it| {
            match &it.event {
                Event::Departed { node, reason: Departure::Left, .. } if node.name() == name => {
                    Meaning::Done(Tone::Good, format!("knows that {name} has left"))
                }
                _ => Meaning::Nothing,
            }
        })
        .await?;
    leaving
        .await
        .map_err(Failure::failed)?
        .map_err(|error| Failure::failed(format_args!("{name} could not leave: {error}")))?;
    cluster.stop(leaver).await;
    Ok(Column::new("left", times))
}

async fn come_back(cluster: &mut Cluster, victim: usize) -> Result<Column, Failure> {
    let name = NodeName::from(cluster.seats[victim].name.as_str());
    cluster.next_step(&format!("5. {name} comes back with the metadata `{REBORN}`")).await;
    let others = cluster.running();
    let since = Instant::now();
    cluster.start(victim, REBORN).await?;
    let took = join_through_first(cluster, victim).await?;
    let text = format!("{name} joined node1 again in {}", show(took));
    cluster.screen.line(Tone::Good, &text);
    let is_returned = |node: Name<'_>, meta: &[u8]| node == name && meta == REBORN.as_bytes();
    let times = cluster
        .each(
            "waiting until every node knows",
            &others,
            since,
            limit(cluster, RETURN_LIMIT),
            |it| match &it.event {
                Event::Joined { node } | Event::Updated { node, .. }
                    if is_returned(node.name(), node.meta()) =>
                {
                    let incarnation = node.incarnation();
                    let text = format!("sees {name} alive, incarnation {incarnation}, `{REBORN}`");
                    Meaning::Done(Tone::Good, text)
                }
                _ => Meaning::Nothing,
            },
        )
        .await?;
    Ok(Column::new("back", times))
}

/// How long a step may take in this cluster, whose nodes all share one machine.
fn limit(cluster: &Cluster, small: Duration) -> Duration {
    small * cluster.pace + Duration::from_millis(50) * cluster.seats.len() as u32
}

/// How the node called `observer` describes a suspicion.
fn suspicion(observer: &str, suspect: &NodeName, by: &NodeName) -> String {
    if *by == *observer {
        format!("suspects {suspect}: no ack, neither directly nor through helpers")
    } else {
        format!("learns that {by} suspects {suspect}")
    }
}
