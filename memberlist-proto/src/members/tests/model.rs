//! The table against a map.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

#[derive(Clone, Debug)]
enum Step {
    Insert { name: u8, port: u16, incarnation: u32, state: State },
    SetState { name: u8, incarnation: u32, state: State },
    Replace { name: u8, port: u16 },
    Suspicion { name: u8, slot: Option<u32> },
    Reap { below: u32 },
    Probe,
}

fn state() -> impl Strategy<Value = State> {
    (0_u8..4).prop_map(|number| State::from_u8(number).unwrap_or(State::Alive))
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0_u8..40;
    prop_oneof![
        6 => (name.clone(), any::<u16>(), 0_u32..9, state()).prop_map(
            |(name, port, incarnation, state)| Step::Insert { name, port, incarnation, state }
        ),
        3 => (name.clone(), 0_u32..9, state())
            .prop_map(|(name, incarnation, state)| Step::SetState { name, incarnation, state }),
        1 => (name.clone(), any::<u16>()).prop_map(|(name, port)| Step::Replace { name, port }),
        1 => (name, proptest::option::of(0_u32..9))
            .prop_map(|(name, slot)| Step::Suspicion { name, slot }),
        1 => (0_u32..9).prop_map(|below| Step::Reap { below }),
        4 => Just(Step::Probe),
    ]
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    port: u16,
    incarnation: u32,
    state: State,
    since: u64,
    suspicion: Option<u32>,
}

type Map = BTreeMap<u8, Known>;

fn apply(
    now: u64,
    step: &Step,
    members: &mut Members,
    model: &mut Map,
    rng: &mut Rng,
) -> Result<(), TestCaseError> {
    let at = Instant::from_nanos(now);
    match *step {
        Step::Insert { name, port, incarnation, state } => {
            let id = members.insert(identity(&[name], port), incarnation, state, at, rng);
            prop_assert_eq!(members.get(&[name]), Some(id));
            let suspicion = model.get(&name).and_then(|known| known.suspicion);
            model.insert(name, Known { port, incarnation, state, since: now, suspicion });
        }
        Step::SetState { name, incarnation, state } => {
            if let (Some(id), Some(known)) = (members.get(&[name]), model.get_mut(&name)) {
                members.set_state(id, state, incarnation, at);
                *known = Known { incarnation, state, since: now, ..known.clone() };
            }
        }
        Step::Replace { name, port } => {
            if let (Some(id), Some(known)) = (members.get(&[name]), model.get_mut(&name)) {
                let previous = members.replace_identity(id, identity(&[name], port));
                prop_assert_eq!(previous, Some(identity(&[name], known.port)));
                known.port = port;
            }
        }
        Step::Suspicion { name, slot } => {
            if let (Some(id), Some(known)) = (members.get(&[name]), model.get_mut(&name)) {
                members.set_suspicion(id, slot);
                known.suspicion = slot;
            }
        }
        Step::Reap { below } => reap(below, members, model)?,
        Step::Probe => probe_live(members, model, rng)?,
    }
    Ok(())
}

fn reap(below: u32, members: &mut Members, model: &mut Map) -> Result<(), TestCaseError> {
    let reaped = members.reap(usize::MAX, |record| record.incarnation() < below);
    let mut names: Vec<u8> = reaped.iter().map(|(_, node)| node.name().as_bytes()[0]).collect();
    names.sort_unstable();
    let mut gone = Vec::new();
    model.retain(|name, known| {
        let keep = known.state.is_live() || known.incarnation >= below;
        if !keep {
            gone.push(*name);
        }
        keep
    });
    prop_assert_eq!(names, gone);
    Ok(())
}

fn probe_live(members: &mut Members, model: &Map, rng: &mut Rng) -> Result<(), TestCaseError> {
    let mut tick = ProbeTick::new(false);
    let skip = |_, record: &Record| !record.state().is_live();
    let mut found = members.next_probe(&mut tick, rng, skip);
    if found == ProbeStep::Wrapped {
        found = members.next_probe(&mut tick, rng, skip);
    }
    let live = model.values().any(|known| known.state.is_live());
    prop_assert_eq!(matches!(found, ProbeStep::Member(_)), live);
    Ok(())
}

proptest! {
    #[test]
    fn behaves_like_a_map(steps in proptest::collection::vec(step(), 0..200)) {
        let rng = &mut Rng::from_seed(SEED);
        let mut members = Members::new([3; 16]);
        let mut model = Map::new();
        for (now, step) in (0..).zip(steps) {
            apply(now, &step, &mut members, &mut model, rng)?;
            prop_assert_eq!(members.check(), Ok(()));
            let found: Map = members.iter().map(|(_, record)| {
                let known = Known {
                    port: record.identity().port(),
                    incarnation: record.incarnation(),
                    state: record.state(),
                    since: record.since().as_nanos(),
                    suspicion: record.suspicion(),
                };
                (record.name().as_bytes()[0], known)
            }).collect();
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(members.len(), model.len());
        }
    }
}
