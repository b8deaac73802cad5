//! What the application is asked.

use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;

use bytes::Bytes;
use memberlist_driver::{Delegate, Error, Handle};
use memberlist_proto::{Candidate, Event, Target};

use super::{Adapter, Kit as _, loopback, payload, quick};

/// A delegate asked inside the node gets `Error::Reentrant`; one asked outside may call.
pub async fn a_delegate_that_calls_its_node_gets_an_error<A: Adapter>() {
    #[derive(Default)]
    struct Caller(OnceLock<Handle>, Mutex<Vec<Error>>);
    impl Delegate for Caller {
        fn admit(&self, _: &Candidate<'_>) -> Result<(), String> {
            if let Some(node) = self.0.get() {
                let sent = node.send(Target::Member("x".into()), b"");
                self.1.lock().expect("unpoisoned").extend(sent.err());
            }
            Ok(())
        }

        // This one may call: nothing waits for it but its own exchange.
        fn local_state(&self, _: bool) -> Bytes {
            self.0.get().map(|node| node.num_members().to_string().into()).unwrap_or_default()
        }
    }
    let delegate = Arc::new(Caller::default());
    let options = loopback().with(|it| it.delegate = Some(delegate.clone()));
    let (one, mut reports) = A::start(quick("one"), options).await.expect("a free port");
    assert!(delegate.0.set(one.clone()).is_ok());
    let (two, mut heard) = A::node("two").await;
    let _ = two.join([one.bound_address()]).await.expect("both run");
    let state = |event: &Event| match event {
        Event::RemoteState { state, .. } => Some(state.clone()),
        _ => None,
    };
    assert_eq!(A::until(&mut heard, state).await, "1");
    let joined = |event: &Event| match event {
        Event::Joined { node } if node.name() == "two" => Some(()),
        _ => None,
    };
    A::until(&mut reports, joined).await;
    let errors = delegate.1.lock().expect("unpoisoned").clone();
    assert!(!errors.is_empty() && errors.iter().all(|error| *error == Error::Reentrant));
}

/// While the application looks for its state, the node goes on.
pub async fn a_slow_answer_delays_only_its_own_exchange<A: Adapter>() {
    struct Slow(Barrier);
    impl Delegate for Slow {
        fn local_state(&self, join: bool) -> Bytes {
            if join {
                self.0.wait();
            }
            Bytes::from(vec![1; 4 << 20])
        }
    }
    let slow = Arc::new(Slow(Barrier::new(2)));
    let options = loopback().with(|it| it.delegate = Some(slow.clone()));
    let (one, mut reports) = A::start(quick("one"), options).await.expect("a free port");
    let (two, mut heard) = A::node("two").await;
    let join = two.join([one.bound_address()]);
    // While the answer is awaited, the node goes on as ever.
    let target = Target::Addr { addr: one.bound_address(), node: None };
    two.ping(target.clone()).await.expect("an answer");
    two.send(target, b"meanwhile").expect("sent");
    assert_eq!(A::until(&mut reports, payload).await, "meanwhile");
    // The delegate, which waits on its own thread, goes on when this one is there.
    let waker = thread::spawn(move || slow.0.wait());
    A::eventually(|| waker.is_finished()).await;
    assert_eq!(join.await.expect("both run").joined.len(), 1);
    let state = |event: &Event| match event {
        Event::RemoteState { state, .. } => Some(state.len()),
        _ => None,
    };
    assert_eq!(A::until(&mut heard, state).await, 4 << 20);
}
