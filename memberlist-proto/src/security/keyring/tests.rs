use alloc::format;

use super::*;

fn key(byte: u8) -> Key {
    Key::new(&[byte; 16]).expect("16 bytes")
}

fn ring() -> Keyring {
    [key(1), key(2), key(3), key(2)].into_iter().collect()
}

#[test]
fn keys_have_three_lengths() {
    for len in 0..=40 {
        let result = Key::new(&[7; 40][..len]).map(|key| key.as_bytes().len());
        let expected = if [16, 24, 32].contains(&len) { Ok(len) } else { Err(InvalidKey { len }) };
        assert_eq!(result, expected);
    }
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", ring()), "Keyring([Key(AES-128), Key(AES-128), Key(AES-128)])");
}

/// Without unsafe code the memory cannot be examined: this checks that the types promise to wipe it.
#[test]
fn secrets_are_wiped_when_the_last_clone_is_dropped() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    for len in [16, 24, 32] {
        let key = Key::new(&[7; 32][..len]).expect("a key");
        wiped(&key.0.bytes);
        match key.cipher() {
            Cipher::Aes128(cipher) => wiped(cipher),
            Cipher::Aes192(cipher) => wiped(cipher),
            Cipher::Aes256(cipher) => wiped(cipher),
        }
    }
}

#[test]
fn a_removed_key_is_dropped_with_its_last_clone() {
    let kept = key(2);
    assert_eq!(kept.clones(), 1);
    let mut ring = Keyring::new(key(1));
    ring.add(kept.clone());
    assert!(!ring.add(kept.clone()));
    let copy = ring.clone();
    assert_eq!(kept.clones(), 3, "both rings hold it, and the one that was not added is gone");
    assert_eq!(ring.remove(&kept), Ok(true));
    assert_eq!(kept.clones(), 2);
    drop(copy);
    assert_eq!(kept.clones(), 1);
}

#[test]
fn adding_appends_once() {
    let mut ring = Keyring::default();
    assert!(ring.is_empty());
    assert_eq!(ring.primary(), None);
    assert!(ring.add(key(1)));
    assert!(ring.add(key(2)));
    assert!(!ring.add(key(1)));
    assert_eq!(ring.keys(), [key(1), key(2)]);
    assert_eq!(ring, [key(1), key(2)].into_iter().collect());
}

#[test]
fn using_moves_to_the_front() {
    let mut ring = ring();
    assert_eq!(ring.use_key(&key(3)), Ok(()));
    assert_eq!(ring.keys(), [key(3), key(1), key(2)]);
    assert_eq!(ring.use_key(&key(9)), Err(KeyringError::NotFound));
    assert_eq!(ring.primary(), Some(&key(3)));
}

#[test]
fn removing_never_takes_the_primary() {
    let mut ring = ring();
    assert_eq!(ring.remove(&key(1)), Err(KeyringError::IsPrimary));
    assert_eq!(ring.remove(&key(2)), Ok(true));
    assert_eq!(ring.remove(&key(2)), Ok(false));
    assert_eq!(ring.keys(), [key(1), key(3)]);
    assert_eq!(Keyring::default().remove(&key(1)), Err(KeyringError::Empty));
}

#[test]
fn a_key_is_read_from_base64_and_never_repeated() {
    let key = Key::new(&[7; 24]).expect("24 bytes");
    let text = key.to_base64();
    assert_eq!(text.parse(), Ok(key.clone()));
    assert_eq!(alloc::format!(" {}\n", text.as_str()).parse(), Ok(key));
    for (text, error) in [
        ("no base64!", ParseKeyError::Encoding),
        ("c2VjcmV0", ParseKeyError::Length(InvalidKey { len: 6 })),
        ("", ParseKeyError::Length(InvalidKey { len: 0 })),
    ] {
        let reported = text.parse::<Key>().expect_err("it is no key");
        assert_eq!(reported, error);
        assert!(text.is_empty() || !reported.to_string().contains(text), "{reported}");
    }
}
