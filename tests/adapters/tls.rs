//! Who is let in over TLS, and what both sides say when one is not.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime};

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::transport::{ClientAuth, Framing, Tls, Transport, TransportStats};
use memberlist_driver::{Error, Events, Handle};
use memberlist_proto::{
    Config, Event, ExchangeError, JoinError, NotJoined, StreamFailure, Target, TlsFailure,
};
use memberlist_tests::certificates::Authority;
use memberlist_tests::conformance::{Adapter as _, PATIENCE};

use crate::runtimes::Tokio;

const FRAMING: Framing = Framing::Alertmanager;
const HERE: &[&str] = &["127.0.0.1"];

async fn start(name: &str, transport: Transport) -> (Handle, Events) {
    let options =
        Options::bind(SocketAddr::from(([127, 0, 0, 1], 0))).with(|it| it.transport = transport);
    Tokio::start(Config::local(name), options).await.expect("a free port")
}

fn tls(authority: &Authority, file: &str, names: &[&str]) -> Tls {
    let issued = authority.issue(file, names);
    Tls::mutual(issued.certificate, issued.key, authority.file())
}

/// Why the one peer could not be joined.
async fn join(node: &Handle, peer: &Handle) -> Result<(), ExchangeError> {
    match node.join([peer.bound_address()]).await {
        Ok(_) => Ok(()),
        Err(Error::NotJoined(NotJoined { report })) => match &report.failed[0].error {
            JoinError::Exchange(error) => Err(error.clone()),
            other => panic!("{other}"),
        },
        Err(other) => panic!("{other}"),
    }
}

async fn eventually(node: &Handle, mut so: impl FnMut(&TransportStats) -> bool) {
    let begun = std::time::Instant::now();
    while !so(&node.transport_stats()) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", node.transport_stats());
        Tokio::sleep(Duration::from_millis(5)).await;
    }
}

/// Joins, and finds the reason on both sides.
async fn refused(node: Transport, peer: Transport, here: StreamFailure, there: TlsFailure) {
    let (node, _events) = start("node", node).await;
    let (peer, _reports) = start("peer", peer).await;
    assert_eq!(join(&node, &peer).await, Err(ExchangeError::Stream(here)));
    eventually(&peer, |stats| stats.tls_failures.contains_key(&there)).await;
    assert_eq!((node.num_members(), peer.num_members()), (1, 1));
}

#[test]
fn a_node_of_another_authority_is_kept_out() {
    let (authority, other) = (Authority::new(), Authority::new());
    let [mut strange, good] =
        [tls(&other, "strange", HERE), tls(&authority, "good", HERE)].map(Box::new);
    let over = |tls: &Tls| Transport::tls(FRAMING, tls.clone());
    Tokio::block_on(async {
        let here = StreamFailure::Tls(TlsFailure::UnknownIssuer);
        refused(over(&strange), over(&good), here, TlsFailure::RefusedIssuer).await;
        // It accepts the other's certificate, and is not accepted itself.
        strange.ca = Some(authority.file());
        let here = StreamFailure::Tls(TlsFailure::RefusedIssuer);
        refused(over(&strange), over(&good), here, TlsFailure::UnknownIssuer).await;
    });
}

/// With TLS 1.3, a peer refuses a certificate when packets have been written already: they count as
/// unsent, the reason is known, and the peer as one that cannot be reached.
#[test]
fn packets_to_a_peer_that_refuses_the_certificate_are_counted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let strange = tls(&other, "strange", HERE).with(|it| it.ca = Some(authority.file()));
    let good = tls(&authority, "good", HERE);
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            let (node, _events) = start("node", Transport::tls(framing, strange.clone())).await;
            let (peer, _reports) = start("peer", Transport::tls(framing, good.clone())).await;
            let to = || Target::Addr { addr: peer.bound_address(), node: None };
            let mut sent = 0;
            eventually(&node, |stats| {
                node.send(to(), "x").expect("the node runs");
                sent += 1;
                stats.failed >= 3
            })
            .await;
            eventually(&node, |stats| stats.packets_unsent == sent).await;
            let stats = node.transport_stats();
            assert!(stats.tls_failures.contains_key(&TlsFailure::RefusedIssuer), "{stats:?}");
            assert!(stats.opened < sent, "the peer rests: {stats:?}");
        }
    });
}

#[test]
fn a_node_without_a_certificate_is_kept_out_unless_none_is_required() {
    let authority = Authority::new();
    let mut bare = tls(&authority, "bare", HERE);
    bare.client_certificate = None;
    let mut good = tls(&authority, "good", HERE);
    Tokio::block_on(async {
        let over = |tls: &Tls| Transport::tls(FRAMING, tls.clone());
        let here = StreamFailure::Tls(TlsFailure::RefusedWithout);
        refused(over(&bare), over(&good), here, TlsFailure::NoCertificate).await;
        for lenient in [ClientAuth::None, ClientAuth::Request, ClientAuth::VerifyIfGiven] {
            good.client_auth = lenient;
            let (node, _events) = start("node", over(&bare)).await;
            let (peer, _reports) = start("peer", over(&good)).await;
            join(&node, &peer).await.expect("none is required");
        }
        good.client_auth = ClientAuth::RequireAny;
        let here = StreamFailure::Tls(TlsFailure::RefusedWithout);
        refused(over(&bare), over(&good), here, TlsFailure::NoCertificate).await;
    });
}

#[test]
fn a_certificate_must_be_for_the_address_or_the_expected_name() {
    let authority = Authority::new();
    let named = tls(&authority, "named", &["cluster.example"]);
    let over = |tls: &Tls| Transport::tls(FRAMING, tls.clone());
    Tokio::block_on(async {
        let here = StreamFailure::Tls(TlsFailure::WrongName);
        refused(over(&named), over(&named), here, TlsFailure::Refused).await;
        let expecting = named.clone().with(|it| it.server_name = Some("cluster.example".into()));
        let careless = named.clone().with(|it| it.insecure_skip_verify = true);
        for tls in [expecting, careless] {
            let (node, _events) = start("node", over(&tls)).await;
            let (peer, _reports) = start("peer", over(&tls)).await;
            join(&node, &peer).await.expect("the name is right, or does not matter");
        }
    });
}

/// An expired certificate is replaced in its place: nothing is started again, and what stood goes on.
#[test]
fn certificates_are_read_again_when_they_change() {
    let authority = Authority::new();
    let good = tls(&authority, "good", HERE);
    let past = SystemTime::now() - Duration::from_secs(60);
    let old = authority.issue_until("old", HERE, past);
    let old = Tls::mutual(old.certificate, old.key, authority.file());
    Tokio::block_on(async {
        let over = |tls: &Tls| Transport::tls(FRAMING, tls.clone());
        let (node, _events) = start("node", over(&good)).await;
        let (peer, mut reports) = start("peer", over(&old)).await;
        let expired = ExchangeError::Stream(StreamFailure::Tls(TlsFailure::Expired));
        assert_eq!(join(&node, &peer).await, Err(expired));
        eventually(&peer, |stats| stats.tls_failures.contains_key(&TlsFailure::RefusedExpired))
            .await;

        // Half of a pair is not taken.
        let key = std::fs::read(&old.key).expect("the key");
        std::fs::write(&old.key, "not a key").expect("writable");
        eventually(&peer, |stats| stats.certificate_errors == 1).await;
        std::fs::write(&old.key, key).expect("writable");
        authority.issue("old", HERE);
        eventually(&peer, |stats| stats.certificates_reloaded > 0).await;
        join(&node, &peer).await.expect("it is good now");

        // The connection for packets stands, whatever becomes of the files.
        let message = |number: u8| node.send(Target::Member("peer".into()), [number]);
        let mut heard = async |expected: u8| loop {
            match tokio::time::timeout(PATIENCE, reports.next()).await.expect("in time") {
                Some(Event::Message { payload, .. }) => break assert_eq!(payload[..], [expected]),
                Some(_) => {}
                None => panic!("nothing is heard"),
            }
        };
        message(1).expect("a member");
        heard(1).await;
        let opened = node.transport_stats().opened;
        let reloaded = node.transport_stats().certificates_reloaded;
        authority.issue("good", HERE);
        eventually(&node, |stats| stats.certificates_reloaded > reloaded).await;
        message(2).expect("a member");
        heard(2).await;
        assert_eq!(node.transport_stats().opened, opened, "the same connection");
    });
}

/// Each side says what it has met.
#[test]
fn transports_do_not_mix() {
    let authority = Authority::new();
    let secure = || Transport::tls(FRAMING, tls(&authority, "good", HERE));
    let plain = || Transport::tcp(FRAMING);
    Tokio::block_on(async {
        let (node, _events) = start("plain", plain()).await;
        let (peer, _reports) = start("secure", secure()).await;
        let met = ExchangeError::Stream(StreamFailure::UnexpectedTls);
        assert_eq!(join(&node, &peer).await, Err(met.clone()));
        eventually(&peer, |stats| stats.tls_failures.contains_key(&TlsFailure::PlainText)).await;

        let error = join(&peer, &node).await.expect_err("it speaks no TLS");
        let cut = StreamFailure::Tls(TlsFailure::Cut);
        assert_eq!(error, ExchangeError::Stream(cut));
        eventually(&node, |stats| stats.bad_connections > 0).await;

        let (udp, _heard) = start("udp", Transport::udp_tcp()).await;
        assert_eq!(join(&udp, &peer).await, Err(met));
        let error = join(&peer, &udp).await.expect_err("it speaks no TLS");
        assert!(matches!(error, ExchangeError::Stream(StreamFailure::Tls(_))), "{error}");
        assert_eq!(udp.num_members(), 1);
        // No UDP port is taken where packets travel over connections.
        UdpSocket::bind(peer.bound_address()).expect("it is free");
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = tls(&authority, "good", HERE);
    let strange = tls(&other, "strange", HERE);
    let missing = authority.folder().join("missing.pem");
    let cases = [
        (good.clone().with(|it| it.certificate = missing.clone()), "missing.pem"),
        (good.clone().with(|it| it.key = good.certificate.clone()), "it has no private key"),
        (good.clone().with(|it| it.certificate = good.key.clone()), "it has no certificate"),
        (good.clone().with(|it| it.key = strange.key), "the key is not that of the certificate"),
        (good.clone().with(|it| it.ca = Some(missing)), "missing.pem"),
        (good.clone().with(|it| it.client_ca = None), "client_ca"),
        (good.clone().with(|it| it.ca = None), "`ca`"),
        (good.with(|it| it.server_name = Some("not a name".into())), "not a valid server name"),
    ];
    Tokio::block_on(async {
        for (tls, words) in cases {
            let transport = Transport::tls(FRAMING, tls);
            let options = Options::bind(([127, 0, 0, 1], 0)).with(|it| it.transport = transport);
            let error = Tokio::start(Config::local("n"), options).await.expect_err(words);
            assert!(matches!(error, StartError::Tls(_)), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    });
}
