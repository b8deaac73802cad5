use super::*;

/// The text of a panic, whichever type it has.
#[test]
fn what_a_panic_says_is_kept() {
    let say = |panics: fn()| caught("notify", panics).expect_err("it panics");
    let text = say(|| panic!("a constant"));
    assert_eq!((text.method, text.message.as_str()), ("notify", "a constant"));
    assert_eq!(say(|| panic!("number {}", std::hint::black_box(7))).message, "number 7");
    assert_eq!(say(|| std::panic::panic_any(7)).message, "no message");
}

struct Plain;

impl Delegate for Plain {}

/// Answers everything otherwise than by default.
struct Contrary;

impl Delegate for Contrary {
    fn admit(&self, _: &Candidate<'_>) -> Result<(), String> {
        Err("no".into())
    }

    fn ack_payload(&self) -> Option<Bytes> {
        Some(Bytes::from_static(b"payload"))
    }

    fn broadcasts(&self, _: &View<'_>, _: usize, _: usize) -> Vec<Bytes> {
        vec![Bytes::from_static(b"message")]
    }

    fn has_broadcasts(&self) -> bool {
        false
    }

    fn stream_ping(&self, _: Name<'_>) -> bool {
        false
    }

    fn local_state(&self, join: bool) -> Bytes {
        if join { Bytes::from_static(b"join") } else { Bytes::from_static(b"state") }
    }

    fn admit_merge(&self, peers: &[Node]) -> Result<(), String> {
        Err(format!("{} peers", peers.len()))
    }
}

/// Asks a node's delegate what it asks while the node runs: whether it lets `name` in, and whether a
/// stream may be tried.
fn asked(delegate: impl Delegate + 'static) -> (bool, bool) {
    use memberlist_proto::{Config, Instant, Memberlist};
    let decisions = Decisions::new(Some(Arc::new(delegate)), false).expect("it decides");
    let stream = decisions.stream_ping(Name::new(b"name"));
    let config = Config::local("name");
    let node = Memberlist::new(Instant::ORIGIN, config, Some(Arc::new(decisions)), [7; 32]);
    (node.is_ok(), stream)
}

#[test]
fn a_delegate_that_answers_nothing_allows_everything() {
    assert!(Plain.stream_ping(Name::new(b"x")) && Plain.has_broadcasts());
    assert_eq!((Plain.local_state(true), Plain.ack_payload()), (Bytes::new(), None));
    assert_eq!(Plain.admit_merge(&[]), Ok(()));
    assert_eq!(asked(Plain), (true, true));
}

#[test]
fn a_shared_delegate_answers_as_it_does_alone() {
    let shared: Arc<dyn Delegate> = Arc::new(Contrary);
    assert!(!shared.stream_ping(Name::new(b"x")) && !shared.has_broadcasts());
    assert_eq!(
        (shared.local_state(true), shared.local_state(false)),
        ("join".into(), "state".into())
    );
    assert_eq!(shared.ack_payload(), Some("payload".into()));
    assert_eq!(shared.admit_merge(&[]), Err("0 peers".into()));
    assert_eq!(asked(shared), (false, false));
}
