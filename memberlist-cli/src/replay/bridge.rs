//! `--scenario` and `--fuzz`: turn a recording into a script for the simulator or an entry for the
//! fuzzer, as short as possible while a given event still happens.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use memberlist_proto::{Departure, Event};
use memberlist_record::explain::{Act, Report, Scenario};
use memberlist_record::{Shortened, fewest};
use memberlist_sim::script;

use super::open::{Chronicles, Opened};
use crate::failure::Failure;
use crate::stdout::put;

/// An event that can be given on the command line, such as `failed n3`.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    kind: &'static Kind,
    node: String,
}

#[derive(Debug)]
struct Kind {
    word: &'static str,
    /// The word for it in scripts of the simulator.
    script: &'static str,
    fits: fn(&Event) -> bool,
    /// The words for it in an explanation.
    reports: &'static [&'static str],
}

const KINDS: [Kind; 6] = [
    Kind {
        word: "joined",
        script: "joined",
        fits: |it| matches!(it, Event::Joined { .. }),
        reports: &["joined"],
    },
    Kind {
        word: "suspected",
        script: "suspected",
        fits: |it| matches!(it, Event::Suspected { .. }),
        reports: &["suspected"],
    },
    Kind {
        word: "refuted",
        script: "refuted",
        fits: |it| matches!(it, Event::Refuted { .. }),
        reports: &["refuted"],
    },
    Kind {
        word: "failed",
        script: "dead",
        fits: |it| matches!(it, Event::Departed { reason, .. } if !matches!(reason, Departure::Left)),
        reports: &["failed", "declared dead"],
    },
    Kind {
        word: "left",
        script: "left",
        fits: |it| matches!(it, Event::Departed { reason: Departure::Left, .. }),
        reports: &["left"],
    },
    Kind {
        word: "conflict",
        script: "conflict",
        fits: |it| matches!(it, Event::Conflict { .. }),
        reports: &["conflict"],
    },
];

impl Wanted {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let words = || KINDS.map(|it| it.word).join(", ");
        let (word, node) =
            text.split_once(' ').ok_or_else(|| format!("expected KIND NODE, with {}", words()))?;
        let kind = KINDS.iter().find(|it| it.word == word);
        let kind = kind.ok_or_else(|| format!("no event {word:?}; there are {}", words()))?;
        Ok(Self { kind, node: node.trim().to_owned() })
    }

    fn is(&self, event: &Event) -> bool {
        let (Event::Joined { node }
        | Event::Suspected { node, .. }
        | Event::Refuted { node, .. }
        | Event::Departed { node, .. }
        | Event::Conflict { existing: node, .. }) = event
        else {
            return false;
        };
        (self.kind.fits)(event) && node.name().to_string() == self.node
    }

    fn is_report(&self, report: &Report) -> bool {
        matches!(report, Report::Node { node, what }
            if *node == self.node && self.kind.reports.contains(&what.as_str()))
    }

    fn missing(&self) -> Failure {
        Failure::failed(format_args!("--event: {} {:?} did not happen", self.kind.word, self.node))
    }
}

/// Writes the fewest inputs that lead to the event, as a segment that needs no key.
pub(super) fn fuzz(opened: &Opened, file: &Path, wanted: &Wanted) -> Result<(), Failure> {
    let short = Shortened::of(opened.session(), opened.options(), &|event| wanted.is(event));
    let short = short.map_err(Failure::failed)?.ok_or_else(|| wanted.missing())?;
    let mut bytes = Vec::new();
    short
        .write(&mut bytes)
        .and_then(|()| fs::write(file, bytes))
        .map_err(|error| failed(file, &error))?;
    let (left, before) = short.len();
    put(format!("{left} of {before} inputs since the checkpoint are left\n"))
}

/// Writes a script with the fewest acts that lead to the event.
pub(super) fn scenario(opened: &[Opened], file: &Path, wanted: &Wanted) -> Result<(), Failure> {
    let chronicles = Chronicles::read(opened)?;
    let found = chronicles.all.iter().enumerate().find_map(|(node, it)| {
        let fits = |moment: &&memberlist_record::explain::Moment| {
            moment.reports.iter().any(|report| wanted.is_report(report))
        };
        it.moments
            .iter()
            .find(fits)
            .map(|moment| (node, chronicles.alignment.time(node, moment.at)))
    });
    let (observer, until) = found.ok_or_else(|| wanted.missing())?;
    let scenario = Scenario::of(&chronicles.all, &chronicles.alignment, until);
    let observer = chronicles.all[observer].node.as_str();
    let (Some(observer), Some(subject)) = (scenario.word(observer), scenario.word(&wanted.node))
    else {
        return Err(wanted.missing());
    };
    let condition = format!("{observer} reported {} of {subject}", wanted.kind.script);
    let shows = |acts: &[Act]| runs(&scenario.script(acts, &condition));
    let whole = shows(&scenario.acts);
    let acts =
        if whole { fewest(scenario.acts.clone(), WORK, shows) } else { scenario.acts.clone() };
    let what = if whole {
        format!("# Shortened from {} acts to {}.\n", scenario.acts.len(), acts.len())
    } else {
        "# In the simulator the event does not happen. Nothing was left out.\n".to_owned()
    };
    let head =
        format!("# {} {}, from a recording by `memberlist replay`.\n", wanted.kind.word, subject);
    let text = head + &what + &scenario.script(&acts, &condition);
    fs::write(file, text).map_err(|error| failed(file, &error))?;
    if whole {
        put(format!("{} of {} acts are left\n", acts.len(), scenario.acts.len()))?;
        chronicles.verified()
    } else {
        Err(Failure::failed(format_args!(
            "{}: in the simulator the event does not happen; what was found is in the file",
            file.display()
        )))
    }
}

/// The most acts that are run in all attempts to leave some out.
const WORK: usize = 2_000;

/// Whether a script can be run to its end. One that breaks a law does not count.
fn runs(text: &str) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = catch_unwind(AssertUnwindSafe(|| script::run(text).is_ok()));
    std::panic::set_hook(hook);
    result.unwrap_or(false)
}

fn failed(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format_args!("{}: {error}", file.display()))
}
