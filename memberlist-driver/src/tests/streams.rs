//! How the task of a stream carries on, and ends.

use memberlist_proto::wire::message::ErrorReply;

use super::tasks::{peer, started};
use super::*;

/// What is read at once at most.
const READ: usize = 64 << 10;

#[test]
fn a_write_that_is_interrupted_is_tried_again() {
    let (fake, node, _events) = started(quiet("n"));
    fake.world(|world| world.write_fails.extend([io::ErrorKind::Interrupted; 3]));
    let mut message = node.send_reliable(peer(), b"x");
    fake.until(|| poll(&mut message).is_ready());
    assert!(fake.world(|world| world.write_fails.is_empty() && !world.written.is_empty()));
    assert_eq!(node.stats().counters.exchanges_failed, 0);
}

/// What the peer says explains more than the failure of what was to be written to it.
#[test]
fn what_a_peer_says_is_read_though_nothing_can_be_written() {
    let (fake, node, _events) = started(quiet("n"));
    let mut reply = Vec::new();
    ErrorReply { error: b"not you" }.encode(&mut reply);
    fake.world(|world| {
        world.write_fails.push_back(io::ErrorKind::BrokenPipe);
        world.stream_says = Some(reply);
    });
    let mut message = node.send_reliable(peer(), b"x");
    let mut outcome = None;
    fake.until(|| match poll(&mut message) {
        Poll::Ready(result) => outcome.replace(result).is_none(),
        Poll::Pending => false,
    });
    let Some(Err(Error::Exchange(error))) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(error, ExchangeError::Remote(_)), "{error}");
}

#[test]
fn why_a_message_could_not_be_written_is_reported() {
    let (fake, node, _events) = started(quiet("n"));
    let open = fake.world(|world| world.open);
    fake.world(|world| world.write_fails.push_back(io::ErrorKind::BrokenPipe));
    let mut message = node.send_reliable(peer(), b"x");
    fake.until(|| fake.world(|world| world.write_fails.is_empty() && world.open == open));
    let Poll::Ready(Err(error)) = poll(&mut message) else { panic!("it has failed") };
    assert!(matches!(error, Error::Exchange(ExchangeError::Stream(_))), "{error}");
}

/// A peer whose last words have no end is not listened to forever, and not cut off at once.
#[test]
fn a_mebibyte_of_last_words_is_thrown_away() {
    let (fake, node, _events) = started(quiet("n"));
    let open = fake.world(|world| world.open);
    let message = node.send_reliable(peer(), b"x");
    fake.until(|| fake.world(|world| world.shut_down) == 1);
    let mut chunks = 0;
    while fake.world(|world| world.open) > open {
        assert!(chunks <= 16, "more than it takes");
        fake.world(|world| world.stream_says = Some(vec![7; READ]));
        fake.until(|| fake.world(|world| world.stream_says.is_none() || world.open == open));
        chunks += 1;
        // It takes notice of what it has read.
        fake.run_once();
    }
    assert_eq!(chunks, 16);
    drop(message);
}

#[test]
fn a_stream_ends_once_both_sides_have_ended() {
    let (fake, node, _events) = started(quiet("n"));
    let open = fake.world(|world| world.open);
    let mut message = node.send_reliable(peer(), b"x");
    fake.until(|| fake.world(|world| world.shut_down) == 1);
    assert!(fake.world(|world| world.open) > open, "the peer has not ended its side");
    fake.world(|world| world.stream_says = Some(Vec::new()));
    fake.until(|| fake.world(|world| world.open) == open);
    assert_eq!(poll(&mut message), Poll::Ready(Ok(())));
}
