//! What each transport costs beside UDP: `transports [SECONDS]`, tokio's runtime.
//!
//! Pings from one node to another, one after the other, and so many at once: how many are answered in a
//! second, the processor time of both nodes for each, and the bytes of all packets on the loopback
//! device, with the headers of IP and TCP. What others send there is counted, too; so run it alone:
//!
//! ```sh
//! cargo build --release -p memberlist-tests --example transports
//! unshare -rn sh -c 'ip link set lo up; target/release/examples/transports'
//! ```

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memberlist_driver::bind::Options;
use memberlist_driver::transport::{Framing, Tls, Transport};
use memberlist_proto::{Config, Target};
use memberlist_tests::certificates::Authority;
use memberlist_tests::conformance::Adapter as _;

#[path = "../adapters/runtimes.rs"]
#[allow(dead_code)] // One runtime is enough.
mod runtimes;

use runtimes::Tokio;

/// Pings under way at once.
const WINDOWS: [usize; 2] = [1, 32];

fn main() {
    let seconds = std::env::args().nth(1).map_or(3, |text| text.parse().expect("seconds"));
    let authority = Authority::new();
    let issued = authority.issue("node", &["127.0.0.1"]);
    let tls = Tls::mutual(issued.certificate, issued.key, authority.file());
    println!(
        "{:18} {:>8} {:>10} {:>12} {:>12}",
        "transport", "at once", "pings/s", "CPU us each", "bytes each"
    );
    for (name, transport) in [
        ("UDP", Transport::udp_tcp()),
        ("alertmanager", Transport::tcp(Framing::Alertmanager)),
        ("alertmanager, TLS", Transport::tls(Framing::Alertmanager, tls.clone())),
        ("dskit", Transport::tcp(Framing::Dskit)),
        ("dskit, TLS", Transport::tls(Framing::Dskit, tls)),
    ] {
        measure(name, &transport, Duration::from_secs(seconds));
    }
}

fn measure(name: &str, transport: &Transport, time: Duration) {
    Tokio::block_on(async {
        let start = async |name: &str| {
            let quiet = Config::local(name).with(|it| {
                it.probe_interval = Duration::ZERO;
                // So many handshakes at once may take longer than a probe would wait.
                it.probe_timeout = Duration::from_secs(5);
                it.gossip_interval = Duration::ZERO;
                it.push_pull_interval = Duration::ZERO;
                it.limits.replies_per_second = 1_000_000;
            });
            let options = Options::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .with(|it| it.transport = transport.clone());
            Tokio::start(quiet, options).await.expect("a free port")
        };
        let (one, _events) = start("one").await;
        let (two, _others) = start("two").await;
        let to = || Target::Addr { addr: one.bound_address(), node: None };
        two.ping(to()).await.expect("an answer");
        for window in WINDOWS {
            let (before, begun) = ((cpu_ticks(), device_bytes()), Instant::now());
            let mut pings = 0_u32;
            while begun.elapsed() < time {
                let under_way: Vec<_> = (0..window).map(|_| two.ping(to())).collect();
                for ping in under_way {
                    ping.await.expect("an answer");
                    pings += 1;
                }
            }
            let rate = f64::from(pings) / begun.elapsed().as_secs_f64();
            let each = |whole: u64| whole as f64 / f64::from(pings);
            let cpu = each((cpu_ticks() - before.0) * 10_000);
            let bytes = each(device_bytes() - before.1);
            println!("{name:18} {window:>8} {rate:>10.0} {cpu:>12.1} {bytes:>12.0}");
        }
    });
}

/// Bytes that the loopback device has carried.
fn device_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/net/dev").expect("Linux");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).expect("a device");
    line.split_whitespace().next().expect("received bytes").parse().expect("a number")
}

/// Hundredths of a second of processor time that this process has used.
fn cpu_ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = text.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}
