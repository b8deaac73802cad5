//! What a script waits for or insists on.

use std::collections::BTreeMap;

use memberlist_proto::{Event, State};

use super::{Problem, tell, values};
use crate::seat::NodeId;
use crate::sim::Sim;

/// Something that holds or does not.
pub(super) enum Condition {
    Agree,
    Idle,
    Of { who: Who, what: What },
}

pub(super) enum Who {
    One(NodeId),
    Everybody { but: Option<NodeId> },
    Somebody,
    Nobody,
}

pub(super) enum What {
    Sees { node: NodeId, state: Option<State> },
    Heard(String),
    Told { kind: String, of: Option<NodeId> },
    Counts(usize),
}

const USAGE: Problem = Problem::Usage(
    "agree | idle | WHO sees NAME STATE | WHO heard TEXT | WHO told KIND [of NAME] | WHO counts N",
);

const KINDS: [&str; 8] =
    ["joined", "updated", "departed", "suspected", "refuted", "conflict", "refused", "failed"];

impl Condition {
    pub(super) fn parse(words: &[&str], nodes: &BTreeMap<String, NodeId>) -> Result<Self, Problem> {
        let find =
            |name: &str| nodes.get(name).copied().ok_or_else(|| Problem::Node(name.to_owned()));
        let (who, words) = match words {
            ["agree"] => return Ok(Self::Agree),
            ["idle"] => return Ok(Self::Idle),
            ["everybody", "but", name, rest @ ..] => {
                (Who::Everybody { but: Some(find(name)?) }, rest)
            }
            ["everybody", rest @ ..] => (Who::Everybody { but: None }, rest),
            ["somebody", rest @ ..] => (Who::Somebody, rest),
            ["nobody", rest @ ..] => (Who::Nobody, rest),
            [name, rest @ ..] => (Who::One(find(name)?), rest),
            [] => return Err(USAGE),
        };
        let what = match words {
            ["sees", name, state] => What::Sees { node: find(name)?, state: state_of(state)? },
            ["heard", text @ ..] if !text.is_empty() => What::Heard(text.join(" ")),
            ["told", kind, rest @ ..] => {
                if !KINDS.contains(kind) {
                    return Err(values::value("a kind of event", kind));
                }
                let of = match rest {
                    [] => None,
                    ["of", name] => Some(find(name)?),
                    _ => return Err(USAGE),
                };
                What::Told { kind: (*kind).to_owned(), of }
            }
            ["counts", number] => What::Counts(values::number("a number of members", number)?),
            _ => return Err(USAGE),
        };
        Ok(Self::Of { who, what })
    }

    pub(super) fn holds(&self, sim: &Sim) -> bool {
        let (who, what) = match self {
            Self::Agree => return sim.agreement().is_ok(),
            Self::Idle => return sim.is_idle(),
            Self::Of { who, what } => (who, what),
        };
        // Whoever a condition is about is not asked what it thinks of itself.
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
            Who::Nobody => !all.any(|id| what.holds(sim, id)),
        }
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
            Self::Told { kind, of } => sim.events(id).iter().any(|(_, event)| {
                tell::kind(event).is_some_and(|(it, about)| {
                    it == kind && of.is_none_or(|of| *sim.name(of) == about)
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
        .find(|state| tell::state(*state) == text)
        .ok_or_else(|| values::value("a state", text))
}
