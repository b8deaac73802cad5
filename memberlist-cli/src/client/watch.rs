//! `memberlist watch`: events as they happen.

use std::io::{self, Write as _};

use serde_json::Value;

use super::args::{Format, On, Watch};
use super::connection::{Connection, checked};
use super::show::is_terminal;
use super::table::plain;
use crate::agent::Kinds;
use crate::failure::Failure;

/// Shows events until the wanted number has been shown, or the agent or the reader of the output
/// ends.
pub(super) fn run(on: &On<Watch>) -> Result<(), Failure> {
    let usual = || if is_terminal() { Kinds::Quiet } else { Kinds::All };
    let kinds = on.what.events.clone().unwrap_or_else(usual);
    let mut agent = Connection::open(&on.common)?;
    checked(agent.ask(format!("watch {kinds}").as_bytes())?)?;
    agent.patience(None)?;
    let mut out = io::stdout().lock();
    let mut left = on.what.count;
    while left != Some(0) {
        let event = agent.receive()?;
        let line = match on.common.format {
            Format::Json => event.to_string(),
            Format::Table => text(&event),
        };
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::failed(error)),
        }
        left = left.map(|left| left - 1);
    }
    Ok(())
}

fn text(event: &Value) -> String {
    let time = event["time"].as_str().unwrap_or_default();
    let clock = time.split('T').nth(1).unwrap_or_default().trim_end_matches('Z');
    let summary = event.get("summary").unwrap_or(&event["event"]);
    format!("{clock} {}", plain(summary))
}
