//! `--why`: prints what led to that which is known about a node.

use std::fmt::Write as _;

use memberlist_record::explain::{Account, Why};
use serde_json::{Value, json};

use super::clock::Clock;
use super::open::{Chronicles, Opened};
use super::together;
use crate::failure::Failure;
use crate::stdout;

pub(super) fn run(opened: &mut [Opened], subject: &str, as_json: bool) -> Result<(), Failure> {
    // Whether a message that was under way at that time arrived is known only from later records:
    // so all of them are read.
    let until = opened[0].forget_until();
    for other in opened.iter_mut().skip(1) {
        other.forget_until();
    }
    let chronicles = Chronicles::read(opened)?;
    let until = until.map(|at| chronicles.alignment.time(0, at));
    let clock = Clock::new(&chronicles.all[0].born);
    let short = |at| clock.short(at);
    let why = Why::of(&chronicles.all, &chronicles.alignment, subject, until, &short);
    if !why.accounts.iter().any(Account::is_known) {
        let failure = Failure::failed(format_args!("no recorded node ever knew {subject:?}"));
        return chronicles.verified().and(Err(failure));
    }
    if as_json {
        stdout::put(format!("{}\n", to_json(&chronicles, &why, subject)))?;
    } else {
        stdout::put(to_text(&chronicles, &why, &clock))?;
    }
    chronicles.verified()
}

fn to_text(chronicles: &Chronicles, why: &Why, clock: &Clock) -> String {
    let mut out = String::new();
    if let Some(start) = clock.start() {
        let _ = writeln!(
            out,
            "times: of the day, and since {} began at {start}\n",
            chronicles.all[0].node
        );
    }
    for (node, account) in why.accounts.iter().enumerate() {
        let _ = writeln!(out, "{}", verdict(chronicles, node, account, clock));
        for missing in &account.missing {
            let _ = writeln!(out, "    {missing}");
        }
    }
    out.push('\n');
    let several = chronicles.all.len() > 1;
    for line in &why.lines {
        let node = if several { format!("  {}:", line.node) } else { String::new() };
        let _ = writeln!(out, "{}{node}  {}", clock.long(line.at), line.text);
    }
    if several {
        let _ = writeln!(out, "\nlost, of the messages above: {}", why.lost.len());
        for lost in &why.lost {
            let (at, from, to) = (clock.long(lost.at), &lost.from, &lost.to);
            let _ = writeln!(out, "{at}  {from} to {to}: {}", lost.message);
        }
        out.push('\n');
        out += &together::links_to_text(chronicles, clock);
    }
    out
}

/// What a node knows about the subject at the end, as a sentence.
fn verdict(chronicles: &Chronicles, node: usize, account: &Account, clock: &Clock) -> String {
    let (observer, subject) = (&account.observer, &account.subject);
    let since = match account.since {
        Some(at) => format!(" since {}", clock.short(chronicles.alignment.time(node, at))),
        None => " since before the recording".into(),
    };
    let Some(row) = &account.row else { return format!("{observer} never knew {subject}") };
    let own = if observer == subject { "itself" } else { subject };
    let considers = if account.forgotten.is_some() { "considered" } else { "considers" };
    let mut text = format!(
        "{observer} {considers} {own} {}{since}, incarnation {}",
        row.state, row.incarnation
    );
    if let Some(why) = &row.departure {
        let _ = write!(text, ": {why}");
    } else if !row.accusers.is_empty() {
        let _ = write!(text, ": accused by {}", row.accusers.join(", "));
    }
    if let Some(at) = account.forgotten {
        let at = clock.short(chronicles.alignment.time(node, at));
        let _ = write!(text, "; forgotten since {at}");
    }
    text
}

fn to_json(chronicles: &Chronicles, why: &Why, subject: &str) -> Value {
    let observers = why.accounts.iter().enumerate().map(|(node, account)| {
        let ms = |at| chronicles.alignment.time(node, at) / 1_000_000;
        let unanswered = account.unanswered.iter().map(|probe| {
            let answers = probe.asks.iter().map(|ask| {
                json!({ "helper": ask.helper, "answer": ask.answer.map(|(answer, ..)| answer) })
            });
            json!({
                "seq": probe.seq,
                "pings": probe.pings.len(),
                "asked": answers.collect::<Vec<_>>(),
            })
        });
        json!({
            "observer": account.observer,
            "state": account.row.as_ref().map(|row| row.state.to_string()),
            "incarnation": account.row.as_ref().map(|row| row.incarnation),
            "departure": account.row.as_ref().and_then(|row| row.departure.as_ref()).map(ToString::to_string),
            "since_ms": account.since.map(ms),
            "forgotten_ms": account.forgotten.map(ms),
            "accusers": account.accusers,
            "unanswered": unanswered.collect::<Vec<_>>(),
            "missing": account.missing,
        })
    });
    let line = |at: i64, node: &str, text: &str| json!({ "at_ms": at / 1_000_000, "node": node, "text": text });
    let lost = why.lost.iter().map(|it| {
        json!({ "at_ms": it.at / 1_000_000, "from": it.from, "to": it.to, "message": it.message })
    });
    json!({
        "subject": subject,
        "observers": observers.collect::<Vec<_>>(),
        "lines": why.lines.iter().map(|it| line(it.at, &it.node, &it.text)).collect::<Vec<_>>(),
        "lost": lost.collect::<Vec<_>>(),
        "links": together::links_to_json(chronicles),
    })
}
