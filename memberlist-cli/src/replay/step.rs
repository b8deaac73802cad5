//! `--step`: steps through the inputs, one after the other.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal};

use memberlist_record::explain::{Moment, Watcher};
use memberlist_record::{Header, Replay, Verdict};

use super::clock::{Clock, since_start};
use super::ended;
use super::open::Opened;
use crate::failure::Failure;

const HELP: &str = "\
an empty line or n: the next input      b: the one before      f: the first
c: the next that changes the table      w TEXT: the next in which TEXT stands
m: the table of members as of the last input     q: the end
";

/// How many steps the reader can go back.
const KEPT: usize = 100_000;

pub(super) fn run(opened: &Opened) -> Result<(), Failure> {
    let replay = opened.replay()?;
    let (input, output) = (io::stdin().lock(), io::stdout());
    let prompt = io::stdin().is_terminal() && output.is_terminal();
    Stepper::new(replay).run(input, output.lock(), prompt)
}

/// Steps through a replay by the commands of a reader.
struct Stepper {
    replay: Replay,
    watcher: Watcher,
    clock: Clock,
    /// The steps so far, as text.
    shown: std::collections::VecDeque<String>,
    /// How many steps the reader has gone back.
    back: usize,
    /// Set when the recording is at its end, or cannot be read any further.
    end: Option<Result<(), Failure>>,
}

impl Stepper {
    fn new(replay: Replay) -> Self {
        let watcher = Watcher::new(&replay);
        let clock = Clock::new(&replay.header().born);
        let shown = std::collections::VecDeque::new();
        Self { replay, watcher, clock, shown, back: 0, end: None }
    }

    fn run(
        mut self,
        mut input: impl BufRead,
        mut output: impl io::Write,
        prompt: bool,
    ) -> Result<(), Failure> {
        let mut text = self.next(|_, _| true);
        loop {
            let mut line = String::new();
            let asked = if prompt { "[enter] next, b back, ? help, q quit > " } else { "" };
            let written = write!(output, "{text}{asked}").and_then(|()| output.flush());
            match written.and_then(|()| input.read_line(&mut line)) {
                Ok(0) => break,
                // That the reader has gone is not a failure.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(Failure::failed(error)),
                Ok(_) => {}
            }
            let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            text = match command {
                "" | "n" => self.forward(),
                "b" => self.backward(1),
                "f" => self.backward(usize::MAX),
                "c" => self.next(|moment, _| !moment.changes.is_empty()),
                "w" if !rest.is_empty() => self.next(|_, text| text.contains(rest)),
                "m" => self.members(),
                "q" => break,
                _ => HELP.to_owned(),
            };
        }
        match self.end {
            Some(Err(failure)) => Err(failure),
            _ => Ok(()),
        }
    }

    fn forward(&mut self) -> String {
        if self.back == 0 {
            return self.next(|_, _| true);
        }
        self.back -= 1;
        self.shown[self.shown.len() - 1 - self.back].clone()
    }

    fn backward(&mut self, steps: usize) -> String {
        let Some(most) = self.shown.len().checked_sub(1) else { return "no input\n".into() };
        self.back = self.back.saturating_add(steps).min(most);
        self.shown[most - self.back].clone()
    }

    /// Shows the next step that fits, among those that have not been shown.
    fn next(&mut self, fits: impl Fn(&Moment, &str) -> bool) -> String {
        self.back = 0;
        while self.end.is_none() {
            match self.watcher.next(&mut self.replay) {
                Ok(Some(moment)) => {
                    let text = self.describe(&moment);
                    let found = fits(&moment, &text);
                    if self.shown.len() == KEPT {
                        self.shown.pop_front();
                    }
                    self.shown.push_back(text.clone());
                    if found {
                        return text;
                    }
                }
                Ok(None) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(ended(Err(error))),
            }
        }
        match &self.end {
            Some(Err(failure)) => format!("the recording cannot be read any further: {failure}\n"),
            _ => "the end of the recording\n".into(),
        }
    }

    fn members(&self) -> String {
        let mut out = String::new();
        for (name, row) in self.watcher.table().iter() {
            let address = row.address.map_or("no address".into(), |it| it.to_string());
            let _ =
                write!(out, "{name} ({address}): {}, incarnation {}", row.state, row.incarnation);
            match &row.departure {
                Some(why) => drop(write!(out, ", {why}")),
                None if row.accusers.is_empty() => {}
                None => drop(write!(out, ", accused by {}", row.accusers.join(", "))),
            }
            out.push('\n');
        }
        out
    }

    fn describe(&self, moment: &Moment) -> String {
        let header: &Header = self.replay.header();
        let time = self.clock.long(since_start(&header.born, moment.at));
        let mut out = format!("#{} {} {}\n", moment.number, time.trim(), moment.input);
        let mut line = |what: &str, text: String| {
            let _ = writeln!(out, "    {what:<8}{text}");
        };
        for said in &moment.heard {
            line("heard", said.to_string());
        }
        for change in &moment.changes {
            line("table", change.to_string());
        }
        for sent in &moment.sent {
            let said: Vec<String> = sent.said.iter().map(ToString::to_string).collect();
            let to = match (&sent.node, sent.to) {
                (Some(node), Some(to)) => format!("{node} ({to})"),
                (None, Some(to)) => to.to_string(),
                _ => "a peer".into(),
            };
            let way = if sent.stream { " by stream" } else { "" };
            let said = if said.is_empty() { "opened".to_owned() } else { said.join(", ") };
            line("sent", format!("to {to}{way}: {said}"));
        }
        for report in &moment.reports {
            line("report", report.to_string());
        }
        match moment.verdict {
            Verdict::Same => {}
            Verdict::Differs => line("verdict", "the live node put out something else".into()),
            Verdict::Unverified => line("verdict", "cannot be verified without a key".into()),
            Verdict::Cut => line("verdict", "the live node ended within this input".into()),
        }
        out
    }
}
