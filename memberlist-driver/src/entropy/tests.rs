use std::vec::Vec;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Which of the calls were due, by the time since the one before.
fn due(calls: impl IntoIterator<Item = Duration>) -> Vec<usize> {
    let mut entropy = Entropy::default();
    let mut now = Instant::now();
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
    let twin = || {
        let mut config = crate::Config::local("n");
        config.gossip_interval = Duration::ZERO;
        config.secret_keys.push(memberlist_proto::Key::new(&[1; 16]).expect("16 bytes"));
        let bound = ([127, 0, 0, 1], 7946).into();
        crate::start(config, bound, crate::Setup::default(), [7; 32]).expect("valid")
    };
    let nonce = |(handle, _, driver): &(crate::Handle, crate::Events, crate::Driver)| {
        let to = memberlist_proto::Target::Addr { addr: ([127, 0, 0, 1], 1).into(), node: None };
        handle.send(to, b"sealed").expect("sent");
        let work = driver.work();
        work.transmits.last().expect("a packet").payload[1..13].to_vec()
    };
    let (one, other) = (twin(), twin());
    assert_eq!(nonce(&one), nonce(&other));
    // Something comes in after a while, and is no packet.
    let later = Instant::now() + Entropy::EVERY;
    one.2.handle_packet(later, ([127, 0, 0, 1], 1).into(), b"");
    assert_ne!(nonce(&one), nonce(&other));
}
