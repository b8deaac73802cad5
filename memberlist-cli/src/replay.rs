//! `memberlist replay`: what agents have recorded, stepped through again.

mod clock;
mod diff;
mod open;
mod step;
mod summary;
mod timeline;
mod together;
mod why;

use std::path::PathBuf;

use memberlist_record::ReplayError;

use self::open::Opened;
use self::summary::Summary;
use crate::failure::Failure;

/// The flags of `memberlist replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").multiple(false))]
pub(crate) struct Args {
    /// The directory given to `memberlist agent --record`, or one of its files; several for several
    /// nodes, which are aligned by the messages between them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Key of the nodes in base64, in any order; without all of them, what is encrypted is not read
    #[arg(long, value_name = "BASE64")]
    key: Vec<String>,

    /// Which run of the node, from 1 for the first that is left [default: the last]
    #[arg(long, value_name = "N")]
    run: Option<usize>,

    /// Begin at the last checkpoint before this moment: a time since the start of the node, such as
    /// `90s` or `83.120s`, or a time of the day in UTC, such as `2026-01-31T12:03:04Z`
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// End at this moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Replay what another version has recorded, as far as possible
    #[arg(long)]
    any_core: bool,

    /// Write JSON
    #[arg(long, conflicts_with = "step")]
    json: bool,

    /// Print what led to what is known of this node at the end
    #[arg(long, value_name = "NODE", group = "what")]
    why: Option<String>,

    /// Show one input after the other, by commands on standard input: an empty line goes on, `?` has
    /// the others
    #[arg(long, group = "what")]
    step: bool,

    /// Print how the table of members changed between two moments
    #[arg(long, num_args = 2, value_names = ["TIME", "TIME"], group = "what")]
    #[arg(conflicts_with_all = ["from", "until"])]
    diff: Option<Vec<String>>,

    /// Draw the life of the node to this file as SVG: states of the members, probes, health, queues
    #[arg(long, value_name = "FILE", group = "what", conflicts_with = "json")]
    timeline: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let opened = args.paths.iter().map(|path| Opened::new(path, args));
    let opened = opened.collect::<Result<Vec<_>, _>>()?;
    if let Some(subject) = &args.why {
        return why::run(&opened, subject, args.json);
    }
    match &opened[..] {
        [one] if args.step => step::run(one),
        [one] if args.diff.is_some() => diff::run(one, args),
        [one] => match &args.timeline {
            Some(file) => timeline::run(one, file),
            None => summarize(one, args.json),
        },
        _ if args.step || args.diff.is_some() || args.timeline.is_some() => {
            Err(Failure::usage("--step, --diff and --timeline take one recording"))
        }
        several => together::run(several, args.json),
    }
}

/// Replays one recording, and prints what was found.
fn summarize(opened: &Opened, json: bool) -> Result<(), Failure> {
    let mut replay = opened.replay()?;
    let mut summary = Summary::new(opened.session(), &replay);
    let end = summary.run(&mut replay);
    if json {
        println!("{}", summary.to_json(&replay));
    } else {
        print!("{}", summary.to_text(&replay));
    }
    ended(end)?;
    if summary.is_verified() { Ok(()) } else { Err(Failure::failed(summary.difference())) }
}

/// How a replay ended.
fn ended(end: Result<(), ReplayError>) -> Result<(), Failure> {
    end.map_err(Failure::failed)
}
