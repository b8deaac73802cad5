//! Pings and what came back.

use std::collections::BTreeMap;

use memberlist_proto::Instant;
use serde::Serialize;

use super::chronicle::Chronicle;
use super::moment::{Moment, Sent};
use super::said::Said;

/// A node was pinged under one number, perhaps several times, and through others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The number.
    pub seq: u32,
    /// The node.
    pub target: String,
    /// The node that asked for it, if it was pinged for another.
    pub on_behalf_of: Option<String>,
    /// Each ping sent to it directly: by packet or by stream, which is the moment and what was sent in
    /// it, by their indices.
    pub pings: Vec<(usize, usize)>,
    /// Each request to another node to ping it.
    pub asks: Vec<Ask>,
    /// Until when an answer counts: the probe interval after its beginning, times one more than the
    /// health score then.
    pub deadline: Instant,
    /// The first ack from it directly, perhaps too late: when, and the moment's index.
    pub acked: Option<(Instant, usize)>,
}

/// A request to a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// The helper's name, or its address.
    pub helper: String,
    /// The moment and what was sent in it.
    pub sent: (usize, usize),
    /// What came back: when, and the moment's index.
    pub answer: Option<(Answer, Instant, usize)>,
}

/// What a helper answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The node answered it.
    Ack,
    /// The node did not.
    Nack,
}

impl Probe {
    /// Whether any answer said in time that the node lives.
    pub fn is_answered(&self) -> bool {
        let by_helper =
            |ask: &Ask| matches!(ask.answer, Some((Answer::Ack, at, _)) if at <= self.deadline);
        self.acked.is_some_and(|(at, _)| at <= self.deadline) || self.asks.iter().any(by_helper)
    }

    /// The index of the moment in which the last ack came, directly or through a helper.
    pub(super) fn answered_at(&self) -> Option<usize> {
        let acks = self.asks.iter().filter_map(|ask| match ask.answer {
            Some((Answer::Ack, _, moment)) => Some(moment),
            _ => None,
        });
        acks.chain(self.acked.map(|(_, moment)| moment)).max()
    }

    /// The index of the moment of its first ping.
    pub fn begun(&self) -> usize {
        let pings = self.pings.iter().map(|(moment, _)| *moment);
        pings.chain(self.asks.iter().map(|ask| ask.sent.0)).min().unwrap_or_default()
    }
}

/// Every probe of a node, in the order in which they began.
pub fn probes(chronicle: &Chronicle) -> Vec<Probe> {
    let mut found = Found::default();
    for (index, moment) in chronicle.moments.iter().enumerate() {
        for said in &moment.heard {
            match said {
                Said::Ack { seq } => found.answer(chronicle, index, moment, *seq, Answer::Ack),
                Said::Nack { seq } => found.answer(chronicle, index, moment, *seq, Answer::Nack),
                _ => {}
            }
        }
        for (place, sent) in moment.sent.iter().enumerate() {
            for said in &sent.said {
                found.sent(chronicle, (index, place), moment, sent, said);
            }
        }
    }
    found.probes
}

#[derive(Default)]
struct Found {
    probes: Vec<Probe>,
    /// The latest probe of each number.
    latest: BTreeMap<u32, usize>,
}

impl Found {
    fn sent(
        &mut self,
        chronicle: &Chronicle,
        place: (usize, usize),
        moment: &Moment,
        sent: &Sent,
        said: &Said,
    ) {
        match said {
            Said::Ping { seq, node, .. } => {
                // A relayed ping goes out in the moment in which it was asked for.
                let asked = moment.heard.iter().find_map(|it| match it {
                    Said::IndirectPing { node: wanted, by, .. } if wanted == node => {
                        Some(if by.is_empty() {
                            chronicle.name_at(moment.from())
                        } else {
                            by.clone()
                        })
                    }
                    _ => None,
                });
                self.probe(chronicle, moment, *seq, node, asked).pings.push(place);
            }
            Said::IndirectPing { seq, node, .. } => {
                let helper = sent.node.clone().unwrap_or_else(|| chronicle.name_at(sent.to));
                let ask = Ask { helper, sent: place, answer: None };
                self.probe(chronicle, moment, *seq, node, None).asks.push(ask);
            }
            _ => {}
        }
    }

    /// The probe of that number and node, or a new one.
    fn probe(
        &mut self,
        chronicle: &Chronicle,
        moment: &Moment,
        seq: u32,
        target: &str,
        on_behalf_of: Option<String>,
    ) -> &mut Probe {
        let known = self.latest.get(&seq).filter(|it| self.probes[**it].target == target);
        let index = known.copied().unwrap_or(self.probes.len());
        if index == self.probes.len() {
            self.latest.insert(seq, index);
            self.probes.push(Probe {
                seq,
                target: target.to_owned(),
                on_behalf_of,
                pings: Vec::new(),
                asks: Vec::new(),
                deadline: moment.at + chronicle.config.probe_interval * (moment.health + 1),
                acked: None,
            });
        }
        &mut self.probes[index]
    }

    fn answer(
        &mut self,
        chronicle: &Chronicle,
        index: usize,
        moment: &Moment,
        seq: u32,
        answer: Answer,
    ) {
        let Some(probe) = self.latest.get(&seq).map(|it| &mut self.probes[*it]) else { return };
        let from = chronicle.name_at(moment.from());
        let helper = probe.asks.iter_mut().find(|ask| ask.helper == from && ask.answer.is_none());
        match helper {
            Some(ask) => ask.answer = Some((answer, moment.at, index)),
            None if answer == Answer::Ack => {
                probe.acked.get_or_insert((moment.at, index));
            }
            None => {}
        }
    }
}
