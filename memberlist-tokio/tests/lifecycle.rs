//! What is tokio's own: the end of a runtime, and a thread that sleeps. The rest is in the suite.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use memberlist_tokio::{Config, Event, Events, Memberlist, Options, Peer};

/// Long enough for a busy machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn quick(name: &str) -> Config {
    Config::local(name).with(|it| {
        it.probe_interval = Duration::from_millis(200);
        it.probe_timeout = Duration::from_millis(100);
        it.gossip_interval = Duration::from_millis(20);
        it.tcp_timeout = Duration::from_secs(5);
    })
}

fn loopback() -> Options {
    Options::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
}

async fn start(name: &str) -> (Memberlist, Events) {
    Memberlist::start(quick(name), loopback()).await.expect("a free port")
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Waits until something is so.
async fn eventually(so: impl Fn() -> bool) {
    in_time(async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[test]
fn a_node_ends_with_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (node, mut events) = runtime.block_on(start("n"));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let join = node.join([silent.local_addr().expect("bound")]);
    runtime.block_on(eventually(|| node.stats().gauges.streams == 1));
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async {
        assert!(in_time(join).await.is_err(), "nothing is left to carry it");
        in_time(node.shutdown()).await;
        in_time(async { while events.next().await.is_some() {} }).await;
    });
}

/// The way to a sleeper's door: every ack is held back until the sleeper sleeps.
struct Bedroom {
    ack: mpsc::Receiver<()>,
    asleep: mpsc::Sender<()>,
    delivered: mpsc::Receiver<()>,
}

impl Bedroom {
    /// Passes on what arrives at `letterbox` to the sleeper, whose address is sent later.
    fn new(letterbox: std::net::UdpSocket, sleeper: mpsc::Receiver<SocketAddr>) -> Self {
        let (tell_ack, ack) = mpsc::channel();
        let (asleep, hear_asleep) = mpsc::channel();
        let (tell_delivered, delivered) = mpsc::channel();
        std::thread::spawn(move || {
            let sleeper = sleeper.recv_timeout(PATIENCE).expect("it started");
            let mut buffer = vec![0; 65_536];
            while let Ok((len, _)) = letterbox.recv_from(&mut buffer) {
                // Once there is no sleeper any more it only passes on.
                let held = tell_ack.send(()).is_ok() && hear_asleep.recv().is_ok();
                let _ = letterbox.send_to(&buffer[..len], sleeper);
                if held {
                    let _ = tell_delivered.send(());
                }
            }
        });
        Self { ack, asleep, delivered }
    }

    /// Blocks the thread, and so the runtime, from when an ack is on its way until long after it
    /// should have come.
    async fn sleep(&self) {
        in_time(async {
            while self.ack.try_recv().is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        self.asleep.send(()).expect("the relay runs");
        self.delivered.recv_timeout(PATIENCE).expect("the relay runs");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A process that was asleep finds the acks in the socket before it notices that they are late.
#[test]
fn a_process_that_slept_suspects_no_member() {
    let still = |name: &str| quick(name).with(|it| it.gossip_interval = Duration::ZERO);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (tell_seed, seed) = mpsc::channel();
    let awake = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // It sends nothing but acks.
            let config = still("awake").with(|it| it.probe_interval = Duration::ZERO);
            let (node, _events) = Memberlist::start(config, loopback()).await.expect("a free port");
            tell_seed.send(node.bound_address()).expect("the test runs");
            let _ = stopped.await;
        });
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let letterbox = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let advertise = Some(letterbox.local_addr().expect("bound"));
        let (tell_sleeper, sleeper) = mpsc::channel();
        let bedroom = Bedroom::new(letterbox, sleeper);
        let config = still("sleeper").with(|it| it.disable_tcp_pings = true);
        let options = loopback().with(|it| it.advertise = advertise);
        let (node, mut events) = Memberlist::start(config, options).await.expect("a free port");
        tell_sleeper.send(node.bound_address()).expect("it waits for that");
        let seed: Peer = seed.recv_timeout(PATIENCE).expect("it started").into();
        let _ = in_time(node.join(&[seed])).await.expect("both run");
        for _ in 0..5 {
            bedroom.sleep().await;
        }
        drop(bedroom);
        // One more probe, so that the last sleep is over and done with.
        let probes = node.stats().counters.probes;
        eventually(|| node.stats().counters.probes > probes).await;
        node.shutdown().await;
        while let Some(event) = events.next().await {
            assert!(!matches!(event, Event::Suspected { .. }), "{event:?}");
        }
    });
    drop(stop);
    awake.join().unwrap();
}
