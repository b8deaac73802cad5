//! Reading packets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::turns::Turns;
use crate::driver::Driver;
use crate::log::Target;

/// The longest datagram, in bytes.
const PACKET_MAX: usize = 65_536;

/// Reads packets, and decides when timeouts are handled.
#[derive(Debug)]
pub(super) struct Intake {
    buffer: Vec<u8>,
    turns: Turns,
}

/// The result of reading a batch of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// When it ended.
    pub(super) at: Instant,
    /// Whether to handle the timeouts now.
    pub(super) timeouts: bool,
    pub(super) next: Next,
}

/// What to do when everything that a batch of packets caused has been done.
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
    /// Reads one batch with `receive`, which must not wait, and hands it to the core. `begun` is
    /// the current time.
    pub(super) fn read(
        &mut self,
        driver: &Driver,
        begun: Instant,
        mut receive: impl FnMut(&mut [u8], &mut dyn FnMut(&[u8], SocketAddr)) -> io::Result<()>,
    ) -> Batch {
        let (mut packets, mut at, mut next) = (0, begun, Next::Read);
        // The time at which the last packet was read is precise enough, and saves reading the clock
        // again.
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
        // If several came together, more arrive while what these caused is sent, and reading again
        // costs less than waiting for them.
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

/// The form of an address that a socket bound to `own` accepts: a socket for both families needs
/// IPv4 addresses mapped to IPv6.
pub(super) fn reachable(to: SocketAddr, own: SocketAddr) -> SocketAddr {
    match (to.ip(), own.ip()) {
        (IpAddr::V4(ip), IpAddr::V6(_)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    }
}

/// Whether an error has nothing to do with reading: an earlier packet was refused by its receiver
/// (which Windows reports as a reset), or a signal arrived.
fn says_nothing(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error, ConnectionRefused | ConnectionReset | Interrupted)
}

/// Converts IPv4 addresses back that a socket for both families reports as IPv6. IPv6 addresses
/// keep their scope.
fn canonical(from: SocketAddr) -> SocketAddr {
    match from.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, from.port()),
        IpAddr::V6(_) => from,
    }
}
