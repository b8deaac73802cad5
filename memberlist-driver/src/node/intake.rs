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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    packets: usize,
    /// There may be more: let other tasks run, then go on.
    pub(super) more: bool,
    /// The socket failed: leave it alone for a while.
    pub(super) failed: bool,
    /// The timeouts are to be handled now.
    pub(super) timeouts: bool,
}

impl Intake {
    /// Reads one batch by `receive`, which must not wait, and hands it in.
    pub(super) fn read(
        &mut self,
        driver: &Driver,
        receive: impl FnMut(&mut [u8], &mut dyn FnMut(&[u8], SocketAddr)) -> io::Result<()>,
    ) -> Batch {
        let begun = Instant::now();
        let mut batch = self.read_batch(driver, receive, begun);
        batch.timeouts = self.turns.timeouts(batch.packets, begun.elapsed(), batch.more);
        batch
    }

    fn read_batch(
        &mut self,
        driver: &Driver,
        mut receive: impl FnMut(&mut [u8], &mut dyn FnMut(&[u8], SocketAddr)) -> io::Result<()>,
        begun: Instant,
    ) -> Batch {
        let mut batch = Batch::default();
        while Turns::reads_on(batch.packets, begun.elapsed()) {
            let mut take = |packet: &[u8], from| {
                driver.handle_packet(Instant::now(), canonical(from), packet);
            };
            match receive(&mut self.buffer, &mut take) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return batch,
                // An earlier send was refused by its receiver, or a signal came: neither says
                // anything about reading.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    driver.failed(Target::Packet, "reading packets", &error);
                    batch.failed = true;
                    return batch;
                }
            }
            batch.packets += 1;
        }
        batch.more = true;
        batch
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

/// A socket for both families reports IPv4 addresses as IPv6. Those that are IPv6 keep their scope.
fn canonical(from: SocketAddr) -> SocketAddr {
    match from.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, from.port()),
        IpAddr::V6(_) => from,
    }
}
