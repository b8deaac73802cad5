use super::*;

#[test]
fn types_that_packets_do_not_carry_are_refused() {
    assert_eq!(Message::decode(b""), Err(DecodeError::Empty));
    for code in [6, 7, 9, 10, 12, 13, 14, 243, 244, 255] {
        assert_eq!(Message::decode(&[code, 0x80]), Err(DecodeError::UnexpectedType(code)));
    }
}

#[test]
fn user_messages_may_be_empty() {
    assert_eq!(Message::decode(&[8]), Ok(Message::User(b"")));
}

#[test]
fn nil_and_empty_survive_being_passed_on() {
    let alive = Alive { node: b"n", addr: None, meta: Some(b""), vsn: None, ..Alive::default() };
    let mut bytes = Vec::new();
    alive.encode(&mut bytes);
    assert_eq!(Message::decode(&bytes), Ok(Message::Alive(alive)));
}

#[test]
fn fields_that_may_be_left_out_are() {
    let mut bytes = Vec::new();
    Ping { seq_no: 300, node: b"n1", source_addr: Some(b""), ..Ping::default() }.encode(&mut bytes);
    assert_eq!(bytes, b"\x00\x82\xa4Node\xa2n1\xa5SeqNo\xcd\x01\x2c");
}
