//! The targets below the state machine.

use memberlist_proto::security::Version;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::{Algorithm, Lzw, Snappy};
use memberlist_proto::wire::frame::{
    Frame, FrameError, FrameLimits, FrameReader, FrameRules, FrameSealing, Role, StreamMessage,
    seal_frame,
};
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{Layer, PacketLimits, Rules, Sealing, Visit, open, seal};
use memberlist_proto::wire::push_pull::NodeState;
use memberlist_proto::wire::{compound, label};
use memberlist_proto::{Key, Keyring};

use crate::hostile;
use crate::input::Input;

/// The key of the vectors, so that their encrypted cases open.
pub(crate) fn key(len: u8) -> Key {
    Key::new(&(0x10..0x10 + len).collect::<Vec<u8>>()).expect("16, 24 or 32 bytes")
}

/// What came out of a packet.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) messages: Vec<Vec<u8>>,
    decompressed: usize,
}

impl Visit for Opened {
    fn layer(&mut self, layer: Layer<'_>) {
        if let Layer::Compressed { to, .. } = layer {
            self.decompressed += to;
        }
    }

    fn message(&mut self, message: Message<'_>, bytes: &[u8]) {
        assert_eq!(Message::decode(bytes), Ok(message), "the bytes are not the message's");
        assert_eq!(Message::decode_any(bytes), Ok(message), "the usual order makes a difference");
        reencode(message);
        self.messages.push(bytes.to_vec());
    }
}

/// What a decoded message is encoded to decodes to the same, and is encoded to the same again.
pub(crate) fn reencode(message: Message<'_>) {
    let mut once = Vec::new();
    message.encode(&mut once);
    let decoded = Message::decode(&once).expect("what we encode can be decoded");
    let mut twice = Vec::new();
    decoded.encode(&mut twice);
    assert_eq!(once, twice, "encoding is not stable");
    assert_eq!(decoded.message_type(), message.message_type());
}

/// Any bytes as a packet, under every combination of key, label and flags.
pub fn packet(data: &[u8]) {
    assert_eq!(Message::decode(data), Message::decode_any(data));
    assert_eq!(NodeState::decode(data), NodeState::decode_any(data));
    let ring: Keyring = [key(16), key(24), key(32)].into_iter().collect();
    let limits = PacketLimits { max_decompressed: 1 << 16, ..PacketLimits::default() };
    let mut scratch = Scratch::new();
    for choice in 0..24_u8 {
        let label: &[u8] = [&b""[..], b"blue", b"a"][usize::from(choice / 8)];
        let rules = Rules {
            label,
            skip_inbound_label_check: choice & 1 != 0,
            accept_labels: &[],
            keyring: (choice & 2 != 0).then_some(&ring),
            verify_incoming: choice & 4 != 0,
            limits,
        };
        let mut opened = Opened::default();
        let result = open(data, &rules, &mut scratch, &mut opened);
        assert!(opened.decompressed <= limits.max_decompressed, "decompressed beyond the limit");
        assert!(opened.messages.len() <= limits.max_messages.max(1), "too many messages");
        match result {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.handled, opened.messages.len());
                assert!(error.dropped > 0, "a fault that drops nothing");
            }
        }
        // Warm working memory makes no difference.
        let mut again = Opened::default();
        assert_eq!(open(data, &rules, &mut Scratch::new(), &mut again), result);
        assert_eq!(again.messages, opened.messages);
    }
}

type Read = Result<Option<Frame>, FrameError>;

/// Any bytes in any chunks give what they give as a whole.
pub fn stream(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let chunks: Vec<usize> = input.take(4).iter().map(|chunk| usize::from(*chunk) + 1).collect();
    let ring: Keyring = [key(16), key(32)].into_iter().collect();
    let rules = FrameRules {
        label: if choice & 1 == 0 { b"" } else { b"blue" },
        skip_inbound_label_check: choice & 2 != 0,
        accept_labels: &[],
        keyring: (choice & 4 != 0).then_some(&ring),
        verify_incoming: choice & 8 != 0,
        limits: FrameLimits {
            max_encrypted: 1 << 16,
            max_user_state: 1 << 12,
            max_user_message: 1 << 12,
            max_decompressed: 1 << 16,
            max_compressed: 1 << 12,
            max_plain_push_pull: 1 << 12,
            max_nodes: 64,
            max_small: 1 << 10,
        },
        known: None,
    };
    let role = if choice & 16 == 0 { Role::Acceptor } else { Role::Initiator };
    let data = input.rest();
    let whole = FrameReader::new(role).feed(data, &rules);
    let mut reader = FrameReader::new(role);
    let mut rest = data;
    let mut parts: Read = Ok(None);
    for chunk in chunks.iter().cycle() {
        if rest.is_empty() || parts != Ok(None) {
            break;
        }
        let (chunk, tail) = rest.split_at(rest.len().min(*chunk));
        rest = tail;
        parts = reader.feed(chunk, &rules);
        assert!(reader.capacity() <= 8 * data.len() + (4 << 10), "memory grows with the claims");
    }
    if !chunks.is_empty() {
        assert_eq!(parts, whole, "chunks make a difference");
    }
    if let Ok(Some(frame)) = whole {
        read(&frame);
    }
}

/// Everything that can be asked of a frame.
fn read(frame: &Frame) {
    match frame.message() {
        StreamMessage::PushPull(state) => {
            let header = state.header();
            let states = state.states().count();
            assert_eq!(usize::try_from(header.nodes), Ok(states), "other states than announced");
            assert_eq!(usize::try_from(header.user_state_len), Ok(state.user_state().len()));
            assert_eq!(frame.payload().as_deref(), Some(state.user_state()));
        }
        StreamMessage::User(payload) => assert_eq!(frame.payload().as_deref(), Some(payload)),
        StreamMessage::Ping(ping) => reencode(Message::Ping(ping)),
        StreamMessage::Ack(ack) => reencode(Message::Ack(ack)),
        StreamMessage::Known => panic!("the rules name no message"),
        StreamMessage::Error(_) | StreamMessage::Other(_) => {}
    }
}

/// What is sealed in any way is what is opened, as a packet and as a stream.
pub fn roundtrip(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let name = input.string();
    let key = (choice & 1 != 0).then(|| key([16, 24, 32, 16][usize::from(choice >> 1 & 3)]));
    let version = if choice & 8 == 0 { Version::Plain } else { Version::Padded };
    let key = key.as_ref().map(|key| (key, version));
    let sealing = Sealing {
        label: name,
        key,
        nonce: [input.byte(); 12],
        compress: algorithm(choice & 16 != 0, choice & 128 != 0),
        compress_min_size: input.byte().into(),
        checksum: choice & 32 != 0,
    };
    let messages: Vec<Vec<u8>> = (0..=input.below(8)).map(|_| hostile::any(&mut input)).collect();
    let mut compound = Vec::new();
    compound::encode(&mut compound, &messages).expect("few and short");
    let mut scratch = Scratch::new();
    let sealed = seal(&compound, &sealing, &mut scratch);
    assert!(sealed.len() <= compound.len() + sealing.overhead(), "longer than promised");
    assert!(sealed.len() <= sealing.sealed_len(compound.len()), "longer than promised");
    let ring: Keyring = key.iter().map(|(key, _)| (*key).clone()).collect();
    let rules = Rules {
        label: name,
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: Some(&ring),
        verify_incoming: true,
        limits: PacketLimits::default(),
    };
    let mut opened = Opened::default();
    assert_eq!(open(&sealed, &rules, &mut scratch, &mut opened), Ok(()));
    assert_eq!(opened.messages, messages);
    let only_if_smaller = choice & 64 != 0;
    let sealing = FrameSealing {
        label: name,
        key,
        nonce: sealing.nonce,
        compress: sealing.compress,
        only_if_smaller,
    };
    let message = hostile::stream_message(&mut input, &hostile::Known::default());
    let rules = FrameRules {
        label: name,
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: Some(&ring),
        verify_incoming: true,
        limits: FrameLimits::default(),
        known: None,
    };
    let mut sent = Vec::new();
    label::write_header(&mut sent, name);
    sent.extend_from_slice(&seal_frame(&message, &sealing, &mut scratch).expect("short"));
    let frame = FrameReader::new(Role::Acceptor).feed(&sent, &rules).expect("a good stream");
    let frame = frame.expect("a whole message");
    assert_eq!(frame.as_bytes(), message);
    read(&frame);
}

fn algorithm(compress: bool, snappy: bool) -> Option<Algorithm> {
    compress.then_some(if snappy { Algorithm::Snappy } else { Algorithm::Lzw })
}

/// LZW both ways: any input comes back, and any bytes can be decompressed.
pub fn lzw(data: &[u8]) {
    const LIMIT: usize = 1 << 16;
    let mut lzw = Lzw::default();
    let mut out = b"before".to_vec();
    let result = lzw.decompress(data, LIMIT, &mut out);
    assert!(out.starts_with(b"before") && out.len() <= LIMIT + 6, "beyond the limit");
    if result.is_err() {
        assert_eq!(out, b"before", "a failure leaves something behind");
    }
    let mut again = Vec::new();
    assert_eq!(lzw.decompress(data, LIMIT, &mut again), result, "state is carried over");
    let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
    assert!(lzw.compress(data, usize::MAX, &mut packed));
    assert_eq!(lzw.decompress(&packed, data.len(), &mut unpacked), Ok(()));
    assert_eq!(unpacked, data);
    let exact = packed.len();
    packed.clear();
    assert!(lzw.compress(data, exact, &mut packed), "what fits exactly fits");
    packed.clear();
    assert!(!lzw.compress(data, exact - 1, &mut packed), "what does not fit does not");
    assert!(packed.is_empty());
}

/// Snappy both ways: any input comes back, and any bytes can be decompressed.
pub fn snappy(data: &[u8]) {
    const LIMIT: usize = 1 << 16;
    let mut snappy = Snappy::default();
    let mut out = b"before".to_vec();
    let result = snappy.decompress(data, LIMIT, &mut out);
    assert!(out.starts_with(b"before") && out.len() <= LIMIT + 6, "beyond the limit");
    // A length that cannot be true takes no memory.
    assert!(out.capacity() <= 64 + data.len() * 48, "{} for {}", out.capacity(), data.len());
    if result.is_err() {
        assert_eq!(out, b"before", "a failure leaves something behind");
    }
    let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
    assert!(snappy.compress(data, usize::MAX, &mut packed));
    assert_eq!(snappy.decompress(&packed, data.len(), &mut unpacked), Ok(()));
    assert_eq!(unpacked, data);
    let exact = packed.len();
    let first = packed.clone();
    packed.clear();
    assert!(snappy.compress(data, exact, &mut packed), "what fits exactly fits");
    assert_eq!(packed, first, "state is carried over");
    packed.clear();
    assert!(!snappy.compress(data, exact - 1, &mut packed), "what does not fit does not");
    assert!(packed.is_empty());
}
