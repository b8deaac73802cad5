//! The causes of what one node knows of another.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use memberlist_proto::{Instant, State};

use super::chronicle::Chronicle;
use super::moment::{Moment, Took};
use super::probes::{Answer, Probe, probes};
use super::said::Said;
use super::table::{Change, Row};

/// The chain of inputs that led one node to what it knows of another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The node whose knowledge is explained.
    pub observer: String,
    /// The node that the knowledge is about.
    pub subject: String,
    /// What the observer knew at the end, or last before it forgot the subject; `None` if it never
    /// knew the subject.
    pub row: Option<Row>,
    /// When it forgot the subject, if it did.
    pub forgotten: Option<Instant>,
    /// Since when the subject was in that state; `None` if since before the recording.
    pub since: Option<Instant>,
    /// Every accuser of the last suspicion, the first one first.
    pub accusers: Vec<String>,
    /// The probes of the subject that no ack answered in time, within the time that is explained.
    pub unanswered: Vec<Probe>,
    /// What happened, in order.
    pub lines: Vec<Line>,
    /// What would have led to other knowledge and did not arrive, in words.
    pub missing: Vec<String>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// When it happened, in the observer's time.
    pub at: Instant,
    /// What happened, in words.
    pub text: String,
    /// The message that the line is about, if any: it can be followed to another node.
    pub trace: Option<Trace>,
}

/// A message in a chronicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It was sent: the index of the moment, and the index in [`Moment::sent`].
    Sent(usize, usize),
    /// It was received in the moment of this index.
    Heard(usize),
}

/// The most messages that one line lists; half of it is how often the same message to one node has
/// a line.
const EACH: usize = 4;

impl Account {
    /// Explains what the node of a chronicle knows of another one.
    pub fn of(chronicle: &Chronicle, subject: &str) -> Self {
        let changes: Vec<(usize, &Change)> = chronicle
            .moments
            .iter()
            .enumerate()
            .flat_map(|(index, it)| it.changes.iter().map(move |change| (index, change)))
            .filter(|(_, change)| change.node == subject)
            .collect();
        let gone = changes.last().filter(|(_, change)| change.after.is_none());
        let row = chronicle.last.get(subject).cloned();
        let row = row.or_else(|| gone.and_then(|(_, change)| change.before.clone()));
        let last = changes
            .iter()
            .rev()
            .find(|(_, change)| change.after.is_some() && change.states().is_some());
        let mut account = Self {
            observer: chronicle.node.clone(),
            subject: subject.to_owned(),
            since: last.map(|(index, _)| chronicle.moments[*index].at),
            row,
            forgotten: gone.map(|(index, _)| chronicle.moments[*index].at),
            accusers: Vec::new(),
            unanswered: Vec::new(),
            lines: Vec::new(),
            missing: Vec::new(),
        };
        let probes = own_probes(chronicle, subject);
        let excerpt = Excerpt::new(chronicle, subject, &changes, &probes);
        for (_, change) in changes.iter().filter(|(index, _)| *index >= excerpt.begin) {
            for accuser in change.new_accusers() {
                if !account.accusers.iter().any(|it| it == accuser) {
                    account.accusers.push(accuser.to_owned());
                }
            }
        }
        account.lines.extend(excerpt.proof_of_life());
        account.probes(&excerpt, probes);
        account.lines.extend(excerpt.streams());
        account.lines.extend(excerpt.news());
        account.lines.extend(excerpt.said());
        account.lines.extend(
            changes
                .iter()
                .filter(|(index, _)| *index >= excerpt.begin)
                .map(|(index, change)| excerpt.change(*index, change, &account.unanswered)),
        );
        if let Some(last) = chronicle.moments.get(excerpt.end) {
            account.lines.retain(|line| line.at <= last.at);
        }
        account.lines.sort_by_key(|line| line.at);
        account.miss(&excerpt, &changes);
        account
    }

    /// Whether the observer ever knew the subject.
    pub fn is_known(&self) -> bool {
        self.row.is_some()
    }

    fn probes(&mut self, excerpt: &Excerpt<'_>, probes: Vec<Probe>) {
        let (chronicle, subject) = (excerpt.chronicle, excerpt.subject);
        let since = excerpt.proof.unwrap_or(excerpt.begin);
        let of_interest =
            probes.into_iter().filter(|probe| (since..=excerpt.end).contains(&probe.begun()));
        for probe in of_interest.filter(|probe| !probe.is_answered() || excerpt.is_trouble()) {
            let at = |index: usize| chronicle.moments[index].at;
            for (moment, sent) in &probe.pings {
                let way =
                    if chronicle.moments[*moment].sent[*sent].stream { "by stream" } else { "" };
                let text = format!("sent ping {} to {subject} {way}", probe.seq);
                let trace = Some(Trace::Sent(*moment, *sent));
                self.lines.push(Line { at: at(*moment), text: text.trim_end().to_owned(), trace });
            }
            for ask in &probe.asks {
                let text = format!("asked {} to ping {subject} ({})", ask.helper, probe.seq);
                let trace = Some(Trace::Sent(ask.sent.0, ask.sent.1));
                self.lines.push(Line { at: at(ask.sent.0), text, trace });
                let Some((answer, at, moment)) = ask.answer else { continue };
                let text = match answer {
                    Answer::Ack => {
                        format!("{} passed on an ack of {subject} ({})", ask.helper, probe.seq)
                    }
                    Answer::Nack => {
                        format!(
                            "{} answered by a nack: no ack of {subject} came there ({})",
                            ask.helper, probe.seq
                        )
                    }
                };
                self.lines.push(Line { at, text, trace: Some(Trace::Heard(moment)) });
            }
            if let Some((at, moment)) = probe.acked {
                let late = if at > probe.deadline { ", too late" } else { "" };
                let text = format!("{subject} acked ping {}{late}", probe.seq);
                self.lines.push(Line { at, text, trace: Some(Trace::Heard(moment)) });
            }
            if !probe.is_answered() {
                self.unanswered.push(probe);
            }
        }
    }

    /// Adds what did not arrive.
    fn miss(&mut self, excerpt: &Excerpt<'_>, changes: &[(usize, &Change)]) {
        let subject = excerpt.subject;
        for probe in &self.unanswered {
            let asked = probe.asks.len();
            let pings = probe.pings.len();
            self.missing.push(format!(
                "no ack in time for ping {}, which was sent {} and asked of {}",
                probe.seq,
                times(pings),
                count(asked, "helper"),
            ));
        }
        let suspected = changes
            .iter()
            .rev()
            .find(|(_, it)| it.states().is_some_and(|(_, after)| after == Some(State::Suspect)));
        let Some((begun, change)) = suspected.filter(|_| excerpt.is_trouble()) else { return };
        let incarnation = change.after.as_ref().map_or(0, |row| row.incarnation);
        let over = changes.iter().find(|(index, it)| {
            index > begun && it.states().is_some_and(|(before, _)| before == Some(State::Suspect))
        });
        let end = over.map_or(excerpt.end, |(index, _)| *index);
        let refuted = excerpt.chronicle.moments[*begun..=end].iter().any(|moment| {
            moment.heard.iter().any(|said| {
                matches!(said, Said::Alive { node, incarnation: its, .. }
                    if node == subject && *its > incarnation)
            })
        });
        if !refuted {
            self.missing.push(format!(
                "no refutation: no message that {subject} is alive with an incarnation above \
                 {incarnation} was received while it was suspected"
            ));
        }
    }
}

/// The probes of `subject` that the node made on its own behalf.
fn own_probes(chronicle: &Chronicle, subject: &str) -> Vec<Probe> {
    let all = probes(chronicle).into_iter();
    all.filter(|probe| probe.target == subject && probe.on_behalf_of.is_none()).collect()
}

/// The part of a chronicle that an account is about.
struct Excerpt<'a> {
    chronicle: &'a Chronicle,
    subject: &'a str,
    /// The moment in which the last trouble began or, without trouble, the last change of state
    /// was.
    begin: usize,
    /// The moment of the last change of state.
    end: usize,
    /// The last moment before the trouble that shows that the subject was alive.
    proof: Option<usize>,
    troubled: bool,
}

impl<'a> Excerpt<'a> {
    fn new(
        chronicle: &'a Chronicle,
        subject: &'a str,
        changes: &[(usize, &Change)],
        probes: &[Probe],
    ) -> Self {
        let ill = |(_, change): &&(usize, &Change)| {
            let lives = |state: Option<State>| state.is_none_or(|it| it == State::Alive);
            change.states().is_some_and(|(before, after)| lives(before) && !lives(after))
        };
        let trouble = changes.iter().rev().find(ill);
        let first = trouble.or_else(|| changes.iter().rev().find(|(_, it)| it.states().is_some()));
        let begin = first.map_or(chronicle.moments.len(), |(index, _)| *index);
        let last = changes.iter().rev().find(|(_, it)| it.states().is_some());
        let end = last.map_or(0, |(index, _)| *index).max(begin);
        let address = |row: Option<&Row>| row.and_then(|row| row.address);
        let known = address(chronicle.last.get(subject))
            .or_else(|| changes.iter().rev().find_map(|(_, it)| address(it.before.as_ref())));
        let proof = known.filter(|_| trouble.is_some()).and_then(|address: SocketAddr| {
            let before = &chronicle.moments[..begin.min(chronicle.moments.len())];
            before.iter().rposition(|it| it.from() == Some(address) && !it.heard.is_empty())
        });
        // An ack that a helper passed on shows the same.
        let acks = probes.iter().filter_map(Probe::answered_at).filter(|it| *it < begin);
        let proof = proof.max(acks.max().filter(|_| trouble.is_some()));
        let end = end.min(chronicle.moments.len().saturating_sub(1));
        Self { chronicle, subject, begin, end, proof, troubled: trouble.is_some() }
    }

    fn is_trouble(&self) -> bool {
        self.troubled
    }

    fn proof_of_life(&self) -> Option<Line> {
        let moment = &self.chronicle.moments[self.proof?];
        let said = list(&moment.heard);
        let from = self.chronicle.name_at(moment.from());
        let text = if from == self.subject {
            format!("received from {from} itself for the last time before: {said}")
        } else {
            format!(
                "an ack of {} for the last time before, passed on by {from}: {said}",
                self.subject
            )
        };
        Some(Line { at: moment.at, text, trace: self.proof.map(Trace::Heard) })
    }

    /// The moments that are explained, with their indices.
    fn moments(&self) -> impl Iterator<Item = (usize, &'a Moment)> {
        let begin = self.begin.min(self.chronicle.moments.len());
        let end = (self.end + 1).max(begin).min(self.chronicle.moments.len());
        (begin..end).map(|index| (index, &self.chronicle.moments[index]))
    }

    /// The streams opened to the subject, and the failures of those.
    fn streams(&self) -> Vec<Line> {
        let from = self.proof.unwrap_or(self.begin);
        let mut opened = Vec::new();
        let mut lines = Vec::new();
        let moments = self.chronicle.moments.iter().enumerate();
        for (index, moment) in moments.skip(from).take((self.end + 1).saturating_sub(from)) {
            for (place, sent) in moment.sent.iter().enumerate() {
                let to_subject = sent.node.as_deref() == Some(self.subject);
                if sent.stream && sent.bytes == 0 && to_subject {
                    opened.extend(sent.to);
                    let text = format!("opened a stream to {}", self.subject);
                    lines.push(Line {
                        at: moment.at,
                        text,
                        trace: Some(Trace::Sent(index, place)),
                    });
                }
            }
            if let Took::Stream { peer: Some(peer), what, .. } = &moment.input
                && opened.contains(peer)
                && what.starts_with("closed: ")
            {
                let text = format!("the stream to {} was {what}", self.subject);
                lines.push(Line { at: moment.at, text, trace: None });
            }
        }
        lines
    }

    /// The news of the subject that was received: the same news from the same peer once, with a
    /// count.
    fn news(&self) -> Vec<Line> {
        let mut counted: BTreeMap<(String, String), (Line, usize)> = BTreeMap::new();
        for (index, moment) in self.moments() {
            for said in moment.heard.iter().filter(|it| it.is_news_of(self.subject)) {
                let Some(text) = self.in_words(said) else { continue };
                let from = self.chronicle.name_at(moment.from());
                let trace = Some(Trace::Heard(index));
                let line =
                    Line { at: moment.at, text: format!("received from {from}: {text}"), trace };
                counted.entry((text, from)).or_insert((line, 0)).1 += 1;
            }
        }
        counted
            .into_values()
            .map(|(mut line, count)| {
                if count > 1 {
                    let _ = write!(line.text, " (and {} after that)", times(count - 1));
                }
                line
            })
            .collect()
    }

    fn in_words(&self, said: &Said) -> Option<String> {
        match said {
            Said::State { nodes, .. } => {
                let (_, state, incarnation) = nodes.iter().find(|(it, ..)| it == self.subject)?;
                let state = state.map_or("in an unknown state".into(), |it| it.to_string());
                let subject = self.subject;
                Some(format!("a full state, with {subject} {state} (incarnation {incarnation})"))
            }
            said => Some(said.to_string()),
        }
    }

    /// What the observer sent about the subject: to the subject itself or, if the observer is the
    /// subject, to any node.
    fn said(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        let own = self.chronicle.node == self.subject;
        for (index, moment) in self.moments() {
            for (place, sent) in moment.sent.iter().enumerate() {
                let to = self.chronicle.name_at(sent.to);
                for said in sent.said.iter().filter(|it| it.is_news_of(self.subject)) {
                    if matches!(said, Said::State { .. }) || !(own || to == self.subject) {
                        continue;
                    }
                    let text = said.to_string();
                    let times = seen.entry((text.clone(), to.clone())).or_default();
                    *times += 1;
                    if *times <= EACH / 2 {
                        let text = format!("sent to {to}: {text}");
                        let trace = Some(Trace::Sent(index, place));
                        lines.push(Line { at: moment.at, text, trace });
                    }
                }
            }
        }
        lines
    }

    /// The line of a change of what is known, with its cause.
    fn change(&self, index: usize, change: &Change, unanswered: &[Probe]) -> Line {
        let moment = &self.chronicle.moments[index];
        let cause = match &moment.input {
            Took::Timeout => {
                let own = change.new_accusers().any(|it| it == self.chronicle.node);
                let probe = unanswered.iter().rev().find(|it| it.begun() < index);
                match (&change.after, probe) {
                    (None, _) => "its record was removed by a timer".into(),
                    (Some(_), Some(probe)) if own => {
                        format!("the timer of probe {} ran out without an ack", probe.seq)
                    }
                    (Some(row), _) if row.state == State::Dead => {
                        "the timer of its suspicion ran out".into()
                    }
                    _ => "a timer ran out".into(),
                }
            }
            Took::Packet { .. } | Took::Stream { .. } => {
                let from = self.chronicle.name_at(moment.from());
                let news = moment.heard.iter().filter(|it| it.is_news_of(self.subject));
                let news: Vec<String> = news.filter_map(|it| self.in_words(it)).collect();
                if news.is_empty() {
                    format!("from {from}: {}", list(&moment.heard))
                } else {
                    format!("from {from}: {}", news.join(", "))
                }
            }
            Took::Operation { name } => format!("the application's operation: {name}"),
            Took::Answer { name } => (*name).to_owned(),
        };
        Line { at: moment.at, text: format!("{change} ← {cause}"), trace: None }
    }
}

fn list(said: &[Said]) -> String {
    let words: Vec<String> = said.iter().take(EACH).map(ToString::to_string).collect();
    let more = if said.len() > EACH { ", …" } else { "" };
    words.join(", ") + more
}

fn times(count: usize) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

fn count(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
