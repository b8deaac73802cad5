//! The causes over several nodes: the accounts of all, with what became of each message on its way.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use memberlist_proto::Instant;
use serde::Serialize;

use super::align::{Alignment, Delivery, Place};
use super::chronicle::Chronicle;
use super::probes::Probe;
use super::said::Said;
use super::why::{Account, Trace};

/// Why several nodes know what they know of one node, with what became of each message on its way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Why {
    /// The account of each chronicle, in the order of the chronicles.
    pub accounts: Vec<Account>,
    /// The lines of all accounts, in order of time on the common axis.
    pub lines: Vec<Located>,
    /// Every message in these lines that did not arrive.
    pub lost: Vec<Lost>,
}

/// A line of an account on the common axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Located {
    /// When it happened, in nanoseconds on the common axis.
    pub at: i64,
    /// The observer.
    pub node: String,
    /// What happened, and what became of the message, in words.
    pub text: String,
}

/// A message that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lost {
    /// When it was sent, in nanoseconds on the common axis.
    pub at: i64,
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// The message, in words.
    pub message: String,
}

impl Why {
    /// Explains what the nodes of some chronicles, each of another node, know of `subject`: at the
    /// end, or at `until` on the common axis. `clock` writes a time on that axis as text.
    pub fn of(
        chronicles: &[Chronicle],
        alignment: &Alignment,
        subject: &str,
        until: Option<i64>,
        clock: &dyn Fn(i64) -> String,
    ) -> Self {
        let account = |(node, chronicle): (usize, &Chronicle)| match until {
            None => Account::of(chronicle, subject),
            Some(at) => Account::of(&chronicle.until(alignment.instant(node, at)), subject),
        };
        let accounts: Vec<Account> = chronicles.iter().enumerate().map(account).collect();
        let mut way = Way { chronicles, alignment, subject, clock, lost: Vec::new() };
        let mut lines = Vec::new();
        for (node, account) in accounts.iter().enumerate() {
            for line in &account.lines {
                let text = match line.trace {
                    Some(trace) => line.text.clone() + &way.follow(node, account, trace),
                    None => line.text.clone(),
                };
                let at = alignment.time(node, line.at);
                lines.push(Located { at, node: account.observer.clone(), text });
            }
        }
        lines.extend(stood_still(chronicles, alignment, &lines, clock));
        lines.sort_by_key(|line| line.at);
        let lines = folded(lines, clock);
        let mut lost = way.lost;
        lost.sort_by_key(|it| it.at);
        lost.dedup();
        Self { accounts, lines, lost }
    }
}

/// A line for each node that stood still for a while, within the time of these lines.
fn stood_still(
    chronicles: &[Chronicle],
    alignment: &Alignment,
    lines: &[Located],
    clock: &dyn Fn(i64) -> String,
) -> Vec<Located> {
    let (Some(first), Some(last)) =
        (lines.iter().map(|line| line.at).min(), lines.iter().map(|line| line.at).max())
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (node, chronicle) in chronicles.iter().enumerate() {
        for (from, to) in &chronicle.gaps {
            let (at, end) = (alignment.time(node, *from), alignment.time(node, *to));
            if at <= last && end >= first {
                let text = format!(
                    "stood still until {}: not even a timer was handed in meanwhile",
                    clock(end)
                );
                found.push(Located { at, node: chronicle.node.clone(), text });
            }
        }
    }
    found
}

/// Folds lines of one node with the same text, such as repeated pings that were all lost, into one.
fn folded(lines: Vec<Located>, clock: &dyn Fn(i64) -> String) -> Vec<Located> {
    let mut kept: Vec<(Located, usize, i64)> = Vec::new();
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    for line in lines {
        match known.entry((line.node.clone(), line.text.clone())) {
            Entry::Occupied(index) => {
                let (_, more, last) = &mut kept[*index.get()];
                (*more, *last) = (*more + 1, line.at);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(kept.len());
                kept.push((line.clone(), 0, line.at));
            }
        }
    }
    let fold = |(mut line, more, last): (Located, usize, i64)| {
        let last = clock(last);
        let _ = match more {
            0 => Ok(()),
            1 => write!(line.text, " (and once more at {last})"),
            _ => write!(line.text, " (and {more} more times, the last at {last})"),
        };
        line
    };
    kept.into_iter().map(fold).collect()
}

fn sent_at(chronicles: &[Chronicle], place: Place) -> Instant {
    chronicles[place.node].moments[place.moment].at
}

struct Way<'a> {
    chronicles: &'a [Chronicle],
    alignment: &'a Alignment,
    subject: &'a str,
    clock: &'a dyn Fn(i64) -> String,
    lost: Vec<Lost>,
}

impl Way<'_> {
    fn time(&self, node: usize, at: Instant) -> String {
        (self.clock)(self.alignment.time(node, at))
    }

    fn at(&self, place: Place) -> String {
        self.time(place.node, sent_at(self.chronicles, place))
    }

    /// What became of a message, or where it came from; empty if that is not known.
    fn follow(&mut self, node: usize, account: &Account, trace: Trace) -> String {
        match trace {
            Trace::Heard(moment) => match self.alignment.origin(node, moment) {
                Some(place) => format!("; sent at {}", self.at(place)),
                None => String::new(),
            },
            Trace::Sent(moment, sent) => {
                let place = Place { node, moment, sent };
                let said = &self.chronicles[node].moments[moment].sent[sent].said;
                let probe = said.iter().find_map(|it| match it {
                    Said::Ping { seq, node, .. } if node == self.subject => Some((*seq, false)),
                    Said::IndirectPing { seq, node, .. } if node == self.subject => {
                        Some((*seq, true))
                    }
                    _ => None,
                });
                let news = said.iter().find(|it| it.is_news_of(self.subject));
                match (probe, news) {
                    (Some((seq, false)), _) => self.ping(place, seq),
                    (Some((seq, true)), _) => self.ask(place, seq, account),
                    (None, Some(news)) => self.one(place, &news.to_string()),
                    (None, None) => String::new(),
                }
            }
        }
    }

    /// What became of one message, without an answer to it.
    fn one(&mut self, place: Place, message: &str) -> String {
        match self.alignment.delivery(place) {
            Delivery::Received { node, moment } => {
                let at = self.time(node, self.chronicles[node].moments[moment].at);
                format!("; {} received it at {at}", self.chronicles[node].node)
            }
            Delivery::Lost { node } => {
                self.lose(place, node, message);
                format!("; {} never received it", self.chronicles[node].node)
            }
            Delivery::Outside { node } => {
                let it = &self.chronicles[node];
                let begun = self.time(node, it.begun);
                if self.alignment.time(node, it.begun)
                    > self.alignment.time(place.node, sent_at(self.chronicles, place))
                {
                    format!("; the recording of {} begins only at {begun}", it.node)
                } else {
                    format!(
                        "; the recording of {} had ended at {}",
                        it.node,
                        self.time(node, it.ended)
                    )
                }
            }
            Delivery::Unrecorded => String::new(),
        }
    }

    fn lose(&mut self, place: Place, to: usize, message: &str) {
        let from = &self.chronicles[place.node];
        self.lost.push(Lost {
            at: self.alignment.time(place.node, from.moments[place.moment].at),
            from: from.node.clone(),
            to: self.chronicles[to].node.clone(),
            message: message.to_owned(),
        });
    }

    /// What became of a ping, and of the ack to it.
    fn ping(&mut self, place: Place, seq: u32) -> String {
        let first = self.one(place, &format!("ping {seq} for {}", self.subject));
        let Delivery::Received { node, moment } = self.alignment.delivery(place) else {
            return first;
        };
        let ack = Said::Ack { seq };
        let name = self.chronicles[node].node.clone();
        let Some(ack) = self.answer_in(node, moment, &ack) else {
            return format!("{first} and sent no ack");
        };
        first + &self.sent_back(ack, &format!("ack {seq}"), &name, "its ack")
    }

    /// What became of an answer of the node `name`. `message` says what it is in [`Lost`], and
    /// `called` what it is called in the text.
    fn sent_back(&mut self, answer: Place, message: &str, name: &str, called: &str) -> String {
        let sent = self.at(answer);
        match self.alignment.delivery(answer) {
            Delivery::Received { node, moment } => {
                let at = self.time(node, self.chronicles[node].moments[moment].at);
                let receiver = &self.chronicles[node].node;
                format!("; {name} sent {called} at {sent}, {receiver} received it at {at}")
            }
            Delivery::Lost { node } => {
                self.lose(answer, node, message);
                let receiver = &self.chronicles[node].node;
                format!("; {name} sent {called} at {sent}, {receiver} never received it")
            }
            Delivery::Outside { .. } | Delivery::Unrecorded => {
                format!("; {name} sent {called} at {sent}")
            }
        }
    }

    /// Where an answer was sent in a moment of a node; `None` if it was not.
    fn answer_in(&self, node: usize, moment: usize, answer: &Said) -> Option<Place> {
        let all = &self.chronicles[node].moments[moment].sent;
        let sent = all.iter().position(|sent| sent.said.contains(answer))?;
        Some(Place { node, moment, sent })
    }

    /// What became of a request to a helper, of the helper's own ping, and of its answer.
    fn ask(&mut self, place: Place, seq: u32, account: &Account) -> String {
        let first = self.one(place, &format!("request {seq} to ping {}", self.subject));
        let Delivery::Received { node, moment } = self.alignment.delivery(place) else {
            return first;
        };
        let helper = self.chronicles[node].node.clone();
        let mut text = first;
        let own =
            self.chronicles[node].moments[moment].sent.iter().enumerate().find_map(|(sent, it)| {
                it.said.iter().find_map(|said| match said {
                    Said::Ping { seq, node, .. } if node == self.subject => Some((sent, *seq)),
                    _ => None,
                })
            });
        if let Some((sent, own)) = own {
            let _ = write!(text, "; {helper} sent ping {own}");
            text += &self.ping(Place { node, moment, sent }, own);
        }
        // The answer comes later: an ack when the subject's comes, or a nack by a timer.
        let requester = self.chronicles[place.node].address;
        let later = self.chronicles[node].moments.iter().enumerate().skip(moment);
        let answer = later.take(LATER).find_map(|(moment, it)| {
            let to_requester = |sent: &super::Sent| sent.to == Some(requester);
            it.sent.iter().enumerate().filter(|(_, sent)| to_requester(sent)).find_map(
                |(sent, it)| {
                    let kind = it.said.iter().find_map(|said| match said {
                        Said::Ack { seq: its } if *its == seq => Some("ack"),
                        Said::Nack { seq: its } if *its == seq => Some("nack"),
                        _ => None,
                    })?;
                    Some((Place { node, moment, sent }, kind))
                },
            )
        });
        let answered = |probe: &Probe| {
            let mut asks = probe.asks.iter();
            probe.seq == seq && asks.any(|it| it.helper == helper && it.answer.is_some())
        };
        match answer {
            // Its arrival has a line of its own.
            Some(_) if account.unanswered.iter().any(answered) => text,
            Some((answer, kind)) => {
                text + &self.sent_back(
                    answer,
                    &format!("{kind} {seq}"),
                    &helper,
                    &format!("its {kind}"),
                )
            }
            None => format!("{text}; {helper} sent no answer"),
        }
    }
}

/// The number of moments after a request in which its answer is looked for.
const LATER: usize = 10_000;
