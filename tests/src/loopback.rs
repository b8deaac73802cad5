//! Loopback addresses that no other running test uses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// The port that is bound as long as an address is reserved, so that other processes see it.
const LOCK_PORT: u16 = 40_999;

/// An address of 127.0.0.0/8 that no other test uses until this is dropped.
#[derive(Debug)]
pub struct Loopback {
    ip: IpAddr,
    _lock: UdpSocket,
}

impl Loopback {
    /// Reserves a free address.
    pub fn reserve() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Processes start at different addresses, so that they seldom try the same one.
        let process = std::process::id().wrapping_mul(7);
        for _ in 0..10_000 {
            let host = NEXT.fetch_add(1, Ordering::Relaxed);
            let [_, _, high, low] = process.wrapping_add(host.into()).to_be_bytes();
            let ip = IpAddr::V4(Ipv4Addr::new(127, 64 + high % 128, low, 1 + (host % 250) as u8));
            if let Ok(lock) = UdpSocket::bind((ip, LOCK_PORT)) {
                return Self { ip, _lock: lock };
            }
        }
        panic!("no loopback address is free");
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The address with a port.
    pub fn port(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }
}
