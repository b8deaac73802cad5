//! What delegates may do to their node.

use std::sync::{Mutex, OnceLock, mpsc};

use memberlist_proto::Candidate;

use super::*;

/// A delegate that uses its own node, in a way that each test gives it.
#[derive(Default)]
struct Caller {
    node: OnceLock<Handle>,
    call: Mutex<Option<Call>>,
}

type Call = Box<dyn FnOnce(&Handle) + Send>;

impl Caller {
    fn node() -> (Arc<Self>, Events, Driver) {
        let delegate = Arc::new(Self::default());
        let setup = Setup { delegate: Some(delegate.clone()), ..Setup::default() };
        let (node, events, driver) = node_with(quiet("n"), setup);
        assert!(delegate.node.set(node).is_ok());
        (delegate, events, driver)
    }

    /// Runs `call` while the node asks for something that cannot wait.
    fn asked<T: Send + 'static>(&self, call: impl FnOnce(&Handle) -> T + Send + 'static) -> T {
        let (sender, result) = mpsc::channel();
        *self.call.lock().unwrap() = Some(Box::new(move |node| {
            sender.send(call(node)).unwrap();
        }));
        let node = self.node.get().unwrap();
        // A node that announces itself asks whether to believe it.
        let mut update = node.set_meta("x", PATIENCE);
        assert!(poll(&mut update).is_ready());
        result.try_recv().expect("the delegate was asked")
    }
}

impl Delegate for Caller {
    fn admit(&self, _: &Candidate<'_>) -> Result<(), String> {
        let call = self.call.lock().unwrap().take();
        if let (Some(node), Some(call)) = (self.node.get(), call) {
            call(node);
        }
        Ok(())
    }
}

#[test]
fn what_a_delegate_calls_fails_and_nothing_hangs() {
    let (caller, events, _driver) = Caller::node();
    let error = caller.asked(|node| poll(&mut node.join::<Peer>([])).map(Result::err));
    assert_eq!(error, Poll::Ready(Some(Error::Reentrant)));
    let error = caller.asked(|node| node.broadcast(b"x", BroadcastKind::Unique, Priority::Low));
    assert_eq!(error.err(), Some(Error::Reentrant));
    assert_eq!(caller.asked(|node| node.config().err()), Some(Error::Reentrant));
    assert!(caller.asked(|node| node.local().name() == "n"), "of itself it may ask");

    let mut held = Some(events);
    let (polled, events) = caller.asked(move |_| {
        let mut events = held.take().unwrap();
        (events.poll_next(&Context::from_waker(Waker::noop())).is_pending(), events)
    });
    assert!(polled);

    // Another node might be asking this one at the same time.
    let (other, _other_events, _other_driver) = super::node();
    let error = caller.asked(move |_| other.add_key(memberlist_proto::Key::new(&[1; 16]).unwrap()));
    assert_eq!(error, Err(Error::Reentrant));
    drop(events);
}

#[test]
fn what_a_delegate_drops_ends_without_it() {
    let (caller, _events, _driver) = Caller::node();
    let node = caller.node.get().unwrap();
    let join = node.join([address(1)]);
    assert_eq!(node.stats().gauges.operations, 1);
    caller.asked(move |_| drop(join));
    eventually(|| node.stats().gauges.operations == 0);

    let (other, _other_events, other_driver) = super::node();
    caller.asked(move |_| drop(other));
    eventually(|| work(&other_driver).stopped);
}

#[test]
fn a_panicking_delegate_does_not_take_the_node_with_it() {
    let (caller, _events, _driver) = Caller::node();
    *caller.call.lock().unwrap() = Some(Box::new(|_| panic!("meant to be")));
    let node = caller.node.get().unwrap();
    let mut update = node.set_meta("x", PATIENCE);
    let refused = Err(Error::Wait(WaitError::Refused));
    assert_eq!(poll(&mut update), Poll::Ready(refused), "a panic admits no node");
    let mut update = node.set_meta("x", PATIENCE);
    assert_eq!(poll(&mut update), Poll::Ready(Ok(())), "and the next one is asked as ever");
    assert_eq!(node.num_members(), 1);
}
