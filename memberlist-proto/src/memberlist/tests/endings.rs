//! How streams end that carry no message, or that are cut short.

use super::*;
use crate::event::{ExchangeError, JoinError, Outcome};
use crate::transmit::StreamFailure;
use crate::wire::message::ErrorReply;
use crate::{Key, Target};

/// Every event of a node that accepted one stream on which `data` arrived.
fn probed(config: Config, data: &[u8]) -> Vec<String> {
    let mut rig = Rig::with(config);
    let id = rig.node.accept_stream(rig.now, address(40)).expect("room");
    rig.node.handle_stream_data(rig.now, id, data).expect_err("no message");
    rig.node.handle_stream_closed(rig.now, id, None);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 1);
    core::iter::from_fn(|| rig.node.poll_event()).map(|event| event.to_string()).collect()
}

#[test]
fn what_opens_a_stream_is_reported_by_what_it_looks_like() {
    let http = "accepted stream with 10.0.0.1:40 failed: the peer opened a stream and sent what looks like HTTP";
    let keyed = || {
        let mut config = config();
        config.secret_keys.push(Key::new(&[1; 16]).expect("a key"));
        config
    };
    let labelled = || Config { label: b"label"[..].into(), ..config() };
    for config in [config(), keyed(), labelled()] {
        assert_eq!(probed(config, b"GET /health HTTP/1.1\r\n\r\n"), [http]);
    }
    assert_eq!(probed(config(), b"HEAD / HTTP/1.0\r\n\r\n"), [http]);
    let other = probed(config(), b"GNU");
    assert!(other[0].ends_with("the peer opened a stream with message type 71"), "{other:?}");
}

#[test]
fn a_health_check_of_the_port_is_no_failure() {
    let mut rig = Rig::new();
    for cause in [None, Some(StreamFailure::Reset)] {
        let id = rig.node.accept_stream(rig.now, address(40)).expect("room");
        if cause.is_none() {
            rig.node.handle_stream_eof(rig.now, id);
        }
        rig.node.handle_stream_closed(rig.now, id, cause);
    }
    let counters = rig.node.stats().counters;
    assert_eq!((counters.streams_silent, counters.exchanges_failed), (2, 0));
    assert_eq!(rig.events(), [""; 0]);
    // A peer that begins a message and breaks off has failed.
    let id = rig.node.accept_stream(rig.now, address(40)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &[6]).expect("a beginning");
    rig.node.handle_stream_closed(rig.now, id, None);
    let counters = rig.node.stats().counters;
    assert_eq!((counters.streams_silent, counters.exchanges_failed), (2, 1));
}

#[test]
fn a_state_that_the_peer_cuts_off_is_not_blamed_on_the_label() {
    for (written, cut) in [(true, false), (false, true)] {
        let mut rig = Rig::new();
        rig.node.join(rig.now, &[address(2).into()]);
        let id = rig.connects().remove(0).0;
        rig.node.handle_stream_connected(rig.now, id);
        let sent = match rig.node.poll_stream() {
            Some(StreamOp::Write { data, .. }) => data.len(),
            other => panic!("{other:?}"),
        };
        let taken = if written { sent } else { sent - 1 };
        rig.node.handle_stream_written(rig.now, id, taken);
        rig.node.handle_stream_eof(rig.now, id);
        let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) =
            rig.node.poll_event()
        else {
            panic!("the join has not ended")
        };
        let JoinError::Exchange(error) = &report.failed[0].error else { panic!("{report:?}") };
        let (taken, len) = (taken as u64, sent as u64);
        let cut_off = ExchangeError::CutOff { written: taken, len };
        assert_eq!(*error, if cut { cut_off } else { ExchangeError::Closed });
        assert_eq!(error.to_string().contains("label"), written);
        assert!(error.to_string().contains("longer than it accepts"), "{error}");
    }
}

/// A peer that refuses this node's label may cut the connection instead of closing it.
#[test]
fn a_reset_without_an_answer_is_the_same_as_a_close() {
    for cause in [None, Some(StreamFailure::Reset)] {
        let mut rig = Rig::new();
        rig.node.join(rig.now, &[address(2).into()]);
        let id = rig.connects().remove(0).0;
        rig.node.handle_stream_connected(rig.now, id);
        let Some(StreamOp::Write { data, .. }) = rig.node.poll_stream() else {
            panic!("nothing is sent")
        };
        rig.node.handle_stream_written(rig.now, id, data.len());
        rig.node.handle_stream_closed(rig.now, id, cause);
        let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) =
            rig.node.poll_event()
        else {
            panic!("the join has not ended")
        };
        let closed = JoinError::Exchange(ExchangeError::Closed);
        assert_eq!(report.failed[0].error, closed);
    }
}

/// A peer without labels closes as soon as it has read that byte: what follows was not too long.
#[test]
fn a_peer_that_reads_only_the_label_is_blamed_on_the_label() {
    for (taken, closed) in [(6, true), (7, false)] {
        let mut rig = Rig::with(config().with(|it| it.label = "blue".into()));
        rig.node.join(rig.now, &[address(2).into()]);
        let id = rig.connects().remove(0).0;
        rig.node.handle_stream_connected(rig.now, id);
        rig.node.handle_stream_written(rig.now, id, taken);
        rig.node.handle_stream_eof(rig.now, id);
        let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) =
            rig.node.poll_event()
        else {
            panic!("the join has not ended")
        };
        let JoinError::Exchange(error) = &report.failed[0].error else { panic!("{report:?}") };
        assert_eq!(*error == ExchangeError::Closed, closed, "{error}");
    }
}

/// A reliable message whose receiver answers with an error, as one without its key does.
#[test]
fn an_error_that_answers_a_message_is_its_end() {
    let mut rig = Rig::new();
    let target = Target::Addr { addr: address(2), node: None };
    rig.node.send_reliable(rig.now, target, b"news").expect("short enough");
    let id = rig.connects().remove(0).0;
    rig.node.handle_stream_connected(rig.now, id);
    let mut reply = Vec::new();
    ErrorReply { error: b"no" }.encode(&mut reply);
    let error = rig.node.handle_stream_data(rig.now, id, &reply).expect_err("refused");
    assert_eq!(error, ExchangeError::Remote("no".into()));
    let Some(Event::Finished { outcome: Outcome::SendReliable(Err(reported)), .. }) =
        rig.node.poll_event()
    else {
        panic!("the message has not ended")
    };
    assert_eq!(reported, error);
}
