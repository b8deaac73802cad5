use alloc::vec;

use super::*;

/// The published example of 5,000 bytes.
fn squares() -> Vec<u8> {
    (0..5000_u32).map(|i| ((i * i) % 251) as u8).collect()
}

/// Bytes of a linear congruential generator: they do not compress, and fill the dictionary.
fn noise(len: usize) -> Vec<u8> {
    let mut x = 1_u32;
    (0..len)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        })
        .collect()
}

fn compressed(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(Lzw::default().compress(input, usize::MAX, &mut out));
    out
}

#[test]
fn a_long_input_gives_gos_bytes() {
    let input = squares();
    assert_eq!(crc32fast::hash(&input), 0xdc85_d136);
    let output = compressed(&input);
    assert_eq!((output.len(), crc32fast::hash(&output)), (1884, 0x41ce_6ebb));
}

#[test]
fn a_full_dictionary_is_cleared() {
    for len in [5_000, 20_000, 300_000] {
        let input = noise(len);
        let mut restored = Vec::new();
        let output = compressed(&input);
        assert_eq!(Lzw::default().decompress(&output, len, &mut restored), Ok(()));
        assert_eq!(restored, input);
    }
}

#[test]
fn compression_beyond_its_limit_is_given_up() {
    let input = squares();
    let mut lzw = Lzw::default();
    let mut out = vec![1, 2, 3];
    assert!(!lzw.compress(&input, 1883, &mut out));
    assert_eq!(out, [1, 2, 3]);
    assert!(lzw.compress(&input, 1884, &mut out));
    assert_eq!(out.len(), 3 + 1884);
    let mut message = Vec::new();
    let mut all = Compressor::default();
    assert!(!all.encode(Algorithm::Lzw, &noise(100), 99, &mut message));
    assert!(message.is_empty());
}

#[test]
fn a_bomb_takes_no_more_memory_than_its_limit() {
    let bomb = compressed(&vec![0; 10 << 20]);
    assert!(bomb.len() < 30_000);
    let mut lzw = Lzw::default();
    for limit in [0, 1, 1000, 100_000] {
        let mut out = Vec::new();
        let result = lzw.decompress(&bomb, limit, &mut out);
        assert_eq!(result, Err(CompressError::TooLarge { limit }));
        assert!(out.is_empty());
        assert!(out.capacity() <= limit.max(SMALLEST_STEP) * 2, "{}", out.capacity());
    }
}

#[test]
fn the_limit_itself_is_allowed() {
    let output = compressed(&[7; 1000]);
    let mut restored = Vec::new();
    assert_eq!(Lzw::default().decompress(&output, 1000, &mut restored), Ok(()));
    restored.clear();
    let result = Lzw::default().decompress(&output, 999, &mut restored);
    assert_eq!(result, Err(CompressError::TooLarge { limit: 999 }));
}

#[test]
fn state_does_not_leak_from_one_message_to_the_next() {
    let mut lzw = Lzw::default();
    let mut out = Vec::new();
    assert!(!lzw.compress(&noise(5000), 100, &mut out));
    assert!(lzw.compress(b"hello hello hello", usize::MAX, &mut out));
    assert_eq!(out, compressed(b"hello hello hello"));
    let mut restored = Vec::new();
    assert_eq!(lzw.decompress(&out[..5], 99, &mut restored), Err(CompressError::Unfinished));
    assert_eq!(lzw.decompress(&out, 99, &mut restored), Ok(()));
    assert_eq!(restored, b"hello hello hello");
}

#[test]
fn messages_are_checked_before_they_are_decompressed() {
    let mut all = Compressor::default();
    let mut out = Vec::new();
    let mut decode = |message: Compressed<'_>| {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        all.decode(&bytes[1..], 100, &mut out)
    };
    let algo = Compressed { algo: 2, buf: Some(b"") };
    assert_eq!(decode(algo), Err(CompressError::UnknownAlgorithm(2)));
    assert_eq!(decode(Compressed { algo: 0, buf: None }), Err(CompressError::Unfinished));
    let nothing = Compressed { algo: 0, buf: Some(&[0, 3, 2]) };
    assert_eq!(decode(nothing), Err(CompressError::Empty));
    let cut = all.decode(&[0x81, 0xa4], 100, &mut out);
    assert_eq!(cut, Err(CompressError::Message(DecodeError::Truncated { at: 2 })));
}
