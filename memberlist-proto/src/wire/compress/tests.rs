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

#[test]
fn what_a_message_decompresses_to_is_compared_in_parts() {
    for len in [1, 4095, 4096, 4097, 100_000] {
        for mut input in [noise(len), squares().repeat(20)[..len].to_vec()] {
            let mut lzw = Lzw::default();
            let output = compressed(&input);
            assert!(lzw.decompresses_to(&output, &input), "{len}");
            assert!(!lzw.decompresses_to(&output[..output.len() - 1], &input), "{len}");
            let longer = [&output[..], &[0; 16]].concat();
            assert!(!lzw.decompresses_to(&longer, &input), "{len}: something follows");
            input.push(0);
            assert!(!lzw.decompresses_to(&output, &input), "{len}");
            input.truncate(len);
            for at in [0, len / 2, len - 1] {
                input[at] ^= 1;
                assert!(!lzw.decompresses_to(&output, &input), "{len} at {at}");
                input[at] ^= 1;
            }
            assert!(!lzw.decompresses_to(&output, &input[..len - 1]), "{len}");
        }
    }
    assert!(!Lzw::default().decompresses_to(b"", b""));
    assert!(!Lzw::default().decompresses_to(b"\xff\xff", b"\xff"));
}

#[test]
fn a_form_of_a_message_has_the_usual_bytes_around_it() {
    let (message, mut compressor) = (squares(), Compressor::default());
    let mut form = Vec::new();
    assert!(compressor.encode(Algorithm::Lzw, &message, usize::MAX, &mut form));
    assert!(compressor.is_lzw_of(&form, &message));
    assert!(!compressor.is_lzw_of(&message, &message));
    assert!(!compressor.is_lzw_of(b"", b""));
    let buf = compressed(&message);
    let with = |algo: u8, buf: &[u8]| {
        let mut out = Vec::new();
        Compressed { algo, buf: Some(buf) }.encode(&mut out);
        out
    };
    assert!(compressor.is_lzw_of(&with(0, &buf), &message));
    assert!(!compressor.is_lzw_of(&with(1, &buf), &message), "another algorithm");
    // A field occurs twice: readers take the last one.
    let mut twice = with(0, &buf);
    twice[1] += 1;
    twice.extend_from_slice(b"\xa4Algo\x00");
    assert_eq!(Compressed::decode(&twice[1..]), Compressed::decode(&form[1..]));
    assert!(!compressor.is_lzw_of(&twice, &message));
}

#[test]
fn the_room_for_what_is_decompressed_is_found_from_its_beginning() {
    let states: Vec<u8> = (0..20_000_u32)
        .flat_map(|index| alloc::format!("node-{index:06} at 10.0.{}", index % 250).into_bytes())
        .collect();
    // If the buffer doubled, half of it would be unused in the end.
    let states = &states[..270_000];
    let packed = compressed(states);
    let mut out = Vec::new();
    Lzw::default().decompress(&packed, usize::MAX, &mut out).expect("sound");
    assert!(out == states);
    assert!(out.capacity() <= out.len() + out.len() / 4, "{} of {}", out.len(), out.capacity());
    // The beginning may compress better than the rest: room is made in proportion to what there is.
    assert_eq!(likely_rest(1000, 1, 1_000_000), 7000);
    assert_eq!(likely_rest(1000, 1000, 1000), 250);
    assert_eq!(likely_rest(0, 0, 1000), 0);
    assert_eq!(likely_rest(usize::MAX, 1, usize::MAX), usize::MAX / 4);
}
