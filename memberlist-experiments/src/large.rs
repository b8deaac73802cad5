//! Large clusters: many nodes join through three seeds within a minute, half of them restart at
//! once, and a broadcast is sent while others restart; in a second part, broadcasts are sent while
//! nodes constantly restart.

mod churn;

use memberlist_proto::State;
use memberlist_sim::NodeId;

use crate::cluster::{Cluster, between, millis, secs};
use crate::grid::{Grid, Options, Progress};
use crate::hearer::Hearer;
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::Table;

/// The number of nodes through which the others join.
const SEEDS: usize = 3;
/// How long the joins take, in seconds.
const MINUTE: u64 = 60;
/// The longest wait for agreement, in seconds.
const PATIENCE: u64 = 300;

/// The measurements of one run; times in seconds, `None` if it took too long.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// From the last start until every node knows all others.
    joined: Option<f64>,
    /// The number of attempts to join that failed.
    failed: u64,
    /// From the restart of half of them until every node knows all others at their incarnations.
    restarted: Option<f64>,
    /// The share of the running members that a broadcast reached while a tenth of them restarted.
    delivered: f64,
    /// Departures that nodes reported while nodes only joined: all of them are false.
    false_departures: u64,
    /// The packets that a node sent from the start to agreement, on average.
    packets: f64,
}

fn run_one(nodes: usize, seed: u64) -> Outcome {
    let mut cluster = Cluster::empty(seed);
    cluster.sim.keep_no_events();
    let hearers: Vec<Hearer> = (0..nodes).map(|_| Hearer::default()).collect();
    let mut outcome = Outcome::default();
    for (index, hearer) in hearers.iter().enumerate() {
        let id = cluster.start(&|_| {}, hearer.clone());
        if index > 0 {
            let other = cluster.nodes[if index < SEEDS { 0 } else { index % SEEDS }];
            cluster.sim.join(id, other);
        }
        cluster.sim.run_for(secs(MINUTE) / u32::try_from(nodes).unwrap_or(u32::MAX));
    }
    outcome.joined = agree(&mut cluster);
    outcome.failed = hearers.iter().map(Hearer::failed_joins).sum();
    outcome.false_departures = cluster.count("dead_accepted");
    outcome.packets = cluster.count("packets_sent") as f64 / nodes as f64;
    cluster.sim.run_for(secs(30));
    // Half of them at once, with empty memory.
    let half: Vec<NodeId> = cluster.nodes[SEEDS..].iter().copied().step_by(2).collect();
    restart(&mut cluster, &half);
    outcome.restarted = agree(&mut cluster);
    cluster.sim.run_for(secs(30));
    let tenth: Vec<NodeId> = cluster.nodes[SEEDS..].iter().copied().step_by(10).collect();
    hearers.iter().for_each(Hearer::forget);
    hearers[0].begin(&mut cluster, 0);
    restart(&mut cluster, &tenth);
    cluster.sim.run_for(secs(10));
    let others = cluster.nodes.iter().filter(|id| !tenth.contains(id));
    let heard = others.clone().filter(|id| hearers[id.index()].heard().is_some()).count();
    outcome.delivered = heard as f64 / others.count() as f64;
    outcome
}

fn restart(cluster: &mut Cluster, nodes: &[NodeId]) {
    for id in nodes {
        cluster.sim.crash(*id);
    }
    for id in nodes {
        cluster.sim.restart(*id, false);
        let other = cluster.nodes[id.index() % SEEDS];
        cluster.sim.join(*id, other);
    }
}

/// How many seconds it takes until every node knows every other at its incarnation, in steps of a
/// tenth; `None` if it takes too long.
fn agree(cluster: &mut Cluster) -> Option<f64> {
    let start = cluster.sim.now();
    // The index of a node that disagreed last time: it probably still does.
    let mut last = 0;
    for _ in 0..PATIENCE * 10 {
        let sim = &cluster.sim;
        let nodes = cluster.nodes.iter().map(|id| (sim.name(*id), sim.node(*id).local()));
        let facts: Vec<_> = nodes.map(|(name, node)| (name, node.incarnation())).collect();
        let knows = |at: usize| {
            let node = sim.node(cluster.nodes[at]);
            node.num_members() == facts.len()
                && facts.iter().all(|(name, incarnation)| {
                    node.member(name).is_some_and(|it| {
                        it.state() == State::Alive && it.incarnation() == *incarnation
                    })
                })
        };
        match std::iter::once(last).chain(0..facts.len()).find(|at| !knows(*at)) {
            Some(at) => last = at,
            None => return Some(between(start, sim.now())),
        }
        cluster.sim.run_for(millis(100));
    }
    None
}

/// The sizes of the clusters.
fn sizes(options: &Options) -> Vec<usize> {
    match (options.nodes, options.quick) {
        _ if options.churn => vec![],
        (Some(nodes), _) => vec![nodes.max(SEEDS + 1)],
        (None, true) => vec![50, 200],
        (None, false) => vec![100, 300, 1000, 3000],
    }
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let mut report = Report::new("large", "Large clusters: joins and restarts");
    report.note(format!(
        "LAN preset, our defaults. Nodes start evenly over {MINUTE} s and join through {SEEDS} seeds. Once all \
         know each other, half of them restart at the same moment with empty memory and join again. At last \
         one node sends a broadcast, which each passes on once, at the moment when a tenth of them restarts. Under \
         churn, a part of the nodes leaves in each second, ends a second later, and after another one starts \
         with empty memory and joins, for half a minute, while another node sends a broadcast each half second; \
         counted are those that arrive at the quarter of the nodes that stays.",
    ));
    let grid = Grid::new(sizes(options), options.seeds(10, 2));
    // If a size is given, only the joins are run.
    let under_churn = options.nodes.is_none();
    progress.expect(grid.runs() + if under_churn { churn::runs(options) } else { 0 });
    let outcomes = grid.run(options, progress, |nodes, seed| run_one(*nodes, seed));
    let mut table = Table::new(
        "joins",
        "Joins within a minute, and restarts of half of the nodes at once",
        &[
            "nodes",
            "runs",
            "last start until all know all, s",
            "attempts to join that failed",
            "departures reported",
            "packets sent by a node",
            "restart until all know all, s",
            "broadcast delivered, share",
        ],
    );
    let mut plot = Plot::new("joins", "Until all know all", "nodes", "s").log_x();
    let mut joined: Vec<(f64, Estimate)> = Vec::new();
    let mut restarted: Vec<(f64, Estimate)> = Vec::new();
    let (mut all, mut wrong) = (true, 0);
    for (nodes, runs) in &outcomes {
        let of = |figure: fn(&Outcome) -> f64| Summary::of(runs.iter().map(figure)).mean();
        let joins = of(|it| it.joined.unwrap_or(f64::NAN));
        let restarts = of(|it| it.restarted.unwrap_or(f64::NAN));
        all &= runs.iter().all(|it| it.joined.is_some() && it.restarted.is_some());
        let departures: u64 = runs.iter().map(|it| it.false_departures).sum();
        wrong += departures;
        table.row([
            (**nodes).into(),
            runs.len().into(),
            joins.into(),
            runs.iter().map(|it| it.failed).sum::<u64>().into(),
            departures.into(),
            of(|it| it.packets).into(),
            restarts.into(),
            of(|it| it.delivered).into(),
        ]);
        joined.extend(joins.map(|it| (**nodes as f64, it)));
        restarted.extend(restarts.map(|it| (**nodes as f64, it)));
    }
    plot.line("after the last of the joins", joined);
    plot.line("after the restart of half of the nodes", restarted);
    if !options.churn {
        report.expect(format!("all nodes know all others within {PATIENCE} s"), all);
        report.expect("no node is declared dead while nodes only join", wrong == 0);
        report.tables.push(table);
        report.plots.push(plot);
    }
    if under_churn {
        churn::run(&mut report, options, progress);
    }
    report
}
