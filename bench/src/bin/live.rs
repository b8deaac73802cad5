//! LIVE(N): N agent processes on one machine, on loopback addresses, with the preset for local
//! networks and one seed. `cargo run --release --bin live -- 30 go:30 300` measures a cluster of
//! our agents, one of Go nodes (the program of the live tests, on Debian's release of the Go
//! library), and a larger one of ours, one after another, and prints a table; with `--write` it
//! also writes the table to `docs/performance/live.md`. The agent has to be built before, by `cargo
//! build --release` in the folder above; `MEMBERLIST_BIN` names another one.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PORT: u16 = 17946;
/// The time between two starts. A thousand starts at once would measure how fast the machine starts
/// programs.
const BETWEEN_STARTS: Duration = Duration::from_millis(20);
const SETTLING: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(180);

/// One line of a process: that a node joined or departed.
struct Line {
    from: usize,
    at: Instant,
    node: String,
    joined: bool,
}

struct Cluster {
    processes: Vec<Child>,
    lines: Receiver<Line>,
    /// The processes whose views are checked.
    sampled: Vec<usize>,
    views: Vec<HashSet<String>>,
    killed: BTreeSet<usize>,
    /// The departures of nodes that are alive, reported by any process.
    false_departures: usize,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The resources that the processes have used so far, on average.
#[derive(Clone, Copy, Default)]
struct Usage {
    cpu_ticks: f64,
    switches: f64,
    anonymous: f64,
    resident: f64,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let write = words.iter().any(|word| word == "--write");
    // The load of the machine, which may have had other work.
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let mut table = String::from(
        "| nodes | CPU ms/s each | anonymous MiB each | resident MiB each | context switches/s each \
         | views complete after the last start | three kills known | false departures |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for word in words.iter().filter(|word| *word != "--write") {
        let (go, count) = match word.strip_prefix("go:") {
            Some(count) => (true, count.parse()?),
            None => (false, word.parse()?),
        };
        if count < 8 {
            return Err("at least 8 nodes: five are looked at and three are killed".into());
        }
        table += &measure(count, go)?;
    }
    println!("{table}");
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance/live.md");
        std::fs::write(path, document(&table, load)?)?;
    }
    Ok(())
}

fn document(table: &str, load: &str) -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find(|line| line.starts_with("model name")).unwrap_or_default();
    let model = model.split(':').nth(1).unwrap_or_default().trim();
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "# Clusters of real processes\n\nWritten by `cargo run --release --bin live -- … --write` in \
         `bench/`. All processes of a cluster run at once on {model}, {cores} cores, beside other \
         work (load average before: {load}), and print every event, including each probe's round \
         trip. The views of five of them are watched. CPU, memory and context switches are \
         averages over {} s, beginning {} s after these views are complete. Go: the program of \
         `tests/interop/peer` on Debian's release of the library.\n\n{table}",
        WINDOW.as_secs(),
        SETTLING.as_secs()
    ))
}

fn measure(count: usize, go: bool) -> Result<String> {
    let mut cluster = Cluster::start(count, go)?;
    let began = Instant::now();
    let complete = cluster
        .until(|cluster| cluster.sampled.iter().all(|&it| cluster.views[it].len() == count - 1));
    cluster.watch(SETTLING);
    let (before, from) = (cluster.usage()?, Instant::now());
    cluster.watch(WINDOW);
    let (after, seconds) = (cluster.usage()?, from.elapsed().as_secs_f64());
    let at = Instant::now();
    cluster.kill_three()?;
    let known = cluster.until(|cluster| {
        let gone: Vec<String> = cluster.killed.iter().map(|&it| name(it)).collect();
        cluster.sampled.iter().all(|&it| gone.iter().all(|node| !cluster.views[it].contains(node)))
    });
    let time = |found: Option<Instant>, since: Instant| match found {
        Some(at) => format!("{:.1} s", at.saturating_duration_since(since).as_secs_f64()),
        None => format!("not within {} s", PATIENCE.as_secs()),
    };
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let mut row = String::new();
    writeln!(
        row,
        "| {count} {} | {:.2} | {:.1} | {:.1} | {:.1} | {} | {} | {} |",
        if go { "Go" } else { "ours" },
        (after.cpu_ticks - before.cpu_ticks) / ticks / seconds * 1e3,
        after.anonymous / 1024.0,
        after.resident / 1024.0,
        (after.switches - before.switches) / seconds,
        time(complete, began),
        time(known, at),
        cluster.false_departures,
    )?;
    eprint!("{row}");
    Ok(row)
}

fn name(index: usize) -> String {
    format!("node-{index:05}")
}

fn address(index: usize) -> String {
    format!("127.66.{}.{}:{PORT}", index / 250, index % 250 + 1)
}

impl Cluster {
    fn start(count: usize, go: bool) -> Result<Self> {
        let binary = if go { go_peer()? } else { agent()? };
        let (sender, lines) = channel();
        let sampled = (0..5).map(|it| it * (count - 1) / 4).collect();
        let mut cluster = Self {
            processes: Vec::new(),
            lines,
            sampled,
            views: vec![HashSet::new(); count],
            killed: BTreeSet::new(),
            false_departures: 0,
        };
        for index in 0..count {
            let mut command = Command::new(&binary);
            if !go {
                command.args(["agent", "--json", "--control", "none"]);
            }
            command.args(["--profile", "lan", "--name", &name(index), "--bind", &address(index)]);
            if index > 0 {
                command.args(["--join", &address(0)]);
            }
            // The Go program ends when its standard input does, so that is kept open.
            let process = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            cluster.processes.push(process);
            let out = cluster.processes[index].stdout.take().ok_or("no standard output")?;
            let sender = sender.clone();
            std::thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || read(index, out, &sender))?;
            std::thread::sleep(BETWEEN_STARTS);
        }
        Ok(cluster)
    }

    /// Reads the lines of the processes until `done` holds; returns the time of that.
    fn until(&mut self, done: impl Fn(&Self) -> bool) -> Option<Instant> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Instant::now();
        while !done(self) {
            last = self.take(deadline)?;
        }
        Some(last)
    }

    fn watch(&mut self, period: Duration) {
        let deadline = Instant::now() + period;
        while self.take(deadline).is_some() {}
    }

    fn take(&mut self, deadline: Instant) -> Option<Instant> {
        let line = match self.lines.recv_timeout(deadline.checked_duration_since(Instant::now())?) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        let view = &mut self.views[line.from];
        if line.node == name(line.from) {
            // The Go library also reports that the node itself has joined.
        } else if line.joined {
            view.insert(line.node);
        } else {
            view.remove(&line.node);
            if !self.killed.iter().any(|&it| name(it) == line.node) {
                self.false_departures += 1;
            }
        }
        Some(line.at)
    }

    /// Kills three processes whose views are not checked.
    fn kill_three(&mut self) -> Result<()> {
        let victims = (1..self.processes.len()).filter(|it| !self.sampled.contains(it));
        self.killed = victims.take(3).collect();
        for &index in &self.killed {
            self.processes[index].kill()?;
        }
        Ok(())
    }

    fn usage(&self) -> Result<Usage> {
        let mut sum = Usage::default();
        for process in &self.processes {
            let folder = PathBuf::from(format!("/proc/{}", process.id()));
            let stat = std::fs::read_to_string(folder.join("stat"))?;
            // The fields after the program's name, which stands in parentheses and may contain
            // anything.
            let fields: Vec<&str> =
                stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            sum.cpu_ticks += fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
            let status = std::fs::read_to_string(folder.join("status"))?;
            sum.anonymous += field(&status, "RssAnon:");
            sum.resident += field(&status, "VmRSS:");
            for task in std::fs::read_dir(folder.join("task"))? {
                let status = std::fs::read_to_string(task?.path().join("status"))?;
                sum.switches += field(&status, "voluntary_ctxt_switches:")
                    + field(&status, "nonvoluntary_ctxt_switches:");
            }
        }
        let count = self.processes.len() as f64;
        Ok(Usage {
            cpu_ticks: sum.cpu_ticks / count,
            switches: sum.switches / count,
            anonymous: sum.anonymous / count,
            resident: sum.resident / count,
        })
    }
}

/// A value from a `status` file of the kernel.
fn field(status: &str, name: &str) -> f64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn read(from: usize, out: impl std::io::Read, lines: &Sender<Line>) {
    for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
        let at = Instant::now();
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let joined = match value["event"].as_str() {
            Some("joined") => true,
            Some("departed") => false,
            _ => continue,
        };
        let node = value["node"]["name"].as_str().unwrap_or_default().to_owned();
        if lines.send(Line { from, at, node, joined }).is_err() {
            return;
        }
    }
}

fn agent() -> Result<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/memberlist");
    let path = std::env::var_os("MEMBERLIST_BIN").map_or(built, PathBuf::from);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{}: build it first, by `cargo build --release`", path.display()).into())
}

fn go_peer() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("../tests/interop/peer");
    let target = root.join("target");
    std::fs::create_dir_all(&target)?;
    let binary = target.join("go-peer");
    let built = Command::new("go")
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", target.join("go-cache"))
        .args(["build", "-o"])
        .arg(&binary)
        .args(["main.go", "config.go", "dskit.go"].map(|file| folder.join(file)))
        .status()?;
    if built.success() { Ok(binary) } else { Err("the Go program does not build".into()) }
}
