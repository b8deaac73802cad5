//! The conditions that a script waits for or expects.

use std::collections::BTreeMap;

use memberlist_proto::{Event, State};

use super::kinds::{self, KINDS};
use super::{Problem, values};
use crate::seat::NodeId;
use crate::sim::Sim;

/// A condition about the cluster.
pub(super) enum Condition {
    /// All running nodes agree, or these.
    Agree {
        among: Option<Vec<NodeId>>,
    },
    Idle,
    Of {
        who: Who,
        what: What,
    },
}

pub(super) enum Who {
    One(NodeId),
    Everybody { but: Option<NodeId> },
    Somebody,
    Nobody { but: Option<NodeId> },
}

pub(super) enum What {
    Sees { node: NodeId, state: Option<State> },
    Heard(String),
    Reported { kind: String, of: Option<NodeId> },
    Counts(usize),
}

const USAGE: Problem = Problem::Usage(
    "agree [among NAMES] | idle | WHO sees NAME STATE | WHO heard TEXT | WHO reported KIND [of NAME] | WHO counts N",
);

impl Condition {
    pub(super) fn parse(words: &[&str], nodes: &BTreeMap<String, NodeId>) -> Result<Self, Problem> {
        let find =
            |name: &str| nodes.get(name).copied().ok_or_else(|| Problem::Node(name.to_owned()));
        let (who, words) = match words {
            ["agree"] => return Ok(Self::Agree { among: None }),
            ["agree", "among", names @ ..] if !names.is_empty() => {
                let names = values::names(names)?;
                let among = names.iter().map(|name| find(name)).collect::<Result<_, _>>()?;
                return Ok(Self::Agree { among: Some(among) });
            }
            ["idle"] => return Ok(Self::Idle),
            ["everybody", "but", name, rest @ ..] => {
                (Who::Everybody { but: Some(find(name)?) }, rest)
            }
            ["everybody", rest @ ..] => (Who::Everybody { but: None }, rest),
            ["somebody", rest @ ..] => (Who::Somebody, rest),
            ["nobody", "but", name, rest @ ..] => (Who::Nobody { but: Some(find(name)?) }, rest),
            ["nobody", rest @ ..] => (Who::Nobody { but: None }, rest),
            [name, rest @ ..] => (Who::One(find(name)?), rest),
            [] => return Err(USAGE),
        };
        let what = match words {
            ["sees", name, state] => What::Sees { node: find(name)?, state: state_of(state)? },
            ["heard", text @ ..] if !text.is_empty() => What::Heard(text.join(" ")),
            ["reported", kind, rest @ ..] => {
                if !KINDS.contains(kind) {
                    return Err(values::value("a kind of event", kind));
                }
                let of = match rest {
                    [] => None,
                    ["of", name] => Some(find(name)?),
                    _ => return Err(USAGE),
                };
                What::Reported { kind: (*kind).to_owned(), of }
            }
            ["counts", number] => What::Counts(values::number("a number of members", number)?),
            _ => return Err(USAGE),
        };
        Ok(Self::Of { who, what })
    }

    /// Why the condition does not hold, if more is known than that it does not.
    pub(super) fn why(&self, sim: &Sim) -> Option<String> {
        match self {
            Self::Agree { among } => agreement(sim, among.as_deref()).err(),
            _ => None,
        }
    }

    pub(super) fn holds(&self, sim: &Sim) -> bool {
        let (who, what) = match self {
            Self::Agree { among } => return agreement(sim, among.as_deref()).is_ok(),
            Self::Idle => return sim.is_idle(),
            Self::Of { who, what } => (who, what),
        };
        // The node that a condition is about is left out when it is asked of several nodes.
        let subject = match what {
            What::Sees { node, .. } => Some(*node),
            _ => None,
        };
        let mut all = sim
            .node_ids()
            .filter(|id| sim.runs(*id) && !sim.node(*id).has_left() && Some(*id) != subject);
        match who {
            Who::One(id) => sim.runs(*id) && what.holds(sim, *id),
            Who::Everybody { but } => all.all(|id| Some(id) == *but || what.holds(sim, id)),
            Who::Somebody => all.any(|id| what.holds(sim, id)),
            Who::Nobody { but } => !all.any(|id| Some(id) != *but && what.holds(sim, id)),
        }
    }
}

fn agreement(sim: &Sim, among: Option<&[NodeId]>) -> Result<(), String> {
    match among {
        Some(ids) => sim.agreement_among(ids.iter().copied()),
        None => sim.agreement(),
    }
}

impl What {
    fn holds(&self, sim: &Sim, id: NodeId) -> bool {
        match self {
            Self::Sees { node, state } => {
                let seen = sim.node(id).member(sim.name(*node));
                seen.map(|it| it.state()) == *state
            }
            Self::Heard(text) => sim.events(id).iter().any(|(_, event)| {
                matches!(event, Event::Message { payload, .. } if payload == text.as_bytes())
            }),
            Self::Reported { kind, of } => sim.events(id).iter().any(|(_, event)| {
                kinds::kinds(event).is_some_and(|(kinds, about)| {
                    kinds.contains(&kind.as_str()) && of.is_none_or(|of| *sim.name(of) == about)
                })
            }),
            Self::Counts(number) => sim.node(id).num_members() == *number,
        }
    }
}

fn state_of(text: &str) -> Result<Option<State>, Problem> {
    (0..4)
        .filter_map(State::from_u8)
        .map(Some)
        .chain([None])
        .find(|state| kinds::state(*state) == text)
        .ok_or_else(|| values::value("a state", text))
}
