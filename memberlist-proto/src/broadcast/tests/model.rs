//! The queue against a list that is sorted before every use.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    serial: usize,
    form: Form,
    /// A plain message invalidates those of its group.
    group: u8,
    bytes: Vec<u8>,
    times_finished: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Unique,
    Named(Vec<u8>),
}

impl Broadcast for Message {
    fn invalidates(&self, other: &Self) -> bool {
        self.group == other.group
    }

    fn message(&self) -> &[u8] {
        &self.bytes
    }

    fn finished(&mut self) {
        self.times_finished += 1;
    }

    fn name(&self) -> Option<&[u8]> {
        if let Form::Named(name) = &self.form { Some(name) } else { None }
    }

    fn is_unique(&self) -> bool {
        self.form == Form::Unique
    }
}

#[derive(Default)]
struct Model {
    /// Transmits and message.
    entries: Vec<(u32, Message)>,
    finished: Vec<(u32, Message)>,
    limit: usize,
}

impl Model {
    fn sort(&mut self) {
        self.entries.sort_by_key(|(transmits, message)| {
            (*transmits, Reverse(message.bytes.len()), Reverse(message.serial))
        });
    }

    fn finish_if(&mut self, gone: impl Fn(&Message) -> bool) {
        self.sort();
        self.finished.extend(self.entries.extract_if(.., |(_, message)| gone(message)));
    }

    fn queue(&mut self, new: Message) {
        match &new.form {
            Form::Named(name) if !name.is_empty() => self.finish_if(|old| old.form == new.form),
            Form::Unique => {}
            _ => self.finish_if(|old| old.form == Form::Plain && old.group == new.group),
        }
        self.entries.push((0, new));
        self.prune(self.limit);
    }

    fn pull(&mut self, budget: Budget, transmit_limit: u32) -> (Taken, Vec<usize>) {
        self.sort();
        let mut waiting = core::mem::take(&mut self.entries);
        let (mut taken, mut serials) = (Taken::default(), Vec::new());
        while taken.messages < budget.max_messages {
            let Some(free) = budget.limit.checked_sub(taken.bytes + budget.overhead) else {
                break;
            };
            let fits = |(_, message): &(u32, Message)| message.bytes.len() <= free;
            let Some(place) = waiting.iter().position(fits).filter(|_| free > 0) else {
                break;
            };
            let (transmits, message) = waiting.remove(place);
            taken.messages += 1;
            taken.bytes += message.bytes.len() + budget.overhead;
            serials.push(message.serial);
            let done = transmits + 1 >= transmit_limit;
            let list = if done { &mut self.finished } else { &mut self.entries };
            list.push((transmits + 1, message));
        }
        self.entries.append(&mut waiting);
        (taken, serials)
    }

    fn prune(&mut self, max: usize) {
        self.sort();
        while self.entries.len() > max {
            self.finished.extend(self.entries.pop());
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Queue { form: Form, group: u8, len: usize },
    Pull { budget: Budget, nodes: usize },
    Prune(usize),
    SetLimit(usize),
    Remove(Vec<u8>),
    Reset,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(0_u8..3, 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let form = prop_oneof![Just(Form::Plain), Just(Form::Unique), name().prop_map(Form::Named)];
    let max_messages = prop_oneof![Just(usize::MAX), 0_usize..6];
    let budget = (0_usize..120, 0_usize..4, max_messages)
        .prop_map(|(limit, overhead, max_messages)| Budget { limit, overhead, max_messages });
    prop_oneof![
        12 => (form, 0_u8..4, 0_usize..30)
            .prop_map(|(form, group, len)| Step::Queue { form, group, len }),
        8 => (budget, 0_usize..2_000).prop_map(|(budget, nodes)| Step::Pull { budget, nodes }),
        1 => (0_usize..20).prop_map(Step::Prune),
        1 => (0_usize..40).prop_map(Step::SetLimit),
        1 => name().prop_map(Step::Remove),
        1 => Just(Step::Reset),
    ]
}

fn apply(
    serial: usize,
    step: Step,
    mult: u32,
    queue: &mut TransmitLimitedQueue<Message>,
    model: &mut Model,
) -> Result<(), TestCaseError> {
    match step {
        Step::Queue { form, group, len } => {
            let bytes = alloc::vec![0; len];
            let message = Message { serial, form, group, bytes, times_finished: 0 };
            queue.queue(message.clone());
            model.queue(message);
        }
        Step::Pull { budget, nodes } => {
            let mut serials = Vec::new();
            let taken = queue.pull(budget, nodes, |message| serials.push(message.serial));
            prop_assert!(taken.bytes <= budget.limit);
            let digits = if nodes == 0 { 0 } else { alloc::format!("{nodes}").len() as u32 };
            prop_assert_eq!((taken, serials), model.pull(budget, mult * digits));
        }
        Step::Prune(max) => {
            queue.prune(max);
            model.prune(max);
        }
        Step::SetLimit(limit) => {
            queue.set_limit(limit);
            model.limit = limit;
            model.prune(limit);
        }
        Step::Remove(name) => {
            let before = model.finished.len();
            let form = Form::Named(name.clone());
            model.finish_if(|message| message.form == form && !name.is_empty());
            prop_assert_eq!(queue.remove(&name), model.finished.len() > before);
        }
        Step::Reset => {
            queue.reset();
            model.finish_if(|_| true);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn behaves_like_a_sorted_list(
        mult in 0_u32..4,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut queue = TransmitLimitedQueue::with_hash_key(mult, [7; 16]);
        queue.set_keep_finished(true);
        let mut model = Model { limit: DEFAULT_QUEUE_LIMIT, ..Model::default() };
        for (serial, step) in steps.into_iter().enumerate() {
            apply(serial, step, mult, &mut queue, &mut model)?;
            model.sort();
            let queued: Vec<_> = queue.iter().collect();
            let expected: Vec<_> = model.entries.iter().map(|(_, message)| message).collect();
            prop_assert_eq!(queued, expected);
            prop_assert_eq!(queue.len(), model.entries.len());
            let plain = queue.iter().filter(|message| message.form == Form::Plain).count();
            prop_assert_eq!(queue.plain, plain);
            for entry in queue.iter() {
                if let Some(name @ [_, ..]) = entry.name() {
                    prop_assert_eq!(queue.get(name), Some(entry));
                }
            }
            for (transmits, mut message) in model.finished.drain(..) {
                message.times_finished = 1;
                let finished = queue.finished.remove(0);
                prop_assert_eq!((finished.transmits, finished.broadcast), (transmits, message));
            }
            prop_assert!(queue.finished.is_empty());
            let demand = queue.demand(2, 40);
            let taken = queue.clone().get_broadcasts(2, 40, 10, |_| {});
            prop_assert_eq!(demand, taken.bytes);
        }
    }
}
