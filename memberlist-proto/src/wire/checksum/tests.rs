use super::*;

const NACK: &[u8] = b"\x0b\x81\xa5SeqNo\x2a";

#[test]
fn the_published_example() {
    let mut packet = Vec::new();
    write_header(&mut packet, NACK);
    assert_eq!(packet, [0x0c, 0xa5, 0xcf, 0xa8, 0x17]);
    packet.extend_from_slice(NACK);
    assert_eq!(strip(&packet), Ok(Some(NACK)));
    packet[6] ^= 1;
    assert_eq!(strip(&packet).map_err(|error| error.stated), Err(0xa5cf_a817));
}

#[test]
fn without_a_header_there_is_nothing_to_verify() {
    assert_eq!(strip(NACK), Ok(None));
    assert_eq!(strip(&[0x0c, 0, 0, 0]), Ok(None));
    assert_eq!(strip(&[0x0c, 0, 0, 0, 0]), Ok(Some(&b""[..])));
}
