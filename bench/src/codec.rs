//! The costs of encoding, encrypting and compressing: CODEC, SEAL and COMPRESS.

use std::hint::black_box;

use foca::{Codec as _, Member};
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::{Algorithm, Compressor};
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{PacketLimits, Rules, Sealing, Visit, open, seal};
use memberlist_proto::{Key, Keyring};

use crate::measure::each;
use crate::ours;
use crate::peer::{ByHand, Id, Named, Small};
use crate::report::Row;

struct Ignore;

impl Visit for Ignore {
    fn message(&mut self, message: Message<'_>, _: &[u8]) {
        black_box(message);
    }
}

pub(crate) fn run(rows: &mut Vec<Row>) {
    let encoded = ours::alive(77_777, 3);
    let mut out = Vec::with_capacity(200);
    let message = Message::decode(&encoded).expect("alive");
    let encode = each(100_000, |_| {
        out.clear();
        black_box(&message).encode(&mut out);
        black_box(&out);
    });
    rows.push(
        Row::of("CODEC encode alive", encode).beside(Some(put::<Small>()), Some(put::<Named>())),
    );
    let decode = each(100_000, |_| {
        let _ = black_box(Message::decode(black_box(&encoded)));
    });
    rows.push(
        Row::of("CODEC decode alive", decode).beside(Some(take::<Small>()), Some(take::<Named>())),
    );
    let mut user = vec![8];
    user.extend((1..1_400_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8));
    let key = Key::new(&[7; 16]).expect("16 bytes");
    let keyring = Keyring::new(key.clone());
    let sealing = Sealing {
        label: b"label",
        key: Some((&key, memberlist_proto::security::Version::Plain)),
        nonce: [5; 12],
        compress: None,
        compress_min_size: 0,
        checksum: false,
    };
    let mut scratch = Scratch::new();
    let encrypt = each(10_000, |_| {
        black_box(seal(black_box(&user), &sealing, &mut scratch));
    });
    rows.push(Row::of("SEAL 1,400 B, AES-128 and a label", encrypt));
    let sealed = seal(&user, &sealing, &mut scratch);
    let rules = Rules {
        label: b"label",
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: Some(&keyring),
        verify_incoming: true,
        limits: PacketLimits::default(),
    };
    let decrypt = each(10_000, |_| {
        open(black_box(&sealed), &rules, &mut scratch, &mut Ignore).expect("sealed by us");
    });
    rows.push(Row::of("SEAL 1,400 B, opened", decrypt));
    compression(rows);
}

/// Compresses a packet full of alive messages, as gossip sends it, and a full state.
fn compression(rows: &mut Vec<Row>) {
    let parts: Vec<_> = (0..18).map(|index| ours::alive(index * 577, 1)).collect();
    let mut compound = Vec::new();
    memberlist_proto::wire::compound::encode(&mut compound, &parts).expect("few");
    let state: Vec<u8> = (0..1000).flat_map(|index| ours::alive(index * 577, 1)).collect();
    for (what, message, rounds) in [("a compound", &compound, 2_000), ("a state", &state, 100)] {
        for algorithm in [Algorithm::Lzw, Algorithm::Snappy] {
            let name = algorithm.to_string();
            let (mut all, mut out) = (Compressor::default(), Vec::new());
            let compress = each(rounds, |_| {
                out.clear();
                assert!(all.encode(algorithm, message, message.len(), &mut out));
            });
            let (from, to) = (message.len(), out.len());
            rows.push(Row::of(format!("COMPRESS {name}, {what} of {from} B to {to} B"), compress));
            let packed = out.clone();
            let decompress = each(rounds, |_| {
                out.clear();
                all.decode(&packed[1..], 1 << 20, &mut out).expect("compressed by us");
            });
            rows.push(Row::of(format!("COMPRESS {name}, {what} decompressed"), decompress));
        }
    }
}

fn put<I: Id>() -> f64 {
    let member = Member::alive(I::of(77_777));
    let mut out = Vec::with_capacity(200);
    each(100_000, |_| {
        out.clear();
        ByHand.encode_member(black_box(&member), &mut out).expect("room");
        black_box(&out);
    })
    .nanos
}

fn take<I: Id>() -> f64 {
    let mut encoded = Vec::new();
    ByHand.encode_member(&Member::alive(I::of(77_777)), &mut encoded).expect("room");
    each(100_000, |_| {
        let _: Member<I> =
            black_box(ByHand.decode_member(&mut black_box(&encoded[..])).expect("ours"));
    })
    .nanos
}
