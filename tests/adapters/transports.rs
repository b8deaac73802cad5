//! The suite over the transports that carry packets over connections, each on a runtime.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::LazyLock;
use std::time::Duration;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::transport::{Framing, Tls, Transport};
use memberlist_driver::{Events, Handle};
use memberlist_proto::Config;
use memberlist_tests::certificates::{Authority, Issued};
use memberlist_tests::conformance::Adapter;

/// A transport for the nodes of a scenario.
pub(crate) trait Way {
    fn transport() -> Transport;
}

/// An adapter whose nodes use a transport.
pub(crate) struct Over<A, W>(PhantomData<(A, W)>);

impl<A: Adapter, W: Way> Adapter for Over<A, W> {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        A::start(config, options.with(|it| it.transport = W::transport())).await
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        A::block_on(scenario)
    }

    async fn sleep(time: Duration) {
        A::sleep(time).await;
    }
}

pub(crate) struct PlainAlertmanager;
pub(crate) struct PlainDskit;
pub(crate) struct TlsAlertmanager;
pub(crate) struct TlsDskit;

impl Way for PlainAlertmanager {
    fn transport() -> Transport {
        Transport::tcp(Framing::Alertmanager)
    }
}

impl Way for PlainDskit {
    fn transport() -> Transport {
        Transport::tcp(Framing::Dskit)
    }
}

impl Way for TlsAlertmanager {
    fn transport() -> Transport {
        Transport::tls(Framing::Alertmanager, tls())
    }
}

impl Way for TlsDskit {
    fn transport() -> Transport {
        Transport::tls(Framing::Dskit, tls())
    }
}

/// One certificate for every node of this process.
fn tls() -> Tls {
    static MADE: LazyLock<(Authority, Issued)> = LazyLock::new(|| {
        let authority = Authority::new();
        let issued = authority.issue("node", &["127.0.0.1", "::1", "localhost"]);
        (authority, issued)
    });
    let (authority, issued) = &*MADE;
    Tls::mutual(&issued.certificate, &issued.key, authority.file())
}

/// Every transport on every runtime, and a cluster of all runtimes.
macro_rules! over {
    ($($module:ident = $adapter:ident, $way:ident;)+) => {
        $(mod $module {
            memberlist_tests::conformance! { but for sockets:
                crate::transports::Over<crate::runtimes::$adapter, crate::transports::$way>
            }
        })+
    };
}

over! {
    tokio_alertmanager = Tokio, PlainAlertmanager;
    tokio_alertmanager_tls = Tokio, TlsAlertmanager;
    tokio_dskit = Tokio, PlainDskit;
    tokio_dskit_tls = Tokio, TlsDskit;
    async_std_alertmanager = AsyncStd, PlainAlertmanager;
    async_std_alertmanager_tls = AsyncStd, TlsAlertmanager;
    async_std_dskit = AsyncStd, PlainDskit;
    async_std_dskit_tls = AsyncStd, TlsDskit;
    smol_alertmanager = Smol, PlainAlertmanager;
    smol_alertmanager_tls = Smol, TlsAlertmanager;
    smol_dskit = Smol, PlainDskit;
    smol_dskit_tls = Smol, TlsDskit;
    mixed_alertmanager_tls = Mixed, TlsAlertmanager;
    mixed_dskit = Mixed, PlainDskit;
}
