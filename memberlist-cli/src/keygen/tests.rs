use super::*;

#[test]
fn keys_have_their_length_and_differ() {
    for length in [16, 24, 32] {
        let (one, other) = (generate(length).unwrap(), generate(length).unwrap());
        assert_eq!(STANDARD.decode(&one).unwrap().len(), length);
        assert_ne!(one, other);
    }
}
