//! Compression: `lzw.jsonl` and `lzw_tolerance.jsonl`.

use memberlist_proto::wire::compress::{Algorithm, CompressError, Compressed, Compressor, Lzw};

use super::case::{load, plain};
use super::is_exception;

#[test]
fn lzw_output_matches_go() {
    let cases = load("lzw.jsonl");
    assert_eq!(cases.len(), 18);
    let (mut lzw, mut all) = (Lzw::default(), Compressor::default());
    for case in &cases {
        let input = plain(case.get("input_hex"));
        let expected = plain(case.get("lzw_hex"));
        let mut output = Vec::new();
        assert!(lzw.compress(&input, usize::MAX, &mut output));
        assert_eq!(output, expected, "{}", case.name());

        let mut restored = Vec::new();
        assert_eq!(lzw.decompress(&output, input.len(), &mut restored), Ok(()));
        assert_eq!(restored, input, "{}", case.name());

        let mut message = Vec::new();
        assert!(all.encode(Algorithm::Lzw, &input, usize::MAX, &mut message));
        let prefix = plain(case.get("compress_msg_prefix_hex"));
        assert!(message.starts_with(&prefix), "{}", case.name());
        assert_eq!(message.len() as u64, case.get("compress_msg_len").as_u64().expect("a number"));

        restored.clear();
        let result = all.decode(&message[1..], input.len(), &mut restored);
        let empty = input.is_empty();
        let expected = if empty { Err(CompressError::Empty) } else { Ok(Algorithm::Lzw) };
        assert_eq!(result, expected, "{}", case.name());
        assert_eq!(restored, input, "{}", case.name());
    }
}

#[test]
fn lzw_input_is_accepted_as_in_go() {
    let cases = load("lzw_tolerance.jsonl");
    assert_eq!(cases.len(), 16);
    let mut lzw = Lzw::default();
    for case in &cases {
        let input = case.hex();
        let mut output = Vec::new();
        let result = lzw.decompress(&input, 1000, &mut output);
        match case.get("error").as_str().expect("a string") {
            "" => {
                assert_eq!(result, Ok(()), "{}", case.name());
                assert_eq!(output, plain(case.get("decoded")), "{}", case.name());
            }
            "unexpected EOF" => {
                assert_eq!(result, Err(CompressError::Unfinished), "{}", case.name());
            }
            "lzw: invalid code" => {
                assert_eq!(result, Err(CompressError::InvalidCode), "{}", case.name());
            }
            text => {
                // Of an algorithm that Go does not know, and that we do: `is_exception`.
                assert_eq!(text, "cannot decompress unknown algorithm 1");
                assert!(is_exception(case), "{}", case.name());
                let mut message = Vec::new();
                Compressed { algo: 1, buf: Some(&input) }.encode(&mut message);
                let error = Compressor::default().decode(&message[1..], 1000, &mut output);
                assert_eq!(error, Err(CompressError::Corrupt), "{}", case.name());
            }
        }
        assert_eq!(case.accepted(), case.get("error") == "", "{}", case.name());
    }
}
