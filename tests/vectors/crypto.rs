//! Encryption: `crypto.jsonl` and `crypto_tolerance.jsonl`.

use memberlist_proto::security::{Key, Version, aead};
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::frame::{FrameSealing, seal_frame};
use serde_json::Value;

use super::case::{load, plain};
use super::is_exception;

pub(crate) fn key(value: &Value) -> Option<Key> {
    value.as_str().map(|_| Key::new(&plain(value)).expect("a key"))
}

pub(crate) fn nonce(value: &Value) -> [u8; 12] {
    plain(value).try_into().expect("12 bytes")
}

pub(crate) fn version(number: &Value) -> Version {
    match number.as_u64() {
        Some(0) => Version::Padded,
        Some(1) => Version::Plain,
        other => panic!("version {other:?}"),
    }
}

#[test]
fn encryption_matches_go() {
    let cases = load("crypto.jsonl");
    assert_eq!(cases.len(), 296);
    for case in &cases {
        let fields = case.fields();
        let key = key(&fields["key"]).expect("every case has a key");
        let (version, nonce) = (version(&fields["version"]), nonce(&fields["nonce"]));
        let (plaintext, aad) = (plain(&fields["plaintext"]), plain(&fields["aad"]));
        let bytes = case.hex();
        let payload = if case.kind() == "encryptPayload" {
            let mut payload = Vec::new();
            aead::encrypt(&mut payload, &key, version, nonce, &aad, |out| {
                out.extend_from_slice(&plaintext);
            })
            .expect("short enough");
            assert_eq!(payload, bytes, "{}", case.name());
            &bytes[..]
        } else {
            let label = fields["label"].as_str().expect("a label");
            let protocol = fields["protocol"].as_u64().expect("a number");
            assert_eq!(Version::for_protocol(protocol as u8), version, "{}", case.name());
            let sealing = FrameSealing {
                label: label.as_bytes(),
                key: Some((&key, version)),
                nonce,
                compress: None,
                only_if_smaller: false,
            };
            let frame = seal_frame(&plaintext, &sealing, &mut Scratch::new());
            assert_eq!(frame.expect("short enough"), bytes, "{}", case.name());
            assert_eq!([&bytes[..5], label.as_bytes()].concat(), aad, "{}", case.name());
            &bytes[5..]
        };
        assert_eq!(payload.len(), version.encrypted_len(plaintext.len()), "{}", case.name());
        let mut decrypted = Vec::new();
        let result = aead::decrypt(&mut decrypted, &[key], payload, &aad);
        assert_eq!(result, Ok(aead::Decrypted { version, key_index: 0 }), "{}", case.name());
        assert_eq!(decrypted, plaintext, "{}", case.name());
    }
}

#[test]
fn damaged_payloads_are_refused_as_in_go() {
    let cases = load("crypto_tolerance.jsonl");
    assert_eq!(cases.len(), 24);
    for case in &cases {
        let keys: Vec<Key> =
            case.get("keys").as_array().into_iter().flatten().filter_map(key).collect();
        let mut decrypted = Vec::new();
        let aad = plain(case.get("aad"));
        let result = aead::decrypt(&mut decrypted, &keys, &case.hex(), &aad);
        if is_exception(case) {
            assert!(case.accepted(), "{}: Go refuses it too", case.name());
            assert_eq!(result, Err(aead::DecryptError::Padding), "{}", case.name());
        } else if case.accepted() {
            assert!(result.is_ok(), "{}: {result:?}", case.name());
            assert_eq!(decrypted, plain(case.get("decoded")), "{}", case.name());
        } else {
            let error = result.expect_err(case.name());
            match case.get("error").as_str() {
                Some(text) => assert_eq!(error.to_string(), text, "{}", case.name()),
                // Go crashes.
                None => assert_eq!(error, aead::DecryptError::Padding, "{}", case.name()),
            }
            assert!(decrypted.is_empty(), "{}", case.name());
        }
    }
}
