//! Labels, keys and what is encrypted with them.

use memberlist_proto::security::{Version, aead};
use memberlist_proto::wire::label::{
    Label, LabelError, MAX_LABEL, Peek, admit, overhead, peek, strip, write_header,
};
use memberlist_proto::{Key, Keyring, KeyringError};

use crate::input::Input;

/// Any bytes as the start of a packet, and as labels of their own.
pub fn label(data: &[u8]) {
    let whole = peek(data);
    let mut decided = None;
    for len in 0..=data.len().min(MAX_LABEL + 3) {
        let now = peek(&data[..len]);
        match decided {
            // Nothing that comes later changes a verdict.
            Some(before) => assert_eq!(now, before, "{len} bytes change a verdict"),
            None if len > 0 && now != Ok(Peek::Incomplete) => decided = Some(now),
            None => assert!(len == 0 || now == Ok(Peek::Incomplete)),
        }
    }
    match (whole, strip(data)) {
        (Ok(Peek::Absent), Ok((None, rest))) => assert_eq!(rest, data),
        (Ok(Peek::Present(label)), Ok((Some(taken), rest))) => {
            assert_eq!(label, taken);
            assert!(!label.is_empty());
            assert_eq!(data.len(), overhead(label) + rest.len());
            let mut again = Vec::new();
            write_header(&mut again, label);
            again.extend_from_slice(rest);
            assert_eq!(again, data, "a header is written in another way than it is read");
        }
        (Ok(Peek::Incomplete), Err(LabelError::Truncated))
        | (Err(LabelError::Empty), Err(LabelError::Empty)) => {}
        other => panic!("{other:?}"),
    }
    // What the first two bytes say, worked out by hand.
    let (begins, size) = (data.first() == Some(&244), data.get(1).copied());
    match whole {
        Ok(Peek::Absent) => assert!(!begins),
        Ok(Peek::Incomplete) => assert!(begins && size != Some(0)),
        Ok(Peek::Present(label)) => assert!(begins && size.map(usize::from) == Some(label.len())),
        Err(_) => assert!(begins && size == Some(0)),
    }
    let mut input = Input::new(data);
    let (own, received) = (input.string(), input.string());
    admission(own, received);
    let long = Label::new(data);
    assert_eq!(long.is_ok(), data.len() <= MAX_LABEL);
    let mut header = Vec::new();
    write_header(&mut header, data);
    assert_eq!(header.len(), overhead(data), "a header has another length than promised");
    if !data.is_empty() {
        let cut = &data[..data.len().min(MAX_LABEL)];
        assert_eq!(strip(&header), Ok((Some(cut), &b""[..])));
    }
}

/// Only the own label passes, and with `skip` only none.
fn admission(own: &[u8], received: &[u8]) {
    let received = (!received.is_empty()).then_some(received);
    assert_eq!(admit(own, &[], true, received).is_ok(), received.is_none());
    assert_eq!(admit(own, &[], false, received).is_ok(), received.unwrap_or_default() == own);
    assert_eq!(admit(own, &[], false, Some(own)), Ok(own));
}

/// Changes of a ring against a list, and what is encrypted with its keys.
pub fn keyring(data: &[u8]) {
    let mut input = Input::new(data);
    let (mut ring, mut model) = (Keyring::default(), Vec::<Key>::new());
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        let choice = input.below(8);
        let key = any_key(&mut input);
        let at = model.iter().position(|known| *known == key);
        match choice {
            0..=2 => {
                assert_eq!(ring.add(key.clone()), at.is_none());
                if at.is_none() {
                    model.push(key);
                }
            }
            3 => {
                let expected = at.map(|_| ()).ok_or(KeyringError::NotFound);
                assert_eq!(ring.use_key(&key), expected);
                if let Some(at) = at {
                    let key = model.remove(at);
                    model.insert(0, key);
                }
            }
            4 => {
                let expected = match at {
                    Some(0) => Err(KeyringError::IsPrimary),
                    Some(_) => Ok(true),
                    None if model.is_empty() => Err(KeyringError::Empty),
                    None => Ok(false),
                };
                assert_eq!(ring.remove(&key), expected);
                if expected == Ok(true) {
                    model.retain(|known| *known != key);
                }
            }
            5 => foreign(&ring, &mut input),
            _ => encrypted(&ring, &key, at, &mut input),
        }
        assert_eq!(ring.keys(), model);
        assert_eq!(ring.primary(), model.first());
        assert_eq!(ring, model.iter().cloned().collect());
    }
    let len = data.len();
    assert_eq!(Key::new(data).is_ok(), [16, 24, 32].contains(&len));
}

/// One of few, so that they meet again.
fn any_key(input: &mut Input<'_>) -> Key {
    let (len, byte) = (input.choose(&[16, 24, 32]), input.byte() & 3);
    Key::new(&[byte; 32][..len]).expect("16, 24 or 32 bytes")
}

/// What was not encrypted is not decrypted, and leaves nothing.
fn foreign(ring: &Keyring, input: &mut Input<'_>) {
    let mut out = b"before".to_vec();
    let payload = input.string();
    assert!(aead::decrypt(&mut out, ring.keys(), payload, b"").is_err(), "a forgery passes");
    assert_eq!(out, b"before");
}

/// Whatever is encrypted with a key of the ring comes back, and nothing else does.
fn encrypted(ring: &Keyring, key: &Key, at: Option<usize>, input: &mut Input<'_>) {
    let version = if input.flag() { Version::Plain } else { Version::Padded };
    let (nonce, aad, text) = ([input.byte(); 12], input.string(), input.string());
    let mut sealed = b"before".to_vec();
    aead::encrypt(&mut sealed, key, version, nonce, aad, |out| out.extend_from_slice(text))
        .expect("short");
    let mut sealed = sealed.split_off(6);
    assert_eq!(sealed.len(), version.encrypted_len(text.len()));
    let mut out = b"before".to_vec();
    let opened = aead::decrypt(&mut out, ring.keys(), &sealed, aad);
    if let Some(at) = at {
        assert_eq!(opened, Ok(aead::Decrypted { version, key_index: at }));
        assert_eq!(out, [b"before", text].concat());
    } else {
        assert!(opened.is_err(), "a key that is not in the ring opens");
        assert_eq!(out, b"before");
    }
    // The version is not authenticated: in the other one the text would be another.
    let spoilt = 1 + usize::from(input.u16()) % (sealed.len() - 1);
    sealed[spoilt] ^= 1 << input.below(8);
    out.truncate(6);
    assert!(aead::decrypt(&mut out, ring.keys(), &sealed, aad).is_err(), "a changed byte passes");
    assert_eq!(out, b"before");
}
