//! What a node listens on and announces.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use memberlist_proto::driver::bind::{Options, StartError};

use super::{Adapter, Kit as _, loopback, quick};

/// The error of a port that is taken says which one.
pub async fn a_port_in_use_is_named<A: Adapter>() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let error = A::start(quick("n"), Options::bind(address)).await.expect_err("in use");
    assert!(matches!(error, StartError::Bind { .. }));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

/// `Options::advertise` wins over the bound address, in part or as a whole.
pub async fn bound_to_everything_it_announces_what_it_is_told<A: Adapter>() {
    let options = Options {
        advertise: Some("127.0.0.1:0".parse().expect("an address")),
        ..Options::bind("0.0.0.0:0".parse().expect("an address"))
    };
    let (one, _told) = A::start(quick("one"), options).await.expect("a free port");
    let expected = SocketAddr::from(([127, 0, 0, 1], one.bound_address().port()));
    assert_eq!(one.local().address(), Some(expected));
    let only_port = Options { advertise: Some(([0, 0, 0, 0], 4000).into()), ..loopback() };
    let (node, _told) = A::start(quick("n"), only_port).await.expect("a free port");
    assert_eq!(node.local().address(), Some(([127, 0, 0, 1], 4000).into()));
    let (two, _heard) = A::node("two").await;
    two.join(&[expected.into()]).await.expect("both run");
    assert_eq!(one.num_members(), 2);
}

/// Nodes on `::1` find each other, and so do those that are named `localhost`.
pub async fn ipv6_and_host_names_work<A: Adapter>() {
    let options = Options::bind("[::1]:0".parse().expect("an address"));
    let Ok((one, _told)) = A::start(quick("one"), options.clone()).await else {
        // A machine without IPv6 has nothing to test here.
        assert!(UdpSocket::bind("[::1]:0").is_err());
        return;
    };
    let (two, _heard) = A::start(quick("two"), options).await.expect("a free port");
    let report = two.join(&[one.bound_address().into()]).await.expect("both run");
    assert_eq!(report.joined, [one.bound_address()]);
    let (three, _heard) = A::node("three").await;
    let (four, _heard) = A::node("four").await;
    let name = format!("localhost:{}", three.bound_address().port());
    let report = four.join(&[name.parse().expect("a peer")]).await.expect("both run");
    assert!(report.joined.contains(&three.bound_address()), "{report:?}");
}
