//! The whole state of a node as bytes, from which another node continues exactly like this one.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::own_state::Kept;
use super::{Me, Memberlist, Periodic, Timer, keys, reports};
use crate::awareness::Awareness;
use crate::builds::Builds;
use crate::config::{Config, ConfigError};
use crate::decider::{Decider, Decision};
use crate::digest;
use crate::dissemination::Disseminations;
use crate::event::Departure;
use crate::exchange::Exchanges;
use crate::farewells::Farewells;
use crate::flaps::Flaps;
use crate::follow::Follows;
use crate::hearing::Hearing;
use crate::hooks::Hooks;
use crate::input::Input;
use crate::job::{For, Jobs};
use crate::letters::Letters;
use crate::members::{MemberId, Members};
use crate::notices::Notices;
use crate::operations::Operations;
use crate::outbox::Outbox;
use crate::peer_states::PeerStates;
use crate::probes::Probes;
use crate::queues::Queues;
use crate::rng::Randomness;
use crate::security::{Key, KeyId};
use crate::shares::Rates;
use crate::spare::Spare;
use crate::stats::{Counters, Decisions};
use crate::suspects::Suspects;
use crate::time::Instant;
use crate::timers::Timers;
use crate::wanted::Wanted;

/// A hash of the sources that this core was built from. Only a core of the same sources is certain
/// to read a checkpoint, and to continue from it byte for byte.
pub const CORE_HASH: u64 = parse(env!("MEMBERLIST_CORE_HASH"));

const MAGIC: [u8; 4] = *b"mlck";
/// The version of the frame around the state. The form of the state itself follows from the
/// sources.
const VERSION: u16 = 1;
const HEADER: usize = 14;

/// What a checkpoint does not contain, and is needed to restore it.
#[derive(Clone, Default)]
pub struct Restoring {
    /// The keys that the node had then, and perhaps others, in any order.
    pub keys: Vec<Key>,
    /// Replace missing keys by made-up ones: the node then reads nothing that is encrypted with the
    /// missing ones, and what it sends is as long as before, but no peer reads it.
    pub stand_ins: bool,
    /// The delegate. Without one, a node that had one gets the default answers.
    pub delegate: Option<Arc<dyn Hooks>>,
    /// Also read a checkpoint of a core of other sources, as far as that is possible.
    pub any_core: bool,
}

impl core::fmt::Debug for Restoring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Restoring").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

/// Why a checkpoint cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The bytes do not begin as a checkpoint does.
    #[error("this is not a checkpoint")]
    Foreign,
    /// A version of the format that this core does not read.
    #[error("a checkpoint of version {0}, and only {VERSION} is known")]
    Version(u16),
    /// It was made by a core of other sources, with this hash.
    #[error("the checkpoint was made by another core ({0:016x}, and this one is {CORE_HASH:016x})")]
    OtherCore(u64),
    /// The bytes end too early, or hold what no state does.
    #[error("the checkpoint is damaged")]
    Malformed,
    /// The parts of the state do not fit together.
    #[error("the checkpoint is damaged: {0}")]
    Inconsistent(String),
    /// The configuration in it is not valid.
    #[error("the configuration of the checkpoint is not valid: {0}")]
    Config(#[from] ConfigError),
    /// The node had keys that were not given.
    #[error("keys of the checkpoint were not given: {}", List(.0))]
    MissingKeys(Vec<KeyId>),
}

/// A recorder: it sees every input of a node, and what follows from it.
pub trait Tap: Send {
    /// An input is about to be handled. What the delegate decides in the middle of it is not
    /// reported here: see [`Memberlist::note_decisions`].
    fn begin(&mut self, now: Instant, input: &Input<'_>);

    /// The input that began last has been handled. The tap may fetch digests and decisions, and
    /// must not change the node otherwise.
    fn end(&mut self, now: Instant, node: &mut Memberlist);
}

/// The state, borrowed to be written and owned when it was read.
macro_rules! state {
    ($($field:ident: $type:ty,)*) => {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            $($field: &'a $type,)*
            keys: Vec<KeyId>,
            kept_state: Option<Kept>,
            has_delegate: bool,
            given: &'a VecDeque<Decision>,
        }

        #[derive(Deserialize)]
        struct Owned {
            $($field: $type,)*
            keys: Vec<KeyId>,
            /// Set if its full state was kept as a message, which is made again.
            kept_state: Option<Kept>,
            has_delegate: bool,
            given: VecDeque<Decision>,
        }

        impl Memberlist {
            fn borrowed(&self) -> Borrowed<'_> {
                let (has_delegate, given) = self.decider.parts();
                let keys = self.keyring.keys().iter().map(Key::id).collect();
                let kept_state = self.kept_state();
                Borrowed { $($field: &self.$field,)* keys, kept_state, has_delegate, given }
            }
        }

        impl Owned {
            fn into_node(mut self, with: &Restoring) -> Result<Memberlist, CheckpointError> {
                self.config.secret_keys = ring(&self.keys, with)?;
                self.config.validate()?;
                let delegate = self.has_delegate.then(|| {
                    with.delegate.clone().unwrap_or_else(|| Arc::new(ByDefault))
                });
                let mut node = Memberlist {
                    accept_labels: self.config.accept_labels.as_slice().into(),
                    decider: Decider::of(delegate, self.given),
                    keyring: Arc::new(keys::ring_of(&self.config)),
                    out: Outbox::default(),
                    follows: Follows::default(),
                    own_state: None,
                    opening: Spare::default(),
                    layers: Spare::default(),
                    sealing: Spare::default(),
                    tap: None,
                    $($field: self.$field,)*
                };
                node.check_restored().map_err(CheckpointError::Inconsistent)?;
                if let Some(kept) = self.kept_state {
                    node.keep_state(kept).map_err(|what| CheckpointError::Inconsistent(what.into()))?;
                }
                Ok(node)
            }
        }
    };
}

state! {
    config: Config,
    now: Instant,
    me: Me,
    members: Members,
    suspects: Suspects,
    awareness: Awareness,
    timers: Timers<Timer>,
    rng: Randomness,
    queues: Queues,
    probes: Probes,
    notices: Notices,
    leave_notices: Notices,
    answer_notices: Notices,
    farewells: Farewells,
    hearing: Hearing,
    exchanges: Exchanges,
    operations: Operations,
    disseminations: Disseminations,
    counters: Counters,
    decisions: Decisions,
    rates: Rates,
    periodic: Periodic,
    wanted: Wanted,
    departures: BTreeMap<MemberId, Departure>,
    flaps: Flaps,
    refusals: VecDeque<reports::Refused>,
    jobs: Jobs,
    builds: Builds,
    letters: Letters,
    peer_states: PeerStates,
}

/// A delegate with the default answers, as if there were none.
struct ByDefault;

impl Hooks for ByDefault {}

impl Memberlist {
    /// Appends the whole state of this node to `out`. From it
    /// [`restore_checkpoint`](Self::restore_checkpoint) makes a node that continues byte for byte.
    /// Only the ids of the keys are in it, and outputs that wait to be fetched are not part of it.
    /// It contains secrets all the same: the state of the random number generators, and the
    /// application's messages.
    ///
    /// Takes time and room for each member: about 60 bytes and 100 nanoseconds.
    pub fn checkpoint(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&CORE_HASH.to_le_bytes());
        digest::write_plain(out, &self.borrowed());
    }

    /// Makes a node that continues from a checkpoint. The bytes may come from anywhere: all of them
    /// are checked, and memory is taken only in proportion to their number.
    ///
    /// # Errors
    ///
    /// Whatever keeps the bytes from being the state of a node of this core.
    pub fn restore_checkpoint(bytes: &[u8], with: &Restoring) -> Result<Self, CheckpointError> {
        let (header, state) =
            bytes.split_first_chunk::<HEADER>().ok_or(CheckpointError::Foreign)?;
        let [m, a, g, i, version @ .., _, _, _, _, _, _, _, _] = *header;
        if [m, a, g, i] != MAGIC {
            return Err(CheckpointError::Foreign);
        }
        let version = u16::from_le_bytes(version);
        if version != VERSION {
            return Err(CheckpointError::Version(version));
        }
        let core = header.last_chunk().map_or(0, |core| u64::from_le_bytes(*core));
        if core != CORE_HASH && !with.any_core {
            return Err(CheckpointError::OtherCore(core));
        }
        let state: Box<Owned> = match postcard::take_from_bytes(state) {
            Ok((state, [])) => state,
            _ => return Err(CheckpointError::Malformed),
        };
        state.into_node(with)
    }

    /// Shows every input from now on to `tap`, or to none if that is `None`. Returns the previous
    /// tap.
    pub fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) -> Option<Box<dyn Tap>> {
        core::mem::replace(&mut self.tap, tap)
    }

    pub(super) fn enter<'a>(&mut self, now: Instant, input: impl FnOnce() -> Input<'a>) {
        if let Some(tap) = &mut self.tap {
            tap.begin(now, &input());
        }
    }

    /// Lets the tap know that the input that it was shown last has been handled.
    pub(super) fn show_tap(&mut self) {
        if let Some(mut tap) = self.tap.take() {
            tap.end(self.now, self);
            self.tap = Some(tap);
        }
    }

    /// Keeps a digest of all outputs from now on, for [`take_digest`](Self::take_digest).
    pub fn note_outputs(&mut self) {
        self.out.digest();
    }

    /// Takes the digest of everything put into the `poll_*` queues since the last call, fetched or
    /// not, and of the next timeout. Two runs with the same outputs have the same digest.
    pub fn take_digest(&mut self) -> u64 {
        self.out.take_digest(self.timers.next())
    }

    /// Checks what the core relies on, and what cannot be wrong unless it was read from outside.
    fn check_restored(&self) -> Result<(), String> {
        if self.members.try_record(self.me.id).is_none() {
            return Err("this node has no record of itself".into());
        }
        self.timers.check()?;
        self.suspects.check()?;
        self.probes.check()?;
        self.jobs.check()?;
        let opening = self.jobs.iter().filter_map(|(id, what)| match what {
            For::Open(stream, _) => Some((stream, id)),
            For::Turn | For::Seal | For::Letter => None,
        });
        self.exchanges.check(&opening.collect())?;
        let of = |what| self.jobs.iter().filter(move |(_, it)| *it == what).map(|(id, _)| id);
        self.builds.check(of(For::Seal))?;
        self.letters.check(of(For::Letter), self.disseminations.unsealed())?;
        self.disseminations.check()?;
        self.check_suspicions()?;
        self.check_counts()?;
        if self.me.name != self.config.name
            || !self.members.has_zones(&self.config.zone, self.config.role)
            || self.now > Instant::LATEST
            || self.departures.keys().any(|id| self.members.try_record(*id).is_none())
            || self.flaps.ids().any(|id| self.members.try_record(id).is_none())
        {
            return Err("this node itself".into());
        }
        self.check_invariants()
    }

    /// Whether members, suspicions and their timers refer to one another.
    fn check_suspicions(&self) -> Result<(), String> {
        let mut slots = BTreeSet::new();
        for (id, record) in self.members.iter() {
            let Some(slot) = record.suspicion() else { continue };
            let timer = self.suspects.get(slot).map(|it| self.timers.key(it.timer()));
            if timer != Some(Some(Timer::Suspicion(id))) || !slots.insert(slot) {
                return Err("a suspicion and its timer".into());
            }
        }
        let timers = self.timers.keys().filter(|timer| matches!(timer, Timer::Suspicion(_)));
        if timers.count() == slots.len() { Ok(()) } else { Err("timers of suspicions".into()) }
    }

    /// Whether all counts have room to go on: no node lives long enough to come near this.
    fn check_counts(&self) -> Result<(), String> {
        const MOST: u64 = 1 << 56;
        let counted = self.counters.iter().chain(self.decisions.iter()).map(|(_, value)| value);
        let ids = [
            self.timers.set_so_far(),
            self.exchanges.last_ids(),
            self.operations.last_ids(),
            self.queues.last_ids(),
            self.jobs.last_ids(),
            self.members.edition(),
        ];
        if counted.chain(ids).any(|value| value > MOST) {
            return Err("a count is out of bounds".into());
        }
        Ok(())
    }
}

/// The keys by these ids.
fn ring(ids: &[KeyId], with: &Restoring) -> Result<Vec<Key>, CheckpointError> {
    let given: BTreeMap<KeyId, &Key> = with.keys.iter().map(|key| (key.id(), key)).collect();
    let missing: Vec<KeyId> = ids.iter().filter(|id| !given.contains_key(id)).copied().collect();
    if !missing.is_empty() && !with.stand_ins {
        return Err(CheckpointError::MissingKeys(missing));
    }
    let key = |id: &KeyId| given.get(id).map_or_else(|| id.stand_in(), |key| Some((*key).clone()));
    Ok(ids.iter().filter_map(key).collect())
}

const fn parse(digits: &str) -> u64 {
    let (mut value, mut rest) = (0_u64, digits.as_bytes());
    while let [digit, others @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add((*digit - b'0') as u64);
        rest = others;
    }
    value
}

/// Ids, separated by commas.
struct List<'a>(&'a [KeyId]);

impl core::fmt::Display for List<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (place, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if place > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
