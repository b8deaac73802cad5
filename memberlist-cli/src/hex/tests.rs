use super::*;

#[test]
fn encoding_and_decoding_are_inverse() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(decode(encode(&bytes).as_bytes()), Ok(bytes));
    assert_eq!(decode(b" 0A\n ff "), Ok(vec![10, 255]));
    assert_eq!(decode(b""), Ok(vec![]));
}

#[test]
fn errors_name_the_position() {
    assert_eq!(decode(b"0"), Err(HexError::Odd));
    assert_eq!(decode(b"00 0g"), Err(HexError::Digit { byte: b'g', at: 4 }));
    assert!(decode(b"\xff").unwrap_err().to_string().contains("position 0"));
}
