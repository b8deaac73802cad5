//! Peers by SRV records, over a real name server (dnsmasq) on the loopback.

#[path = "../adapters/runtimes.rs"]
#[allow(dead_code)] // Clusters that mix runtimes are of the suite.
mod runtimes;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memberlist_driver::bind::Options;
use memberlist_driver::{Error, Events, Handle};
use memberlist_proto::{Config, JoinError, JoinReport, LookupFailure, NotJoined};
use memberlist_tests::PATIENCE;
use memberlist_tests::conformance::Adapter;

use runtimes::{AsyncStd, Smol, Tokio};

const SERVICE: &str = "dnssrv+_gossip._tcp.test";

/// A name server that is killed at the end.
struct NameServer {
    process: Child,
}

impl NameServer {
    fn start(address: SocketAddr, records: &[String]) -> Self {
        let process = Command::new("dnsmasq")
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
            .args(["--bind-interfaces", "--local=/test/", "--pid-file=", "--user=root"])
            // Longer answers are cut off, and asked for again over TCP.
            .args(["--edns-packet-max=512"])
            .arg(format!("--listen-address={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .args(records)
            .stdin(Stdio::null())
            .spawn()
            .expect("dnsmasq (Debian's dnsmasq-base)");
        let server = Self { process };
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "dnsmasq does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that is free for datagrams and connections.
fn free() -> (SocketAddr, UdpSocket, TcpListener) {
    loop {
        let packets = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = packets.local_addr().expect("an address");
        if let Ok(streams) = TcpListener::bind(address) {
            return (address, packets, streams);
        }
    }
}

async fn start<A: Adapter>(name: &str, server: SocketAddr, seeds: &[&str]) -> (Handle, Events) {
    let mut config = Config::local(name);
    config.rejoin.interval = Duration::from_millis(200);
    config.seeds = seeds.iter().map(|seed| seed.parse().expect("a peer")).collect();
    let options = Options::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .with(|it| it.name_servers = vec![server]);
    A::start(config, options).await.expect("a free port")
}

fn record(node: &Handle) -> String {
    format!("--srv-host=_gossip._tcp.test,here.test,{}", node.bound_address().port())
}

fn here() -> String {
    "--host-record=here.test,127.0.0.1".to_owned()
}

async fn join(node: &Handle, peer: &str) -> Result<JoinReport, JoinError> {
    match node.join([peer]).await {
        Ok(report) => Ok(report),
        Err(Error::NotJoined(NotJoined { report })) => Err(report.failed[0].error.clone()),
        Err(other) => panic!("{other}"),
    }
}

async fn until<A: Adapter>(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        A::sleep(Duration::from_millis(5)).await;
    }
}

/// Records appear, change and vanish, and the search follows them.
async fn follows_the_records<A: Adapter>() {
    let (address, packets, streams) = free();
    drop((packets, streams));
    let (first, _events) = start::<A>("first", address, &[]).await;
    let (second, _events) = start::<A>("second", address, &[]).await;
    let server = NameServer::start(address, &[here()]);
    let (node, _events) = start::<A>("node", address, &[SERVICE]).await;
    assert_eq!(join(&node, SERVICE).await, Err(JoinError::Lookup(LookupFailure::NotFound)));
    drop(server);
    let server = NameServer::start(address, &[here(), record(&first)]);
    until::<A>("a record that appears", || node.num_members() == 2).await;
    drop(server);
    let server = NameServer::start(address, &[here(), record(&second)]);
    until::<A>("a record that changes", || node.num_members() == 3).await;
    drop(server);
    let server = NameServer::start(address, &[here()]);
    let gone = || {
        node.status().expect("it runs").seeds[0].error == Some(LookupFailure::NotFound.to_string())
    };
    until::<A>("a record that vanishes", gone).await;
    assert_eq!(node.num_members(), 3);
    drop(server);
}

/// The answer does not fit into a datagram: it is asked for again over TCP.
async fn reads_long_answers<A: Adapter>() {
    let (address, packets, streams) = free();
    drop((packets, streams));
    let (peer, _events) = start::<A>("peer", address, &[]).await;
    let (node, _events) = start::<A>("node", address, &[]).await;
    let far = |at| format!("--srv-host=_gossip._tcp.test,a-rather-long-name-{at}.test,1,9,9");
    let mut records: Vec<String> = (0..40).map(far).collect();
    records.extend([here(), record(&peer)]);
    let _server = NameServer::start(address, &records);
    for prefix in ["dnssrv+", "peer/dnssrv+"] {
        let joined = join(&node, &format!("{prefix}_gossip._tcp.test")).await.expect("one answers");
        assert_eq!(joined.joined, [peer.bound_address()]);
    }
}

/// `dnssrvnoa+`: the platform looks up the target, which here is an address' name that it knows.
async fn lets_the_platform_resolve<A: Adapter>() {
    let (address, packets, streams) = free();
    drop((packets, streams));
    let (peer, _events) = start::<A>("peer", address, &[]).await;
    let (node, _events) = start::<A>("node", address, &[]).await;
    let port = peer.bound_address().port();
    let _server =
        NameServer::start(address, &[format!("--srv-host=_gossip._tcp.test,localhost,{port}")]);
    let joined = join(&node, "dnssrvnoa+_gossip._tcp.test").await.expect("it answers");
    assert_eq!(joined.joined, [peer.bound_address()]);
}

/// Nothing is answered, over UDP or TCP.
async fn waits_for_a_silent_server_not_for_long<A: Adapter>() {
    let (address, _packets, _streams) = free();
    let (node, _events) = start::<A>("node", address, &[SERVICE]).await;
    let begun = Instant::now();
    assert_eq!(join(&node, SERVICE).await, Err(JoinError::Lookup(LookupFailure::TimedOut)));
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    let timed_out = || {
        node.status().expect("it runs").seeds[0].error == Some(LookupFailure::TimedOut.to_string())
    };
    until::<A>("the reason is in the status", timed_out).await;
}

macro_rules! on_each_runtime {
    ($($name:ident: $test:ident;)*) => { $(
        #[test]
        #[ignore = "needs Debian's dnsmasq-base: apt-get install it; CI runs this"]
        fn $name() {
            Tokio::block_on($test::<Tokio>());
            AsyncStd::block_on($test::<AsyncStd>());
            Smol::block_on($test::<Smol>());
        }
    )* };
}

on_each_runtime! {
    the_search_follows_the_records: follows_the_records;
    long_answers_are_read: reads_long_answers;
    the_platform_resolves_targets: lets_the_platform_resolve;
    a_silent_server_is_given_up: waits_for_a_silent_server_not_for_long;
}
