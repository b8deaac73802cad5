//! The questions of a node to its application.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use memberlist_driver::{Delegate, Error, Handle};
use memberlist_proto::{Candidate, Event, Target};

use super::{Adapter, Kit as _, PATIENCE, at, loopback, payload, quick};

/// A delegate method that is called inside the node gets `Error::Reentrant` if it calls the node;
/// one that is called outside may call it.
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

        // This method may call the node: only its own exchange waits for it.
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

/// While the application prepares its state, the node goes on.
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
    // While the answer is awaited, the node goes on as usual.
    let target = Target::Addr { addr: one.bound_address(), node: None };
    two.ping(target.clone()).await.expect("an answer");
    two.send(target, b"meanwhile").expect("sent");
    assert_eq!(A::until(&mut reports, payload).await, "meanwhile");
    // The delegate waits on its own thread until this one reaches the barrier, too.
    let waker = thread::spawn(move || slow.0.wait());
    A::eventually(|| waker.is_finished()).await;
    assert_eq!(join.await.expect("both run").joined.len(), 1);
    let state = |event: &Event| match event {
        Event::RemoteState { state, .. } => Some(state.len()),
        _ => None,
    };
    assert_eq!(A::until(&mut heard, state).await, 4 << 20);
}

/// However many exchanges wait for an application that does not answer, it takes only a limited
/// number of threads: the runtime needs them for names and jobs. All are answered once it goes on.
pub async fn a_delegate_that_never_returns_takes_few_threads<A: Adapter>() {
    const JOINS: usize = 40;
    const CALLS: usize = 16;
    #[derive(Default)]
    struct Hangs {
        calls: AtomicUsize,
        most: AtomicUsize,
        goes_on: Mutex<bool>,
        woken: Condvar,
    }
    impl Delegate for Hangs {
        fn local_state(&self, _: bool) -> Bytes {
            let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(calls, Ordering::SeqCst);
            let guard = self.goes_on.lock().expect("unpoisoned");
            drop(self.woken.wait_while(guard, |goes_on| !*goes_on).expect("unpoisoned"));
            self.calls.fetch_sub(1, Ordering::SeqCst);
            Bytes::from_static(b"state")
        }
    }
    let patient = |name: &str| {
        quick(name).with(|it| {
            it.tcp_timeout = PATIENCE;
            it.probe_interval = PATIENCE;
            it.probe_timeout = PATIENCE / 2;
            it.push_pull_interval = Duration::ZERO;
        })
    };
    let hangs = Arc::new(Hangs::default());
    let options = loopback().with(|it| it.delegate = Some(hangs.clone()));
    let (one, _reports) = A::start(patient("one"), options).await.expect("a free port");
    let (two, _heard) = A::start(patient("two"), loopback()).await.expect("a free port");
    let joins: Vec<_> = (0..JOINS).map(|_| two.join([one.bound_address()])).collect();
    A::eventually(|| {
        let asked = one.stats().gauges.requests == JOINS as u64;
        asked && hangs.calls.load(Ordering::SeqCst) >= CALLS
    })
    .await;
    // Once the ping, which came after them, is answered, all of them wait for the application.
    A::in_time(two.ping(at(&one))).await.expect("it answers");
    *hangs.goes_on.lock().expect("unpoisoned") = true;
    hangs.woken.notify_all();
    for join in joins {
        assert_eq!(A::in_time(join).await.expect("both run").joined.len(), 1);
    }
    assert_eq!(hangs.most.load(Ordering::SeqCst), CALLS);
}
