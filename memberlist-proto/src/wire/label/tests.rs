use alloc::vec;
use alloc::{format, string::ToString};

use super::*;

#[test]
fn labels_have_at_most_255_bytes() {
    assert_eq!(Label::new(vec![b'l'; 255]).map(|label| label.as_bytes().len()), Ok(255));
    assert_eq!(Label::new(vec![b'l'; 256]), Err(LabelTooLong { len: 256 }));
    let label = Label::new("dc1\u{fffd}").expect("short");
    assert_eq!(label.to_string(), "dc1\u{fffd}");
    assert_eq!(format!("{:?}", Label::new(b"\xff").expect("short")), "Label(\"\u{fffd}\")");
    assert!(Label::default().is_empty());
}

#[test]
fn a_header_arrives_byte_by_byte() {
    let data = b"\xf4\x03lbl\x08";
    assert_eq!(peek(b""), Ok(Peek::Absent));
    for len in 1..5 {
        assert_eq!(peek(&data[..len]), Ok(Peek::Incomplete));
        assert_eq!(strip(&data[..len]), Err(LabelError::Truncated));
    }
    assert_eq!(peek(data), Ok(Peek::Present(b"lbl")));
    assert_eq!(strip(data), Ok((Some(&b"lbl"[..]), &b"\x08"[..])));
    assert_eq!(peek(b"\xf4\x00x"), Err(LabelError::Empty));
    assert_eq!(strip(b"\x08x"), Ok((None, &b"\x08x"[..])));
}

#[test]
fn the_rule_for_what_comes_in() {
    assert_eq!(admit(b"", false, None), Ok(()));
    assert_eq!(admit(b"us", false, None), Err(LabelError::Mismatch));
    assert_eq!(admit(b"us", false, Some(b"us")), Ok(()));
    assert_eq!(admit(b"us", false, Some(b"them")), Err(LabelError::Mismatch));
    assert_eq!(admit(b"", false, Some(b"them")), Err(LabelError::Mismatch));
    assert_eq!(admit(b"us", true, None), Ok(()));
    assert_eq!(admit(b"us", true, Some(b"us")), Err(LabelError::Double));
}

#[test]
fn no_label_takes_no_bytes() {
    let mut out = Vec::new();
    write_header(&mut out, b"");
    assert_eq!((out.len(), overhead(b"")), (0, 0));
    write_header(&mut out, b"lbl");
    assert_eq!((&out[..], overhead(b"lbl")), (&b"\xf4\x03lbl"[..], 5));
}
