//! What nodes leave behind. Alone in its process, whose descriptors it counts.
#![cfg(target_os = "linux")]

use std::time::Duration;

use memberlist_tokio::{Config, Memberlist, Options, Target};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("it is there").count()
}

#[tokio::test]
async fn a_hundred_lives_leave_nothing_behind() {
    let options = || Options::bind("127.0.0.1:0".parse().expect("an address"));
    let config =
        |name: &str| Config { gossip_interval: Duration::from_millis(1), ..Config::local(name) };
    let (seed, _events) = Memberlist::start(config("seed"), options()).await.expect("a free port");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // All tasks of the seed have started when it answers.
    let target = Target::Addr { addr: seed.bound_address(), node: None };
    seed.ping(target).await.expect("an answer");
    let before = (descriptors(), tasks());
    for number in 0..100 {
        let name = format!("n{number}");
        let (node, _events) = Memberlist::start(config(&name), options()).await.expect("a port");
        let report = node.join(&[seed.bound_address().into()]).await.expect("it runs");
        assert_eq!(report.joined.len(), 1, "{:?}", report.failed);
        if number % 2 == 0 {
            node.leave(Duration::from_secs(5)).await.expect("the seed is told");
            node.shutdown().await;
        }
    }
    // Streams at the seed's end, and nodes that were only dropped, end a moment later.
    let settled = async {
        while (descriptors(), tasks()) != before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(20), settled).await;
    assert!(settled.is_ok(), "{:?}, before {before:?}", (descriptors(), tasks()));
    assert_eq!(seed.stats().gauges.streams, 0);
}
