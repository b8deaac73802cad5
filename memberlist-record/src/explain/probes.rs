//! The probes of a node: pings, requests to helpers, and their answers.

use std::collections::BTreeMap;

use memberlist_proto::Instant;
use serde::Serialize;

use super::chronicle::Chronicle;
use super::moment::{Moment, Sent};
use super::said::Said;

/// The pings of a node with one sequence number, perhaps several, and the requests to helpers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The sequence number.
    pub seq: u32,
    /// The name of the node.
    pub target: String,
    /// The node that asked for the ping, if it was an indirect ping for another node.
    pub on_behalf_of: Option<String>,
    /// Each ping sent to it directly, by packet or by stream: the index of the moment, and the
    /// index in [`Moment::sent`].
    pub pings: Vec<(usize, usize)>,
    /// Each request to a helper to ping it.
    pub asks: Vec<Ask>,
    /// Until when an answer counts: the probe interval, times one more than the health score at the
    /// beginning, after the beginning.
    pub deadline: Instant,
    /// The first direct ack, perhaps too late: when it arrived, and the index of the moment.
    pub acked: Option<(Instant, usize)>,
}

/// A request to a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// The helper's name, or its address.
    pub helper: String,
    /// The index of the moment, and the index in [`Moment::sent`].
    pub sent: (usize, usize),
    /// The answer, when it arrived, and the index of the moment; `None` if there was none.
    pub answer: Option<(Answer, Instant, usize)>,
}

/// The answer of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The node answered the helper's ping.
    Ack,
    /// The node did not answer the helper's ping in time.
    Nack,
}

impl Probe {
    /// Whether an ack, direct or through a helper, arrived before the deadline.
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

    /// The index of the moment of its first ping or request.
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
    /// The index of the latest probe of each sequence number.
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

    /// The probe of that sequence number and node; a new one if there is none.
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
