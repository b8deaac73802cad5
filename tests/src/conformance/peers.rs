//! Peers that misbehave.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memberlist_driver::{Delegate, Events, Handle};
use memberlist_proto::wire::push_pull::encode_header;
use memberlist_proto::{Config, Event, ExchangeError};
use socket2::{Domain, SockRef, Socket, Type};

use super::{Adapter, Kit as _, PATIENCE, at, loopback, member, payload, quick};

/// More bytes than sockets hold.
const LARGE: usize = 16 << 20;
const MANY: usize = 500;

/// Bytes that are not a message end their stream and nothing else.
pub async fn a_peer_that_sends_nonsense_does_no_harm<A: Adapter>() {
    let [(one, _reports), (two, _heard)] = A::pair().await;
    let mut silent = Vec::new();
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[6, 0x83], &[0xf4], &[255; 5000]] {
        let mut stream = TcpStream::connect(one.bound_address()).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        silent.push(stream);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for bytes in [&b""[..], b"junk", &[7, 255, 0], &[9; 1400], &[12, 0, 0, 0, 0, 1]] {
        socket.send_to(bytes, one.bound_address()).expect("sent");
    }
    let mut first = silent.swap_remove(1);
    // A stream on which no message can arrive is closed.
    A::end_of(&mut first).await;
    A::in_time(two.ping(member(&one))).await.expect("it still answers");
    assert_eq!(one.num_members(), 2);
}

/// A request is answered even if it arrives byte by byte, or if its sender closes its side right
/// after it.
pub async fn a_request_is_answered_however_it_arrives<A: Adapter>() {
    let (node, _events) = A::node("n").await;
    for (trickles, ends) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut stream = TcpStream::connect(node.bound_address()).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        if trickles {
            for byte in request() {
                stream.write_all(&[byte]).expect("it reads");
                A::sleep(Duration::from_millis(1)).await;
            }
        } else {
            stream.write_all(&request()).expect("it reads");
        }
        if ends {
            stream.shutdown(Shutdown::Write).expect("connected");
        }
        let answer = A::end_of(&mut stream).await;
        assert!(answer.len() > 20, "{answer:?}, trickling {trickles}, half-closed {ends}");
    }
    drop(node);
}

/// A peer that sends nothing, or half a message, or always a little more, is dropped when its time
/// is over; one that ends in the middle of a message, at once.
pub async fn a_peer_that_never_ends_a_message_is_dropped<A: Adapter>() {
    let hasty = quick("n").with(|it| it.tcp_timeout = Duration::from_secs(1));
    let (node, mut events) = A::start(hasty, loopback()).await.expect("a free port");
    let mut silent = TcpStream::connect(node.bound_address()).expect("it listens");
    let mut half = TcpStream::connect(node.bound_address()).expect("it listens");
    half.write_all(&promise()).expect("it reads");
    let mut trickling = half_sent(&node);
    A::eventually(|| node.stats().counters.streams_accepted == 3).await;
    A::eventually(|| {
        let _ = trickling.write(b"u");
        node.stats().gauges.streams == 0
    })
    .await;
    for stream in [&mut silent, &mut half, &mut trickling] {
        A::end_of(stream).await;
    }
    let mut halves = half_sent(&node);
    halves.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(A::end_of(&mut halves).await.len(), 0);
    // A peer that ends early is counted; one whose time is over is reported as well.
    assert_eq!(node.stats().counters.exchanges_failed, 4);
    A::in_time(node.shutdown()).await;
    let mut failures = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::ExchangeFailed { error, .. } = event {
            failures.push(error);
        }
    }
    let late = |error: &ExchangeError| matches!(error, ExchangeError::TimedOut(_));
    assert!(failures.len() == 3 && failures.iter().all(late), "{failures:?}");
}

/// A peer that asks for more than sockets hold, and never reads it, is dropped.
pub async fn a_peer_that_never_reads_its_answer_is_dropped<A: Adapter>() {
    let (node, _events) = large::<A>("n", Duration::from_secs(1)).await;
    let mut stream = TcpStream::connect(node.bound_address()).expect("it listens");
    stream.write_all(&request()).expect("it reads");
    A::eventually(|| node.stats().counters.streams_accepted == 1).await;
    A::in_time(node.ping(at(&node))).await.expect("it goes on");
    A::eventually(|| node.stats().gauges.streams == 0).await;
    // Only a part of the answer got through before that.
    let heard = A::end_of(&mut stream).await;
    assert!((1..LARGE).contains(&heard.len()), "{} bytes", heard.len());
}

/// A reset, whenever it arrives, ends its stream and nothing else.
pub async fn a_reset_ends_its_stream_and_nothing_else<A: Adapter>() {
    let (node, _events) = large::<A>("n", PATIENCE).await;
    for (number, beginning) in [vec![], promise(), request()].into_iter().enumerate() {
        let mut stream = TcpStream::connect(node.bound_address()).expect("it listens");
        stream.write_all(&beginning).expect("it reads");
        let accepted = number as u64 + 1;
        A::eventually(|| node.stats().counters.streams_accepted == accepted).await;
        reset(stream);
        A::eventually(|| node.stats().gauges.streams == 0).await;
    }
    A::in_time(node.ping(at(&node))).await.expect("it goes on");
}

/// Hundreds of all these peers at once, from several addresses, do not disturb the cluster, and all
/// are dropped in the end.
pub async fn hundreds_of_bad_peers_at_once_do_no_harm<A: Adapter>() {
    more_descriptors();
    let (one, mut reports) = patient::<A>("one").await;
    let (two, mut heard) = patient::<A>("two").await;
    let (three, _) = patient::<A>("three").await;
    let seed = [one.bound_address()];
    for node in [&two, &three] {
        let _ = A::in_time(node.join(seed)).await.expect("all run");
    }
    A::eventually(|| two.num_members() == 3).await;
    let before = one.stats().counters.streams_accepted;
    let mut crowd: Vec<_> = (0..MANY).map(|number| Some(bad_peer(number, &one))).collect();
    let there = || one.stats().counters.streams_accepted - before;
    A::eventually(|| there() >= MANY as u64).await;
    assert_eq!(one.stats().counters.streams_refused, 0);
    crowd.iter_mut().skip(5).step_by(6).filter_map(Option::take).for_each(reset);
    // More than one round of probes with all of them open.
    let probes = two.stats().counters.probes;
    let mut trickle = || {
        for stream in crowd.iter_mut().skip(1).step_by(6).flatten() {
            let _ = stream.write(b"u");
        }
    };
    A::eventually(|| {
        trickle();
        two.stats().counters.probes >= probes + 2
    })
    .await;
    assert!(one.stats().gauges.streams > MANY as u64 / 3, "{:?}", one.stats().gauges);
    // A ping may arrive too late if all nodes share a thread.
    A::in_time(async { while two.ping(member(&one)).await.is_err() {} }).await;
    A::in_time(two.send_reliable(member(&one), b"amid the crowd")).await.expect("it listens");
    assert_eq!(A::until(&mut reports, payload).await, "amid the crowd");
    A::eventually(|| {
        trickle();
        one.stats().gauges.streams == 0
    })
    .await;
    for (node, events) in [(&one, &mut reports), (&two, &mut heard)] {
        assert_eq!((node.num_members(), node.health_score()), (3, 0));
        A::in_time(node.shutdown()).await;
        while let Some(event) = events.next().await {
            assert!(!matches!(event, Event::Suspected { .. }), "{event:?}");
        }
    }
}

/// A bad peer of one of six kinds. It shares its address with fewer others than one source may have
/// streams.
fn bad_peer(number: usize, node: &Handle) -> TcpStream {
    let source = [127, 0, 0, 2 + u8::try_from(number % 5).expect("small")];
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("a loopback address");
    socket.connect(&node.bound_address().into()).expect("it listens");
    let mut stream = TcpStream::from(socket);
    stream.set_nonblocking(true).expect("a socket");
    let mut say = |bytes: &[u8]| assert_eq!(stream.write(bytes).expect("room"), bytes.len());
    match number % 6 {
        // It sends nothing.
        0 => {}
        // It sends half a frame, and no more.
        2 => say(&promise()[..3]),
        // It sends half a frame, and ends.
        3 => {
            say(&promise());
            stream.shutdown(Shutdown::Write).expect("connected");
        }
        // It will never read its answer.
        4 => say(&request()),
        // One of these goes on byte by byte, the other is reset in the middle of its message.
        _ => say(&promise()),
    }
    stream
}

/// A node whose state is larger than what sockets hold.
async fn large<A: Adapter>(name: &str, tcp_timeout: Duration) -> (Handle, Events) {
    let config = quick(name).with(|it| it.tcp_timeout = tcp_timeout);
    with_state::<A>(config, LARGE).await
}

/// A node of a cluster that shares a machine, which may be slow, with the peers that disturb it.
async fn patient<A: Adapter>(name: &str) -> (Handle, Events) {
    let config = quick(name).with(|it| {
        it.tcp_timeout = Duration::from_secs(12);
        it.probe_interval = Duration::from_secs(4);
        it.probe_timeout = Duration::from_secs(2);
    });
    with_state::<A>(config, 1 << 20).await
}

async fn with_state<A: Adapter>(config: Config, len: usize) -> (Handle, Events) {
    struct State(Bytes);
    impl Delegate for State {
        fn local_state(&self, join: bool) -> Bytes {
            if join { Bytes::new() } else { self.0.clone() }
        }
    }
    let quiet = config.with(|it| {
        it.push_pull_interval = Duration::ZERO;
        it.compression = memberlist_proto::Compression::None;
    });
    let delegate: Arc<dyn Delegate> = Arc::new(State(Bytes::from(vec![7; len])));
    let options = loopback().with(|it| it.delegate = Some(delegate));
    A::start(quiet, options).await.expect("a free port")
}

/// A full state exchange with an empty state, which is answered with the whole state.
fn request() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_header(&mut bytes, false, 0, 0);
    bytes
}

/// The beginning of a full state exchange that never ends.
fn promise() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_header(&mut bytes, false, 0, 1 << 20);
    bytes
}

fn half_sent(node: &Handle) -> TcpStream {
    let mut stream = TcpStream::connect(node.bound_address()).expect("it listens");
    stream.write_all(&promise()).expect("it reads");
    stream
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(stream);
}

/// Raises the limit of open files, because both ends of every stream are in this process.
fn more_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wanted = 4096.min(now.maximum.unwrap_or(u64::MAX));
    if now.current.is_some_and(|current| current < wanted) {
        let more = Rlimit { current: Some(wanted), maximum: now.maximum };
        setrlimit(Resource::Nofile, more).expect("up to the hard limit");
    }
}
