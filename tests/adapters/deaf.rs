//! A peer that accepts connections and never reads fills only its own queue.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use memberlist_driver::bind::Options;
use memberlist_driver::transport::{Framing, Transport};
use memberlist_proto::{Config, Event, Target};
use memberlist_tests::conformance::{Adapter as _, PATIENCE};

use crate::runtimes::Tokio;

#[test]
fn a_peer_that_never_reads_delays_no_other() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let deaf = deaf.local_addr().map(|address| (deaf, address)).expect("an address");
    Tokio::block_on(async {
        let start = async |name: &str| {
            let mut transport = Transport::tcp(Framing::Alertmanager);
            transport.limits.queue.queue_bytes = 1 << 20;
            let options = Options::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .with(|it| it.transport = transport);
            let config = Config::local(name).with(|it| {
                it.udp_buffer_size = 60_000;
                it.compression = memberlist_proto::Compression::None;
                it.probe_interval = Duration::ZERO;
            });
            Tokio::start(config, options).await.expect("a free port")
        };
        let (node, _events) = start("node").await;
        let (peer, mut heard) = start("peer").await;
        let to = |addr| Target::Addr { addr, node: None };
        let begun = Instant::now();
        // More than the system's buffers and the queue hold.
        while node.transport_stats().packets_unsent == 0 {
            assert!(begun.elapsed() < PATIENCE, "{:?}", node.transport_stats());
            node.send(to(deaf.1), vec![7; 50_000]).expect("it fits");
            Tokio::sleep(Duration::from_millis(1)).await;
        }
        node.send(to(peer.bound_address()), "heard").expect("it fits");
        let message = async {
            loop {
                if let Some(Event::Message { payload, .. }) = heard.next().await {
                    return payload;
                }
            }
        };
        let payload = tokio::time::timeout(PATIENCE, message).await.expect("in time");
        assert_eq!(payload, "heard");
        assert_eq!(node.transport_stats().failed, 0, "the deaf one is still being written to");
    });
}
