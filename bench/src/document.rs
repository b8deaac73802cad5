//! Writes `docs/performance.md`: the table, and the text that explains it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::plots;
use crate::report::{Row, table};

const ABOUT: &str = "\
# Performance

Written by `cargo run --release` in `bench/`; edit nothing here by hand (the notes below the table are in
`bench/src/notes.md`). The workloads:

| workload | what is measured |
|---|---|
| CODEC, SEAL, COMPRESS | one alive message encoded and decoded; 1,400 bytes encrypted and opened; a packet and a full state compressed |
| PING N | a node that knows N members takes in a ping and hands out the ack, byte for byte; nothing is queued |
| KNOWN(16) N | a packet of 16 alive messages about random known members, without news |
| NEWS(16) N | a packet of 16 alive messages that are all news |
| TICK N | a gossip interval passes: idle, or with so much fresh news, which is sent to three members |
| QUEUE N | a broadcast queued in place of the one of its name; a packet filled with 20, from a queue of N |
| PUSHPULL N | a full state exchange of two nodes that know N members each, byte for byte, both sides: both agree since the last one; one learned 1 % news since; the first ever |
| JOIN N | a node that knows no other takes in the state of N members |
| STALL N | the longest single call in all of these exchanges: without jobs, and with them as the adapters do it; and while a message of 19 MiB is sent by stream and received; and of other calls with N members |
| MEM | bytes of heap for each known member: learned by gossip that has been passed on, restored, or restored and exchanged with another node, after which the compressed state is kept |
| SIM-S(N) | N nodes that know each other, in virtual time on one thread, every datagram delivered after 0.5–1.5 ms: seconds of a node per second of processor time, over one whole interval of full state exchanges |
| SIM-L(N) | the same while 5 % of all datagrams are lost, over 30 s; with pings by stream that follow unanswered ones, and without |
| SIM-K(N) | the same for 60 s, after 10 s of which one node of a hundred stops; with compression as in the preset, and without |

All times are processor time of one thread, medians, unless the workload says otherwise. *foca small* is the
peer with the least identity that it can have (address, port and a generation), *foca named* with a name as
well, both with a codec written by hand; the preset for local networks on both sides. Foca exchanges no full
states: beside SIM-S stands what it does do. *al8n* is the released core of that project, and does no more than
the codec without sockets; it writes a format of its own. *Go* is Debian's release of hashicorp/memberlist, in
the same work on functions that are not public, its garbage collection included. Where a column is empty, that
peer has nothing of the kind, or, with foca, each member added is compared with all before it, which takes
minutes for 100,000.

";

/// The links below the pictures. They are not in the notes, which stand in another folder, from
/// where the links would differ.
const LINKS: &str = "\
Clusters of 10,000 nodes in one thread: [large.md](performance/large.md). What a node of 100,000 members costs:
[limits.md](limits.md#what-a-node-of-100000-members-costs). Clusters of real processes, beside Go:
[live.md](performance/live.md).
";

/// The notes below the table: what was tried where a goal is missed, and what is not measured here.
const NOTES: &str = include_str!("notes.md");

/// The text above the table of large clusters.
const ABOUT_LARGE: &str = "\
# Ten thousand nodes

Written by `cargo run --release -- large` in `bench/`; edit nothing here by hand. The workloads are those of
[performance.md](../performance.md); nodes stop before datagrams are lost, in one run. Foca takes minutes to set up: each member that a node is given is compared
with all before it, and there is no other way to give it some. Node-seconds per second of processor time: more
is better. MEM counts the bytes of heap of all nodes, which joined through three of them within a minute and
then passed on all that they learned, for each node and each member that it knows.

";

pub(crate) fn write(rows: &[Row], measured: &str) -> Result<(), Box<dyn Error>> {
    let docs = docs();
    let pictures = plots::draw(rows, &docs.join("performance"))?;
    let mut text = format!("{ABOUT}{measured}\n{}", table(rows));
    for picture in pictures {
        write!(text, "\n![{picture}](performance/{picture})\n")?;
    }
    write!(text, "\n{LINKS}\n{NOTES}")?;
    std::fs::write(docs.join("performance.md"), text)?;
    Ok(())
}

/// Writes the document on clusters of 10,000, which take longer to measure than all else.
pub(crate) fn write_large(rows: &[Row], measured: &str) -> Result<(), Box<dyn Error>> {
    let text = format!("{ABOUT_LARGE}{measured}\n{}", table(rows));
    std::fs::write(docs().join("performance/large.md"), text)?;
    Ok(())
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// A sentence that says when, on which commit and on which machine the measurements are made.
pub(crate) fn measured() -> Result<String, Box<dyn Error>> {
    let go =
        said("dpkg-query", &["-W", "-f", "${Version}", "golang-github-hashicorp-memberlist-dev"]);
    let go = go.ok().filter(|it| !it.is_empty()).unwrap_or_else(|| "not installed".to_owned());
    Ok(format!(
        "Measured on {} by commit {} on {} with {}; foca {}, al8n {}, Go library {go}. Absolute figures differ by \
         half between machines and with their load: compare only within a run.\n",
        said("date", &["-u", "+%Y-%m-%d"])?,
        said("git", &["rev-parse", "--short", "HEAD"])?,
        machine()?,
        said("rustc", &["--version"])?,
        version("foca")?,
        version("memberlist-proto")?,
    ))
}

/// The version of a package that comes from a registry.
fn version(package: &str) -> Result<&'static str, Box<dyn Error>> {
    let name = format!("name = \"{package}\"\n");
    let mut packages = include_str!("../Cargo.lock").split("[[package]]\n");
    let found = packages.find(|it| it.starts_with(&name) && it.contains("\nsource = "));
    let version = found.and_then(|it| it.split("version = \"").nth(1)?.split('"').next());
    version.ok_or_else(|| format!("no version of {package}").into())
}

fn said(program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn machine() -> Result<String, Box<dyn Error>> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|it| it.split(": ").nth(1)).unwrap_or("an unknown processor");
    Ok(format!("{model}, {} cores, shared", std::thread::available_parallelism()?))
}
