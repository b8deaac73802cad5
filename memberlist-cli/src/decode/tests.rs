use memberlist_proto::security::Key;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::message::{Ack, Suspect};
use memberlist_proto::wire::packet::{Sealing, seal};
use memberlist_proto::wire::{compound, label};

use super::*;

const KEY: [u8; 16] = [7; 16];

fn ring(bytes: &[u8]) -> Keyring {
    Keyring::new(Key::new(bytes).unwrap())
}

fn suspect() -> Vec<u8> {
    let mut message = Vec::new();
    Message::Suspect(Suspect { incarnation: 3, node: b"n1", from: b"\xff" }).encode(&mut message);
    message
}

#[test]
fn layers_of_a_packet_are_listed_from_the_outside_to_the_inside() {
    let long = [&[8][..], &[b'x'; 400]].concat();
    let parts = [suspect(), long];
    let mut message = Vec::new();
    compound::encode(&mut message, &parts).unwrap();
    let key = Key::new(&KEY).unwrap();
    let sealing = Sealing {
        label: b"blue",
        key: Some((&key, Version::Plain)),
        nonce: [9; 12],
        compress: Some(Algorithm::Lzw),
        compress_min_size: 0,
        checksum: true,
    };
    let packet = seal(&message, &sealing, &mut Scratch::new());
    let decoded = decode_packet(&packet, &ring(&KEY), None);
    assert!(decoded.fault.is_none(), "{decoded:?}");
    let layers: Vec<_> =
        decoded.contents.iter().filter_map(|content| content["layer"].as_str()).collect();
    assert_eq!(layers, ["label", "encryption", "checksum", "compression", "compound"]);
    assert_eq!(decoded.contents[3]["algorithm"], "lzw");
    let messages = &decoded.contents[5..];
    assert_eq!(messages[0]["message"], "suspect");
    assert_eq!(messages[0]["incarnation"], 3);
    assert_eq!(messages[0]["node"], "n1");
    assert_eq!(messages[0]["from_hex"], "ff");
    assert_eq!(messages[1]["message"], "user");
    assert_eq!(messages[1]["text"], "x".repeat(400));
    assert_eq!(decoded.document(false, packet.len())["error"], Value::Null);
}

/// The bytes are those that Grafana's fork writes.
#[test]
fn the_algorithm_of_a_compressed_message_is_shown() {
    let packet = hex::decode(b"0982a4416c676f01a3427566ab1d1468656c6c6f205a0600").unwrap();
    let layer = &decode_packet(&packet, &Keyring::default(), None).contents[0];
    assert_eq!(layer["algorithm"], "snappy");
    assert_eq!((&layer["compressed_bytes"], &layer["bytes"]), (&json!(24), &json!(29)));
}

#[test]
fn a_failure_names_its_layer_and_keeps_what_came_before() {
    let key = Key::new(&KEY).unwrap();
    let sealing = Sealing {
        label: b"blue",
        key: Some((&key, Version::Plain)),
        nonce: [9; 12],
        compress: None,
        compress_min_size: 0,
        checksum: false,
    };
    let packet = seal(&suspect(), &sealing, &mut Scratch::new());
    let fault = |decoded: Decoded| {
        let fault = decoded.fault.expect("a fault");
        (fault.layer.name(), fault.message, decoded.contents.len())
    };
    let (layer, _, before) = fault(decode_packet(&packet, &ring(&[1; 16]), None));
    assert_eq!((layer, before), ("encryption", 1));
    let (layer, _, before) = fault(decode_packet(&packet, &ring(&KEY), Some("red")));
    assert_eq!((layer, before), ("label", 1));
    let (layer, message, _) = fault(decode_packet(&packet, &Keyring::default(), None));
    assert_eq!(layer, "message");
    assert!(message.contains("--key"), "{message}");
    let (layer, _, before) = fault(decode_packet(&[], &Keyring::default(), None));
    assert_eq!((layer, before), ("datagram", 0));
}

#[test]
fn a_stream_is_read_with_its_layers() {
    let mut message = Vec::new();
    Message::Ack(Ack { seq_no: 5, payload: Some(b"\x01") }).encode(&mut message);
    let mut stream = Vec::new();
    label::write_header(&mut stream, b"blue");
    stream.extend_from_slice(&message);
    let decoded = decode_stream(&stream, &Keyring::default(), Some("blue"));
    assert!(decoded.fault.is_none(), "{decoded:?}");
    assert_eq!(decoded.contents[0]["label"], "blue");
    assert_eq!(decoded.contents[1]["message"], "ack");
    assert_eq!(decoded.contents[1]["payload_hex"], "01");
    // The other direction carries no label header.
    let decoded = decode_stream(&message, &Keyring::default(), Some("blue"));
    assert!(decoded.fault.is_none(), "{decoded:?}");
    let decoded = decode_stream(&stream[..stream.len() - 1], &Keyring::default(), None);
    assert_eq!(decoded.fault.expect("a fault").layer.name(), "stream");
    let decoded = decode_stream(&stream, &Keyring::default(), Some("red"));
    assert_eq!(decoded.fault.expect("a fault").layer.name(), "label");
    let decoded = decode_stream(&message, &ring(&KEY), None);
    assert_eq!(decoded.fault.expect("a fault").layer.name(), "encryption");
}

#[test]
fn addresses_are_shown_as_text_or_bytes() {
    let alive = |addr: Option<&[u8]>| {
        let message = Message::Alive(memberlist_proto::wire::message::Alive {
            incarnation: 1,
            node: b"n",
            addr,
            port: 7,
            meta: None,
            vsn: Some(&[1, 5, 2, 0, 0, 0]),
        });
        fields::message(&message, 0)
    };
    assert_eq!(alive(Some(&[127, 0, 0, 1]))["addr"], "127.0.0.1");
    assert_eq!(alive(Some(&[0; 16]))["addr"], "::");
    assert_eq!(alive(Some(&[1, 2]))["addr_hex"], "0102");
    assert_eq!(alive(None)["addr"], Value::Null);
    assert_eq!(alive(None)["meta_hex"], Value::Null);
    assert_eq!(alive(None)["versions"], json!([1, 5, 2, 0, 0, 0]));
}
