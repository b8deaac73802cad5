//! The addresses on which a node listens, and those that it announces.

use std::io::ErrorKind;
use std::net::{
    IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket,
};

use memberlist_driver::bind::{Options, SocketKind, StartError};
use memberlist_proto::{Event, Target};

use super::{Adapter, Kit as _, at, loopback, payload, quick};
use crate::Loopback;

/// The error for a port that is taken says which port it is, and whether for packets or for
/// streams.
pub async fn a_port_in_use_is_named<A: Adapter>() {
    // On an address of its own: no other test may take the port for the other protocol.
    let host = Loopback::reserve();
    let streams = TcpListener::bind(host.port(0)).expect("a free port");
    let packets = UdpSocket::bind(host.port(0)).expect("a free port");
    let taken = [
        (streams.local_addr(), SocketKind::Tcp, "TCP"),
        (packets.local_addr(), SocketKind::Udp, "UDP"),
    ];
    for (address, kind, word) in taken {
        let address = address.expect("bound");
        let error = A::start(quick("n"), Options::bind(address)).await.expect_err("in use");
        let StartError::Bind { socket, address: named, source } = &error else { panic!("{error}") };
        assert_eq!((*socket, *named, source.kind()), (kind, address, ErrorKind::AddrInUse));
        assert!(error.to_string().contains(&format!("{word} {address}")), "{error}");
    }
}

/// The error for an address that no interface has says which one it is.
pub async fn an_address_that_is_not_here_is_named<A: Adapter>() {
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 7946));
    let error = A::start(quick("n"), Options::bind(elsewhere)).await.expect_err("not here");
    let StartError::Bind { address, source, .. } = &error else { panic!("{error}") };
    assert_eq!((*address, source.kind()), (elsewhere, ErrorKind::AddrNotAvailable));
}

/// Port 0 selects a port that is free for packets and streams, and this one is announced.
pub async fn port_zero_is_one_port_for_both<A: Adapter>() {
    let (one, _reports) = A::node("one").await;
    let (two, _heard) = A::node("two").await;
    assert_ne!(one.bound_address().port(), two.bound_address().port());
    for node in [&one, &two] {
        let address = node.bound_address();
        assert!(address.port() > 0);
        assert_eq!(node.local().address(), Some(address));
        assert_eq!(UdpSocket::bind(address).expect_err("taken").kind(), ErrorKind::AddrInUse);
        TcpStream::connect(address).expect("it listens");
    }
}

/// `Options::advertise` takes precedence over the bound address, in part or as a whole.
pub async fn bound_to_everything_it_announces_the_given_address<A: Adapter>() {
    let options = Options::bind("0.0.0.0:0")
        .with(|it| it.advertise = Some("127.0.0.1:0".parse().expect("an address")));
    let (one, _reports) = A::start(quick("one"), options).await.expect("a free port");
    let expected = SocketAddr::from(([127, 0, 0, 1], one.bound_address().port()));
    assert_eq!(one.local().address(), Some(expected));
    let only_port = loopback().with(|it| it.advertise = Some(([0, 0, 0, 0], 4000).into()));
    let (node, _reports) = A::start(quick("n"), only_port).await.expect("a free port");
    assert_eq!(node.local().address(), Some(([127, 0, 0, 1], 4000).into()));
    let (two, _heard) = A::node("two").await;
    let _ = A::in_time(two.join([expected])).await.expect("both run");
    assert_eq!(one.num_members(), 2);
}

/// A node that is bound to all interfaces and given no address to announce announces a private
/// address of the machine, or reports that there is none.
pub async fn bound_to_everything_it_announces_a_private_address<A: Adapter>() {
    let anywhere = Options::bind("0.0.0.0:0");
    match A::start(quick("n"), anywhere).await {
        Ok((node, _events)) => {
            let announced = node.local().address().expect("announced");
            let IpAddr::V4(ip) = announced.ip() else { panic!("{announced}") };
            assert!(!ip.is_unspecified() && !ip.is_loopback(), "{ip}");
            assert_eq!(announced.port(), node.bound_address().port());
            TcpStream::connect(announced).expect("an address of this machine");
        }
        Err(StartError::NoAddress(none)) => assert_eq!(none.bound, IpAddr::from([0, 0, 0, 0])),
        Err(error) => panic!("{error}"),
    }
}

/// Others reach a node at the address that it announces, although it is bound to another one.
pub async fn a_node_is_reached_at_the_address_it_announces<A: Adapter>() {
    // The announced address leads to the node only through this socket.
    let door = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let announced = door.local_addr().expect("bound");
    let options = loopback().with(|it| it.advertise = Some(announced));
    let (one, _reports) = A::start(quick("one"), options).await.expect("a free port");
    let (two, _heard) = A::node("two").await;
    assert_ne!(one.bound_address(), announced);
    assert_eq!(one.local().address(), Some(announced));
    let _ = A::in_time(one.join([two.bound_address()])).await.expect("both run");
    let known = two.member("one").expect("it joined");
    assert_eq!(known.address(), Some(announced));
    two.send(Target::Member("one".into()), b"through the door").expect("a member");
    door.set_nonblocking(true).expect("a socket");
    let mut buffer = vec![0; 2048];
    // Pings and gossip arrive as well.
    A::eventually(|| {
        let heard = door.recv(&mut buffer).map(|len| &buffer[..len]);
        heard.is_ok_and(|heard| heard.windows(16).any(|part| part == b"through the door"))
    })
    .await;
}

/// Nodes on `::1` find each other as nodes on `127.0.0.1` do.
pub async fn ipv6_nodes_find_each_other<A: Adapter>() {
    if !has_ipv6() {
        return;
    }
    let options = || Options::bind("[::1]:0");
    let (one, mut reports) = A::start(quick("one"), options()).await.expect("a free port");
    let (two, _heard) = A::start(quick("two"), options()).await.expect("a free port");
    let report = A::in_time(two.join([one.bound_address()])).await.expect("both run");
    assert_eq!(report.joined, [one.bound_address()]);
    assert_eq!(one.member("two").and_then(|it| it.address()), Some(two.bound_address()));
    A::in_time(two.ping(at(&one))).await.expect("an answer");
    let text = format!("[::1]:{}", one.bound_address().port());
    assert_eq!(text, one.bound_address().to_string());
    two.send(at(&one), b"by packet").expect("sent");
    assert_eq!(A::until(&mut reports, payload).await, "by packet");
}

/// A node bound to `[::]` serves both families by one socket.
pub async fn one_socket_serves_both_families<A: Adapter>() {
    if !has_ipv6() {
        return;
    }
    let options = Options::bind("[::]:0")
        .with(|it| it.advertise = Some("127.0.0.1:0".parse().expect("an address")));
    let (both, _reports) = A::start(quick("both"), options).await.expect("a free port");
    let (four, mut heard) = A::node("four").await;
    let address = both.local().address().expect("announced");
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    let report = A::in_time(both.join([four.bound_address()])).await.expect("both run");
    assert_eq!(report.joined, [four.bound_address()], "{:?}", report.failed);
    let by_four = Target::Addr { addr: address, node: None };
    A::in_time(four.ping(by_four)).await.expect("an answer");
    A::in_time(both.ping(at(&four))).await.expect("an answer");
    let by_six = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port()));
    TcpStream::connect(by_six).expect("it listens there, too");
    both.send(Target::Member("four".into()), b"by packet").expect("a member");
    let sender = |event: &Event| match event {
        Event::Message { from, .. } => Some(*from),
        _ => None,
    };
    assert_eq!(A::until(&mut heard, sender).await, address);
}

/// A host name stands for all its addresses: a join reports each of them.
pub async fn a_host_name_stands_for_all_its_addresses<A: Adapter>() {
    let (one, _reports) = A::node("one").await;
    let address = one.bound_address();
    let mut expected: Vec<SocketAddr> =
        ("localhost", address.port()).to_socket_addrs().expect("every machine has it").collect();
    expected.sort_unstable();
    expected.dedup();
    // If the name has an address of the other family, a node listens there, too.
    let other = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port()));
    let listening = if expected.contains(&other) {
        Some(A::start(quick("six"), Options::bind(other)).await.expect("a free port"))
    } else {
        None
    };
    let (two, _heard) = A::node("two").await;
    let name = format!("localhost:{}", address.port());
    let join = two.join([name]);
    let report = A::in_time(join).await.expect("all run");
    let mut tried = report.joined.clone();
    tried.extend(report.failed.iter().filter_map(|failure| failure.address));
    tried.sort_unstable();
    assert_eq!(tried, expected, "{report:?}");
    assert!(report.joined.contains(&address), "{report:?}");
    assert!(listening.is_none() || report.joined.contains(&other), "{report:?}");
}

/// Whether the machine has IPv6; without it, nothing of it can be tested.
fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}
