//! Well-formed messages with fields that no honest node sends.

use memberlist_proto::Node;
use memberlist_proto::wire::message::{
    Ack, Alive, Dead, ErrorReply, IndirectPing, Message, Nack, Ping, Suspect,
};
use memberlist_proto::wire::push_pull::{NodeState, encode_header, encode_state, encode_user};

use crate::input::Input;

/// What an attacker has seen of a node.
#[derive(Default)]
pub(crate) struct Known {
    /// The sequence numbers of its latest pings, the oldest first.
    pub(crate) sequences: Vec<u32>,
    /// Its incarnation.
    pub(crate) incarnation: u32,
}

impl Known {
    pub(crate) fn note(&mut self, message: &[u8]) {
        let sequence = match Message::decode(message) {
            Ok(Message::Ping(ping)) => ping.seq_no,
            Ok(Message::IndirectPing(ping)) => ping.seq_no,
            _ => return,
        };
        if self.sequences.len() >= 8 {
            self.sequences.remove(0);
        }
        self.sequences.push(sequence);
    }

    fn sequence(&self, input: &mut Input<'_>) -> u32 {
        match input.below(10) {
            0 => input.u32(),
            back => {
                let at = self.sequences.len().checked_sub(back);
                at.map_or(back as u32, |at| self.sequences[at])
            }
        }
    }

    fn incarnation(&self, input: &mut Input<'_>) -> u32 {
        match input.below(10) {
            small @ 0..=3 => small as u32,
            4 => self.incarnation,
            5 => self.incarnation.wrapping_add(1),
            6 => u32::MAX,
            7 => u32::MAX - 1,
            8 => self.incarnation.wrapping_sub(1),
            _ => input.u32(),
        }
    }
}

/// Any message of a packet, encoded.
pub(crate) fn any(input: &mut Input<'_>) -> Vec<u8> {
    packet_message(input, &Known::default())
}

/// Any message of a packet, encoded.
pub(crate) fn packet_message(input: &mut Input<'_>, known: &Known) -> Vec<u8> {
    let kind = input.below(16);
    let number = match kind {
        0..=3 => known.sequence(input),
        _ => known.incarnation(input),
    };
    let (node, from) = (name(input), name(input));
    let message = match kind {
        0 => {
            let (source_addr, source_port) = (addr(input), port(input));
            return encoded(&Message::Ping(Ping {
                seq_no: number,
                node: &node,
                source_addr: source_addr.as_deref(),
                source_port,
                source_node: &from,
            }));
        }
        1 => {
            let (target, source_addr) = (addr(input), addr(input));
            let message = Message::IndirectPing(IndirectPing {
                seq_no: number,
                target: target.as_deref(),
                port: port(input),
                node: &node,
                nack: input.flag(),
                source_addr: source_addr.as_deref(),
                source_port: port(input),
                source_node: &from,
            });
            return encoded(&message);
        }
        2 => {
            let payload = input.flag().then(|| input.string());
            Message::Ack(Ack { seq_no: number, payload })
        }
        3 => Message::Nack(Nack { seq_no: number }),
        4 => Message::User(input.string()),
        5..=7 => Message::Suspect(Suspect { incarnation: number, node: &node, from: &from }),
        8..=10 => Message::Dead(Dead { incarnation: number, node: &node, from: &from }),
        _ => {
            let (addr, meta, vsn) = (addr(input), meta(input), vsn(input));
            return encoded(&Message::Alive(Alive {
                incarnation: number,
                node: &node,
                addr: addr.as_deref(),
                port: port(input),
                meta: meta.as_deref(),
                vsn: vsn.as_deref(),
            }));
        }
    };
    encoded(&message)
}

/// An honest announcement.
pub(crate) fn member(name: &str, last: u8) -> Vec<u8> {
    encoded(&Message::Alive(Alive {
        incarnation: 1,
        node: name.as_bytes(),
        addr: Some(&[10, 0, 0, last]),
        port: 1,
        meta: None,
        vsn: Some(&[1, 5, 2, 0, 0, 0]),
    }))
}

/// News about a node at or just above the incarnation that is known of it.
pub(crate) fn news(input: &mut Input<'_>, about: &Node) -> Vec<u8> {
    let identity = about.identity();
    let node = identity.name().as_bytes();
    let kind = input.below(8);
    let incarnation = about.incarnation().saturating_add(u32::from(input.byte() & 1));
    let accuser = [&b"a"[..], b"b", b"c", b"d"][input.below(4)];
    let message = match kind {
        0 | 1 => Message::Suspect(Suspect { incarnation, node, from: accuser }),
        2 => Message::Dead(Dead { incarnation, node, from: accuser }),
        3 => Message::Dead(Dead { incarnation, node, from: node }),
        _ => {
            let changed = meta(input);
            let vsn = identity.vsn_bytes().map(|vsn| vsn.to_vec());
            return encoded(&Message::Alive(Alive {
                incarnation,
                node,
                addr: identity.addr_bytes(),
                port: identity.port(),
                meta: if kind == 4 { changed.as_deref() } else { identity.meta() },
                vsn: vsn.as_deref(),
            }));
        }
    };
    encoded(&message)
}

/// Any message of a stream, encoded.
pub(crate) fn stream_message(input: &mut Input<'_>, known: &Known) -> Vec<u8> {
    let mut out = Vec::new();
    match input.below(8) {
        0 => encode_user(&mut out, input.string()),
        1 => {
            let (seq_no, node) = (known.sequence(input), name(input));
            Message::Ping(Ping { seq_no, node: &node, ..Ping::default() }).encode(&mut out);
        }
        2 => {
            let seq_no = known.sequence(input);
            Message::Ack(Ack { seq_no, payload: None }).encode(&mut out);
        }
        3 => ErrorReply { error: input.string() }.encode(&mut out),
        _ => push_pull(input, known, &mut out),
    }
    out
}

fn push_pull(input: &mut Input<'_>, known: &Known, out: &mut Vec<u8>) {
    let (join, nodes) = (input.flag(), input.below(6));
    let user_state = input.string();
    encode_header(out, join, nodes, user_state.len());
    for _ in 0..nodes {
        let (name, addr, meta, vsn) = (name(input), addr(input), meta(input), vsn(input));
        let state = match input.below(8) {
            known @ 0..=3 => i64::try_from(known).unwrap_or_default(),
            4 => -1,
            5 => i64::MAX,
            6 => 4,
            _ => 0,
        };
        encode_state(
            out,
            &NodeState {
                name: &name,
                addr: addr.as_deref(),
                port: port(input),
                meta: meta.as_deref(),
                incarnation: known.incarnation(input),
                state,
                vsn: vsn.as_deref(),
            },
        );
    }
    out.extend_from_slice(user_state);
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

pub(crate) fn name(input: &mut Input<'_>) -> Vec<u8> {
    match input.below(16) {
        0..=2 => b"me".to_vec(),
        3..=5 => b"a".to_vec(),
        6..=8 => b"b".to_vec(),
        9 => b"c".to_vec(),
        10 => vec![b'n', input.byte()],
        11 => Vec::new(),
        12 => vec![b'x'; 255],
        13 => vec![b'y'; 256],
        14 => vec![0xff, 0, 0xc3],
        _ => input.string().to_vec(),
    }
}

fn addr(input: &mut Input<'_>) -> Option<Vec<u8>> {
    Some(match input.below(12) {
        0 => vec![10, 0, 0, 1],
        last @ 1..=4 => vec![10, 0, 0, last as u8],
        5 => [&[0; 10][..], &[0xff, 0xff, 10, 0, 0, input.byte() & 3]].concat(),
        6 => [&[0xfd][..], &[0; 14], &[input.byte()]].concat(),
        7 => vec![0; 4],
        8 => vec![224, 0, 0, 1],
        9 => Vec::new(),
        10 => return None,
        _ => input.string().to_vec(),
    })
}

fn port(input: &mut Input<'_>) -> u16 {
    match input.below(8) {
        7 => input.u16(),
        known => known as u16,
    }
}

fn meta(input: &mut Input<'_>) -> Option<Vec<u8>> {
    Some(match input.below(10) {
        0 => return None,
        1..=4 => Vec::new(),
        5 => vec![b'm'; 512],
        6 => vec![b'm'; 2048],
        7 => vec![b'm'; 2049],
        _ => input.string().to_vec(),
    })
}

fn vsn(input: &mut Input<'_>) -> Option<Vec<u8>> {
    Some(match input.below(16) {
        0 => return None,
        1 => Vec::new(),
        2 => vec![1, 5, 2, 0, 0],
        3 => vec![0; 6],
        4 => vec![5, 1, 3, 0, 0, 0],
        5 => vec![1, 5, 5, 0, 0, 0],
        6 => vec![1, 5, 2, 2, 5, 4],
        7 => input.string().to_vec(),
        _ => vec![1, 5, 2, 0, 0, 0],
    })
}
