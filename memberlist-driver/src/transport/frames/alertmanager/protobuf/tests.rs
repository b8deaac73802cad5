//! Fields that this protocol does not know are skipped, whatever their type.

use super::*;

const FIXED64: u8 = 1;
const GROUP: u8 = 3;
const END: u8 = 4;
const FIXED32: u8 = 5;

fn tag(number: u8, kind: u8) -> u8 {
    number << 3 | kind
}

/// The known field that follows.
const NEXT: [u8; 2] = [1 << 3, 7];

fn fields(message: &[u8]) -> Vec<Result<String, FrameError>> {
    let text = |field| match field {
        Field::Varint(number, value) => format!("{number}: {value}"),
        Field::Bytes(number, bytes) => format!("{number}: {bytes:?}"),
        Field::Other => "other".to_owned(),
    };
    Fields::new(message).map(|field| field.map(text)).collect()
}

#[track_caller]
fn skipped(field: &[u8]) {
    let whole = [field, &NEXT].concat();
    assert_eq!(fields(&whole), [Ok("other".to_owned()), Ok("1: 7".to_owned())], "{field:?}");
    for end in 1..field.len() {
        let cut = fields(&field[..end]);
        assert!(matches!(cut[..], [Err(FrameError::Malformed(_))]), "{end}: {cut:?}");
    }
}

#[test]
fn numbers_of_a_fixed_length_are_skipped() {
    skipped(&[tag(9, FIXED64), 1, 2, 3, 4, 5, 6, 7, 8]);
    skipped(&[tag(9, FIXED32), 1, 2, 3, 4]);
}

#[test]
fn groups_are_skipped_with_all_that_is_in_them() {
    skipped(&[tag(9, GROUP), tag(9, END)]);
    skipped(&[tag(9, GROUP), tag(2, 0), 0x80, 1, tag(9, END)]);
    skipped(&[tag(9, GROUP), tag(2, 2), 3, 1, 2, 3, tag(9, END)]);
    skipped(&[tag(9, GROUP), tag(2, FIXED32), 1, 2, 3, 4, tag(9, END)]);
    skipped(&[tag(9, GROUP), tag(2, FIXED64), 1, 2, 3, 4, 5, 6, 7, 8, tag(9, END)]);
    skipped(&[tag(9, GROUP), tag(8, GROUP), tag(8, END), tag(9, END)]);
    // Its own end, not another's.
    let other = fields(&[tag(9, GROUP), tag(8, END), tag(9, END)]);
    assert_eq!(other, [Err(FrameError::Malformed("a field of unknown type"))]);
}

#[test]
fn groups_within_one_another_are_skipped_to_a_depth() {
    let nested = |depth: usize| [vec![tag(9, GROUP); depth], vec![tag(9, END); depth]].concat();
    skipped(&nested(DEPTH));
    let deeper = fields(&nested(DEPTH + 1));
    assert_eq!(deeper, [Err(FrameError::Malformed("too many groups within one another"))]);
}

#[test]
fn a_number_has_no_more_than_64_bits() {
    let number = |last: u8| [&[tag(1, 0)][..], &[0xff; 9], &[last]].concat();
    assert_eq!(fields(&number(1)), [Ok(format!("1: {}", u64::MAX))]);
    for last in [2, 0x7f, 0x81] {
        let error = FrameError::Malformed("a number of more than 64 bits");
        assert_eq!(fields(&number(last)), [Err(error)], "{last}");
    }
}
