//! What a recording relies on: a node that goes on from a checkpoint, without the results of jobs,
//! does the same at the same inputs.

use alloc::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;

use super::jobs::{handing_out, key, sealed, sealed_packet, state_of};
use super::own_state::compressed_elsewhere;
use super::*;
use crate::job::Job;
use crate::security::Version;
use crate::wire::frame::{FrameSealing, encrypt_frame};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A peer that knows so many members begins an exchange; perhaps it joins.
    Ask(usize, bool),
    /// So does one that knows exactly what this node knows, or knew when its state was kept last.
    AskTheSame,
    /// A job is begun, or the one at this place of those that were begun is done.
    Begin,
    Done(usize),
    /// The same, as another implementation may have compressed it.
    AskAlike,
    /// A member announces itself anew.
    News(u16),
    /// The oldest stream ends.
    End,
    /// Another node goes on from a checkpoint.
    Restore,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (prop::sample::select(&[1_usize, 1, 12, 40][..]), any::<bool>())
            .prop_map(|(number, join)| Step::Ask(number, join && number == 1)),
        3 => Just(Step::AskTheSame),
        3 => Just(Step::AskAlike),
        6 => Just(Step::Begin),
        6 => (0..4_usize).prop_map(Step::Done),
        1 => (0..12_u16).prop_map(Step::News),
        1 => Just(Step::End),
        1 => Just(Step::Restore),
    ];
    prop::collection::vec(step, 1..120)
}

/// A node, and the one that follows it from a checkpoint on.
struct Pair {
    rig: Rig,
    twin: Memberlist,
    streams: VecDeque<StreamId>,
    begun: VecDeque<Job>,
    incarnation: u32,
    own: Option<Bytes>,
}

impl Pair {
    fn new() -> Self {
        let mut config = handing_out();
        config.secret_keys = alloc::vec![key(1)];
        config.limits.bytes_at_once = 64;
        let mut rig = Rig::with(config);
        rig.node.note_outputs();
        let twin = restored(&rig.node);
        let (streams, begun) = (VecDeque::new(), VecDeque::new());
        Self { rig, twin, streams, begun, incarnation: 1, own: None }
    }

    fn ask(&mut self, frame: &[u8]) {
        let now = self.rig.now;
        let ask = |node: &mut Memberlist| {
            let id = node.accept_stream(now, address(900))?;
            let _ = node.handle_stream_data(now, id, frame);
            Some(id)
        };
        let id = ask(&mut self.rig.node);
        assert_eq!(id, ask(&mut self.twin));
        self.streams.extend(id);
    }

    /// A peer sends what this node has kept, in some form.
    fn ask_with_own(&mut self, form: impl FnOnce(&Bytes) -> Bytes) {
        let own = self.rig.node.known_state().map(|own| own.message().clone());
        self.own = own.or_else(|| self.own.take());
        let Some(own) = &self.own else { return };
        let sealing = FrameSealing {
            label: b"",
            key: Some((&key(1), Version::Plain)),
            nonce: [8; 12],
            compress: None,
            only_if_smaller: false,
        };
        let frame = encrypt_frame(form(own), &sealing).expect("short");
        self.ask(&frame);
    }

    fn take(&mut self, step: Step) {
        self.enter(step);
        assert_eq!(self.rig.node.take_digest(), self.twin.take_digest(), "{step:?}");
        self.rig.node.check_invariants().expect("invariants");
    }

    /// Does all jobs but for so many that have been begun.
    fn work(&mut self, keep: usize) {
        loop {
            self.take(Step::Begin);
            if self.begun.len() == keep {
                break;
            }
            self.take(Step::Done(keep));
        }
    }

    fn end(&self) {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        self.rig.node.checkpoint(&mut one);
        self.twin.checkpoint(&mut other);
        assert!(one == other, "the states differ");
    }

    fn enter(&mut self, step: Step) {
        let now = self.rig.now;
        match step {
            Step::Ask(number, join) => {
                self.ask(&sealed(&state_of(number, join, b""), Some(&key(1))));
            }
            Step::AskTheSame => self.ask_with_own(Bytes::clone),
            Step::AskAlike => self.ask_with_own(compressed_elsewhere),
            Step::Begin => self.begun.extend(self.rig.node.poll_job()),
            Step::Done(at) => {
                let Some(job) = self.begun.remove(at % self.begun.len().max(1)) else { return };
                let (id, output) = (job.id(), job.run());
                self.rig.node.job_done(now, id, Some(output));
                self.twin.job_done(now, id, None);
            }
            Step::News(member) => {
                self.incarnation += 1;
                let name = alloc::format!("n{member:04}");
                let mut out = Vec::new();
                Message::Alive(Alive {
                    incarnation: self.incarnation,
                    node: name.as_bytes(),
                    addr: Some(&[10, 0, 0, 1]),
                    port: 10 + member,
                    meta: None,
                    vsn: Some(&VSN),
                })
                .encode(&mut out);
                let packet = sealed_packet(&out);
                for node in [&mut self.rig.node, &mut self.twin] {
                    node.handle_packet(now, address(9), &packet).expect("news");
                }
            }
            Step::End => {
                let Some(id) = self.streams.pop_front() else { return };
                for node in [&mut self.rig.node, &mut self.twin] {
                    node.handle_stream_closed(now, id, None);
                }
            }
            Step::Restore => {
                self.twin = restored(&self.rig.node);
                self.rig.node.take_digest();
            }
        }
    }
}

fn restored(node: &Memberlist) -> Memberlist {
    let mut bytes = Vec::new();
    node.checkpoint(&mut bytes);
    let with = crate::Restoring { keys: node.keys(), ..crate::Restoring::default() };
    let mut restored = Memberlist::restore_checkpoint(&bytes, &with).expect("sound");
    restored.note_outputs();
    restored
}

proptest! {
    #[test]
    fn a_node_goes_on_from_any_checkpoint_without_results(steps in steps()) {
        let mut pair = Pair::new();
        for step in steps {
            pair.take(step);
        }
        pair.end();
    }
}

/// What is known while a job is out is not what was known when its message was complete.
#[test]
fn a_state_that_becomes_known_while_it_is_opened_is_taken_in_all_the_same() {
    let mut pair = Pair::new();
    pair.take(Step::Ask(12, false));
    pair.work(0);
    pair.take(Step::Ask(1, false));
    pair.work(0);
    assert!(pair.rig.node.known_state().is_some());
    pair.own = pair.rig.node.known_state().map(|own| own.message().clone());
    pair.take(Step::Ask(1, true));
    pair.work(0);
    assert!(pair.rig.node.known_state().is_none(), "what is kept says that it joins");
    pair.take(Step::AskTheSame);
    pair.take(Step::Begin);
    assert_eq!(pair.begun.len(), 1);
    pair.take(Step::Ask(1, false));
    pair.work(1);
    assert!(pair.rig.node.known_state().is_some());
    pair.take(Step::Done(0));
    pair.work(0);
    pair.end();
}

/// What a peer has compressed in its own way is sent on byte for byte, from a checkpoint on as well:
/// one made before the state is built, in the middle of it, and after it.
#[test]
fn a_state_that_a_peer_has_compressed_goes_on_from_a_checkpoint() {
    for at in 0..8 {
        let mut pair = Pair::new();
        for step in [Step::Ask(12, false), Step::Ask(1, false), Step::AskTheSame] {
            pair.take(step);
            pair.work(0);
        }
        let own = pair.own.clone().expect("all are alive");
        pair.take(Step::Ask(1, true));
        pair.work(0);
        pair.take(Step::AskAlike);
        let mut left = at;
        while left > 0 {
            pair.take(if pair.begun.is_empty() { Step::Begin } else { Step::Done(0) });
            left -= 1;
        }
        pair.take(Step::Restore);
        pair.work(0);
        let kept = pair.rig.node.known_state().expect("all are alive").message().clone();
        assert_eq!(kept, compressed_elsewhere(&own), "{at}");
        pair.take(Step::Restore);
        pair.take(Step::Ask(1, false));
        pair.work(0);
        pair.end();
    }
}
