use alloc::string::ToString as _;

use proptest::prelude::*;

use core::time::Duration;

use super::*;
use crate::node::{Identity, IdentityParts};

/// Names that people have given to nodes, and what becomes of them before `/127.0.0.1:7946`.
const NAMES: &[(&[u8], &str)] = &[
    (b"n1", "n1"),
    (b"ns/pod-0", "ns%2Fpod-0"),
    (b"http://db1:8080", "http:%2F%2Fdb1:8080"),
    (b"a/b:c", "a%2Fb:c"),
    (b"/lead", "%2Flead"),
    (b"trail/", "trail%2F"),
    (b"with space", "with%20space"),
    (b"[v6]:7946", "[v6]:7946"),
    (b"10.0.0.1", "10.0.0.1"),
    (b"line\nbreak", "line%0Abreak"),
    (b"not-utf8-\xff", "not-utf8-%FF"),
    (b"100%", "100%25"),
    (b"a,b", "a%2Cb"),
    ("n\u{fc}rnberg".as_bytes(), "n\u{fc}rnberg"),
    ("no\u{a0}break".as_bytes(), "no%C2%A0break"),
];

/// The forms of Thanos and Mimir.
#[test]
fn peers_can_be_services() {
    let service = |targets| Host::Service { name: "_gossip._tcp.example".into(), targets };
    for (text, host, port) in [
        ("dnssrv+_gossip._tcp.example", service(Targets::Server), None),
        ("dnssrvnoa+_gossip._tcp.example", service(Targets::Platform), None),
        ("dnssrv+_gossip._tcp.example:7000", service(Targets::Server), Some(7000)),
    ] {
        let peer: Peer = text.parse().unwrap();
        assert_eq!(peer, Peer { name: None, host, port });
        assert_eq!(peer.to_string(), text);
        assert_eq!(peer.address(7946), None);
    }
    let named: Peer = "n1/dnssrv+_gossip._tcp.example".parse().unwrap();
    assert_eq!(named.name, Some("n1".into()));
    assert_eq!(named.to_string().parse(), Ok(named));
    assert_eq!("dns+db.example:1".parse::<Peer>(), "db.example:1".parse());
    assert_eq!("dnssrv+10.0.0.1".parse::<Peer>(), Err(PeerError::Host));
    assert_eq!("dnssrv+".parse::<Peer>(), Err(PeerError::NoHost));
    assert_eq!("DNSSRV+x".parse::<Peer>(), Err(PeerError::Host));
    assert_eq!("dnsx+x".parse::<Peer>(), Err(PeerError::Host));
}

#[test]
fn accepts_every_form_of_the_go_library() {
    let at = |text: &str| text.parse::<Peer>().unwrap();
    assert_eq!(at("10.0.0.1").address(7946), Some("10.0.0.1:7946".parse().unwrap()));
    assert_eq!(at("10.0.0.1:80").address(7946), Some("10.0.0.1:80".parse().unwrap()));
    assert_eq!(at("::1").address(7946), Some("[::1]:7946".parse().unwrap()));
    assert_eq!(at("[::1]").address(7946), Some("[::1]:7946".parse().unwrap()));
    assert_eq!(at("[::1]:80").address(7946), Some("[::1]:80".parse().unwrap()));
    let named = at("n1/host.example:80");
    assert_eq!(named.name, Some(NodeName::from("n1")));
    assert_eq!(named.host, Host::Name("host.example".into()));
    assert_eq!(named.port, Some(80));
    assert_eq!(named.address(7946), None);
}

#[test]
fn refuses_what_names_no_peer() {
    for (text, error) in [
        ("", PeerError::NoHost),
        (":80", PeerError::NoHost),
        ("/host", PeerError::EmptyName),
        ("host:0", PeerError::Port),
        ("host:70000", PeerError::Port),
        ("host:a:b", PeerError::Port),
        ("[::1", PeerError::Brackets),
        ("[host]:80", PeerError::Brackets),
        ("[::1]80", PeerError::Brackets),
        ("10.0.0.1/24", PeerError::Network),
        ("10.0.0.1/24:7946", PeerError::Network),
        ("fd00::/8", PeerError::Network),
        ("[fd00::1]/64", PeerError::Network),
        ("n1/10.0.0.1/24", PeerError::Network),
        ("http://db1:8080", PeerError::Host),
        ("db 1", PeerError::Host),
        ("db\n1", PeerError::Host),
        ("%41.example", PeerError::Host),
        ("50%/10.0.0.1", PeerError::Escape),
        ("%2/10.0.0.1", PeerError::Escape),
        ("%+1/10.0.0.1", PeerError::Escape),
        ("%0\u{fc}/10.0.0.1", PeerError::Escape),
    ] {
        assert_eq!(text.parse::<Peer>(), Err(error), "{text}");
    }
}

#[test]
fn a_network_is_called_one() {
    let error = "10.0.0.1/24".parse::<Peer>().unwrap_err().to_string();
    assert!(error.contains("network") && error.contains("address"), "{error}");
    // These are nodes whose names look like addresses.
    for (text, name, host) in [
        ("10.0.0.1/33", "10.0.0.1", "33"),
        ("::1/129", "::1", "129"),
        ("%310.0.0.1/24", "10.0.0.1", "24"),
        ("%3A:1/64", "::1", "64"),
    ] {
        let host = Host::Name(host.into());
        let peer = Peer { name: Some(NodeName::from(name)), host, port: None };
        assert_eq!(text.parse(), Ok(peer.clone()), "{text}");
        assert_eq!(peer.to_string(), text);
    }
}

#[test]
fn names_read_back_whatever_they_hold() {
    let address: SocketAddr = "127.0.0.1:7946".parse().unwrap();
    for (name, written) in NAMES {
        let peer = Peer { name: Some(NodeName::from(*name)), ..Peer::from(address) };
        let text = peer.to_string();
        assert_eq!(text, alloc::format!("{written}/127.0.0.1:7946"));
        assert_eq!(text.parse(), Ok(peer));
    }
    let nameless = Peer { name: Some(NodeName::from("")), ..Peer::from(address) };
    assert_eq!(nameless.to_string().parse(), Ok(Peer::from(address)));
}

fn hosts() -> impl Strategy<Value = Host> {
    let names = prop_oneof!["[a-zA-Z0-9._-]{1,40}", "[0-9]{1,3}", "[\\p{L}\\p{N}.-]{1,12}",];
    prop_oneof![
        any::<IpAddr>().prop_map(Host::Ip),
        any::<u32>().prop_map(|low| Host::Ip(core::net::Ipv6Addr::from_bits(low.into()).into())),
        names
            .prop_filter("an address", |text| text.parse::<IpAddr>().is_err())
            .prop_map(Host::Name),
    ]
}

fn names() -> impl Strategy<Value = Option<NodeName>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..64),
        prop::collection::vec(prop::sample::select(&b"%/:[],. \n\t0aF\xc3\xa9\xff"[..]), 1..16),
        any::<IpAddr>().prop_map(|ip| ip.to_string().into_bytes()),
        any::<core::net::Ipv6Addr>().prop_map(|ip| alloc::format!("[{ip}]").into_bytes()),
        "\\PC{1,32}".prop_map(String::into_bytes),
    ];
    prop::option::of(bytes.prop_map(|bytes| NodeName::from(&*bytes)))
}

proptest! {
    #[test]
    fn every_peer_reads_back(
        name in names(),
        host in hosts(),
        port in prop::option::of(1..=u16::MAX),
    ) {
        let peer = Peer { name, host, port };
        let text = peer.to_string();
        prop_assert_eq!(text.parse::<Peer>(), Ok(peer), "{}", text);
        prop_assert!(!text.contains(|letter: char| letter.is_whitespace() || letter == ','));
    }

    /// What is read is written so that it reads the same.
    #[test]
    fn every_text_is_refused_or_reads_back(text in "[%/:a0F.\\[\\] \n1-9]{0,24}|\\PC{0,32}") {
        if let Ok(peer) = text.parse::<Peer>() {
            prop_assert_eq!(peer.to_string().parse(), Ok(peer));
        }
    }
}

#[test]
fn every_form_of_a_peer_becomes_one() {
    let peer: Peer = "10.0.0.1:7".parse().expect("a peer");
    let address: SocketAddr = "10.0.0.1:7".parse().expect("an address");
    assert_eq!(
        [Peer::from(address), Peer::from(&address), Peer::from(&peer)],
        [const {}; 3].map(|()| peer.clone())
    );
    let text = String::from("10.0.0.1:7");
    assert_eq!(Peer::try_from("10.0.0.1:7"), Ok(peer.clone()));
    assert_eq!(Peer::try_from(&"10.0.0.1:7"), Ok(peer.clone()));
    assert_eq!(Peer::try_from(&text), Ok(peer.clone()));
    assert_eq!(Peer::try_from(text), Ok(peer.clone()));
    assert_eq!(Peer::try_from("a b"), Err(PeerError::Host));
    assert_eq!(Peer::from(address.ip()), Peer { port: None, ..peer.clone() });

    let node = |addr: Option<&[u8]>| {
        let parts = IdentityParts { name: b"n/1", addr, port: 7, ..IdentityParts::default() };
        let identity = Identity::new(parts).expect("short enough");
        Node::new(identity, 1, crate::State::Alive, crate::Instant::ORIGIN)
    };
    let known = node(Some(&[10, 0, 0, 1]));
    let named = Peer { name: Some("n/1".into()), ..peer };
    assert_eq!(Peer::try_from(&known), Ok(named.clone()));
    assert_eq!(Peer::try_from(known.clone()), Ok(named));
    assert_eq!(Peer::try_from(node(None)), Err(PeerError::NoAddress));
    assert_eq!(NodeName::from(&known), "n/1");
}

#[test]
fn every_form_of_a_target_becomes_one() {
    let name = NodeName::from("n");
    let member = Target::Member(name.clone());
    assert_eq!(Target::from("n"), member);
    assert_eq!(Target::from(String::from("n")), member);
    assert_eq!(Target::from(&name), member);
    assert_eq!(Target::from(name.as_name()), member);
    assert_eq!(Target::from(&member), member);
    let addr: SocketAddr = "[::1]:7".parse().expect("an address");
    assert_eq!(Target::from(addr), Target::Addr { addr, node: None });
    // What an operator writes, and what is shown of it.
    for (text, target) in [("[::1]:7", Target::from(addr)), ("::1", "::1".into()), ("n", member)] {
        assert_eq!(text.parse(), Ok(target.clone()));
        assert_eq!(target.to_string(), text);
    }
    // A name that looks like an address is still a name where one is given.
    assert_eq!(Target::from("[::1]:7"), Target::Member("[::1]:7".into()));
}

#[test]
fn policies_are_built_step_by_step() {
    let retry = Retry::new(Duration::from_secs(1), Duration::from_secs(9));
    let policy = JoinPolicy::until_joined().enough(2).retry(retry).with(|it| {
        it.give_up_after = Duration::from_secs(60);
    });
    assert_eq!((policy.enough, policy.retry), (2, Some(retry)));
    assert_eq!(policy, policy.give_up_after(Duration::from_secs(60)));
    assert_eq!(retry.with(|it| it.first = retry.longest).first, Duration::from_secs(9));
}
