//! What becomes of the answers of name servers; the answers themselves are those of a real one in the
//! live tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::*;
use crate::runtime::{Runtime, Timer};
use crate::tests::fake::{Fake, Socket};

/// Resolves what it knows.
#[derive(Clone)]
struct Known(BTreeMap<&'static str, Vec<IpAddr>>);

struct Never;

impl Timer for Never {
    fn reset(&mut self, _: Instant) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Runtime for Known {
    type Packets = Socket;
    type Listener = Socket;
    type Stream = Socket;
    type Timer = Never;

    fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}

    fn spawn_blocking(&self, _: impl FnOnce() + Send + 'static) {}

    fn timer(&self, _: Instant) -> Never {
        Never
    }

    fn packets(&self, socket: std::net::UdpSocket) -> io::Result<Socket> {
        Fake::default().packets(socket)
    }

    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Socket> {
        Fake::default().listener(listener)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Socket> {
        Fake::default().connect(to).await
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.get(host).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn resolved(hosts: &[(&str, u16)]) -> io::Result<Vec<(IpAddr, u16)>> {
    let (one, two) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let known = Known([("one", vec![one]), ("both", vec![one, two])].into());
    let hosts = hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
    let mut resolving = pin!(resolve_all(&known, hosts));
    match resolving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("nothing is waited for"),
    }
}

#[test]
fn targets_without_addresses_are_passed_over_unless_none_has_any() {
    let (one, two) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let all = resolved(&[("one", 7), ("nowhere", 8), ("both", 9)]).expect("some are known");
    assert_eq!(all, [(one, 7), (one, 9), (two, 9)]);
    let none = resolved(&[("nowhere", 7), ("nowhere", 8)]).expect_err("none is known");
    assert_eq!(none.kind(), io::ErrorKind::NotFound);
    assert_eq!(resolved(&[]).expect("nothing has failed"), []);
}

#[cfg(feature = "srv")]
#[test]
fn a_name_server_that_is_late_is_not_one_that_knows_nothing() {
    use hickory_resolver::net::NetError;
    assert_eq!(failed(&NetError::Timeout).kind(), io::ErrorKind::TimedOut);
    assert_eq!(failed(&NetError::from("refused")).kind(), io::ErrorKind::Other);
}
