//! `memberlist replay`: replays, verifies and explains what agents have recorded.

mod bridge;
mod clock;
mod diff;
mod export;
mod open;
mod step;
mod summary;
mod timeline;
mod together;
mod why;

use std::path::PathBuf;

use memberlist_record::ReplayError;

use self::bridge::Wanted;
use self::open::Opened;
use self::summary::Summary;
use crate::failure::Failure;
use crate::stdout;

/// The flags of `memberlist replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").multiple(false))]
pub(crate) struct Args {
    /// The directory given to `memberlist agent --record`, or one of its files; several for several
    /// nodes, which are aligned by the messages between them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Key of the nodes in base64 (repeatable); what was encrypted with any other key is not read
    #[arg(long, value_name = "BASE64")]
    key: Vec<String>,

    /// Which run of the node, from 1 for the oldest that is still recorded [default: the last]
    #[arg(long, value_name = "N")]
    run: Option<usize>,

    /// Begin at the last checkpoint before this moment: a time since the start of the node, such as
    /// `90s` or `83.120s`, or a date and time in UTC, such as `2026-01-31T12:03:04Z`
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// End at this moment, given in the same way
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Replay as far as possible what another version of the program has recorded
    #[arg(long)]
    any_core: bool,

    /// Write JSON
    #[arg(long, conflicts_with = "step")]
    json: bool,

    /// Print what led to that which is known about this node at the end
    #[arg(long, value_name = "NODE", group = "what")]
    why: Option<String>,

    /// Step through the inputs by commands on standard input: an empty line shows the next one, `?`
    /// lists the commands
    #[arg(long, group = "what")]
    step: bool,

    /// Print how the table of members changed between two moments
    #[arg(long, num_args = 2, value_names = ["TIME", "TIME"], group = "what")]
    #[arg(conflicts_with_all = ["from", "until"])]
    diff: Option<Vec<String>>,

    /// Draw the life of the node to this file as SVG: states of the members, probes, health, queues
    #[arg(long, value_name = "FILE", group = "what", conflicts_with = "json")]
    timeline: Option<PathBuf>,

    /// Write an explanation to this file, with names and addresses replaced and without what belongs to
    /// the application: one JSON object in each line. It cannot be replayed
    #[arg(long, value_name = "FILE", group = "what", conflicts_with = "json")]
    export: Option<PathBuf>,

    /// Write a script for `memberlist simulate` in which the `--event` happens, too
    #[arg(long, value_name = "FILE", group = "what", requires = "event", conflicts_with = "json")]
    scenario: Option<PathBuf>,

    /// Write the fewest inputs that lead to the `--event`, as a recording that needs no key: an entry
    /// for the corpus of the fuzz target `recording`
    #[arg(long, value_name = "FILE", group = "what", requires = "event", conflicts_with = "json")]
    fuzz: Option<PathBuf>,

    /// Event that the result of --scenario or --fuzz must lead to: `joined`, `suspected`,
    /// `refuted`, `failed`, `left` or `conflict`, and the name of a node, such as `failed n3`
    #[arg(long, value_name = "EVENT", value_parser = Wanted::parse)]
    event: Option<Wanted>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let opened = args.paths.iter().map(|path| Opened::new(path, args));
    let mut opened = opened.collect::<Result<Vec<_>, _>>()?;
    if let Some(subject) = &args.why {
        return why::run(&mut opened, subject, args.json);
    }
    if let Some(file) = &args.export {
        return export::run(&opened, file);
    }
    if let (Some(file), Some(event)) = (&args.scenario, &args.event) {
        return bridge::scenario(&opened, file, event);
    }
    match &opened[..] {
        [one] if args.step => step::run(one),
        [one] if args.diff.is_some() => diff::run(one, args),
        [one] => match (&args.timeline, &args.fuzz, &args.event) {
            (Some(file), ..) => timeline::run(one, file),
            (_, Some(file), Some(event)) => bridge::fuzz(one, file, event),
            _ => summarize(one, args.json),
        },
        _ if args.takes_one() => {
            let flags = "--step, --diff, --timeline and --fuzz take one recording";
            Err(Failure::usage(flags))
        }
        several => together::run(several, args.json),
    }
}

impl Args {
    fn takes_one(&self) -> bool {
        self.step || self.diff.is_some() || self.timeline.is_some() || self.fuzz.is_some()
    }
}

/// Replays one recording, and prints what was found.
fn summarize(opened: &Opened, json: bool) -> Result<(), Failure> {
    let mut replay = opened.replay()?;
    let mut summary = Summary::new(opened.session(), &replay);
    let end = summary.run(&mut replay);
    if json {
        stdout::put(format!("{}\n", summary.to_json(&replay)))?;
    } else {
        stdout::put(summary.to_text(&replay))?;
    }
    ended(end)?;
    if summary.is_verified() { Ok(()) } else { Err(Failure::failed(summary.difference())) }
}

/// The failure of a replay that did not reach its end.
fn ended(end: Result<(), ReplayError>) -> Result<(), Failure> {
    end.map_err(Failure::failed)
}
