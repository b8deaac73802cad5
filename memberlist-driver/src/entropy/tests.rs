use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use memberlist_proto::{Config, Key, Target};

use super::*;
use crate::Handle;
use crate::driver::{Driver, Work};
use crate::shared::{Setup, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// Which of the calls were due, by the time since the one before.
fn due(calls: impl IntoIterator<Item = Duration>) -> Vec<usize> {
    let mut entropy = Entropy::default();
    let mut now = Instant::ORIGIN;
    assert!(!entropy.due(now), "the seed is fresh");
    let calls = calls.into_iter().map(|passed| {
        now += passed;
        entropy.due(now)
    });
    let calls: Vec<bool> = calls.collect();
    (1..).zip(calls).filter_map(|(call, due)| due.then_some(call)).collect()
}

#[test]
fn it_is_due_every_minute() {
    assert_eq!(due([SECOND; 185]), [60, 120, 180]);
}

#[test]
fn it_is_due_after_a_sleep() {
    let (sleep, short) = (Entropy::SLEEP, Duration::from_millis(4_999));
    assert_eq!(due([SECOND, short, SECOND]), [0_usize; 0]);
    assert_eq!(due([SECOND, sleep, SECOND]), [2]);
    // The minute counts from the last time.
    let calls = [SECOND, sleep].into_iter().chain([SECOND; 65]);
    assert_eq!(due(calls), [2, 62]);
}

/// Two nodes from one seed, as a machine and its copy are.
#[test]
fn a_copy_parts_from_its_twin() {
    let address = SocketAddr::from(([127, 0, 0, 1], 7946));
    let twin = || {
        let mut config = Config::local("n");
        config.gossip_interval = Duration::ZERO;
        config.secret_keys.push(Key::new(&[1; 16]).expect("16 bytes"));
        let shared = Shared::new(config, address, Setup::default(), [7; 32]);
        let shared = Arc::new(shared.expect("a valid configuration"));
        (Handle::new(&shared), Driver::new(shared))
    };
    let nonce = |(handle, driver): &(Handle, Driver)| {
        handle.send(Target::Addr { addr: address, node: None }, b"sealed").expect("sent");
        let mut work = Work::default();
        driver.turn(StdInstant::now(), false, &mut work);
        work.transmits.back().expect("a packet").payload[1..13].to_vec()
    };
    let (one, other) = (twin(), twin());
    assert_eq!(nonce(&one), nonce(&other));
    // Something comes in after a while, and is no packet.
    one.1.handle_packet(StdInstant::now() + Entropy::EVERY, address, b"");
    assert_ne!(nonce(&one), nonce(&other));
}
