use super::*;

#[test]
fn reasons_are_listed_up_to_a_limit() {
    let failure = |peer: &str| JoinFailure {
        peer: peer.parse().unwrap(),
        address: None,
        error: memberlist_proto::JoinError::TimedOut,
    };
    assert_eq!(
        reasons(&[failure("a:1"), failure("b")]),
        "no node could be joined: a:1: the join ran out of time; b: the join ran out of time"
    );
    let many = vec![failure("a"); 7];
    assert!(reasons(&many).ends_with("; and 2 more"));
}
