use super::*;

#[test]
fn lines_end_at_the_line_feed_or_with_the_input() {
    let mut input = &b"one\n\ntwo \r\nlast"[..];
    let mut next = || read_line(&mut input, 100).unwrap();
    assert_eq!(next(), Some(Ok(b"one".to_vec())));
    assert_eq!(next(), Some(Ok(b"".to_vec())));
    if !cfg!(windows) {
        assert_eq!(next(), Some(Ok(b"two \r".to_vec())));
        assert_eq!(next(), Some(Ok(b"last".to_vec())));
        assert_eq!(next(), None);
    }
}

#[test]
fn a_line_that_is_too_long_is_passed_over_whole() {
    let mut input = &b"12345\n123456\n1\n"[..];
    let mut next = || read_line(&mut input, 5).unwrap();
    assert_eq!(next(), Some(Ok(b"12345".to_vec())));
    assert_eq!(next(), Some(Err(LineTooLong)));
    assert_eq!(next(), Some(Ok(b"1".to_vec())));
    assert_eq!(next(), None);
}
