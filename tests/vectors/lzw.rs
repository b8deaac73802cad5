//! Compression: `lzw.jsonl` and `lzw_tolerance.jsonl`.

use memberlist_proto::wire::compress::{CompressError, Compressed, Lzw};

use super::case::{load, plain};

#[test]
fn lzw_output_matches_go() {
    let cases = load("lzw.jsonl");
    assert_eq!(cases.len(), 18);
    let mut lzw = Lzw::default();
    for case in &cases {
        let input = plain(case.get("input_hex"));
        let expected = plain(case.get("lzw_hex"));
        let mut output = Vec::new();
        assert!(lzw.compress(&input, usize::MAX, &mut output));
        assert_eq!(output, expected, "{}", case.name());

        let mut restored = Vec::new();
        assert_eq!(lzw.decompress(&output, input.len(), &mut restored), Ok(()));
        assert_eq!(restored, input, "{}", case.name());

        let (mut buffer, mut message) = (Vec::new(), Vec::new());
        assert!(lzw.encode(&input, usize::MAX, &mut buffer, &mut message));
        let prefix = plain(case.get("compress_msg_prefix_hex"));
        assert!(message.starts_with(&prefix), "{}", case.name());
        assert_eq!(message.len() as u64, case.get("compress_msg_len").as_u64().expect("a number"));

        restored.clear();
        let result = lzw.decode(&message[1..], input.len(), &mut restored);
        let expected = if input.is_empty() { Err(CompressError::Empty) } else { Ok(()) };
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
                let mut message = Vec::new();
                Compressed { algo: 1, buf: Some(&input) }.encode(&mut message);
                let error = lzw.decode(&message[1..], 1000, &mut output).expect_err("algorithm 1");
                assert_eq!(error.to_string(), text, "{}", case.name());
            }
        }
        assert_eq!(case.accepted(), case.get("error") == "", "{}", case.name());
    }
}
