use super::*;

#[test]
fn what_is_written_can_be_read() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(decode(encode(&bytes).as_bytes()), Ok(bytes));
    assert_eq!(decode(b" 0A\n ff "), Ok(vec![10, 255]));
    assert_eq!(decode(b""), Ok(vec![]));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_eq!(decode(b"0"), Err(HexError::Odd));
    assert_eq!(decode(b"00 0g"), Err(HexError::Digit { byte: b'g', at: 4 }));
    assert!(decode(b"\xff").unwrap_err().to_string().contains("position 0"));
}
