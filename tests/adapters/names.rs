//! `require_certificate_name`: a member's certificate is for its name.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::transport::{ClientAuth, Framing, Tls, TlsError, Transport};
use memberlist_driver::{Error, Events, Handle};
use memberlist_proto::{
    BroadcastKind, Config, Departure, Event, ExchangeError, JoinError, NotJoined, Priority,
    StreamFailure, Target, TlsFailure,
};
use memberlist_tests::certificates::Authority;
use memberlist_tests::conformance::{Adapter as _, PATIENCE};

use crate::runtimes::Tokio;

/// One node, whose certificate is for a name that may be another's.
struct Seat<'a> {
    authority: &'a Authority,
    framing: Framing,
    name: &'a str,
    certificate: &'a str,
    requires: bool,
    advertise: Option<SocketAddr>,
}

impl<'a> Seat<'a> {
    fn new(authority: &'a Authority, framing: Framing, name: &'a str) -> Self {
        Self { authority, framing, name, certificate: name, requires: true, advertise: None }
    }

    async fn start(self) -> (Handle, Events) {
        let issued = self.authority.issue(self.certificate, &["127.0.0.1", self.certificate]);
        let mut tls = Tls::mutual(issued.certificate, issued.key, self.authority.file());
        tls.require_certificate_name = self.requires;
        let options = Options::bind(SocketAddr::from(([127, 0, 0, 1], 0))).with(|it| {
            it.transport = Transport::tls(self.framing, tls);
            it.advertise = self.advertise;
        });
        let config = Config::local(self.name).with(|it| {
            it.probe_interval = Duration::from_millis(200);
            it.probe_timeout = Duration::from_millis(100);
            // Among three, two transmissions of a piece of news may both go to the one that knows it.
            it.retransmit_mult = 20;
        });
        Tokio::start(config, options).await.expect("a free port")
    }
}

async fn join(node: &Handle, peer: &Handle) {
    let report = node.join([peer.bound_address()]).await.expect("it runs");
    assert!(report.failed.is_empty(), "{report:?}");
}

async fn eventually(mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "it does not happen");
        Tokio::sleep(Duration::from_millis(5)).await;
    }
}

async fn until(events: &mut Events, mut wanted: impl FnMut(&Event) -> bool) {
    let all = async { while !wanted(&events.next().await.expect("the node runs")) {} };
    tokio::time::timeout(PATIENCE, all).await.expect("in time");
}

fn misnamed(node: &Handle) -> bool {
    node.transport_stats().tls_failures.contains_key(&TlsFailure::WrongName)
}

/// What a member says of others, and passes on for them, needs no certificate of theirs.
#[test]
fn news_of_third_parties_goes_around() {
    let authority = Authority::new();
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            let seat = |name| Seat::new(&authority, framing, name);
            let (one, mut heard) = seat("one").start().await;
            let (two, _events) = seat("two").start().await;
            let (three, _reports) = seat("three").start().await;
            // The first and the third know each other by the second alone.
            join(&two, &one).await;
            join(&three, &two).await;
            eventually(|| [&one, &two, &three].iter().all(|node| node.num_members() == 3)).await;
            three.broadcast("around", BroadcastKind::Plain, Priority::default()).expect("short");
            two.send(Target::Member("one".into()), "packet").expect("a member");
            three.send_reliable(Target::Member("one".into()), "stream").await.expect("it runs");
            let mut missing = BTreeSet::from(["around", "packet", "stream"]);
            until(&mut heard, |event| {
                if let Event::Message { payload, .. } = event {
                    missing.retain(|text| payload != text);
                }
                missing.is_empty()
            })
            .await;
            for node in [&one, &two, &three] {
                assert!(!misnamed(node), "{:?}", node.transport_stats());
            }
        }
    });
}

/// A stolen certificate: its holder cannot be another member, neither by a name nor by an address.
#[test]
fn a_certificate_is_good_for_its_own_name_only() {
    let authority = Authority::new();
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            let seat = |name| Seat::new(&authority, framing, name);
            let (one, mut events) = seat("one").start().await;
            let stolen = Seat { certificate: "web", requires: false, ..seat("db") };
            let (thief, _reports) = stolen.start().await;
            // It may speak at first: no member is known by that name or address.
            let _ = thief.join([one.bound_address()]).await;
            until(&mut events, |event| match event {
                Event::Departed { node, reason, .. } => {
                    node.name() == "db" && matches!(reason, Departure::Failed { .. })
                }
                _ => false,
            })
            .await;
            assert!(misnamed(&one), "{:?}", one.transport_stats());
        }
    });
}

/// The address of another member, in a frame, needs that member's certificate.
#[test]
fn no_packet_comes_in_the_name_of_another() {
    let authority = Authority::new();
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            let seat = |name| Seat::new(&authority, framing, name);
            let (one, mut events) = seat("one").start().await;
            let (two, _reports) = seat("two").start().await;
            join(&two, &one).await;
            let to = || Target::Addr { addr: one.bound_address(), node: None };
            let advertise = Some(two.bound_address());
            let (thief, _heard) =
                Seat { certificate: "web", requires: false, advertise, ..seat("two") }
                    .start()
                    .await;
            thief.send(to(), "from the thief").expect("it runs");
            eventually(|| misnamed(&one)).await;
            two.send(to(), "from two").expect("it runs");
            until(&mut events, |event| match event {
                Event::Message { payload, .. } => {
                    assert_eq!(payload, "from two");
                    true
                }
                _ => false,
            })
            .await;
        }
    });
}

/// An address has one name: otherwise one certificate would do for two members.
#[test]
fn two_names_at_one_address_are_refused() {
    let authority = Authority::new();
    Tokio::block_on(async {
        let seat = |name| Seat::new(&authority, Framing::Alertmanager, name);
        let (one, mut events) = seat("one").start().await;
        let (two, _reports) = seat("two").start().await;
        join(&two, &one).await;
        let advertise = Some(two.bound_address());
        let (other, _heard) = Seat { advertise, ..seat("other") }.start().await;
        let _ = other.join([one.bound_address()]).await;
        until(&mut events, |event| match event {
            Event::Refused { reason, .. } => {
                reason.to_string().contains("its address is that of the member two")
            }
            _ => false,
        })
        .await;
        assert_eq!(one.num_members(), 2);
    });
}

/// A join to a member's address meets that member, or fails.
#[test]
fn a_stream_goes_to_the_member_at_its_address_only() {
    let authority = Authority::new();
    Tokio::block_on(async {
        let seat = |name| Seat::new(&authority, Framing::Alertmanager, name);
        let (one, _events) = seat("one").start().await;
        let (thief, _reports) =
            Seat { certificate: "web", requires: false, ..seat("db") }.start().await;
        let joined = async || one.join([thief.bound_address()]).await;
        let _report = joined().await.expect("no member is known there");
        let Err(Error::NotJoined(NotJoined { report })) = joined().await else {
            panic!("its certificate is not for db")
        };
        let error =
            JoinError::Exchange(ExchangeError::Stream(StreamFailure::Tls(TlsFailure::WrongName)));
        assert_eq!(report.failed[0].error, error);
    });
}

#[test]
fn names_need_certificates_that_are_verified() {
    let authority = Authority::new();
    let issued = authority.issue("node", &["127.0.0.1", "node"]);
    let good = Tls::mutual(issued.certificate, issued.key, authority.file())
        .with(|it| it.require_certificate_name = true);
    let cases = [
        good.clone().with(|it| it.client_auth = ClientAuth::VerifyIfGiven),
        good.with(|it| it.insecure_skip_verify = true),
    ];
    Tokio::block_on(async {
        for tls in cases {
            let options = Options::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .with(|it| it.transport = Transport::tls(Framing::Alertmanager, tls));
            let error = Tokio::start(Config::local("n"), options).await.expect_err("unverified");
            assert!(matches!(error, StartError::Tls(TlsError::UnverifiedNames)), "{error}");
        }
    });
}
