//! Broadcasts of the application while nodes constantly leave and return, so that news of members
//! fills the packets (hashicorp/memberlist#299).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use memberlist_proto::{BroadcastKind, Channel, Event, Instant, Memberlist, Priority};
use memberlist_sim::{App, NodeId};

use super::SEEDS;
use crate::cluster::{Change, Cluster, as_go, between, millis, secs};
use crate::grid::{Grid, Options, Progress};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::Table;

/// How long nodes leave and return, and how long broadcasts may still arrive afterwards, in
/// seconds.
const CHURN: u64 = 30;
const PATIENCE: u64 = 30;
/// How many broadcasts are sent per second.
const RATE: u64 = 2;
/// The seconds after each broadcast at which the share that has arrived is taken.
const AFTER: [f64; 4] = [0.5, 1.0, 2.0, 5.0];

struct Cell {
    name: &'static str,
    change: Change<'static>,
    nodes: usize,
    /// How many nodes of a hundred leave per second; each is away for a second and joins again.
    percent: usize,
}

/// The share of the broadcasts that had arrived at the nodes that ran all the time, after each of
/// [`AFTER`], and in the end.
#[derive(Clone, Copy, Debug, Default)]
struct Delivered {
    after: [f64; 4],
    end: f64,
}

/// Notes when its node first receives each broadcast, and passes it on once, as Serf does.
#[derive(Clone, Default)]
struct Listener(Rc<RefCell<BTreeMap<Vec<u8>, Instant>>>);

impl App for Listener {
    fn event(&mut self, now: Instant, node: &mut Memberlist, event: &Event) {
        if let Event::Message { payload, channel: Channel::Packet, .. } = event
            && !self.0.borrow().contains_key(&payload[..])
        {
            self.say(now, node, payload);
        }
    }
}

impl Listener {
    fn say(&self, now: Instant, node: &mut Memberlist, text: &[u8]) {
        self.0.borrow_mut().insert(text.into(), now);
        let sent = node.broadcast(now, text, BroadcastKind::Unique, Priority::Normal);
        sent.expect("a few bytes fit into a packet");
    }
}

impl Cell {
    fn run(&self, seed: u64) -> Delivered {
        let listeners: Vec<Listener> = (0..self.nodes).map(|_| Listener::default()).collect();
        let app = |index: usize| listeners[index].clone();
        let mut cluster = Cluster::warm_with(seed, self.nodes, secs(1), self.change, app);
        cluster.sim.run_for(secs(5));
        let (lasting, restarting): (Vec<NodeId>, Vec<NodeId>) =
            cluster.nodes.iter().copied().partition(|id| id.index() < SEEDS || id.index() % 4 == 0);
        let each = (self.nodes * self.percent / 100).max(1);
        let mut next = restarting.iter().copied().cycle();
        let (mut leaving, mut gone) = (VecDeque::new(), VecDeque::new());
        let mut sent = Vec::new();
        // In steps of a tenth of a second, over which the departures of each second are spread.
        for tenth in 0..CHURN * 10 {
            let due = |tenth: u64| each as u64 * tenth / 10;
            for _ in due(tenth)..due(tenth + 1) {
                let id = next.next().expect("some nodes come and go");
                cluster.sim.operate(id, |node, now| node.leave(now, secs(1)));
                leaving.push_back((tenth + 10, id));
            }
            while let Some(id) = due_first(&mut leaving, tenth) {
                cluster.sim.crash(id);
                gone.push_back((tenth + 10, id));
            }
            while let Some(id) = due_first(&mut gone, tenth) {
                cluster.sim.restart(id, false);
                let other = cluster.nodes[id.index() % SEEDS];
                cluster.sim.join(id, other);
            }
            if tenth % (10 / RATE) == 0 {
                let from = lasting[sent.len() % lasting.len()];
                let text = (sent.len() as u32).to_be_bytes();
                let listener = &listeners[from.index()];
                cluster.sim.with(from, |node, now| listener.say(now, node, &text));
                sent.push((text, cluster.sim.now()));
            }
            cluster.sim.run_for(millis(100));
        }
        cluster.sim.run_for(secs(PATIENCE));
        let mut delivered = Delivered::default();
        let all = (sent.len() * lasting.len()) as f64;
        for (text, begun) in &sent {
            for id in &lasting {
                let heard = listeners[id.index()].0.borrow().get(&text[..]).copied();
                let Some(after) = heard.map(|at| between(*begun, at)) else { continue };
                delivered.end += 1.0 / all;
                for (share, limit) in delivered.after.iter_mut().zip(AFTER) {
                    *share += if after <= limit { 1.0 / all } else { 0.0 };
                }
            }
        }
        delivered
    }
}

/// Takes the first of a queue, once its time has come.
fn due_first(queue: &mut VecDeque<(u64, NodeId)>, now: u64) -> Option<NodeId> {
    queue.front().filter(|(at, _)| *at <= now)?;
    queue.pop_front().map(|(_, id)| id)
}

/// The cells: sizes and rates, each as in Go and with our defaults. A node has room for some 300
/// announcements per second, and passes each on a dozen times: beyond some 12 nodes per second that
/// leave and return, news of members fills its packets.
fn cells(options: &Options) -> Vec<Cell> {
    let all: &[(usize, &[usize])] =
        if options.quick { &[(300, &[20])] } else { &[(300, &[1, 5, 20]), (1000, &[1, 5, 20])] };
    let variants: [(&'static str, Change<'static>); 2] = [("as in Go", &as_go), ("ours", &|_| {})];
    let mut cells = Vec::new();
    for &(nodes, percents) in all {
        for &percent in percents {
            cells.extend(variants.map(|(name, change)| Cell { name, change, nodes, percent }));
        }
    }
    cells
}

fn grid(options: &Options) -> Grid<Cell> {
    Grid::new(cells(options), options.seeds(10, 1))
}

/// The number of runs.
pub(super) fn runs(options: &Options) -> u64 {
    grid(options).runs()
}

/// Runs the cells, and adds their results to the report.
pub(super) fn run(report: &mut Report, options: &Options, progress: &dyn Progress) {
    let grid = grid(options);
    let outcomes = grid.run(options, progress, Cell::run);
    let mut table = Table::new(
        "churn",
        "Broadcasts while nodes leave and return: the share that has arrived",
        &[
            "nodes",
            "leave a second, %",
            "differences",
            "runs",
            "after 0.5 s",
            "after 1 s",
            "after 2 s",
            "after 5 s",
            "in the end",
        ],
    );
    let title = "Broadcasts that have arrived, most nodes and departures";
    let mut plot = Plot::new("churn", title, "seconds after the broadcast", "share");
    let most = outcomes.iter().map(|(cell, _)| (cell.nodes, cell.percent)).max();
    let mut sums = [0.0; 2];
    for (at, (cell, runs)) in outcomes.iter().enumerate() {
        let of = |figure: &dyn Fn(&Delivered) -> f64| -> Option<Estimate> {
            Summary::of(runs.iter().map(figure)).mean()
        };
        table.row([
            cell.nodes.into(),
            cell.percent.into(),
            cell.name.into(),
            runs.len().into(),
            of(&|it| it.after[0]).into(),
            of(&|it| it.after[1]).into(),
            of(&|it| it.after[2]).into(),
            of(&|it| it.after[3]).into(),
            of(&|it| it.end).into(),
        ]);
        sums[at % 2] += of(&|it| it.after[1]).map_or(0.0, |it| it.value);
        if Some((cell.nodes, cell.percent)) == most {
            let points = AFTER.iter().enumerate();
            plot.line(cell.name, points.filter_map(|(at, s)| Some((*s, of(&|it| it.after[at])?))));
        }
    }
    let text = format!(
        "no fewer broadcasts arrive within 1 s than as in Go: {:.3} and {:.3}, on average",
        sums[1] / (outcomes.len() / 2) as f64,
        sums[0] / (outcomes.len() / 2) as f64
    );
    report.expect(text, sums[1] >= sums[0] * 0.99);
    report.tables.push(table);
    report.plots.push(plot);
}
