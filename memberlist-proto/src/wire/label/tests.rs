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
    let none: &[u8] = b"";
    let (us, them): (&[u8], &[u8]) = (b"us", b"them");
    assert_eq!(admit(none, &[], false, None), Ok(none));
    assert_eq!(admit(us, &[], false, None), Err(LabelError::Mismatch));
    assert_eq!(admit(us, &[], false, Some(us)), Ok(us));
    assert_eq!(admit(us, &[], false, Some(them)), Err(LabelError::Mismatch));
    assert_eq!(admit(none, &[], false, Some(them)), Err(LabelError::Mismatch));
    assert_eq!(admit(us, &[], true, None), Ok(us));
    assert_eq!(admit(us, &[], true, Some(us)), Err(LabelError::Double));
}

/// What encryption authenticates is the label that came, not our own.
#[test]
fn other_labels_can_be_accepted() {
    let none: &[u8] = b"";
    let (us, them, third): (&[u8], &[u8], &[u8]) = (b"us", b"them", b"third");
    let others = [Bytes::new(), Bytes::from_static(b"them")];
    assert_eq!(admit(us, &others, false, Some(us)), Ok(us));
    assert_eq!(admit(us, &others, false, Some(them)), Ok(them));
    assert_eq!(admit(us, &others, false, None), Ok(none));
    assert_eq!(admit(us, &others, false, Some(third)), Err(LabelError::Mismatch));
    assert_eq!(admit(us, &others[1..], false, None), Err(LabelError::Mismatch));
    assert_eq!(admit(none, &others[1..], false, Some(them)), Ok(them));
}

#[test]
fn no_label_takes_no_bytes() {
    let mut out = Vec::new();
    write_header(&mut out, b"");
    assert_eq!((out.len(), overhead(b"")), (0, 0));
    write_header(&mut out, b"lbl");
    assert_eq!((&out[..], overhead(b"lbl")), (&b"\xf4\x03lbl"[..], 5));
}
