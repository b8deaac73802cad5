//! Laws of the wire: what is written is what is read, however it is cut and wrapped.

use memberlist_proto::security::{Key, Keyring, Version};
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compound;
use memberlist_proto::wire::compress::{Algorithm, Lzw, Snappy};
use memberlist_proto::wire::frame::{
    FrameLimits, FrameReader, FrameRules, FrameSealing, Role, StreamMessage, seal_frame,
};
use memberlist_proto::wire::label;
use memberlist_proto::wire::message::{
    Ack, Alive, Dead, ErrorReply, IndirectPing, Message, Nack, Ping, Suspect,
};
use memberlist_proto::wire::packet::{Layer, PacketLimits, Rules, Sealing, Visit, open, seal};
use memberlist_proto::wire::push_pull::{NodeState, encode_header, encode_state};
use proptest::collection::vec;
use proptest::prelude::*;

type Bytes = Vec<u8>;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(0_u8..3, 0..600)]
}

/// Any message, encoded; it is checked on the way that it decodes to what it was.
fn message() -> impl Strategy<Value = Bytes> {
    let parts = (
        0..8_u8,
        any::<u32>(),
        any::<[u16; 2]>(),
        [bytes(), bytes(), bytes()],
        proptest::option::of(bytes()),
        any::<bool>(),
    );
    parts.prop_map(|(kind, number, [port, source_port], [a, b, c], option, nack)| {
        let option = option.as_deref();
        // An empty source address is left out and so comes back as nil.
        let source_addr = Some(&b[..]).filter(|addr| !addr.is_empty());
        let message = match kind {
            0 => Message::Ping(Ping {
                seq_no: number,
                node: &a,
                source_addr,
                source_port,
                source_node: &c,
            }),
            1 => Message::IndirectPing(IndirectPing {
                seq_no: number,
                target: option,
                port,
                node: &a,
                nack,
                source_addr,
                source_port,
                source_node: &c,
            }),
            2 => Message::Ack(Ack { seq_no: number, payload: option }),
            3 => Message::Nack(Nack { seq_no: number }),
            4 => Message::Suspect(Suspect { incarnation: number, node: &a, from: &b }),
            5 => Message::Dead(Dead { incarnation: number, node: &a, from: &b }),
            6 => Message::Alive(Alive {
                incarnation: number,
                node: &a,
                addr: Some(&b),
                port,
                meta: option,
                vsn: Some(&c),
            }),
            _ => Message::User(&a),
        };
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(Message::decode(&out), Ok(message));
        out
    })
}

/// One record of a push/pull.
fn state() -> impl Strategy<Value = Bytes> {
    let parts = (any::<[u32; 2]>(), any::<u16>(), 0..6_i64, [bytes(), bytes()]);
    (parts, [proptest::option::of(bytes()), proptest::option::of(bytes())]).prop_map(
        |(([incarnation, huge], port, state, [name, addr]), [meta, vsn])| {
            let mut out = Vec::new();
            let state = NodeState {
                name: &name,
                addr: Some(&addr),
                port,
                meta: meta.as_deref(),
                incarnation,
                // Mostly one of those that there are.
                state: if huge % 16 == 0 { -i64::from(huge) } else { state },
                vsn: vsn.as_deref(),
            };
            encode_state(&mut out, &state);
            out
        },
    )
}

/// Where bytes are changed, and to what, and where the rest is cut off; mostly nowhere.
fn damage() -> impl Strategy<Value = (Vec<(usize, u8)>, usize)> {
    let byte = prop_oneof![any::<u8>(), Just(0xc0), Just(0xd9), Just(0xc4), 0x80..0x90_u8];
    let cut = prop_oneof![3 => Just(usize::MAX), 1 => 0..100_usize];
    (vec((0..100_usize, byte), 0..3), cut)
}

fn damaged(mut bytes: Bytes, (changes, cut): &(Vec<(usize, u8)>, usize)) -> Bytes {
    for (at, to) in changes {
        if let Some(byte) = bytes.get_mut(*at) {
            *byte = *to;
        }
    }
    bytes.truncate(*cut);
    bytes
}

fn key() -> impl Strategy<Value = Option<Key>> {
    let key = prop_oneof![vec(any::<u8>(), 16), vec(any::<u8>(), 24), vec(any::<u8>(), 32)];
    proptest::option::of(key.prop_map(|key| Key::new(&key).expect("a key's length")))
}

fn label() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Vec::new()), vec(any::<u8>(), 1..=255)]
}

fn frame_rules<'a>(label: &'a [u8], keyring: Option<&'a Keyring>) -> FrameRules<'a> {
    FrameRules {
        label,
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring,
        verify_incoming: true,
        limits: FrameLimits::default(),
        known: None,
    }
}

#[derive(Default)]
struct Opened {
    messages: Vec<Bytes>,
    layers: usize,
}

impl Visit for Opened {
    fn layer(&mut self, _: Layer<'_>) {
        self.layers += 1;
    }

    fn message(&mut self, _: Message<'_>, bytes: &[u8]) {
        self.messages.push(bytes.to_vec());
    }
}

fn algorithm() -> impl Strategy<Value = Option<Algorithm>> {
    prop_oneof![Just(None), Just(Some(Algorithm::Lzw)), Just(Some(Algorithm::Snappy))]
}

proptest! {
    #[test]
    fn opening_reverses_sealing(
        messages in vec(message(), 1..8),
        key in key(),
        padded in any::<bool>(),
        label in label(),
        nonce in any::<[u8; 12]>(),
        compress in algorithm(),
        [checksum, strict] in any::<[bool; 2]>(),
        min in 0..300_usize,
    ) {
        let mut packet = Vec::new();
        compound::encode(&mut packet, &messages).expect("few and short");
        let version = if padded { Version::Padded } else { Version::Plain };
        let sealing = Sealing {
            label: &label,
            key: key.as_ref().map(|key| (key, version)),
            nonce,
            compress,
            compress_min_size: min,
            checksum,
        };
        let mut scratch = Scratch::new();
        let sealed = seal(&packet, &sealing, &mut scratch);
        prop_assert!(sealed.len() <= packet.len() + sealing.overhead());
        let keyring: Keyring = key.clone().into_iter().collect();
        let rules = Rules {
            label: &label,
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: Some(&keyring),
            verify_incoming: strict,
            limits: PacketLimits::default(),
        };
        let mut opened = Opened::default();
        prop_assert_eq!(open(&sealed, &rules, &mut scratch, &mut opened), Ok(()));
        prop_assert_eq!(opened.messages, messages);
        let outer = [!label.is_empty(), key.is_some(), checksum].map(usize::from);
        prop_assert!(opened.layers > outer.iter().sum());
    }

    #[test]
    fn any_bytes_can_be_opened(
        packet in vec(any::<u8>(), 0..300),
        first in proptest::option::of(prop_oneof![Just(7_u8), Just(9), Just(12), Just(244)]),
        strict in any::<bool>(),
    ) {
        let packet: Bytes = first.into_iter().chain(packet).collect();
        let keyring = Keyring::new(Key::new(&[1; 16]).expect("16 bytes"));
        let rules = Rules {
            label: b"",
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: Some(&keyring),
            verify_incoming: strict,
            limits: PacketLimits::default(),
        };
        let mut opened = Opened::default();
        let result = open(&packet, &rules, &mut Scratch::new(), &mut opened);
        if let Err(error) = result {
            prop_assert_eq!(error.handled, opened.messages.len());
            prop_assert!(error.dropped > 0);
        }
    }

    #[test]
    fn streams_may_arrive_in_any_chunks(
        names in vec(bytes(), 0..12),
        user_state in bytes(),
        key in key(),
        label in label(),
        compress in algorithm(),
        only_if_smaller in any::<bool>(),
        cuts in vec(1..50_usize, 1..20),
    ) {
        let mut message = Vec::new();
        encode_header(&mut message, true, names.len(), user_state.len());
        for (state, name) in (0..).zip(&names) {
            encode_state(&mut message, &NodeState { name, state, ..NodeState::default() });
        }
        message.extend_from_slice(&user_state);
        let sealing = FrameSealing {
            label: &label,
            key: key.as_ref().map(|key| (key, Version::Plain)),
            nonce: [3; 12],
            compress,
            only_if_smaller,
        };
        let frame = seal_frame(&message, &sealing, &mut Scratch::new()).expect("short");
        let mut stream = Vec::new();
        label::write_header(&mut stream, &label);
        stream.extend_from_slice(&frame);

        let keyring: Keyring = key.clone().into_iter().collect();
        let rules = frame_rules(&label, Some(&keyring));
        let mut reader = FrameReader::new(Role::Acceptor);
        let mut rest = &stream[..];
        let mut cuts = cuts.iter().cycle();
        let read = loop {
            let (chunk, tail) = rest.split_at(rest.len().min(*cuts.next().expect("endless")));
            rest = tail;
            if let Some(frame) = reader.feed(chunk, &rules).expect("no fault") {
                break frame;
            }
            prop_assert!(!rest.is_empty(), "the end was not found");
        };
        prop_assert!(rest.is_empty(), "the end was found too early");
        prop_assert_eq!(read.as_bytes(), &message);
        let StreamMessage::PushPull(state) = read.message() else {
            return Err(TestCaseError::fail("not a push/pull"));
        };
        prop_assert_eq!(state.user_state(), user_state);
        let read: Vec<&[u8]> = state.states().map(|state| state.name).collect();
        prop_assert_eq!(read, names);
    }

    #[test]
    fn any_bytes_can_be_a_stream(
        first in prop_oneof![0..10_u8, any::<u8>()],
        data in vec(any::<u8>(), 0..200),
        cut in 0..200_usize,
    ) {
        let data: Bytes = [first].into_iter().chain(data).collect();
        let rules = frame_rules(b"", None);
        let whole = FrameReader::new(Role::Acceptor).feed(&data, &rules);
        let (first, second) = data.split_at(cut.min(data.len()));
        let mut reader = FrameReader::new(Role::Acceptor);
        let mut parts = reader.feed(first, &rules);
        if parts == Ok(None) {
            parts = reader.feed(second, &rules);
        }
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn messages_in_the_usual_order_are_read_as_any_others(
        message in message(),
        damage in damage(),
    ) {
        let message = damaged(message, &damage);
        prop_assert_eq!(Message::decode(&message), Message::decode_any(&message));
    }

    #[test]
    fn states_in_the_usual_order_are_read_as_any_others(
        state in state(),
        user_state in vec(any::<u8>(), 0..8),
        damage in damage(),
    ) {
        let state = damaged(state, &damage);
        prop_assert_eq!(NodeState::decode(&state), NodeState::decode_any(&state));
        // In a push/pull also where it ends: byte by byte, it is only read once that is known.
        let mut message = Vec::new();
        encode_header(&mut message, false, 2, user_state.len());
        for part in [&state, &state, &user_state] {
            message.extend_from_slice(part);
        }
        let rules = frame_rules(b"", None);
        let whole = FrameReader::new(Role::Acceptor).feed(&message, &rules);
        let mut reader = FrameReader::new(Role::Acceptor);
        let parts = message.iter().map(|byte| reader.feed(&[*byte], &rules));
        let parts = parts.into_iter().find(|read| *read != Ok(None)).unwrap_or(Ok(None));
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn splitting_a_compound_reverses_joining(parts in vec(bytes(), 0..=255)) {
        let mut out = Vec::new();
        compound::encode(&mut out, &parts).expect("not too many");
        let split = compound::split(&out[1..]).expect("a compound");
        prop_assert_eq!(split.remaining(), parts.len());
        prop_assert_eq!(split.collect::<Vec<_>>(), parts);
    }

    #[test]
    fn decompression_reverses_compression(
        input in prop_oneof![vec(any::<u8>(), 0..6000), vec(0_u8..4, 0..20_000)],
    ) {
        let mut lzw = Lzw::default();
        let (mut output, mut restored) = (Vec::new(), Vec::new());
        prop_assert!(lzw.compress(&input, usize::MAX, &mut output));
        prop_assert_eq!(lzw.decompress(&output, input.len(), &mut restored), Ok(()));
        prop_assert_eq!(&restored, &input);
        let mut snappy = Snappy::default();
        output.clear();
        restored.clear();
        prop_assert!(snappy.compress(&input, usize::MAX, &mut output));
        prop_assert_eq!(snappy.decompress(&output, input.len(), &mut restored), Ok(()));
        prop_assert_eq!(restored, input);
    }

    #[test]
    fn error_replies_carry_any_text(text in ".*") {
        let mut out = Vec::new();
        ErrorReply { error: text.as_bytes() }.encode(&mut out);
        prop_assert_eq!(ErrorReply::decode(&out[1..]), Ok(ErrorReply { error: text.as_bytes() }));
    }
}
