//! The behaviour that every adapter must have, as tests that run over any adapter.
//!
//! [`Adapter`] describes an adapter; [`conformance!`](crate::conformance!) then makes each scenario
//! a test. All nodes run in one process, on loopback addresses.

pub mod addresses;
pub mod endings;
pub mod events;
pub mod exchange;
pub mod farewells;
pub mod log;
pub mod peers;
pub mod questions;
pub mod resources;

use std::future::Future;
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle};
use memberlist_proto::wire::message::Message;
use memberlist_proto::{Config, Event, Target};

/// The longest wait: enough for a busy machine. Nothing waits this long unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is checked of which no event reports a change.
const GLANCE: Duration = Duration::from_millis(5);

/// A runtime, and how a node is started on it.
pub trait Adapter {
    /// Starts a node; called from within [`block_on`](Self::block_on).
    fn start(
        config: Config,
        options: Options,
    ) -> impl Future<Output = Result<(Handle, Events), StartError>>;

    /// Runs a scenario, and the nodes that it starts, to its end on the calling thread.
    fn block_on<T>(scenario: impl Future<Output = T>) -> T;

    /// Waits for this time.
    fn sleep(time: Duration) -> impl Future<Output = ()>;
}

/// Makes each scenario a test over an [`Adapter`](crate::conformance::Adapter), in modules by
/// subject.
///
/// ```ignore
/// memberlist_tests::conformance!(MyAdapter);
/// ```
///
/// The scenarios after `sockets` themselves talk to a node over UDP and TCP, or are about these
/// two. `but for sockets: MyAdapter` leaves them out, for nodes whose packets travel over
/// connections.
#[macro_export]
macro_rules! conformance {
    ($adapter:ty) => {
        $crate::conformance! { @list [sockets] $adapter }
    };
    (but for sockets: $adapter:ty) => {
        $crate::conformance! { @list [] $adapter }
    };
    (@list $sockets:tt $adapter:ty) => {
        $crate::conformance! { @subjects $sockets $adapter:
            addresses {
                a_host_name_stands_for_all_its_addresses
                an_address_that_is_not_here_is_named
                bound_to_everything_it_announces_the_given_address
                ipv6_nodes_find_each_other
            } sockets {
                a_port_in_use_is_named
                bound_to_everything_it_announces_a_private_address
                one_socket_serves_both_families
                port_zero_is_one_port_for_both
                a_node_is_reached_at_the_address_it_announces
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
                a_peer_that_reads_nothing_holds_up_no_node_that_has_left
            } sockets {
                ends_when_the_last_handle_is_dropped_amid_streams
                shutdown_waits_until_every_socket_is_closed
            }
            exchange {
                a_message_of_any_size_is_spread
                a_node_reports_its_status
                a_patient_join_finds_a_peer_that_starts_later
                keys_change_while_nodes_talk
                a_join_says_why_each_peer_failed
                a_member_that_died_is_forgotten_by_order
                two_nodes_exchange_everything
            } sockets {
                a_join_says_who_has_the_name
            }
            farewells {
            } sockets {
                a_message_under_way_survives_a_shutdown
                no_packet_of_a_leave_is_lost
                what_was_sent_before_a_shutdown_arrives
            }
            events {
                a_node_without_a_reader_goes_on
                a_slow_reader_holds_no_more_bytes_than_it_may
                a_slow_reader_learns_what_it_missed
            } sockets {
                readers_are_independent
                a_slow_reader_makes_no_node_grow
            }
            log {
                a_panic_of_a_delegate_is_logged_as_that
            } sockets {
                a_failed_join_is_logged_with_its_reasons
                a_subscriber_that_panics_stops_no_node
                what_others_choose_forges_no_line
            }
            peers {
            } sockets {
                a_peer_that_sends_nonsense_does_no_harm
                a_request_is_answered_however_it_arrives
                a_reset_ends_its_stream_and_nothing_else
                hundreds_of_bad_peers_at_once_do_no_harm
                a_peer_that_never_ends_a_message_is_dropped
                a_peer_that_never_reads_its_answer_is_dropped
            }
            questions {
                a_delegate_that_calls_its_node_gets_an_error
                a_slow_answer_delays_only_its_own_exchange
                a_delegate_that_never_returns_takes_few_threads
            } sockets {
            }
        }
    };
    (@subjects [sockets] $adapter:ty:
        $($subject:ident { $($any:ident)* } sockets { $($own:ident)* })+) => {
        $crate::conformance! { @tests $adapter: $($subject { $($any)* $($own)* })+ }
    };
    (@subjects [] $adapter:ty:
        $($subject:ident { $($any:ident)* } sockets { $($own:ident)* })+) => {
        $crate::conformance! { @tests $adapter: $($subject { $($any)* })+ }
    };
    (@tests $adapter:ty: $($subject:ident { $($scenario:ident)* })+) => {
        $(mod $subject {
            #[allow(unused_imports)] // The adapter may be named by its whole path.
            use super::*;

            $(#[test]
            fn $scenario() {
                let scenario = $crate::conformance::$subject::$scenario::<$adapter>();
                <$adapter as $crate::conformance::Adapter>::block_on(scenario);
            })*
        })+
    };
}

/// The operations that scenarios share, on any adapter.
trait Kit: Adapter {
    async fn node(name: &str) -> (Handle, Events) {
        Self::start(quick(name), loopback()).await.expect("a free port")
    }

    async fn pair() -> [(Handle, Events); 2] {
        let one = Self::node("one").await;
        let two = Self::node("two").await;
        let report = two.0.join([one.0.bound_address()]).await.expect("both run");
        assert_eq!(report.joined, [one.0.bound_address()]);
        [one, two]
    }

    /// The output of a future; `None` if it is not ready within `time`.
    async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let late = async {
            Self::sleep(time).await;
            None
        };
        or(async { Some(future.await) }, late).await
    }

    async fn in_time<T>(future: impl Future<Output = T>) -> T {
        Self::within(PATIENCE, future).await.expect("in time")
    }

    /// Waits until a condition holds that no event reports.
    async fn eventually(mut so: impl FnMut() -> bool) {
        Self::in_time(async {
            while !so() {
                Self::sleep(GLANCE).await;
            }
        })
        .await;
    }

    /// Waits until the other end has closed or reset a connection; returns what it sent meanwhile.
    async fn end_of(stream: &mut TcpStream) -> Vec<u8> {
        stream.set_nonblocking(true).expect("a socket");
        let (mut heard, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        Self::eventually(|| match stream.read(&mut buffer) {
            Ok(0) => true,
            Ok(len) => {
                heard.extend_from_slice(&buffer[..len]);
                false
            }
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        })
        .await;
        heard
    }

    /// Waits for the first event for which `wanted` returns something, and returns that.
    async fn until<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> T {
        Self::in_time(async {
            loop {
                let event = events.next().await.expect("the node runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        })
        .await
    }
}

impl<A: Adapter> Kit for A {}

fn quick(name: &str) -> Config {
    Config::local(name).with(|it| {
        it.probe_interval = Duration::from_millis(200);
        it.probe_timeout = Duration::from_millis(100);
        it.gossip_interval = Duration::from_millis(20);
        it.tcp_timeout = Duration::from_secs(5);
    })
}

fn loopback() -> Options {
    Options::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn member(node: &Handle) -> Target {
    Target::Member(node.local().name().into())
}

fn at(node: &Handle) -> Target {
    Target::Addr { addr: node.bound_address(), node: None }
}

fn payload(event: &Event) -> Option<Bytes> {
    match event {
        Event::Message { payload, .. } => Some(payload.clone()),
        _ => None,
    }
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}
