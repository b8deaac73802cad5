use proptest::prelude::*;

use super::*;

const FRAMINGS: [Framing; 2] = [Framing::Alertmanager, Framing::Dskit];
const LIMIT: usize = 4096;

fn peer() -> SocketAddr {
    "127.0.0.9:50001".parse().unwrap()
}

#[test]
fn an_origin_is_completed_by_the_connection() {
    let cases = [
        ("10.0.0.5:9094", Some("10.0.0.5:9094")),
        ("[2001:db8::1]:9094", Some("[2001:db8::1]:9094")),
        ("[fe80::1%eth0]:9094", Some("[fe80::1]:9094")),
        ("[::ffff:10.0.0.5]:9094", Some("10.0.0.5:9094")),
        ("[::]:9094", Some("127.0.0.9:9094")),
        ("0.0.0.0:0", Some("127.0.0.9:50001")),
        ("", Some("127.0.0.9:50001")),
        (":9094", Some("127.0.0.9:9094")),
        ("some.host:9094", Some("127.0.0.9:9094")),
        ("127.0.0.9:", Some("127.0.0.9:50001")),
        ("10.0.0.5", None),
        ("10.0.0.5:99999", None),
        ("10.0.0.5:-1", None),
        ("10.0.0.5:+1", None),
        ("10.0.0.5:http", None),
        ("2001:db8::1:9094", None),
        ("[::1:9094", None),
        ("::1]:9094", None),
    ];
    for (text, address) in cases {
        let found = Origin::parse(text).map(|origin| origin.address(peer()).to_string());
        assert_eq!(found.as_deref(), address, "{text}");
    }
    let scoped: SocketAddr = "[fe80::1%3]:50001".parse().unwrap();
    let origin = Origin::parse("[fe80::1%eth9]:9094").unwrap();
    assert_eq!(origin.address(scoped).to_string(), "[fe80::1%3]:9094");
}

#[test]
fn a_long_frame_is_refused_before_it_arrives() {
    let mut reader = FrameReader::new(Framing::Alertmanager, LIMIT);
    reader.push(&(LIMIT as u32 + 1).to_le_bytes());
    assert_eq!(reader.next(), Err(FrameError::TooLong { len: LIMIT + 1, limit: LIMIT }));
    assert_eq!(reader.next(), Ok(None), "an error is reported once");

    let mut reader = FrameReader::new(Framing::Dskit, LIMIT);
    reader.push(&[dskit::PACKET; LIMIT]);
    assert_eq!(reader.next(), Ok(None));
    reader.push(&[0]);
    assert_eq!(reader.next(), Err(FrameError::TooLong { len: LIMIT + 1, limit: LIMIT }));
}

/// A client's greeting is shorter than some frames may be: it is known by more than its length.
#[test]
fn tls_is_known_where_plain_text_is_expected() {
    for framing in FRAMINGS {
        let mut reader = FrameReader::new(framing, 1 << 20);
        for byte in [0x16, 3, 1, 0, 0xf4] {
            reader.push(&[byte]);
            assert_eq!(reader.next(), Ok(None));
        }
        reader.push(&[1, 0, 0]);
        assert_eq!(reader.next(), Err(FrameError::Tls));
    }
}

/// A length can begin like a greeting whose fourth byte makes it too long.
#[test]
fn tls_is_known_however_it_is_cut() {
    let greeting = [0x16, 3, 0xf4, 0x75, 0x65, 1, 0];
    for (framing, cut) in FRAMINGS.into_iter().flat_map(|it| (1..=7).map(move |cut| (it, cut))) {
        let mut reader = FrameReader::new(framing, LIMIT);
        let errors = greeting.chunks(cut).filter_map(|piece| {
            reader.push(piece);
            reader.next().err()
        });
        assert_eq!(errors.collect::<Vec<_>>(), [FrameError::Tls], "{framing:?}, {cut}");
    }
}

/// What a node without frames says at once is not taken for the beginning of a frame for long.
#[test]
fn a_stream_without_a_frame_is_refused() {
    for first in [6, 3, 9, 10, 244] {
        let mut reader = FrameReader::new(Framing::Dskit, LIMIT);
        reader.push(&[first]);
        assert_eq!(reader.next(), Err(FrameError::Kind(first.into())));
    }
    let mut reader = FrameReader::new(Framing::Alertmanager, LIMIT);
    reader.push(b"\x06\x83\xa4Join\xc3");
    assert!(matches!(reader.next(), Err(FrameError::TooLong { .. })));
}

const LONG: usize = 4 << 20;

/// What `work` leaves behind, in bytes.
fn retained<T>(work: impl FnOnce() -> T) -> usize {
    let mut kept = None;
    let retained = allocation_counter::measure(|| kept = Some(work())).bytes_current;
    drop(kept);
    usize::try_from(retained).expect("more was taken than given back")
}

fn packet(reader: &mut FrameReader, bytes: &[u8]) -> Bytes {
    for piece in bytes.chunks(16 << 10) {
        assert_eq!(reader.next(), Ok(None));
        reader.push(piece);
    }
    reader.end();
    match reader.next() {
        Ok(Some(Frame::Packet { packet, .. })) => packet,
        other => panic!("{other:?}"),
    }
}

/// A connection that has brought a long packet keeps no room of that size.
#[test]
fn no_room_of_a_long_packet_is_retained() {
    for framing in FRAMINGS {
        let frame = framing.packet(peer(), &vec![7; LONG]);
        let kept = retained(|| {
            let mut reader = FrameReader::new(framing, 2 * LONG);
            assert_eq!(packet(&mut reader, &frame).len(), LONG);
            reader
        });
        assert!(kept < 64 << 10, "{framing:?}: {kept} bytes");
        // The packet itself is not copied once more, and retains about its own length.
        let kept = retained(|| packet(&mut FrameReader::new(framing, 2 * LONG), &frame));
        assert!(kept < 2 * LONG + (64 << 10), "{framing:?}: {kept} bytes");
    }
}

/// A packet that is short counts as short while it waits, also if its frame was long.
#[test]
fn a_short_packet_in_a_long_frame_retains_little() {
    let mut message = b"\x0a\x06v0.1.0\x10\x01\x22\x01\x07".to_vec();
    // A field that is not known.
    message.extend(b"\x7a\x80\x80\x80\x02");
    message.resize(message.len() + LONG, 0);
    let frame = [&(message.len() as u32).to_le_bytes()[..], &message].concat();
    let kept = retained(|| packet(&mut FrameReader::new(Framing::Alertmanager, 2 * LONG), &frame));
    assert!(kept < 64 << 10, "{kept} bytes");
}

proptest! {
    /// However the bytes are cut, the same frames are read, and a stream's own bytes are kept.
    #[test]
    fn frames_are_read_from_any_pieces(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
        words in prop::collection::vec(any::<u8>(), 0..40),
        cuts in prop::collection::vec(1..50_usize, 1..20),
    ) {
        let from: SocketAddr = "[2001:db8::1]:9094".parse().unwrap();
        for framing in FRAMINGS {
            let packets = if framing.reuses_connections() { &packets[..] } else { &packets[..1] };
            let mut bytes = Vec::new();
            for packet in packets {
                bytes.extend(framing.packet(from, packet));
            }
            if framing.reuses_connections() {
                bytes.extend(framing.stream());
                bytes.extend(&words);
            }
            let mut reader = FrameReader::new(framing, LIMIT);
            let (mut rest, mut found, mut streams) = (&bytes[..], Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*cut));
                rest = after;
                reader.push(piece);
                if rest.is_empty() {
                    reader.end();
                }
                while let Some(frame) = reader.next().unwrap() {
                    match frame {
                        Frame::Packet { from: origin, packet } => {
                            assert_eq!(origin.address(peer()), from);
                            found.push(packet);
                        }
                        Frame::Stream => streams += 1,
                    }
                }
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(&found, packets);
            prop_assert_eq!(streams, usize::from(framing.reuses_connections()));
            if streams == 1 {
                prop_assert_eq!(reader.into_rest(), &words);
            }
        }
    }

    /// However any bytes are cut, the frames are the same, and so is the error. Only how long a frame
    /// was when it became too long may differ.
    #[test]
    fn cuts_do_not_matter(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(prop::sample::select(&[0, 1, 2, 3, 6, 0x0a, 0x12, 0x16][..]), 0..40),
        ],
        cut in 1..40_usize,
        limit in 1..64_usize,
        ended in any::<bool>(),
    ) {
        for framing in FRAMINGS {
            let read = |cut: usize| {
                let mut reader = FrameReader::new(framing, limit);
                let mut read = Vec::new();
                let mut pieces = bytes.chunks(cut);
                loop {
                    let piece = pieces.next();
                    reader.push(piece.unwrap_or_default());
                    if piece.is_none() && ended {
                        reader.end();
                    }
                    while let Some(next) = reader.next().transpose() {
                        read.push(next.map_err(|error| match error {
                            FrameError::TooLong { .. } => FrameError::TooLong { len: 0, limit },
                            error => error,
                        }));
                    }
                    if piece.is_none() {
                        return read;
                    }
                }
            };
            prop_assert_eq!(read(cut), read(usize::MAX));
        }
    }

    /// Any bytes are frames or an error, never more memory than was given, and never a panic.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200), first in 0..3_u8) {
        for framing in FRAMINGS {
            let mut reader = FrameReader::new(framing, LIMIT);
            reader.push(&[first]);
            reader.push(&bytes);
            reader.end();
            while let Ok(Some(_)) = reader.next() {}
            prop_assert!(reader.buffered() <= bytes.len() + 1);
        }
    }
}

#[test]
fn framings_are_known_by_their_names() {
    assert_eq!(FRAMINGS.map(Framing::as_str), ["alertmanager", "dskit"]);
}
