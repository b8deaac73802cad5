//! Reading packets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::turns::Turns;
use crate::driver::Driver;
use crate::log::Target;

/// The longest datagram, in bytes.
const PACKET_MAX: usize = 65_536;

/// Reads packets, and says when the timeouts have their turn.
#[derive(Debug)]
pub(super) struct Intake {
    buffer: Vec<u8>,
    turns: Turns,
}

/// How a batch of packets was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// When it ended.
    pub(super) at: Instant,
    /// The timeouts are to be handled now.
    pub(super) timeouts: bool,
    pub(super) next: Next,
}

/// What to do when all that a batch of packets caused is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read on: there may be more.
    Read,
    /// Let other tasks run, then read on.
    Yield,
    /// Wait until there is something to do: the socket was empty.
    Wait,
    /// Leave the socket alone for a while: it failed.
    Rest,
}

impl Intake {
    /// Reads one batch by `receive`, which must not wait, and hands it in. It is `begun` now.
    pub(super) fn read(
        &mut self,
        driver: &Driver,
        begun: Instant,
        mut receive: impl FnMut(&mut [u8], &mut dyn FnMut(&[u8], SocketAddr)) -> io::Result<()>,
    ) -> Batch {
        let (mut packets, mut at, mut next) = (0, begun, Next::Read);
        // The time of the last packet's arrival will do: it saves looking at the clock again.
        while self.turns.reads_on(packets, at - begun) {
            let mut take = |packet: &[u8], from| {
                at = Instant::now();
                driver.handle_packet(at, canonical(from), packet);
            };
            match receive(&mut self.buffer, &mut take) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    next = Next::Wait;
                    break;
                }
                Err(error) if says_nothing(error.kind()) => {}
                Err(error) => {
                    driver.failed(Target::Packet, "reading packets", &error);
                    next = Next::Rest;
                    break;
                }
            }
            packets += 1;
        }
        let at = Instant::now();
        let timeouts = self.turns.timeouts(packets, at - begun, next == Next::Read);
        // Where several came together, more arrive while what these caused is sent, and to find them
        // there costs less than to wait for them.
        if next == Next::Wait && packets > 1 {
            next = Next::Read;
        }
        if next == Next::Read && self.turns.tasks() {
            next = Next::Yield;
        }
        Batch { at, timeouts, next }
    }

    /// Other tasks have had their turn.
    pub(super) fn begin_round(&mut self) {
        self.turns.begin_round();
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self { buffer: vec![0; PACKET_MAX], turns: Turns::default() }
    }
}

/// An address as a socket that is bound to `own` wants it: one for both families takes IPv4
/// addresses as IPv6.
pub(super) fn reachable(to: SocketAddr, own: SocketAddr) -> SocketAddr {
    match (to.ip(), own.ip()) {
        (IpAddr::V4(ip), IpAddr::V6(_)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    }
}

/// Whether an error says nothing about reading: an earlier send was refused by its receiver, which
/// Windows reports as a reset, or a signal came.
fn says_nothing(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error, ConnectionRefused | ConnectionReset | Interrupted)
}

/// A socket for both families reports IPv4 addresses as IPv6. Those that are IPv6 keep their scope.
fn canonical(from: SocketAddr) -> SocketAddr {
    match from.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, from.port()),
        IpAddr::V6(_) => from,
    }
}
