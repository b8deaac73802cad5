//! The workloads, each with a fixed seed and a fixed number of calls.

use std::hint::black_box;

use crate::ours;
use crate::pair::{Joining, Pair};
use crate::workloads::{self, Ticking};
use crate::world::World;

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) calls: usize,
    /// Whether it is a path that runs all the time, so that each further allocation counts.
    pub(crate) steady: bool,
    pub(crate) start: fn() -> Box<dyn Work>,
}

pub(crate) trait Work {
    /// What has to be done before a call, and is not counted.
    fn prepare(&mut self, _at: usize) {}
    fn call(&mut self, at: usize);
}

/// Large enough for a cost that grows with the number of members to show.
const MANY: usize = 10_000;
const SOME: usize = 1_000;
const NEWS: usize = 256;

pub(crate) const WORKLOADS: &[Workload] = &[
    steady("PING", 1_024, || boxed(workloads::ping(workloads::knowing(MANY), MANY))),
    steady("KNOWN(16)", 256, || boxed(workloads::known(workloads::knowing(MANY), MANY))),
    // News in the place of earlier news, so that each member has had some before.
    steady("NEWS(16)", NEWS, || boxed(workloads::news(SOME, 2 * NEWS))),
    steady("TICK", 1_000, || Box::new(Tick(Ticking::new(MANY), 0))),
    steady("TICK(1)", 100, || Box::new(Tick(Ticking::new(MANY), 1))),
    steady("TICK(16)", 100, || Box::new(Tick(Ticking::new(MANY), 16))),
    steady("REQUEUE", 1_024, || boxed(workloads::requeue(MANY))),
    steady("FILL(20)", 64, || boxed(workloads::fill(MANY))),
    other("PUSHPULL-UNCHANGED", 4, || Box::new(Exchange(Pair::new(SOME, false), 0))),
    other("PUSHPULL-CHANGED", 4, || Box::new(Exchange(Pair::new(SOME, false), SOME / 100))),
    other("PUSHPULL-FIRST", 1, || Box::new(First(None))),
    other("JOIN", 1, || Box::new(Join(None))),
    other("SIM-S(100)", 9, || Box::new(Simulated(ours::world(100, |_| {})))),
];

const fn steady(name: &'static str, calls: usize, start: fn() -> Box<dyn Work>) -> Workload {
    Workload { name, calls, steady: true, start }
}

const fn other(name: &'static str, calls: usize, start: fn() -> Box<dyn Work>) -> Workload {
    Workload { name, calls, steady: false, start }
}

fn boxed(call: impl FnMut(usize) + 'static) -> Box<dyn Work> {
    Box::new(Simple(call))
}

struct Simple<F>(F);

impl<F: FnMut(usize)> Work for Simple<F> {
    fn call(&mut self, at: usize) {
        (self.0)(at);
    }
}

/// A gossip interval, after so much news.
struct Tick(Ticking, usize);

impl Work for Tick {
    fn prepare(&mut self, at: usize) {
        if self.1 > 0 {
            self.0.learn(at, self.1);
        }
    }

    fn call(&mut self, _at: usize) {
        self.0.pass();
    }
}

/// A full state exchange, after so much news.
struct Exchange(Pair, usize);

impl Work for Exchange {
    fn prepare(&mut self, at: usize) {
        self.0.learn(at, self.1);
    }

    fn call(&mut self, _at: usize) {
        self.0.exchange();
    }
}

/// The first exchange of two nodes.
struct First(Option<Pair>);

impl Work for First {
    fn prepare(&mut self, _at: usize) {
        self.0 = Some(Pair::new(SOME, false));
    }

    fn call(&mut self, _at: usize) {
        self.0.as_mut().expect("prepared").exchange();
    }
}

struct Join(Option<Joining>);

impl Work for Join {
    fn prepare(&mut self, _at: usize) {
        self.0 = Some(Joining::new(SOME, false));
    }

    fn call(&mut self, _at: usize) {
        self.0.as_mut().expect("prepared").join();
    }
}

/// Ten seconds of a cluster in which nothing happens.
struct Simulated(World<ours::Ours>);

impl Work for Simulated {
    fn call(&mut self, _at: usize) {
        self.0.run(10);
    }
}

/// The same with a needless copy of a packet in each call: what the guards are there to notice.
pub(crate) struct Planted(pub(crate) Box<dyn Work>);

impl Work for Planted {
    fn prepare(&mut self, at: usize) {
        self.0.prepare(at);
    }

    fn call(&mut self, at: usize) {
        drop(black_box([7_u8; 64].to_vec()));
        self.0.call(at);
    }
}
