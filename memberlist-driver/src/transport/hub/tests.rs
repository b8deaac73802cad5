use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use memberlist_proto::Config;

use super::super::Bounds;
use super::*;
use crate::shared::{Setup, Shared};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn hub(limits: Limits) -> Arc<Hub<()>> {
    let shared = Shared::new(Config::local("n"), address(7), Setup::default(), [7; 32]);
    let driver = Driver::new(Arc::new(shared.expect("a valid configuration")));
    let keep = Keep::of(&driver);
    Arc::new(Hub::new(Framing::Alertmanager, limits, address(7), driver, keep))
}

/// Has one packet written to an address; its task waits for the next one.
fn sent(hub: &Hub<()>, to: SocketAddr, woken: &Arc<Woken>) -> Serial {
    let waker = Waker::from(Arc::clone(woken));
    let cx = Context::from_waker(&waker);
    let task = hub.send(b"x", to).expect("there is room").expect("a task is to begin");
    assert!(matches!(hub.poll_turn(&cx, to, task), Poll::Ready(Some(_))));
    hub.written(to, task, true);
    assert!(hub.poll_turn(&cx, to, task).is_pending());
    task
}

#[test]
fn a_task_that_has_ended_leaves_no_waker_behind() {
    let (hub, woken) = (hub(Limits::default()), Arc::new(Woken::default()));
    for port in 1..100 {
        let task = sent(&hub, address(port), &woken);
        assert_eq!(hub.lock().writers.len(), 1);
        assert!(hub.ends(address(port), task));
        hub.retired(address(port), task);
        assert!(hub.lock().writers.is_empty());
    }
    // One that ends late takes nothing from the task after it.
    let old = sent(&hub, address(1), &woken);
    assert!(hub.ends(address(1), old));
    sent(&hub, address(1), &woken);
    hub.retired(address(1), old);
    assert_eq!(hub.lock().writers.len(), 1);
}

#[test]
fn the_task_of_an_address_that_makes_room_is_woken() {
    let bounds = Bounds { peers: 1, ..Bounds::default() };
    let (hub, woken) =
        (hub(Limits { queue: bounds, ..Limits::default() }), Arc::new(Woken::default()));
    let first = sent(&hub, address(1), &woken);
    sent(&hub, address(2), &Arc::default());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    let turn = hub.poll_turn(&Context::from_waker(Waker::noop()), address(1), first);
    assert!(matches!(turn, Poll::Ready(None)), "it is to end");
    assert_eq!(hub.lock().writers.len(), 1);
}

/// What a frame gives as its sender's address does not matter: the room is shared by where connections
/// come from, and a host with many addresses is one source.
#[test]
fn one_source_does_not_fill_the_room_for_packets() {
    let hub = hub(Limits { arrived_bytes: 1 << 20, ..Limits::default() });
    let of_host = |number: u128| IpAddr::from((0x2001_0db8_u128 << 96 | number).to_be_bytes());
    let packet = Bytes::from(vec![7; 1000]);
    for number in 0..2000_u16 {
        hub.arrived(packet.clone(), address(number), of_host(number.into()));
    }
    let stats = hub.figures.read();
    let waits = 2000 - stats.packets_dropped;
    assert_eq!(stats.arrived_bytes, waits * 1128);
    assert!((700_000..=786_432).contains(&stats.arrived_bytes), "{stats:?}");
    // Another source's packets find room, and are handled in their turn.
    let other = IpAddr::from([127, 0, 0, 9]);
    hub.arrived(Bytes::from_static(b"other"), address(9), other);
    assert_eq!(hub.figures.read().packets_dropped, stats.packets_dropped);
    for _ in 0..waits {
        assert_eq!(hub.take_packet().map(|(packet, _)| packet.len()), Some(1000));
    }
    assert_eq!(hub.take_packet(), Some((Bytes::from_static(b"other"), address(9))));
    assert_eq!((hub.take_packet(), hub.figures.read().arrived_bytes), (None, 0));
    // Nor do empty packets wait in any number.
    for _ in 0..20_000 {
        hub.arrived(Bytes::new(), address(1), other);
    }
    assert!(hub.figures.read().packets_dropped > stats.packets_dropped + 10_000);
}
