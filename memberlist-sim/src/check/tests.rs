use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Config, Departure, Event, Instant, Memberlist, StreamId, StreamOp};

use super::Laws;

fn laws() -> Laws {
    Laws::new(Duration::from_secs(30))
}

#[test]
fn streams_are_used_in_order() {
    let id = StreamId::MIN;
    let connect = || StreamOp::Connect { id, to: ([10, 0, 0, 1], 7946).into(), node: None };
    let write = || StreamOp::Write { id, data: Bytes::new() };
    let (close, abort) = (|| StreamOp::Close { id }, || StreamOp::Abort { id });
    let holds = |ops: &[StreamOp]| {
        let mut laws = laws();
        ops.iter().try_for_each(|op| laws.stream(op)).is_ok()
    };
    assert!(holds(&[connect(), write(), write(), close(), abort()]));
    assert!(holds(&[write(), abort()]), "an accepted stream");
    for wrong in [
        [connect(), connect()],
        [close(), write()],
        [close(), close()],
        [abort(), write()],
        [abort(), close()],
        [abort(), abort()],
        [abort(), connect()],
    ] {
        assert!(!holds(&wrong), "{wrong:?}");
    }
}

#[test]
fn nobody_departs_from_itself_unless_it_left() {
    let node = |name: &str| {
        let now = Instant::from_nanos(1);
        Memberlist::new(now, Config::lan(name), None, [0; 32]).expect("a configuration").local()
    };
    let told = |name: &str, reason: Departure| {
        let mut laws = laws();
        let now = Instant::from_nanos(1);
        for name in ["me", "other"] {
            laws.event(now, &Event::Joined { node: node(name) }).expect("both join");
        }
        laws.event(now, &Event::Departed { node: node(name), reason, from: None })
    };
    let dead = || Departure::Declared { by: "other".into() };
    assert_eq!(told("me", Departure::Left), Ok(()));
    assert_eq!(told("other", dead()), Ok(()));
    assert!(told("me", dead()).is_err());
}
