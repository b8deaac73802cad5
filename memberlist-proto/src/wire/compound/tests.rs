use alloc::vec;

use super::*;

#[test]
fn bounds_are_kept() {
    let mut out = Vec::new();
    assert_eq!(encode(&mut out, &[[0_u8]; 256]), Err(CompoundError::TooManyParts(256)));
    let long = vec![0; 65_536];
    assert_eq!(encode(&mut out, &[&long[..]]), Err(CompoundError::PartTooLong(65_536)));
    assert!(out.is_empty());
    assert_eq!(encode(&mut out, &[&long[1..]]), Ok(()));
    assert_eq!(out.len(), HEADER + PER_PART + MAX_PART_LEN);
    assert_eq!(out[..4], [7, 1, 0xff, 0xff]);
}

#[test]
fn a_compound_without_its_lengths_has_no_parts() {
    assert_eq!(split(b"").err(), Some(CompoundError::NoParts));
    assert_eq!(split(&[2, 0, 1, 0]).err(), Some(CompoundError::NoParts));
    assert_eq!(split(&[0]).map(Iterator::count), Ok(0));
}

#[test]
fn whole_parts_before_a_truncated_one_are_kept() {
    let mut parts = split(&[3, 0, 2, 0, 2, 0, 1, b'a', b'b', b'c']).expect("lengths are there");
    assert_eq!(parts.remaining(), 3);
    assert_eq!(parts.next(), Some(&b"ab"[..]));
    // The last part would fit, but its bytes may belong to the truncated one.
    assert_eq!(parts.next(), None);
    assert_eq!(parts.remaining(), 2);
}

#[test]
fn empty_parts_are_parts_and_bytes_after_the_last_are_not() {
    let parts = split(&[2, 0, 0, 0, 1, b'a', b'b']).expect("lengths are there");
    assert_eq!(parts.collect::<Vec<_>>(), [&b""[..], b"a"]);
}
