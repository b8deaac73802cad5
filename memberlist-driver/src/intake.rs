//! Reading packets, as every adapter does it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use std::time::Instant as StdInstant;
use std::vec;
use std::vec::Vec;

use super::{Driver, Turns};

/// The longest datagram.
const PACKET_MAX: usize = 65_536;

/// Reads packets and lets the timeouts have their turn.
#[derive(Debug)]
pub struct Intake {
    buffer: Vec<u8>,
    turns: Turns,
}

/// How a batch of packets was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    packets: usize,
    /// There may be more: let other tasks run, then go on.
    pub more: bool,
    /// The socket failed: leave it alone for [`Intake::RESPITE`].
    pub failed: bool,
}

impl Intake {
    /// How long a packet socket that fails is left alone.
    pub const RESPITE: Duration = Duration::from_millis(10);

    /// Reads one batch by `receive`, which must not wait, and hands it in; then does what is due.
    /// Packets come before time: what looks late may be waiting in the socket.
    pub fn read(
        &mut self,
        driver: &Driver,
        receive: impl FnMut(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    ) -> Batch {
        let batch = self.read_batch(driver, receive);
        if self.turns.timeouts(batch.packets, batch.more) {
            driver.handle_timeout();
        }
        batch
    }

    fn read_batch(
        &mut self,
        driver: &Driver,
        mut receive: impl FnMut(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    ) -> Batch {
        let mut batch = Batch::default();
        while batch.packets < Turns::BATCH {
            match receive(&mut self.buffer) {
                Ok((len, from)) => {
                    let packet = self.buffer.get(..len).unwrap_or_default();
                    driver.handle_packet(StdInstant::now(), canonical(from), packet);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return batch,
                // An earlier send was refused by its receiver; that says nothing about reading.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    driver.failed("reading packets", &error);
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
pub fn reachable(to: SocketAddr, own: SocketAddr) -> SocketAddr {
    match (to.ip(), own.ip()) {
        (IpAddr::V4(ip), IpAddr::V6(_)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    }
}

/// A socket for both families writes IPv4 addresses as IPv6. Those that are IPv6 keep their scope.
fn canonical(from: SocketAddr) -> SocketAddr {
    match from.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, from.port()),
        IpAddr::V6(_) => from,
    }
}
