//! The messages that make up nearly all of the traffic, read in the order in which they are
//! written.

use super::super::msgpack::InOrder;
use super::{Ack, Alive, Dead, Message, MessageType, Ping, Suspect};

impl<'a> Message<'a> {
    /// Decodes the message, if it is one of the frequent ones in its usual form.
    pub(super) fn in_order(code: u8, body: &'a [u8]) -> Option<Self> {
        let mut fields = InOrder::new(body);
        Some(match MessageType::from_code(code)? {
            MessageType::Ping => Self::Ping(Ping::in_order(&mut fields)?),
            MessageType::Ack => Self::Ack(Ack::in_order(&mut fields)?),
            MessageType::Alive => Self::Alive(Alive::in_order(&mut fields)?),
            MessageType::Suspect => {
                let (incarnation, node, from) = accusation(&mut fields)?;
                Self::Suspect(Suspect { incarnation, node, from })
            }
            MessageType::Dead => {
                let (incarnation, node, from) = accusation(&mut fields)?;
                Self::Dead(Dead { incarnation, node, from })
            }
            _ => return None,
        })
    }
}

impl<'a> Ping<'a> {
    /// Reads a ping with its source, as every release since v0.2.0 sends it.
    fn in_order(fields: &mut InOrder<'a>) -> Option<Self> {
        fields.key(b"\x85\xa4Node")?;
        let node = fields.string()?;
        fields.key(b"\xa5SeqNo")?;
        let seq_no = fields.u32()?;
        fields.key(b"\xaaSourceAddr")?;
        let source_addr = fields.bytes()?;
        fields.key(b"\xaaSourceNode")?;
        let source_node = fields.string()?;
        fields.key(b"\xaaSourcePort")?;
        let source_port = fields.u16()?;
        Some(Self { seq_no, node, source_addr, source_port, source_node })
    }
}

impl<'a> Ack<'a> {
    fn in_order(fields: &mut InOrder<'a>) -> Option<Self> {
        fields.key(b"\x82\xa7Payload")?;
        let payload = fields.bytes()?;
        fields.key(b"\xa5SeqNo")?;
        let seq_no = fields.u32()?;
        Some(Self { seq_no, payload })
    }
}

impl<'a> Alive<'a> {
    fn in_order(fields: &mut InOrder<'a>) -> Option<Self> {
        fields.key(b"\x86\xa4Addr")?;
        let addr = fields.bytes()?;
        fields.key(b"\xabIncarnation")?;
        let incarnation = fields.u32()?;
        fields.key(b"\xa4Meta")?;
        let meta = fields.bytes()?;
        fields.key(b"\xa4Node")?;
        let node = fields.string()?;
        fields.key(b"\xa4Port")?;
        let port = fields.u16()?;
        fields.key(b"\xa3Vsn")?;
        let vsn = fields.bytes()?;
        Some(Self { incarnation, node, addr, port, meta, vsn })
    }
}

/// Reads the incarnation, the subject and the accuser.
fn accusation<'a>(fields: &mut InOrder<'a>) -> Option<(u32, &'a [u8], &'a [u8])> {
    fields.key(b"\x83\xa4From")?;
    let from = fields.string()?;
    fields.key(b"\xabIncarnation")?;
    let incarnation = fields.u32()?;
    fields.key(b"\xa4Node")?;
    let node = fields.string()?;
    Some((incarnation, node, from))
}
