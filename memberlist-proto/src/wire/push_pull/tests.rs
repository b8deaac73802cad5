use super::*;

#[test]
fn lengths_are_signed_numbers() {
    let mut out = Vec::new();
    encode_header(&mut out, true, 128, 32_768);
    let expected = b"\x06\x83\xa4Join\xc3\xa5Nodes\xd1\x00\x80\xacUserStateLen\xd2\x00\x00\x80\x00";
    assert_eq!(out, expected);
    let header = Header::read(&mut Reader::new(&out[1..]));
    assert_eq!(header, Ok(Header { nodes: 128, user_state_len: 32_768, join: true }));
}

#[test]
fn older_releases_write_unsigned_lengths() {
    let body = b"\x81\xaaUserMsgLen\xcc\xc8";
    assert_eq!(UserHeader::read(&mut Reader::new(body)), Ok(UserHeader { len: 200 }));
}

#[test]
fn user_messages_carry_their_length() {
    let mut out = Vec::new();
    encode_user(&mut out, b"hello");
    assert_eq!(out, b"\x08\x81\xaaUserMsgLen\x05hello");
}

#[test]
fn states_follow_each_other() {
    let first =
        NodeState { name: b"a", state: 3, addr: Some(&[127, 0, 0, 1]), ..Default::default() };
    let second = NodeState { name: b"b", incarnation: 70_000, meta: Some(b""), ..first };
    let mut out = Vec::new();
    encode_state(&mut out, &first);
    encode_state(&mut out, &second);
    let mut reader = Reader::new(&out);
    assert_eq!(NodeState::read(&mut reader), Ok(first));
    assert_eq!(NodeState::read(&mut reader), Ok(second));
    assert!(reader.rest().is_empty());
}

#[test]
fn only_four_numbers_stand_for_states() {
    let known = |state| NodeState { state, ..NodeState::default() }.known_state();
    let states = [State::Alive, State::Suspect, State::Dead, State::Left];
    assert_eq!([0, 1, 2, 3].map(known), states.map(Some));
    for number in [-1, 4, 256, i64::MIN, i64::MAX] {
        assert_eq!(known(number), None, "{number}");
    }
}
