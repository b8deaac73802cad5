//! `--diff`: how the table of members changed between two moments.

use std::fmt::Write as _;

use memberlist_proto::Instant;
use memberlist_record::explain::{Change, Table, Watcher};
use memberlist_record::{Replay, ReplayOptions};
use serde_json::json;

use super::clock::{Clock, since_start};
use super::open::Opened;
use super::{Args, ended};
use crate::failure::Failure;
use crate::stdout;

pub(super) fn run(opened: &Opened, args: &Args) -> Result<(), Failure> {
    let times = args.diff.as_deref().unwrap_or_default();
    let [earlier, later] = times else { return Err(Failure::usage("--diff: two times")) };
    let parse = |text: &String| opened.moment("diff", Some(text));
    let (Some(earlier), Some(later)) = (parse(earlier)?, parse(later)?) else {
        return Err(Failure::usage("--diff: two times"));
    };
    if later < earlier {
        return Err(Failure::usage("--diff: the second time is before the first"));
    }
    let (before, end) = table_at(opened, earlier)?;
    ended(end)?;
    let (after, end) = table_at(opened, later)?;
    let changes = before.changes_to(&after);
    if args.json {
        let all = json!({ "changes": changes, "before": before, "after": after });
        stdout::put(format!("{all}\n"))?;
    } else {
        stdout::put(to_text(opened, (earlier, later), &changes))?;
    }
    ended(end)
}

/// The table of members after all inputs up to a time, and whether the replay got that far.
fn table_at(
    opened: &Opened,
    at: Instant,
) -> Result<(Table, Result<(), memberlist_record::ReplayError>), Failure> {
    let options = ReplayOptions { from: Some(at), until: Some(at), ..opened.options().clone() };
    let mut replay = Replay::new(opened.session(), &options).map_err(Failure::failed)?;
    let mut watcher = Watcher::new(&replay);
    let end = loop {
        match watcher.next(&mut replay) {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    Ok((watcher.table().clone(), end))
}

fn to_text(opened: &Opened, (earlier, later): (Instant, Instant), changes: &[Change]) -> String {
    let born = &opened.session().header().born;
    let clock = Clock::new(born);
    let time = |at| clock.long(since_start(born, at));
    let mut text = format!("from {} to {}\n", time(earlier).trim(), time(later).trim());
    for change in changes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {change}");
    }
    if changes.is_empty() {
        text += "    no change\n";
    }
    text
}
