//! The log from end to end: with the feature `tracing` of memberlist-driver, and the subscriber
//! that programs use.

use std::io::{self, Write};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use memberlist_driver::{Delegate, Error, Handle};
use memberlist_proto::wire::message::{Alive, Message, Suspect};
use memberlist_proto::{Candidate, JoinPolicy, Peer, Retry};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{Adapter, Kit as _, encoded, loopback, quick};

/// Names of members and of accusers, which others choose, stay on their line and in their field.
pub async fn what_others_choose_forges_no_line<A: Adapter>() {
    let token = capture();
    let member = format!("x\n2026-01-01T00:00:00Z ERROR {token}\u{2028}\x1b[2J");
    let accuser = format!("y\r\n2026-01-01T00:00:00Z ERROR {token}");
    let (node, _events) = A::node("n").await;
    let alive = |incarnation, addr: [u8; 4]| {
        encoded(&Message::Alive(Alive {
            incarnation,
            node: member.as_bytes(),
            addr: Some(&addr),
            port: 9,
            meta: None,
            vsn: Some(&[1, 5, 2, 0, 0, 0]),
        }))
    };
    let (name, from) = (member.as_bytes(), accuser.as_bytes());
    let suspect = encoded(&Message::Suspect(Suspect { incarnation: 1, node: name, from }));
    send(&node, &alive(1, [127, 0, 0, 1]));
    A::eventually(|| node.num_members() == 2).await;
    // Lines about a conflict, a refusal and a suspicion.
    for packet in [alive(2, [127, 0, 0, 2]), alive(3, [0; 4]), suspect] {
        send(&node, &packet);
    }
    let expected = ["ERROR", " WARN", " INFO"];
    let lines = until::<A>(&token, |lines| {
        expected.iter().all(|level| lines.iter().any(|line| line.contains(level)))
    })
    .await;
    for line in &lines {
        assert_eq!(line.matches(char::is_control).count(), 1, "{line:?}");
        assert!(line.ends_with('\n') && !line.contains('\u{2028}'), "{line:?}");
        assert!(line.contains("memberlist::membership: "), "{line:?}");
        assert!(line.contains("node=n ") && line.contains("member=x\\n2026-01-01T"), "{line:?}");
    }
    let suspicion = lines.iter().find(|line| line.contains(" INFO")).expect("looked for");
    assert!(suspicion.contains("reason=y\\r\\n2026"), "{suspicion:?}");
}

/// The panic of a delegate is logged with its method and message; the node goes on.
pub async fn a_panic_of_a_delegate_is_logged_as_that<A: Adapter>() {
    struct Panics(String);
    impl Delegate for Panics {
        fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
            assert!(candidate.name != "two", "no two, {}\nhere", self.0);
            Ok(())
        }

        fn local_state(&self, _: bool) -> Bytes {
            panic!("no state, {}", self.0)
        }
    }
    let token = capture();
    let delegate: Arc<dyn Delegate> = Arc::new(Panics(token.clone()));
    let options = loopback().with(|it| it.delegate = Some(delegate));
    let (one, _reports) = A::start(quick("one"), options).await.expect("a free port");
    let (two, _heard) = A::node("two").await;
    let join = two.join([one.bound_address()]);
    assert_eq!(A::in_time(join).await.expect("both run").joined, [one.bound_address()]);
    let expected = [
        format!("the delegate panicked in `admit`: no two, {token}\\nhere"),
        format!("the delegate panicked in `local_state`: no state, {token}"),
    ];
    let lines = until::<A>(&token, |lines| {
        expected.iter().all(|text| lines.iter().any(|line| line.contains(text)))
    })
    .await;
    for line in lines.iter().filter(|line| line.contains("panicked in")) {
        assert!(line.contains("ERROR memberlist::delegate: "), "{line:?}");
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    }
    assert_eq!((one.num_members(), two.num_members()), (1, 2), "a panic admits nothing");
}

/// A subscriber that panics, for instance because its output has failed, loses only its line.
pub async fn a_subscriber_that_panics_stops_no_node<A: Adapter>() {
    let token = format!("{}{FATAL}", capture());
    let (one, _reports) = A::node(&token).await;
    send(&one, &[0x5a; 40]);
    until::<A>(&token, |lines| !lines.is_empty()).await;
    let (two, _heard) = A::node("two").await;
    let join = two.join([one.bound_address()]);
    assert_eq!(A::in_time(join).await.expect("both run").joined, [one.bound_address()]);
    A::in_time(two.ping(one.bound_address())).await.expect("an answer to a packet");
}

/// A join that reaches no peer is one warning for each attempt, with the reasons.
pub async fn a_failed_join_is_logged_with_its_reasons<A: Adapter>() {
    let token = capture();
    let (node, _events) = A::node("n").await;
    let retry = Some(Retry::new(Duration::from_millis(1), Duration::from_millis(1)));
    let policy = JoinPolicy::default().with(|it| {
        it.retry = retry;
        it.give_up_after = Duration::from_secs(1);
    });
    let myself = Peer::from(node.bound_address());
    let peer = Peer { name: Some(token.as_str().into()), ..myself };
    let failed = A::in_time(node.join_with([peer], policy)).await;
    assert!(matches!(failed, Err(Error::NotJoined(_))), "{failed:?}");
    let lines = until::<A>(&token, |lines| !lines.is_empty()).await;
    // Hundreds of attempts in a second or two.
    assert!((2..=30).contains(&lines.len()), "{lines:?}");
    for line in lines {
        assert!(line.contains(" WARN memberlist::join: joined no peer"), "{line:?}");
        assert!(line.contains("failed: that is this node's own address"), "{line:?}");
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    }
}

/// Starts to capture the lines that contain a mark, which is returned.
fn capture() -> String {
    static MARKS: AtomicUsize = AtomicUsize::new(0);
    static CAPTURING: OnceLock<()> = OnceLock::new();
    CAPTURING.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_ansi(false)
            .with_writer(Capture)
            .finish()
            .with(Panics)
            .init();
    });
    format!("forged-{}-", MARKS.fetch_add(1, Ordering::Relaxed))
}

/// Waits until the lines with a mark are as expected, and returns them.
async fn until<A: Adapter>(mark: &str, complete: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    A::eventually(|| {
        let captured = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
        lines = captured.iter().filter(|line| line.contains(mark)).cloned().collect();
        complete(&lines)
    })
    .await;
    lines
}

/// The output of the subscriber, with one entry for each event.
static CAPTURED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Clone, Copy)]
struct Capture;

impl Write for Capture {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        if text.contains("forged-") {
            CAPTURED.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_string());
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Capture {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// The part of a node's name at whose events the subscriber panics, after they are captured.
const FATAL: &str = "fatal-";

/// The layer that panics. A writer that panics would leave its line to the next event of its
/// thread, and so spoil the lines of other tests in this process.
struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut PanicIfFatal);
    }
}

struct PanicIfFatal;

impl Visit for PanicIfFatal {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        assert!(field.name() != "node" || !format!("{value:?}").contains(FATAL), "as asked for");
    }
}

fn send(node: &Handle, packet: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.send_to(packet, node.bound_address()).expect("sent");
}
