//! Applications that read their events slowly: the events that each node of a run has emitted pass
//! through the queue of the adapters to a reader that takes only some of them now and then.
//!
//! However slow it is, the queue stays within its bounds, and missing events are counted. Whenever
//! the reader has caught up, it knows the members that a quick reader knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use memberlist_driver::{EventBounds, EventBuffer};
use memberlist_proto::BroadcastEnd;
use memberlist_sim::{Event, Instant, Node, NodeName, Sim, State};

/// How one application reads.
#[derive(Clone, Copy, Debug)]
struct Habit {
    every: Duration,
    /// The number of events that it reads at a time.
    takes: usize,
    bounds: EventBounds,
}

/// Passes every slow reader of a script the events that its node has emitted in the run; returns
/// the first words of all summaries that they read.
pub(crate) fn check(script: &str, sim: &Sim) -> Result<BTreeSet<&'static str>, String> {
    let mut summaries = BTreeSet::new();
    for (name, habit) in script.lines().filter_map(habit) {
        let named = |id: &_| sim.name(*id).as_bytes() == name.as_bytes();
        let Some(id) = sim.node_ids().find(named) else { continue };
        for life in sim.lives(id) {
            let mut reader = Reader::new(habit);
            reader.live(life).map_err(|wrong| format!("the reader of {name}: {wrong}"))?;
            summaries.extend(reader.summaries);
        }
    }
    Ok(summaries)
}

/// Parses a line such as `# n3 reads 2 events every 700ms of at most 4 of a kind and 90 bytes`.
fn habit(line: &str) -> Option<(&str, Habit)> {
    let (name, rest) = line.strip_prefix("# ")?.split_once(" reads ")?;
    let numbers = rest.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<u64> = numbers.map(|word| word.parse().expect("digits")).collect();
    let [takes, every, count, bytes] = numbers[..] else { panic!("four numbers: {line}") };
    let bounds = EventBounds::new(count as usize, bytes as usize);
    Some((name, Habit { every: Duration::from_millis(every), takes: takes as usize, bounds }))
}

/// The members as they are known to an application that believes its events.
type Members = BTreeMap<NodeName, Node>;

/// How many events there were of each kind that is counted.
#[derive(Debug, Default)]
struct Tally {
    membership: u64,
    conflicts: u64,
    sent: u64,
    replaced: u64,
    dropped: u64,
    streamed: u64,
    others: u64,
}

struct Reader {
    habit: Habit,
    buffer: EventBuffer,
    /// The members that a quick reader knows.
    truth: Members,
    emitted: Tally,
    /// The members that this reader knows.
    members: Members,
    read: Tally,
    /// Departures that this reader has not seen, and names with a conflict.
    departed: BTreeSet<NodeName>,
    disputed: BTreeSet<NodeName>,
    summaries: BTreeSet<&'static str>,
}

impl Reader {
    fn new(habit: Habit) -> Self {
        Self {
            habit,
            buffer: EventBuffer::new(habit.bounds),
            truth: Members::new(),
            emitted: Tally::default(),
            members: Members::new(),
            read: Tally::default(),
            departed: BTreeSet::new(),
            disputed: BTreeSet::new(),
            summaries: BTreeSet::new(),
        }
    }

    fn live(&mut self, life: &[(Instant, Event)]) -> Result<(), String> {
        let mut visit = life.first().map_or(Instant::ORIGIN, |(at, _)| *at) + self.habit.every;
        for (at, event) in life {
            while *at >= visit {
                self.visit(self.habit.takes)?;
                visit += self.habit.every;
            }
            self.emit(event)?;
        }
        self.visit(usize::MAX)
    }

    fn emit(&mut self, event: &Event) -> Result<(), String> {
        apply(event, &mut self.truth);
        count(event, &mut self.emitted);
        match event {
            Event::Departed { node, .. } => self.departed.insert(node.name().into()),
            Event::Conflict { existing, .. } => self.disputed.insert(existing.name().into()),
            _ => false,
        };
        self.buffer.push(event.clone());
        let EventBounds { count, bytes, .. } = self.habit.bounds;
        if self.buffer.len() > 3 * count + 4 || self.buffer.bytes() > bytes {
            let (len, held) = (self.buffer.len(), self.buffer.bytes());
            return Err(format!("{len} events of {held} bytes wait in {:?}", self.habit.bounds));
        }
        Ok(())
    }

    fn visit(&mut self, takes: usize) -> Result<(), String> {
        for _ in 0..takes {
            let Some(event) = self.buffer.pop() else { return self.caught_up() };
            count(&event, &mut self.read);
            match &event {
                Event::Departed { node, .. }
                | Event::Coalesced { node, departure: Some(_), .. } => {
                    self.departed.remove(&NodeName::from(node.name()));
                }
                Event::Conflict { existing, .. } => {
                    self.disputed.remove(&NodeName::from(existing.name()));
                }
                Event::MembershipOverflow { .. } => {
                    self.members.clone_from(&self.truth);
                    self.departed.clear();
                    self.disputed.clear();
                }
                _ => {}
            }
            self.summaries.extend(match event {
                Event::Coalesced { .. } => Some("Coalesced"),
                Event::MembershipOverflow { .. } => Some("MembershipOverflow"),
                Event::BroadcastsFinished { .. } => Some("BroadcastsFinished"),
                Event::Overflow { .. } => Some("Overflow"),
                _ => None,
            });
            apply(&event, &mut self.members);
        }
        Ok(())
    }

    /// Checks, when no event waits, that it has read all that happened.
    fn caught_up(&self) -> Result<(), String> {
        if self.members != self.truth {
            return Err(format!("it knows {:?}, not {:?}", self.members, self.truth));
        }
        // The last of several conflicts about a name may stand for all; one for which there was no
        // room is counted among the lost events about members.
        let (read, emitted) = (&self.read, &self.emitted);
        let extra = read.membership.checked_sub(emitted.membership);
        let conflicts = extra.is_some_and(|extra| read.conflicts + extra <= emitted.conflicts);
        let rest = |it: &Tally| (it.sent, it.replaced, it.dropped, it.streamed, it.others);
        if !conflicts || rest(read) != rest(emitted) {
            return Err(format!("it has read {read:?} of {emitted:?}"));
        }
        match self.departed.first().or(self.disputed.first()) {
            Some(name) => Err(format!("something happened to {name}, but no event says so")),
            None => Ok(()),
        }
    }
}

fn apply(event: &Event, members: &mut Members) {
    let (Event::Joined { node }
    | Event::Updated { node, .. }
    | Event::Departed { node, .. }
    | Event::HadLeft { node, .. }
    | Event::Suspected { node, .. }
    | Event::Refuted { node, .. }
    | Event::Coalesced { node, .. }) = event
    else {
        return;
    };
    if matches!(node.state(), State::Alive | State::Suspect) {
        members.insert(node.name().into(), node.clone());
    } else {
        members.remove(&NodeName::from(node.name()));
    }
}

fn count(event: &Event, tally: &mut Tally) {
    match event {
        Event::Joined { .. }
        | Event::Updated { .. }
        | Event::Departed { .. }
        | Event::HadLeft { .. }
        | Event::Suspected { .. }
        | Event::Refuted { .. } => tally.membership += 1,
        Event::Coalesced { events, .. } | Event::MembershipOverflow { events } => {
            tally.membership += events;
        }
        Event::BroadcastFinished { end, .. } => {
            *match end {
                BroadcastEnd::Sent => &mut tally.sent,
                BroadcastEnd::Replaced => &mut tally.replaced,
                BroadcastEnd::Streamed { .. } => &mut tally.streamed,
                _ => &mut tally.dropped,
            } += 1;
        }
        Event::BroadcastsFinished { sent, replaced, dropped, streamed } => {
            tally.sent += sent;
            tally.replaced += replaced;
            tally.dropped += dropped;
            tally.streamed += streamed;
        }
        Event::Conflict { .. } => tally.conflicts += 1,
        // Only the newest is of interest.
        Event::Health { .. } => {}
        Event::Overflow { dropped } => tally.others += dropped,
        _ => tally.others += 1,
    }
}

#[test]
fn a_reader_without_a_view_of_its_own_is_found_out() {
    let line = "# n3 reads 2 events every 700ms of at most 4 of a kind and 90 bytes";
    let (name, habit) = habit(line).expect("a habit");
    assert_eq!((name, habit.takes, habit.every), ("n3", 2, Duration::from_millis(700)));
    assert_eq!(habit.bounds, EventBounds::new(4, 90));
    let mut reader = Reader::new(habit);
    reader.emit(&Event::Health { score: 1 }).expect("within bounds");
    reader.visit(9).expect("all is read");
    // Events that were emitted but did not reach the queue are missing.
    reader.emitted.membership += 1;
    assert!(reader.visit(9).is_err());
}
