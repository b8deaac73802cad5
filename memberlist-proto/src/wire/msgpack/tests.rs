use alloc::vec;
use core::ops::ControlFlow;

use proptest::collection::vec as list;
use proptest::prelude::*;

use super::*;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn unsigned_numbers_take_the_shortest_unsigned_form() {
    let uint = |value| written(|out| write_uint(out, value));
    assert_eq!(uint(127), [0x7f]);
    assert_eq!(uint(128), [0xcc, 0x80]);
    assert_eq!(uint(256), [0xcd, 1, 0]);
    assert_eq!(uint(65_536), [0xce, 0, 1, 0, 0]);
}

#[test]
fn signed_numbers_never_take_an_unsigned_form() {
    let int = |value| written(|out| write_int(out, value));
    assert_eq!(int(127), [0x7f]);
    assert_eq!(int(128), [0xd1, 0, 0x80]);
    assert_eq!(int(32_768), [0xd2, 0, 0, 0x80, 0]);
    assert_eq!(int(1 << 31), [0xd3, 0, 0, 0, 0, 0x80, 0, 0, 0]);
    assert_eq!(int(-32), [0xe0]);
    assert_eq!(int(-33), [0xd0, 0xdf]);
    assert_eq!(int(-129), [0xd1, 0xff, 0x7f]);
}

#[test]
fn raw_lengths_have_three_forms() {
    let head = |len: usize| written(|out| write_raw(out, &vec![0; len]))[..5].to_vec();
    assert_eq!(head(31)[0], 0xbf);
    assert_eq!(head(32)[..3], [0xda, 0, 32]);
    assert_eq!(head(65_535)[..3], [0xda, 0xff, 0xff]);
    assert_eq!(head(65_536), [0xdb, 0, 1, 0, 0]);
}

#[test]
fn nil_and_empty_bytes_stay_apart() {
    assert_eq!(written(|out| write_bytes(out, None)), [0xc0]);
    assert_eq!(written(|out| write_bytes(out, Some(b""))), [0xa0]);
    assert_eq!(Reader::new(&[0xc0]).bytes(), Ok(None));
    assert_eq!(Reader::new(&[0xa0]).bytes(), Ok(Some(&b""[..])));
}

#[test]
fn errors_contain_the_position() {
    let number = |_: &mut Reader<'_>, _| Ok(());
    assert_eq!(
        Reader::new(&[0x05]).structure(&[], number),
        Err(DecodeError::Kind { at: 0, expected: Expected::Struct, found: 5 })
    );
    let mut reader = Reader::new(&[0x81, 0xa0, 0x05]);
    assert_eq!(reader.structure(&[], number), Err(DecodeError::EmptyKey { at: 1 }));
    let mut reader = Reader::new_at(&[9, 9, 0xcd, 1], 2);
    assert_eq!(reader.u16(), Err(DecodeError::Truncated { at: 4 }));
    assert_eq!(Reader::new(&[0xcd, 1, 0]).uint(255), Err(DecodeError::Range { at: 0 }));
    assert_eq!(Reader::new(&[0xff]).uint(255), Err(DecodeError::Range { at: 0 }));
    assert_eq!(Reader::new(&[1, 0xc1]).rest(), [1, 0xc1]);
    assert_eq!(Reader::new_at(&[1, 0xc1], 1).skip(), Err(DecodeError::Reserved { at: 1 }));
}

#[test]
fn a_huge_map_header_costs_nothing() {
    let mut reader = Reader::new(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, b'x', 1]);
    let result = reader.structure(&["x"], |reader, _| reader.skip());
    assert_eq!(result, Err(DecodeError::Truncated { at: 8 }));
}

#[test]
fn unsigned_numbers_wrap_in_signed_fields() {
    let bytes = [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Reader::new(&bytes).int(), Ok(-1));
}

#[test]
fn skipping_stops_at_the_nesting_limit() {
    let nested = |levels: usize| [vec![0x91; levels], vec![1]].concat();
    assert_eq!(Reader::new(&nested(MAX_NESTING)).skip(), Ok(()));
    let too_deep = Err(DecodeError::TooDeep { at: MAX_NESTING });
    assert_eq!(Reader::new(&nested(MAX_NESTING + 1)).skip(), too_deep);
}

#[test]
fn the_scanner_ends_where_the_value_ends() {
    let value = [0x82, 0xa1, b'a', 0x93, 1, 0xc0, 0xd9, 2, b'x', b'y', 0xa1, b'b', 0x80];
    let data = [&value[..], &[7, 7]].concat();
    assert_eq!(Scanner::new(8).feed(&data), Ok(ControlFlow::Break(value.len())));

    let mut scanner = Scanner::new(8);
    for byte in &value[..value.len() - 1] {
        assert_eq!(scanner.feed(&[*byte]), Ok(ControlFlow::Continue(())));
    }
    assert_eq!(scanner.feed(&data[value.len() - 1..]), Ok(ControlFlow::Break(1)));
    assert_eq!(scanner.feed(&[1]), Ok(ControlFlow::Break(0)));
}

#[test]
fn every_kind_of_value_has_its_length() {
    let cases: [(&[u8], usize); 16] = [
        (&[0x00], 1),
        (&[0xff], 1),
        (&[0xc0], 1),
        (&[0xc4, 1, 0], 3),
        (&[0xc7, 1, 5, 0], 4),
        (&[0xc8, 0, 0, 5], 4),
        (&[0xc9, 0, 0, 0, 0, 5], 6),
        (&[0xca, 0, 0, 0, 0], 5),
        (&[0xcb, 0, 0, 0, 0, 0, 0, 0, 0], 9),
        (&[0xd0, 0], 2),
        (&[0xd4, 5, 0], 3),
        (&[0xd5, 5, 0, 0], 4),
        (&[0xd6, 5, 0, 0, 0, 0], 6),
        (&[0xdd, 0, 0, 0, 0], 5),
        (&[0xde, 0, 1, 1, 1], 5),
        (&[0xdb, 0, 0, 0, 1, 0], 6),
    ];
    for (value, len) in cases {
        let data = [value, &[0; 20]].concat();
        assert_eq!(Scanner::new(8).feed(&data), Ok(ControlFlow::Break(len)), "{value:02x?}");
    }
    for (first, len) in [(0xd7, 10), (0xd8, 18)] {
        let data = [&[first][..], &[0; 20]].concat();
        assert_eq!(Scanner::new(8).feed(&data), Ok(ControlFlow::Break(len)), "{first:02x}");
    }
}

proptest! {
    #[test]
    fn numbers_and_bytes_are_read_as_written(
        unsigned in any::<u32>(),
        signed in any::<i64>(),
        shift in 0..64_u32,
        string in list(any::<u8>(), 0..100),
        option in proptest::option::of(list(any::<u8>(), 0..100)),
    ) {
        let (unsigned, signed) = (unsigned >> (shift % 32), signed >> shift);
        let mut out = Vec::new();
        write_uint(&mut out, unsigned);
        write_int(&mut out, signed);
        write_raw(&mut out, &string);
        write_bytes(&mut out, option.as_deref());
        let mut reader = Reader::new(&out);
        prop_assert_eq!(reader.u32(), Ok(unsigned));
        prop_assert_eq!(reader.int(), Ok(signed));
        prop_assert_eq!(reader.string(), Ok(&string[..]));
        prop_assert_eq!(reader.bytes(), Ok(option.as_deref()));
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn the_scanner_agrees_with_the_reader(
        first in prop_oneof![0x80..0xa0_u8, 0xc0..0xe0_u8, any::<u8>()],
        data in list(any::<u8>(), 0..80),
        cut in 0..80_usize,
    ) {
        let data: Vec<u8> = [first].into_iter().chain(data).collect();
        let mut reader = Reader::new(&data);
        let skipped = reader.skip();
        let mut scanner = Scanner::new(MAX_NESTING);
        let (first, second) = data.split_at(cut.min(data.len()));
        let scanned = match scanner.feed(first) {
            Ok(ControlFlow::Continue(())) => match scanner.feed(second) {
                Ok(ControlFlow::Break(used)) => Ok(Some(first.len() + used)),
                other => other.map(|_| None),
            },
            other => other.map(ControlFlow::break_value),
        };
        match scanned {
            Ok(Some(end)) => prop_assert_eq!((skipped, reader.rest()), (Ok(()), &data[end..])),
            Ok(None) => prop_assert!(skipped.is_err()),
            Err(error) => prop_assert_eq!(skipped, Err(error)),
        }
    }
}
