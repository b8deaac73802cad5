use alloc::vec;

use super::*;

fn packed(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(Snappy::default().compress(input, usize::MAX, &mut out));
    out
}

#[test]
fn compression_beyond_its_limit_is_given_up() {
    let input = vec![7; 1000];
    let len = packed(&input).len();
    let mut snappy = Snappy::default();
    let mut out = vec![1, 2, 3];
    assert!(!snappy.compress(&input, len - 1, &mut out));
    assert_eq!(out, [1, 2, 3]);
    assert!(snappy.compress(&input, len, &mut out));
    assert_eq!(out[3..], packed(&input));
}

/// A few bytes may announce 4 GiB.
#[test]
fn a_length_is_checked_before_memory_is_taken() {
    let mut snappy = Snappy::default();
    for (announcement, max, expected) in [
        (&[0xff, 0xff, 0xff, 0xff, 0x0f][..], usize::MAX, CompressError::Corrupt),
        (&[0x80, 0x80, 0x80, 0x80, 0x10], usize::MAX, CompressError::Corrupt),
        (&[0x80, 0x80, 0x40], (1 << 20) - 1, CompressError::TooLarge { limit: (1 << 20) - 1 }),
        (&[0x80, 0x80, 0x40], 1 << 20, CompressError::Corrupt),
    ] {
        let mut out = Vec::new();
        assert_eq!(snappy.decompress(announcement, max, &mut out), Err(expected));
        assert_eq!(out.capacity(), 0, "{announcement:?}");
    }
}

/// The ratio that bounds the memory is one that valid data reaches.
#[test]
fn the_smallest_valid_data_is_accepted() {
    for len in [1, 64, 65, 1000, 65_536, 1 << 20] {
        let input = vec![0; len];
        // One literal, then nothing but the longest copies there are.
        let mut smallest = Vec::new();
        let mut rest = len;
        while rest >= 0x80 {
            smallest.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        smallest.extend([rest as u8, 0, 0]);
        let mut left = len - 1;
        while left > 0 {
            let copy = left.min(64);
            smallest.extend([(copy as u8 - 1) << 2 | 2, 1, 0]);
            left -= copy;
        }
        let mut out = Vec::new();
        assert_eq!(Snappy::default().decompress(&smallest, len, &mut out), Ok(()));
        assert_eq!(out, input);
        assert_eq!(
            Snappy::default().decompress(&smallest, len - 1, &mut out),
            Err(CompressError::TooLarge { limit: len - 1 })
        );
        assert_eq!(out, input, "a failure leaves what was there");
    }
}
