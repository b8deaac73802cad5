//! The peer `foca`, with the smallest identity that it can have and with one that has a name, and
//! the fastest codec that we could write for it by hand.

use std::fmt;
use std::num::NonZeroU32;

use bytes::{Buf, BufMut, Bytes};
use foca::{Codec, Foca, Header, Identity, Member, Message, Notification, Runtime, State, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::ours::{PORT, ip, name};
use crate::world::{Follow, Player, When, World};

/// An identity that can be encoded.
pub(crate) trait Id: Identity {
    fn of(index: usize) -> Self;
    fn index(&self) -> usize;
    fn put(&self, out: &mut impl BufMut);
    fn take(input: &mut impl Buf) -> Option<Self>;
    fn len(&self) -> usize;
}

/// An identity of address, port and generation: 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Small {
    ip: u32,
    port: u16,
    generation: u32,
}

/// An identity like [`Small`], with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    name: String,
    ip: u32,
    port: u16,
    generation: u32,
}

impl Identity for Small {
    type Addr = (u32, u16);

    fn renew(&self) -> Option<Self> {
        Some(Self { generation: self.generation + 1, ..*self })
    }

    fn addr(&self) -> (u32, u16) {
        (self.ip, self.port)
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        self.generation > other.generation
    }
}

impl Identity for Named {
    // The address and not the name: with an owned name, each look-up would allocate for each
    // member.
    type Addr = (u32, u16);

    fn renew(&self) -> Option<Self> {
        Some(Self { generation: self.generation + 1, ..self.clone() })
    }

    fn addr(&self) -> (u32, u16) {
        (self.ip, self.port)
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        self.generation > other.generation
    }
}

impl Id for Small {
    fn of(index: usize) -> Self {
        Self { ip: ip(index).into(), port: PORT, generation: 0 }
    }

    fn index(&self) -> usize {
        (self.ip - u32::from(ip(0))) as usize
    }

    fn put(&self, out: &mut impl BufMut) {
        out.put_u32(self.ip);
        out.put_u16(self.port);
        out.put_u32(self.generation);
    }

    fn take(input: &mut impl Buf) -> Option<Self> {
        Some(Self {
            ip: input.try_get_u32().ok()?,
            port: input.try_get_u16().ok()?,
            generation: input.try_get_u32().ok()?,
        })
    }

    fn len(&self) -> usize {
        10
    }
}

impl Id for Named {
    fn of(index: usize) -> Self {
        Self { name: name(index), ip: ip(index).into(), port: PORT, generation: 0 }
    }

    fn index(&self) -> usize {
        (self.ip - u32::from(ip(0))) as usize
    }

    fn put(&self, out: &mut impl BufMut) {
        out.put_u32(self.ip);
        out.put_u16(self.port);
        out.put_u32(self.generation);
        out.put_u8(self.name.len() as u8);
        out.put_slice(self.name.as_bytes());
    }

    fn take(input: &mut impl Buf) -> Option<Self> {
        let small = Small::take(input)?;
        let len = usize::from(input.try_get_u8().ok()?);
        let name = std::str::from_utf8(input.chunk().get(..len)?).ok()?.to_owned();
        input.advance(len);
        Some(Self { name, ip: small.ip, port: small.port, generation: small.generation })
    }

    fn len(&self) -> usize {
        11 + self.name.len()
    }
}

/// A codec of fixed fields in network byte order.
pub(crate) struct ByHand;

#[derive(Debug)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed")
    }
}

impl std::error::Error for Malformed {}

impl<I: Id> Codec<I> for ByHand {
    type Error = Malformed;

    fn encode_header(&mut self, header: &Header<I>, mut out: impl BufMut) -> Result<(), Malformed> {
        header.src.put(&mut out);
        out.put_u16(header.src_incarnation);
        header.dst.put(&mut out);
        let (code, number, other) = match &header.message {
            Message::Ping(number) => (0, *number, None),
            Message::Ack(number) => (1, *number, None),
            Message::PingReq { target, probe_number } => (2, *probe_number, Some(target)),
            Message::IndirectPing { origin, probe_number } => (3, *probe_number, Some(origin)),
            Message::IndirectAck { target, probe_number } => (4, *probe_number, Some(target)),
            Message::ForwardedAck { origin, probe_number } => (5, *probe_number, Some(origin)),
            Message::Announce => (6, 0, None),
            Message::Feed => (7, 0, None),
            Message::Gossip => (8, 0, None),
            Message::Broadcast => (9, 0, None),
            Message::TurnUndead => (10, 0, None),
        };
        out.put_u8(code);
        out.put_u8(number);
        if let Some(other) = other {
            other.put(&mut out);
        }
        Ok(())
    }

    fn decode_header(&mut self, mut input: impl Buf) -> Result<Header<I>, Malformed> {
        let src = I::take(&mut input).ok_or(Malformed)?;
        let src_incarnation = input.try_get_u16().map_err(|_| Malformed)?;
        let dst = I::take(&mut input).ok_or(Malformed)?;
        let code = input.try_get_u8().map_err(|_| Malformed)?;
        let probe_number = input.try_get_u8().map_err(|_| Malformed)?;
        let mut other = || I::take(&mut input).ok_or(Malformed);
        let message = match code {
            0 => Message::Ping(probe_number),
            1 => Message::Ack(probe_number),
            2 => Message::PingReq { target: other()?, probe_number },
            3 => Message::IndirectPing { origin: other()?, probe_number },
            4 => Message::IndirectAck { target: other()?, probe_number },
            5 => Message::ForwardedAck { origin: other()?, probe_number },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            9 => Message::Broadcast,
            10 => Message::TurnUndead,
            _ => return Err(Malformed),
        };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, member: &Member<I>, mut out: impl BufMut) -> Result<(), Malformed> {
        if out.remaining_mut() < member.id().len() + 3 {
            return Err(Malformed);
        }
        member.id().put(&mut out);
        out.put_u16(member.incarnation());
        out.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut input: impl Buf) -> Result<Member<I>, Malformed> {
        let id = I::take(&mut input).ok_or(Malformed)?;
        let incarnation = input.try_get_u16().map_err(|_| Malformed)?;
        let state = match input.try_get_u8() {
            Ok(0) => State::Alive,
            Ok(1) => State::Suspect,
            Ok(2) => State::Down,
            _ => return Err(Malformed),
        };
        Ok(Member::new(id, incarnation, state))
    }
}

pub(crate) type Peer<I> = Foca<I, ByHand, SmallRng, foca::NoCustomBroadcast>;

/// Takes all outputs of a peer and drops them.
#[derive(Default)]
pub(crate) struct Discard {
    /// The bytes that were sent.
    pub(crate) sent: usize,
}

impl<I: Id> Runtime<I> for Discard {
    fn notify(&mut self, _: Notification<'_, I>) {}

    fn send_to(&mut self, _: I, data: &[u8]) {
        // Ours hands out an owned buffer, so this one does, too.
        self.sent += Bytes::copy_from_slice(data).len();
    }

    fn submit_after(&mut self, _: Timer<I>, _: std::time::Duration) {}
}

/// A peer that knows no member yet.
pub(crate) fn start<I: Id>(index: usize, size: usize) -> Peer<I> {
    let size = NonZeroU32::new(size as u32).expect("a cluster");
    let config = foca::Config::new_lan(size);
    Foca::new(I::of(index), config, SmallRng::seed_from_u64(index as u64), ByHand)
}

/// `number` members, numbered from 0.
pub(crate) fn members<I: Id>(number: usize) -> impl Iterator<Item = Member<I>> {
    (0..number).map(|index| Member::alive(I::of(index)))
}

/// A peer that knows `number` members, of which it is the first. Each member that is added is
/// compared with all before it, which takes quadratic time.
pub(crate) fn knowing<I: Id>(number: usize) -> Peer<I> {
    let mut peer = start(0, number);
    let known = members(number).skip(1);
    peer.apply_many(known, false, &mut Discard::default()).expect("members");
    peer
}

/// A packet as another member sends it.
pub(crate) fn packet<I: Id>(from: usize, message: Message<I>, updates: &[Member<I>]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header { src: I::of(from), src_incarnation: 0, dst: I::of(0), message };
    ByHand.encode_header(&header, &mut out).expect("a header");
    out.put_u16(updates.len() as u16);
    for update in updates {
        ByHand.encode_member(update, &mut out).expect("a member");
    }
    out
}

/// One peer in the [`World`].
pub(crate) struct Theirs<I: Id> {
    peer: Peer<I>,
    index: usize,
}

pub(crate) enum Item<I> {
    Packet(Bytes),
    Timer(Timer<I>),
}

struct Wants<'a, I> {
    now: u64,
    index: usize,
    out: &'a mut Vec<Follow<Item<I>>>,
}

impl<I: Id> Runtime<I> for Wants<'_, I> {
    fn notify(&mut self, _: Notification<'_, I>) {}

    fn send_to(&mut self, to: I, data: &[u8]) {
        let item = Item::Packet(Bytes::copy_from_slice(data));
        self.out.push(Follow { to: to.index(), when: When::Datagram, item });
    }

    fn submit_after(&mut self, event: Timer<I>, after: std::time::Duration) {
        let when = When::At(self.now + after.as_nanos() as u64);
        self.out.push(Follow { to: self.index, when, item: Item::Timer(event) });
    }
}

impl<I: Id> Player for Theirs<I> {
    type Item = Item<I>;

    fn happen(&mut self, now: u64, item: Item<I>, out: &mut Vec<Follow<Item<I>>>) {
        let mut wants = Wants { now, index: self.index, out };
        match item {
            Item::Packet(data) => self.peer.handle_data(&data, &mut wants).expect("a packet"),
            Item::Timer(timer) => self.peer.handle_timer(timer, &mut wants).expect("a timer"),
        }
    }
}

/// Peers that know each other from the start.
pub(crate) fn world<I: Id>(number: usize) -> World<Theirs<I>> {
    let mut begin = Vec::new();
    let players = (0..number)
        .map(|index| {
            let mut peer = start(index, number);
            // At random times within the first second, as our phases are.
            let now = (index as u64 * 997 % 1_000) * 1_000_000;
            let mut wants = Wants { now, index, out: &mut begin };
            peer.apply_many(members(number), false, &mut wants).expect("members");
            Theirs { peer, index }
        })
        .collect();
    World::new(players, begin)
}
