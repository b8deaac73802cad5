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

/// A transport.
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

/// Every scenario, but for those that speak to a node over a socket of their own, without frames, or
/// that are about the two sockets of UDP and TCP.
macro_rules! over {
    ($($module:ident = $adapter:ident, $way:ident;)+) => {
        $(mod $module {
            memberlist_tests::conformance! {
                crate::transports::Over<crate::runtimes::$adapter, crate::transports::$way>:
                addresses {
                    a_host_name_stands_for_all_its_addresses
                    an_address_that_is_not_here_is_named
                    bound_to_everything_it_announces_the_given_address
                    ipv6_nodes_find_each_other
                }
                endings {
                    a_dropped_announcement_is_made_all_the_same
                    a_dropped_future_cancels_what_it_waited_for
                    a_vanished_node_is_declared_dead
                    after_leaving_a_node_answers_but_does_not_join
                    after_shutdown_every_call_says_so
                    an_event_loop_may_call_everything
                    ends_when_the_last_handle_is_dropped
                    leaving_twice_is_leaving_once
                    a_node_that_leaves_and_shuts_down_has_left
                }
                exchange {
                    a_message_of_any_size_is_spread
                    a_node_reports_its_status
                    a_patient_join_finds_a_peer_that_starts_later
                    keys_change_while_nodes_talk
                    a_join_says_why_each_peer_failed
                    a_member_that_died_is_forgotten_by_order
                    two_nodes_exchange_everything
                }
                events {
                    a_node_without_a_reader_goes_on
                    a_slow_reader_holds_no_more_bytes_than_it_may
                    a_slow_reader_learns_what_it_missed
                }
                log {
                    a_panic_of_a_delegate_is_logged_as_that
                }
                questions {
                    a_delegate_that_calls_its_node_gets_an_error
                    a_slow_answer_delays_only_its_own_exchange
                }
            }
        })+
    };
}

over! {
    tokio_alertmanager = Tokio, PlainAlertmanager;
    tokio_alertmanager_tls = Tokio, TlsAlertmanager;
    tokio_dskit = Tokio, PlainDskit;
    tokio_dskit_tls = Tokio, TlsDskit;
    async_std_alertmanager_tls = AsyncStd, TlsAlertmanager;
    async_std_dskit = AsyncStd, PlainDskit;
    smol_alertmanager_tls = Smol, TlsAlertmanager;
    smol_dskit_tls = Smol, TlsDskit;
    mixed_alertmanager_tls = Mixed, TlsAlertmanager;
}
