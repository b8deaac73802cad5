use alloc::vec;

use super::*;

const NACK: &[u8] = b"\x0b\x81\xa5SeqNo\x2a";

fn key() -> Key {
    Key::new(b"0123456789abcdef").expect("16 bytes")
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

#[test]
fn payloads_made_by_go_are_read() {
    let cases = [
        (
            Version::Plain,
            "016e07fff16408e5df5545f80fd40c55aa8e52100cab1c8ce52b2240c357e88fecf3e95fc2ea",
            &b"lbl"[..],
        ),
        (
            Version::Padded,
            "00530ed49efc09a420baf4c55f3cb2164182d0247a1056b86df7636c2f19de30e990107b91ebcae7\
             f95f820969",
            b"lbl",
        ),
        (
            Version::Plain,
            "017e320075b1c1a62d2a51f9bcde6dd2c41f1febafa978f550074c63660557f03b877dd0be1c",
            b"",
        ),
    ];
    let other = Key::new(&[1; 32]).expect("32 bytes");
    for (version, hex, aad) in cases {
        let mut out = Vec::from(*b"kept");
        let keys = [other.clone(), key()];
        let result = decrypt(&mut out, &keys, &unhex(hex), aad);
        assert_eq!(result, Ok(Decrypted { version, key_index: 1 }));
        assert_eq!(out, [b"kept", NACK].concat());
        assert_eq!(decrypt(&mut out, &keys, &unhex(hex), b"x"), Err(DecryptError::NoKey));
        assert_eq!(out, [b"kept", NACK].concat());
    }
}

#[test]
fn lengths_are_as_announced() {
    for version in [Version::Padded, Version::Plain] {
        for len in 0..50 {
            let mut out = Vec::new();
            let text = vec![1; len];
            encrypt(&mut out, &key(), version, [7; NONCE], b"", |out| {
                out.extend(&text);
            })
            .expect("short");
            assert_eq!(out.len(), version.encrypted_len(len));
            assert!(out.len() <= len + version.overhead());
        }
    }
    assert_eq!(Version::Padded.encrypted_len(16), 16 + 45);
    assert_eq!(Version::Plain.encrypted_len(16), 16 + 29);
}

#[test]
fn impossible_padding_is_refused() {
    for (last, expected) in [(0, None), (1, Some(15)), (16, Some(0)), (17, None), (255, None)] {
        let mut text = [3; 16];
        text[15] = last;
        assert_eq!(unpadded_len(&text), expected);
    }
    assert_eq!(unpadded_len(&[9; 8]), None);
    assert_eq!(unpadded_len(b""), None);
}

#[test]
fn the_nonce_decides_the_ciphertext() {
    let sealed = |nonce| {
        let mut out = Vec::new();
        encrypt(&mut out, &key(), Version::Plain, [nonce; NONCE], b"", |out| out.push(1))
            .expect("short");
        out
    };
    assert_eq!(sealed(1), sealed(1));
    assert_ne!(sealed(1)[13..], sealed(2)[13..]);
}
